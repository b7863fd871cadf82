"""Mail that means harm: read in time and memory that grow with its size and with nothing else.

Time is compared with itself: what takes twice the work for twice the input takes at most about three times as long, and
what grows with the square takes four times as long, at eight times the input sixty-four times.
"""

import base64
import gc
import time
import tracemalloc
from collections.abc import Callable

import pytest

from convergekit.adapters.email.reading.mail import read


def header(value: bytes) -> bytes:
    return b"From: a@example.org\r\nTo: " + value + b"\r\nSubject: " + value + b"\r\n\r\nHello"


def part(kind: bytes, body: bytes, encoding: bytes = b"8bit") -> bytes:
    return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


MIXED = b"multipart/mixed; boundary=x"

#: From a number to a mail of about so many times a few bytes.
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "nested parts": lambda n: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(n)
    ),
    "nested parts of one boundary": lambda n: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * n,
    "nested messages": lambda n: b"Content-Type: message/rfc822\r\n\r\n" * n,
    "encoded messages in encoded messages": lambda n: (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" * 45 + b"a" * 50 * n
    ),
    "parts": lambda n: part(MIXED, b"\r\n--x\r\nContent-Type: text/plain\r\n\r\nHello" * n),
    "boundaries": lambda n: part(MIXED, b"\r\n--x" * n),
    "last boundaries": lambda n: part(MIXED, b"\r\n--x--" * n),
    "boundaries that begin alike": lambda n: (
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
        + b"".join(
            b"--" + b"a" * i + b"\r\nContent-Type: multipart/mixed; boundary=" + b"a" * (i + 1) + b"\r\n\r\n"
            for i in range(1, 45)
        )
        + b"\r\n--aaaaaaaaab" * n
    ),
    "boundaries nobody announced": lambda n: part(MIXED, b"\n--y y\nContent-Type: multipart/mixed; boundary=z\n\n" * n),
    "spaces behind what may be a boundary": lambda n: (
        part(MIXED, b"\r\n--x\r\nX: y\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n" * (n // 80))
        + b"\n--a"
        + b" " * n
    ),
    "lines in a header": lambda n: b"a: b\n" * n,
    "lines that are no fields": lambda n: b"no field\nTo: a@example.org\n" * n,
    "folds": lambda n: b"Subject: a\n" + b" \n" * n,
    "a long header": lambda n: b"Subject: " + b"a" * 4 * n,
    "beginnings of encoded words": lambda n: header(b"=?" * n),
    "longer beginnings of encoded words": lambda n: header(b"=?a?q?" * n),
    "encoded words": lambda n: header(b"=?utf-8?q?=41?= " * n),
    "quotes": lambda n: header(b'"' * n),
    "quotes in quotes": lambda n: header(b'"\\' * n),
    "comments": lambda n: header(b"(" * n),
    "comments in comments": lambda n: header(b"(\\" * n),
    "angle brackets": lambda n: header(b"<" * n),
    "at signs": lambda n: header(b"@" * n),
    "words and colons": lambda n: header(b"a " * n + b"@" + b" :" * n),
    "addresses": lambda n: header(b"a@b," * n),
    "addresses without commas": lambda n: header(b"a@b " * n),
    "labels": lambda n: header(b"a@" + "ä.".encode() * n),
    "spaces": lambda n: header(b" " * n + b"a"),
    "references": lambda n: b"References: " + b"<a@b> " * n + b"\r\n\r\n",
    "beginnings of references": lambda n: b"References: " + b"<" * n + b"\r\n\r\n",
    "parameters": lambda n: part(b"text/plain" + b';a="' * n, b""),
    "sections of parameters": lambda n: part(b"text/plain" + b";a*1*=b" * n, b""),
    "folders": lambda n: part(b'image/png; name="' + b"../" * n + b'"', b""),
    "padding": lambda n: part(b"image/png", b"A=" * n, b"base64"),
    "no base64": lambda n: part(b"image/png", b"A! " * n, b"base64"),
    "signs that encode nothing": lambda n: part(b"text/plain", b"=" * n, b"quoted-printable"),
    "signs and spaces": lambda n: part(b"text/plain", b"= " * n, b"quoted-printable"),
    "files in a text": lambda n: part(b"text/plain", b"begin 644 a\n#0V%T\n`\nend\n" * n),
    "beginnings of files in a text": lambda n: part(b"text/plain", b"begin 644 a\n" * n),
    "lines that go on": lambda n: part(b"text/plain; format=flowed", b"> \n" * n),
    "carriage returns": lambda n: b"Subject: a\r\r" + b"a\r" * n,
    "references to pictures": lambda n: part(b"text/html", b"cid:" * n),
    "tags": lambda n: part(b"text/html", b"<p>" * n),
    "texts": lambda n: part(MIXED, b"\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>Hello" * n),
    "NULs": lambda n: b"\0" * n,
    "bytes that are no UTF-8": lambda n: part(b"text/plain; charset=utf-8", b"\xc3" * n),
}


def cost(raw: bytes) -> float:
    """CPU seconds, the lesser of two. Without collection, which goes through all that the tests before left behind."""
    gc.disable()
    try:
        return min(timed(raw), timed(raw))
    finally:
        gc.enable()


def timed(raw: bytes) -> float:
    start = time.process_time()
    read(raw)
    return time.process_time() - start


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_size(name: str) -> None:
    make = HOSTILE[name]
    small, large = make(4_000), make(32_000)
    # Below two milliseconds the clock says little. Three times as long for twice as much would be 27 times here.
    assert cost(large) <= 20 * max(cost(small), 0.002)


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_has_a_bound(name: str) -> None:
    raw = HOSTILE[name](20_000)
    tracemalloc.start()
    read(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # What is kept beside the mail itself, for the fields, addresses and lines that are taken, has an upper limit.
    assert peak <= 3 * len(raw) + 8 * 1024 * 1024


def test_100_000_nested_parts_are_one_file() -> None:
    mail = read(HOSTILE["nested parts"](100_000))
    assert sum(1 for _ in mail.entity.walk()) == 51
    assert len(mail.attachments) == 1


def test_50_mb_of_text_are_read_within_three_times_their_size() -> None:
    raw = b"Subject: a\r\n\r\n" + b"Hello Bob, all is well here, and how are you?\r\n" * 1_100_000
    assert len(raw) > 50_000_000
    tracemalloc.start()
    mail = read(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak + len(raw) <= 3 * len(raw)
    assert mail.text is not None
    assert len(mail.text) < 5_000_000
    assert mail.attachments[0].data == raw[14:]


def test_a_file_of_one_megabyte_takes_at_most_three_times_its_mail() -> None:
    content = bytes(range(256)) * 4096
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    file = (
        b"\r\n--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encoded
        + b"--x--\r\n"
    )
    raw = part(MIXED, b"--x\r\n\r\nSee below." + file)
    read(raw[:1000])  # what is imported and compiled once
    tracemalloc.start()
    mail = read(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mail.attachments[0].data == content
    assert peak + len(raw) <= 3 * len(content)
