"""No bytes make it raise, and none take long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.reading.mail import read
from convergekit.adapters.email.reports import events_in
from tests.adapters.email.reports.kit import IDENTIFIERS, MINE, dsn, events, report, returned

GROUP = "Final-Recipient: rfc822; u{}@example.net\nAction: failed\nStatus: 5.1.1\n\n"
MDN = "Content-Type: message/disposition-notification\n\nOriginal-Message-ID: <{}>\nDisposition: displayed\n"
#: Seconds: far more than any of it takes, far less than what grows with the square of its size.
LONGEST = 3.0

HOSTILE: dict[str, Callable[[], bytes]] = {
    "100,000 recipients": lambda: dsn("".join(GROUP.format(number) for number in range(100_000))),
    "a megabyte in a field": lambda: dsn(GROUP.format(1) + "Diagnostic-Code: smtp; " + "5.1." * 250_000),
    "a megabyte of address": lambda: dsn(f"Final-Recipient: rfc822; {'a' * 1_000_000}@x.test\nAction: failed\n"),
    "a megabyte of folds": lambda: dsn("Action: failed\nStatus: 5.1.1\nDiagnostic-Code: x\n" + " \t \n y\n" * 200_000),
    "a megabyte of brackets": lambda: dsn("Action: failed\nFinal-Recipient: " + "<(" * 500_000 + "\nStatus: 5.1.1\n"),
    "a megabyte of routes": lambda: dsn("Action: failed\nFinal-Recipient: " + "@a," * 300_000 + "\nStatus: 5.1.1\n"),
    "a megabyte of names": lambda: dsn("".join(f"X-{number}: y\n" for number in range(100_000))),
    "a megabyte of words": lambda: b"From: <>\n\nThe following addresses had\n" + b"a" * 1_000_000,
    "a megabyte of lines": lambda: b"From: <>\n\nYour message could not be delivered\n" + b"aaaa aaa\n" * 100_000,
    "a megabyte of at signs": lambda: b"From: <>\n\nfailed addresses follow:\n" + b"a@" * 500_000,
    "a megabyte of dashes": lambda: b"From: <>\nX-Failed-Recipients: a@b.test\n\n" + (b"-" * 900 + b"\n") * 1100,
    "a megabyte of quotes": lambda: b"From: <>\nX-Failed-Recipients: a@b.test\n\n" + (b"> " * 400 + b"\n") * 1200,
    "a megabyte of failed": lambda: b"X-Failed-Recipients: " + b"a@b.test, " * 100_000 + b"\n\nx\n",
    "50,000 parts": lambda: report("delivery-status", *["Content-Type: text/plain\n\nx\n"] * 50_000),
    "deep": lambda: b"".join(b'Content-Type: multipart/report; boundary="%d"\n\n--%d\n' % (n, n) for n in range(300)),
    "a huge Message-ID": lambda: report("disposition-notification", MDN.format("x" * 1_000_000 + "@example.org")),
    "numbers": lambda: dsn("Action: failed\nStatus: 5." + "9" * 100_000 + ".1\nDiagnostic-Code: " + "5.1.1." * 100_000),
}


VERP = IDENTIFIERS.verp(MINE, "bounces@example.org")


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_soon(name: str) -> None:
    """Though it has proven that it is about a mail of ours, so that all of it is looked at."""
    mail = read(HOSTILE[name]())
    before = time.process_time()
    found = events_in(mail, IDENTIFIERS, key="mail:k", recipients=[VERP])
    spent = time.process_time() - before

    assert spent < LONGEST
    assert len(found) <= 202  # of each recipient a receipt, and an address that is nobody's


def test_of_many_recipients_the_first_are_told() -> None:
    assert len(events(HOSTILE["100,000 recipients"]())) >= 100


@pytest.mark.parametrize(
    "token", ["", "a" * 40, "a" * 29, "2" * 56, "ü" * 40, IDENTIFIERS.envelope_id(MINE)[:-1] + "?"]
)
def test_a_forged_token_is_none(token: str) -> None:
    back = returned().replace(IDENTIFIERS.message_id(MINE), f"{token}@example.org")

    assert not events(dsn(GROUP.format(1), envid=token, back=back), recipients=[f"a+{token}@example.org", "", "@", "+"])


def test_a_token_that_one_bit_differs_from_ours_is_none() -> None:
    token = IDENTIFIERS.envelope_id(MINE)
    for place, letter in enumerate(token[:-1]):
        forged = token[:place] + ("a" if letter != "a" else "b") + token[place + 1 :]
        assert not events(dsn(GROUP.format(1), envid=forged, back="X: y\n\n-\n"))


@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_no_bytes_make_it_raise(junk: bytes, seed: int) -> None:
    """In every place of a report that is in order."""
    raw = bytearray(dsn(GROUP.format(1)) if seed % 2 else report("disposition-notification", MDN.format("x@y")))
    at = random.Random(seed).randrange(len(raw))
    raw[at : at + len(junk) * (seed % 3)] = junk

    for event in events(bytes(raw), recipients=[junk.decode("latin-1"), VERP]):
        event.model_dump_json()
