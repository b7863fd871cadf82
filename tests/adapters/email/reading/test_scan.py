"""The parts of a mail, well built and badly."""

from collections.abc import Callable
from typing import Any

import pytest

from convergekit.adapters.email.reading.entity import Entity
from convergekit.adapters.email.reading.scan import MAX_DEPTH, MAX_PARTS, scan


def tree(entity: Entity) -> Any:
    """Types of the containers, and the bodies of what is none."""
    return {entity.media_type: [tree(child) for child in entity.children]} if entity.children else bytes(entity.body())


def mail(*lines: str, boundary: str = "x", kind: str = "multipart/mixed") -> bytes:
    return "\r\n".join((f'Content-Type: {kind}; boundary="{boundary}"', "", *lines)).encode()


WELL_BUILT = mail(
    "preamble",
    "--x",
    "",
    "one",
    "--x",
    'Content-Type: multipart/alternative; boundary="x.y"',
    "",
    "--x.y",
    "",
    "two",
    "",
    "--x.y",
    "Content-Type: text/html",
    "",
    "three",
    "--x.y--",
    "inner epilogue",
    "--x",
    "Content-Type: message/rfc822",
    "",
    "Subject: inside",
    "",
    "four",
    "--x--",
    "epilogue",
    "--x",
    "",
    "not a part",
)
WELL_READ = {
    "multipart/mixed": [b"one", {"multipart/alternative": [b"two\r\n", b"three"]}, {"message/rfc822": [b"four"]}]
}


def test_parts_are_found_without_the_line_break_before_the_boundary() -> None:
    entity, defects = scan(WELL_BUILT)
    assert tree(entity) == WELL_READ
    assert defects == []
    assert entity.children[2].children[0].headers.get("subject") == "inside"
    assert bytes(entity.children[2].body()) == b"Subject: inside\r\n\r\nfour"


def test_all_are_walked_depth_first() -> None:
    kinds = [entity.media_type for entity in scan(WELL_BUILT)[0].walk()]
    assert kinds == [
        "multipart/mixed",
        "text/plain",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "message/rfc822",
        "text/plain",
    ]


def bare_lf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


def bare_cr(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\r")


def mixed_line_ends(raw: bytes) -> bytes:
    return raw.replace(b"--x\r\n", b"--x\n").replace(b'boundary="x"\r\n', b'boundary="x"\n')


@pytest.mark.parametrize("ends", [bare_lf, bare_cr, mixed_line_ends])
def test_lines_may_end_in_any_way(ends: Callable[[bytes], bytes]) -> None:
    entity, _ = scan(ends(WELL_BUILT))
    texts = [part.text() for part in entity.walk() if not part.children]
    assert texts == ["one", "two\n", "three", "four"]


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbf",
        b"\r\n\r\n",
        b"From ann@example.org Mon Jan  5 12:00:00 2026\r\n",
        b">From ann@example.org Mon Jan  5 12:00:00 2026\r\n",
        b"\xef\xbb\xbfFrom ann@example.org Mon Jan  5 12:00:00 2026\n",
    ],
)
def test_what_stands_before_the_header_is_passed_over(before: bytes) -> None:
    entity, defects = scan(before + WELL_BUILT)
    assert (tree(entity), defects) == (WELL_READ, [])


def test_a_field_with_a_space_before_its_colon_is_not_the_line_of_an_mbox_file() -> None:
    assert scan(b"From : ann@example.org\r\n\r\n")[0].headers.get("from") == "ann@example.org"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(mail("--x", "", "one", "--x", "", "two"), [b"one", b"two"], id="no last boundary"),
        pytest.param(mail("--x", "", "one", "--x"), [b"one", b""], id="cut off behind a boundary"),
        pytest.param(mail("--x", "", "one", "--x \t", "", "two", "--x-- "), [b"one", b"two"], id="white space behind"),
        pytest.param(mail("--x", "one", "two", "--x--"), [b"one\r\ntwo"], id="no blank line"),
        pytest.param(mail("--x", "", "--x", "", "--x--"), [b"", b""], id="empty parts"),
        pytest.param(mail("--x", "--x", "--x--"), [b"", b""], id="parts without anything"),
        pytest.param(
            mail("--x", "", "one", "--xy", "--x-", "--X", " --x", "--x--"),
            [b"one\r\n--xy\r\n--x-\r\n--X\r\n --x"],
            id="other lines",
        ),
        pytest.param(
            mail("--x--", "", "one", "--x----", "two", boundary="x--"), [b"one"], id="dashes at the end of a boundary"
        ),
        pytest.param(
            mail("--y ", "Content-Type: text/plain", "", "one", "--y", "", "two", "--y--"),
            [b"one", b"two"],
            id="another boundary than announced",
        ),
        pytest.param(
            mail("--y", "Content-Type: text/plain", "", "one", "--y--").replace(b'; boundary="x"', b""),
            [b"one"],
            id="no boundary announced",
        ),
        pytest.param(
            mail("--" + "x" * 600, "Content-Type: text/plain", "", "one", boundary="x" * 600),
            None,
            id="a boundary that is too long",
        ),
    ],
)
def test_broken_multiparts_are_read(raw: bytes, expected: list[bytes] | None) -> None:
    entity, _ = scan(raw)
    assert tree(entity) == ({"multipart/mixed": expected} if expected else bytes(entity.body()))


@pytest.mark.parametrize(
    "raw",
    [
        mail("--x", "", "one"),
        mail("one"),
        mail("--y", "Content-Type: text/plain", "", "one", "--y--"),
        mail("--x", "Hello Bob", "--x--"),
        mail("--x", "Content-Type: nonsense", "", "--x--"),
        mail("--x", "Content-Transfer-Encoding: nonsense", "", "--x--"),
        b"Content-Transfer-Encoding: base64\r\n" + mail("--x", "", "one", "--x--"),
        b"Subject: one\rTo: two\r\rthree",
    ],
)
def test_what_is_broken_is_told(raw: bytes) -> None:
    assert scan(raw)[1]


def test_an_outer_boundary_ends_what_is_inside() -> None:
    inner = 'Content-Type: multipart/mixed; boundary="y"'
    entity, defects = scan(mail("--x", inner, "", "--y", "", "one", "--x", "", "two", "--y", "", "three", "--x--"))
    assert tree(entity) == {"multipart/mixed": [{"multipart/mixed": [b"one"]}, b"two\r\n--y\r\n\r\nthree"]}
    assert defects == ["the last boundary of a multipart is missing"]


def test_the_same_boundary_inside_belongs_to_the_inner_one_until_it_is_closed() -> None:
    inner = 'Content-Type: multipart/alternative; boundary="x"'
    entity, _ = scan(mail("--x", inner, "", "--x", "", "one", "--x--", "--x", "", "two", "--x--"))
    assert tree(entity) == {"multipart/mixed": [{"multipart/alternative": [b"one"]}, b"two"]}


def test_boundaries_that_begin_alike_are_told_apart() -> None:
    inner = 'Content-Type: multipart/mixed; boundary="xx"'
    entity, _ = scan(mail("--x", inner, "", "--xx", "", "one", "--xxx", "--xx--", "--x", "", "two", "--x--"))
    assert tree(entity) == {"multipart/mixed": [{"multipart/mixed": [b"one\r\n--xxx"]}, b"two"]}


def test_a_digest_is_made_of_messages() -> None:
    entity, _ = scan(
        mail("--x", "", "Subject: one", "", "1", "--x", "", "Subject: two", "--x--", kind="multipart/digest")
    )
    assert [child.media_type for child in entity.children] == ["message/rfc822"] * 2
    assert [child.children[0].headers.get("subject") for child in entity.children] == ["one", "two"]


def test_an_encoded_message_is_looked_into() -> None:
    raw = (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogaW5zaWRlDQoNCmhlbGxv\r\n"
    )
    entity, _ = scan(raw)
    (inner,) = entity.children
    assert (inner.headers.get("subject"), inner.text()) == ("inside", "hello")
    assert entity.content() == b"Subject: inside\r\n\r\nhello"


def test_a_delivery_status_is_one_part_and_not_a_message() -> None:
    entity, _ = scan(mail("--x", "Content-Type: message/delivery-status", "", "a: b", "", "c: d", "--x--"))
    assert tree(entity) == {"multipart/mixed": [b"a: b\r\n\r\nc: d"]}


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("", "text/plain"),
        ("Content-Type: TEXT/HTML; charset=utf-8", "text/html"),
        ("Content-Type: text", "text/plain"),
        ("Content-Type: text/", "text/plain"),
        ("Content-Type:", "text/plain"),
        ("Content-Type: text/plain, text/html", "text/plain"),
        ("Content-Type: a b/c d", "text/plain"),
        ("Content-Type: text/html (of a kind)", "text/html"),
        ("Content-Type: application/x-a+b.c", "application/x-a+b.c"),
        ("Content-Type: " + "a" * 500 + "/b", "text/plain"),
    ],
)
def test_the_type_is_as_it_says_or_plain_text(header: str, media_type: str) -> None:
    assert scan(f"{header}\r\n\r\nbody".lstrip("\r").encode())[0].media_type == media_type


@pytest.mark.parametrize(
    ("header", "disposition", "name", "content_id"),
    [
        ("Content-Disposition: inline", "inline", None, None),
        ("Content-Disposition: ATTACHMENT; filename=a.pdf", "attachment", "a.pdf", None),
        ("Content-Disposition: form-data; filename=a.pdf", "attachment", "a.pdf", None),
        ("Content-Disposition: ; filename=a.pdf", "", "a.pdf", None),
        ("Content-Type: application/pdf; name=b.pdf", "", "b.pdf", None),
        (
            "Content-Type: application/pdf; name=b.pdf\r\nContent-Disposition: inline; filename=a",
            "inline",
            "a.pdf",
            None,
        ),
        ('Content-Disposition: attachment; filename="../../=?utf-8?q?=C3=BC?=.pdf"', "attachment", "ü.pdf", None),
        ('Content-Disposition: attachment; filename="\xfc.pdf"', "attachment", "ü.pdf", None),
        ("Content-ID: <a@b>", "", None, "a@b"),
        ("Content-ID: a@b", "", None, "a@b"),
        ("Content-ID: <>", "", None, None),
    ],
)
def test_disposition_name_and_id(header: str, disposition: str, name: str | None, content_id: str | None) -> None:
    entity, _ = scan(f"{header}\r\n\r\n".encode("latin-1"))
    assert (entity.disposition, entity.name, entity.content_id) == (disposition, name, content_id)


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        ("", b"a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("Content-Type: text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        (
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
            b"caf=C3=A9",
            "café",
        ),
        ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", b"Y2Fmw6k=\r\n", "café"),
        ("Content-Type: text/plain; format=flowed", b"goes \r\non\r\n", "goes on\n"),
        ("Content-Type: text/plain; format=flowed; delsp=yes", b"goes \r\non\r\n", "goeson\n"),
        ("Content-Type: text/html; format=flowed", b"goes \r\non\r\n", "goes \non\n"),
        ("", b"a\0b", "ab"),
        ("Content-Type: text/html", b"<meta charset=koi8-r><p>\xd4\xc5\xcb\xd3\xd4", "<meta charset=koi8-r><p>текст"),
        (
            "Content-Type: text/html; charset=utf-8",
            b"<meta http-equiv=x content='text/html; charset=koi8-r'>\xd1\x82",
            "<meta http-equiv=x content='text/html; charset=koi8-r'>т",
        ),
        ("Content-Type: text/plain", b"<meta charset=koi8-r>\xe9", "<meta charset=koi8-r>é"),
        ("Content-Type: text/plain; charset=x-martian", b"caf\xc3\xa9", "café"),
    ],
)
def test_text_is_decoded(header: str, body: bytes, text: str) -> None:
    assert scan(f"X: y\r\n{header}".strip().encode() + b"\r\n\r\n" + body)[0].text() == text


def test_the_body_is_what_stands_there() -> None:
    entity, _ = scan(b"Content-Transfer-Encoding: base64\r\n\r\nY2Fmw6k=\r\n")
    assert bytes(entity.body()) == b"Y2Fmw6k=\r\n"
    assert entity.content() == "café".encode()


def test_what_lies_too_deep_is_kept_as_it_is() -> None:
    raw = (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60))
        + b"\r\nhi"
    )
    entity, defects = scan(raw)
    entities = list(entity.walk())
    assert len(entities) == MAX_DEPTH + 1
    assert entities[-1].disposition == "attachment"
    assert entities[-1].content().endswith(b"--b59\r\n\r\nhi")
    assert any("deep" in defect for defect in defects)


def test_one_part_too_many_is_kept_with_all_that_follows() -> None:
    entity, defects = scan(mail(*(line for n in range(MAX_PARTS + 500) for line in ("--x", "", f"part {n}"))))
    assert len(entity.children) == MAX_PARTS
    assert entity.children[-2].text() == f"part {MAX_PARTS - 2}"
    rest = entity.children[-1]
    assert (rest.media_type, rest.disposition) == ("application/octet-stream", "attachment")
    assert rest.content().startswith(f"--x\r\n\r\npart {MAX_PARTS - 1}\r\n".encode())
    assert rest.content().endswith(f"part {MAX_PARTS + 499}".encode())
    assert any("parts" in defect for defect in defects)


def test_all_headers_together_have_a_limit() -> None:
    entity, defects = scan(mail(*(line for _ in range(100) for line in ("--x", *["a: b"] * 900, "", "body"))))
    assert sum(len(part.headers) for part in entity.walk()) == 20_000
    assert {part.text() for part in entity.children} == {"body"}
    assert any("header" in defect for defect in defects)


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\r\n\r\n", b"\0", b"-", b"--", b":", b" ", b"\xef\xbb\xbf", b"From ", b"a:"]
)
def test_next_to_nothing_is_a_mail_without_text(raw: bytes) -> None:
    entity, _ = scan(raw)
    assert (entity.media_type, entity.children) == ("text/plain", ())
    entity.text()
