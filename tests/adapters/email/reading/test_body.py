"""What of a mail is its text, and what goes with it."""

from email.message import EmailMessage

import pytest

from convergekit.adapters.email.reading import body
from convergekit.adapters.email.reading.mail import ReadMail, read

PNG = b"\x89PNG\r\n\x1a\n"


def mixed(*parts: tuple[str, str], kind: str = "multipart/mixed") -> ReadMail:
    """A mail of *parts*, each with a header and a body."""
    lines = [f"Content-Type: {kind}; boundary=x", ""]
    for header, content in parts:
        lines += ["--x", *([header] if header else []), "", content]
    return read("\r\n".join((*lines, "--x--", "")).encode())


def named(mail: ReadMail) -> list[tuple[str | None, str, bytes | None]]:
    return [(file.name, file.media_type, file.data) for file in mail.attachments]


HTML = "Content-Type: text/html"
FILE = "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf"


def test_plain_text_is_the_text() -> None:
    mail = read(b"Subject: a\r\n\r\nHello\r\nBob\r\n\r\n")
    assert (mail.text, mail.html, mail.attachments) == ("Hello\nBob", None, ())


def test_text_is_made_from_html_where_there_is_none() -> None:
    mail = read(
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<style>x</style><p>Gr\xc3\xbc\xc3\x9fe</p><p>Bob</p>\r\n"
    )
    assert mail.text == "Grüße\n\nBob"
    assert mail.html == "<style>x</style><p>Grüße</p><p>Bob</p>"


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_alternatives_are_one_piece_in_any_order(order: slice) -> None:
    mail = mixed(*[("", "Hello *Bob*"), (HTML, "<p>Hello <b>Bob</b></p>")][order], kind="multipart/alternative")
    assert (mail.text, mail.html, mail.attachments) == ("Hello *Bob*", "<p>Hello <b>Bob</b></p>", ())


def test_an_alternative_that_says_nothing_is_made_from_the_html() -> None:
    mail = mixed(("", " \r\n"), (HTML, "<p>Hello</p>"), kind="multipart/alternative")
    assert mail.text == "Hello"


def test_an_invitation_among_the_alternatives_is_a_file() -> None:
    calendar = ("Content-Type: text/calendar; method=REQUEST", "BEGIN:VCALENDAR")
    mail = mixed(("", "Hello"), (HTML, "<p>Hello</p>"), calendar, kind="multipart/alternative")
    assert (mail.text, mail.html) == ("Hello", "<p>Hello</p>")
    assert named(mail) == [(None, "text/calendar", b"BEGIN:VCALENDAR")]


def test_other_forms_of_the_same_are_left_out_only_if_there_is_one_to_read() -> None:
    amp = ("Content-Type: text/x-amp-html", "<html amp4email>")
    assert mixed(("", "Hello"), amp, (HTML, "<p>Hello</p>"), kind="multipart/alternative").attachments == ()
    assert len(mixed(amp, kind="multipart/alternative").attachments) == 1


def test_a_second_plain_text_among_the_alternatives_is_not_lost() -> None:
    mail = mixed(("", "one"), (HTML, "<p>one</p>"), ("", "two"), kind="multipart/alternative")
    assert mail.text == "one\n\ntwo"
    assert mail.html is not None
    assert "two" in mail.html


def test_text_behind_a_file_is_appended() -> None:
    mail = mixed(("", "before"), (FILE, "%PDF"), ("", "behind"))
    assert mail.text == "before\n\nbehind"
    assert mail.html is None
    assert named(mail) == [("a.pdf", "application/pdf", b"%PDF")]


def test_so_is_html_and_plain_text_among_html_stays_what_it_is() -> None:
    mail = mixed((HTML, "<p>before</p>"), (FILE, "%PDF"), (HTML, "<p>behind</p>"), ("", "1 < 2\r\nfooter"))
    assert mail.text == "before\n\nbehind\n\n1 < 2\nfooter"
    assert mail.html == "<p>before</p>\n<p>behind</p>\n<pre>1 &lt; 2\nfooter</pre>"


def test_a_footer_below_alternatives_is_in_both() -> None:
    inner = "--y\r\n\r\nHello\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--y--"
    mail = mixed(("Content-Type: multipart/alternative; boundary=y", inner), ("", "footer"))
    assert mail.text == "Hello\n\nfooter"
    assert mail.html == "<p>Hello</p>\n<pre>footer</pre>"


@pytest.mark.parametrize(
    "header",
    [
        "Content-Disposition: attachment",
        "Content-Disposition: attachment; filename=a.txt",
        "Content-Disposition: inline; filename=a.txt",
        "Content-Type: text/plain; name=a.txt",
        "Content-Disposition: x-unknown",
    ],
)
def test_text_that_is_attached_or_named_is_a_file(header: str) -> None:
    mail = mixed(("", "Hello"), (header, "content"))
    assert (mail.text, [file.data for file in mail.attachments]) == ("Hello", [b"content"])


def test_the_first_text_is_the_text_though_a_program_named_it() -> None:
    mail = mixed(("Content-Type: text/plain; name=mail.txt", "Hello"), ("Content-Type: text/plain; name=a.txt", "file"))
    assert (mail.text, [file.name for file in mail.attachments]) == ("Hello", ["a.txt"])


def test_a_mail_that_is_a_file_has_no_text() -> None:
    mail = read(f"{FILE}\r\n\r\n%PDF".encode())
    assert (mail.text, mail.html, named(mail)) == (None, None, [("a.pdf", "application/pdf", b"%PDF")])


@pytest.mark.parametrize("kind", ["text/csv", "text/x-patch", "text/vcard", "image/png", "application/ms-tnef"])
def test_other_parts_are_files_also_without_a_name(kind: str) -> None:
    mail = mixed(("", "Hello"), (f"Content-Type: {kind}", "content"))
    assert (mail.text, named(mail)) == ("Hello", [(None, kind, b"content")])


@pytest.mark.parametrize("kind", ["text/markdown", "text/enriched", "text/x-unknown", "text"])
def test_a_mail_of_another_kind_of_text_is_text(kind: str) -> None:
    assert read(f"Content-Type: {kind}\r\n\r\nHello".encode()).text == "Hello"


def test_the_type_of_a_file_is_told_by_its_name_where_nothing_is_said() -> None:
    mail = mixed(("", "Hello"), ("Content-Disposition: attachment; filename=a.pdf", "%PDF"))
    assert named(mail) == [("a.pdf", "application/pdf", b"%PDF")]
    mail = mixed(("", "Hello"), ("Content-Disposition: attachment", "content"))
    assert named(mail) == [(None, "application/octet-stream", b"content")]
    mail = mixed(("", "Hello"), ("Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.csv", "1"))
    assert named(mail) == [("a.csv", "text/plain", b"1")]


@pytest.mark.parametrize(
    ("header", "content_id"),
    [
        ("Content-ID: <cat@x>\r\nContent-Disposition: inline; filename=a.png", "cat@x"),
        ("Content-ID: <cat@x>", "cat@x"),
        ("Content-ID: <cat@x>\r\nContent-Disposition: attachment; filename=a.png", "cat@x"),
        ("Content-ID: <dog@x>\r\nContent-Disposition: inline; filename=a.png", "dog@x"),
        ("Content-ID: <dog@x>\r\nContent-Disposition: attachment; filename=a.png", None),
        ("Content-ID: <dog@x>", None),
        ("Content-Disposition: inline; filename=a.png", None),
    ],
)
def test_a_picture_belongs_into_the_html_if_that_names_it(header: str, content_id: str | None) -> None:
    mail = mixed(
        (HTML, '<p>See <img src="cid:cat%40x"></p>'),
        (f"Content-Type: image/png\r\n{header}", "x"),
        kind="multipart/related",
    )
    assert [file.content_id for file in mail.attachments] == [content_id]
    assert mail.html == '<p>See <img src="cid:cat%40x"></p>'


def test_a_signed_mail_is_what_was_signed_and_the_signature() -> None:
    signature = ("Content-Type: application/pgp-signature; name=signature.asc", "-----BEGIN PGP SIGNATURE-----")
    mail = mixed(("", "Hello"), signature, kind="multipart/signed; protocol=application/pgp-signature")
    assert (mail.text, [file.name for file in mail.attachments]) == ("Hello", ["signature.asc"])


def test_an_encrypted_mail_is_files() -> None:
    parts = (
        ("Content-Type: application/pgp-encrypted", "Version: 1"),
        ("Content-Type: application/octet-stream", "--"),
    )
    mail = mixed(*parts, kind="multipart/encrypted")
    assert (mail.text, len(mail.attachments)) == (None, 2)


def test_a_mail_in_a_mail_is_a_file_and_speaks_for_itself() -> None:
    inner = "From: Mallory <m@example.net>\r\nSubject: inside\r\nContent-Type: text/plain\r\n\r\nnot ours"
    mail = mixed(("", "See below"), ("Content-Type: message/rfc822", inner))
    assert (mail.text, mail.subject, mail.sender) == ("See below", None, None)
    assert named(mail) == [(None, "message/rfc822", inner.encode())]


def test_uuencoded_files_are_taken_out_of_the_text() -> None:
    mail = read(b"Subject: a\r\n\r\nSee:\r\nbegin 644 ../cat.txt\r\n#0V%T\r\n`\r\nend\r\nRegards\r\n")
    assert mail.text == "See:\nRegards"
    assert [(file.name, file.data) for file in mail.attachments] == [("cat.txt", b"Cat")]


def test_a_multipart_without_parts_is_text() -> None:
    mail = read(b"Content-Type: multipart/mixed; boundary=x\r\n\r\nHello Bob\r\n")
    assert (mail.text, mail.attachments) == ("Hello Bob", ())


def test_what_lies_too_deep_is_a_file() -> None:
    raw = (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60))
        + b"\r\nhi"
    )
    (file,) = read(raw).attachments
    assert file.data is not None
    assert file.data.endswith(b"\r\n\r\nhi")


def test_text_beyond_the_limit_is_kept_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_TEXT", 10)
    mail = mixed(("", "12345678"), (HTML, "<p>abcdefg</p>"), ("", "third"))
    assert (mail.text, mail.html) == ("12345678", None) or mail.html == "<pre>12345678</pre>\n<p"
    assert [file.data for file in mail.attachments] == [b"<p>abcdefg</p>", b"third"]
    assert any("more text" in defect for defect in mail.defects)


def test_text_is_made_from_the_beginning_of_much_html(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_HTML", 10)
    mail = mixed((HTML, "<p>one</p><p>two</p>"), (HTML, "<p>three</p>"))
    assert mail.text == "one"
    assert mail.html == "<p>one</p><p>two</p>\n<p>three</p>"
    assert any("too much" in defect for defect in mail.defects)


@pytest.mark.parametrize(
    "part",
    [
        ("Content-Transfer-Encoding: base64", "Hello Bob, how are you?"),
        ("Content-Transfer-Encoding: quoted-printable", "100 =? 5"),
        ("Content-Type: text/plain; charset=us-ascii", "Grüße"),
        ("Content-Type: text/plain; charset=x-martian", "Hello"),
        ("", "a\0b"),
    ],
)
def test_what_is_wrong_with_a_text_is_told(part: tuple[str, str]) -> None:
    assert mixed(part).defects


def test_a_damaged_file_is_told() -> None:
    mail = mixed((FILE + "\r\nContent-Transfer-Encoding: base64", "YWJj" * 20 + "!" + "YWJj"))
    assert (mail.attachments[0].data, bool(mail.defects)) == (b"abc" * 21, True)


def test_a_mail_as_the_standard_library_builds_it_has_no_defects() -> None:
    message = EmailMessage()
    message.set_content("Grüße\n")
    message.add_alternative("<p>Grüße <img src=cid:cat></p>", subtype="html")
    html = message.get_body(("html",))
    assert html is not None
    html.add_related(PNG, "image", "png", cid="<cat>")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Grüße.pdf")
    mail = read(message.as_bytes())
    assert (mail.text, mail.html, mail.defects) == ("Grüße", "<p>Grüße <img src=cid:cat></p>", ())
    assert [(file.name, file.content_id, file.data) for file in mail.attachments] == [
        (None, "cat", PNG),
        ("Grüße.pdf", None, b"%PDF"),
    ]
