"""What would write a header of its own, or hide what it is, is refused: by its field, and never shown."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.email.building import File, refuse_unsafe
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import Address
from tests.adapters.email.building.kit import ANN, built, field, parts


def address(uri: str = "mailto:ann@example.org", display_name: str | None = None) -> Address:
    """One that nobody has looked at."""
    return Address.model_construct(uri=uri, display_name=display_name)


def refused(**changes: Any) -> str:
    """The reason, which is the same before and while the mail is built."""
    with pytest.raises(UnsupportedContentError) as caught:
        refuse_unsafe(**parts(**changes))
    with pytest.raises(RejectedError) as again:
        built(**changes)
    assert str(again.value) == str(caught.value)
    assert "SECRET" not in str(caught.value)
    return caught.value.reason


BAD = [
    "\r",
    "\n",
    "\r\nBcc: x@example.net\r\n",
    "\0",
    "\x0b",
    "\x0c",
    "\t",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\ud800",
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("subject", lambda text: {"subject": text}),
        ("language", lambda text: {"language": text}),
        ("reply_to", lambda text: {"in_reply_to": text}),
        ("references", lambda text: {"references": ("a@b", text)}),
        ("a display name in sender", lambda text: {"sender": address(display_name=text)}),
        ("a display name in to", lambda text: {"to": (ANN, address(display_name=text))}),
        ("a display name in cc", lambda text: {"cc": (address(display_name=text),)}),
        ("a display name in the channel's reply_to", lambda text: {"reply_to": address(display_name=text)}),
        ("an address in sender", lambda text: {"sender": address(f"mailto:{text}@example.org")}),
        ("an address in to", lambda text: {"to": (address(f"mailto:{text}@example.org"),)}),
        ("an address in cc", lambda text: {"cc": (address(f"mailto:{text}@example.org"),)}),
        ("the name of header 0", lambda text: {"headers": {text: "a"}}),
        ("the value of header 1", lambda text: {"headers": {"X-A": "a", "X-B": text}}),
        ("the value of header 0", lambda text: {"own_headers": {"X-A": text}}),
        ("the name of attachment 0", lambda text: {"files": [File(b"", name=text)]}),
        ("the content_id of attachment 1", lambda text: {"files": [File(b""), File(b"", content_id=text)]}),
    ],
)
def test_a_control_character_is_refused_by_its_field(bad: str, field: str, changes: Any) -> None:
    assert refused(**changes(f"SECRET{bad}SECRET")) == (
        f"{field} has the character U+{ord(bad[0]):04X}: it must be one line of text"
    )


@pytest.mark.parametrize("field", ["to", "cc"])
def test_an_address_that_hides_a_line_end_is_refused(field: str) -> None:
    reason = refused(**{field: (address("mailto:SECRET%0D%0Ax@example.org"),)})
    assert reason == f"an address in {field} has the character U+000D: it must be one line of text"


def test_what_is_no_address_is_refused() -> None:
    """`Address` lets none such be; whoever goes round it does not get a second recipient in."""
    with pytest.raises(UnsupportedContentError, match=r"^not an address"):
        built(to=(address("mailto:a>,<b@example.org"),))


def test_a_message_id_with_a_line_end_is_refused() -> None:
    assert refused(message_id="a@b>\r\nBcc: <SECRET").startswith("the Message-ID is not one")


@pytest.mark.parametrize("id", ["", "a b@c", "<a@b>", "ü@b", "a" * 901])
def test_what_is_no_message_id_is_refused(id: str) -> None:
    assert refused(message_id=id).startswith("the Message-ID is not one")


@pytest.mark.parametrize("field", ["text", "html"])
def test_half_of_a_character_is_refused(field: str) -> None:
    assert refused(**{field: "SECRET\ud83d"}) == f"{field} has half of a character, which has no UTF-8"


@pytest.mark.parametrize("name", ["", "X A", "X:A", "Ü", "X" * 77])
def test_the_name_of_a_header_is_one(name: str) -> None:
    assert refused(headers={name: "SECRET"}).startswith("the name of header 0 is not one")


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("From", "set `address`"),
        ("Sender", "set `address`"),
        ("Reply-To", "set `reply_to`"),
        ("Return-Path", "set `reverse_path`"),
        ("To", "name them in `to`"),
        ("CC", "name them in `cc`"),
        ("Bcc", "send to them"),
        ("Subject", "give `subject`"),
        ("Date", "when the message was submitted"),
        ("message-id", "the receipt tells it"),
        ("In-Reply-To", "give `reply_to`"),
        ("References", "give `references`"),
        ("MIME-Version", "how the mail is built"),
        ("Content-Type", "how the mail is built"),
        ("content-transfer-encoding", "how the mail is built"),
        ("DKIM-Signature", "set `dkim`"),
        ("Received", "mail servers write it"),
        ("Delivered-To", "mail servers write it"),
        ("Authentication-Results", "mail servers write it"),
        ("ARC-Seal", "mail servers write it"),
        ("Resent-To", "send the message anew"),
    ],
)
def test_what_makes_the_mail_is_not_for_extra_headers(name: str, way_out: str) -> None:
    reason = refused(headers={name: "SECRET"})
    assert reason.startswith(f"headers cannot set {name}: ")
    assert way_out in reason


def test_a_header_is_named_once() -> None:
    assert refused(headers={"X-A": "SECRET", "x-a": "SECRET"}) == "headers name x-a twice"


@pytest.mark.parametrize("name", ["List-Unsubscribe", "auto-submitted", "X-Priority"])
def test_what_programs_read_has_no_encoded_words(name: str) -> None:
    for where in ("headers", "own_headers"):
        assert refused(**{where: {name: "SECRETü"}}).startswith(f"{name} has characters beyond ASCII")


@pytest.mark.parametrize("field", ["headers", "own_headers"])
def test_what_programs_read_and_no_line_has_room_for_is_refused(field: str) -> None:
    reason = refused(**{field: {"List-Unsubscribe": f"<https://example.org/SECRET{'x' * 900}>"}})
    assert reason == "List-Unsubscribe has a part of more than 900 octets: no line has room for it"


def test_in_a_mail_that_needs_smtputf8_what_programs_read_may_too() -> None:
    uni = Address("mailto:ünï@example.org")
    raw = built(sender=uni, own_headers={"Disposition-Notification-To": "<ünï@example.org>"}, smtputf8=True)
    assert field(raw, "Disposition-Notification-To") == "<ünï@example.org>"


@pytest.mark.parametrize("language", ["en_US", "Deutsch bitte", "de;en"])
def test_a_language_is_a_tag(language: str) -> None:
    assert refused(language=language).startswith("language is not a tag")


@pytest.mark.parametrize("name", ["../SECRET", "/etc/SECRET", "C:\\SECRET", "..", ".", "", " "])
def test_the_name_of_a_file_has_no_folder(name: str) -> None:
    assert refused(files=[File(b"", name=name)]).endswith("is not that of a file without a folder")


@pytest.mark.parametrize("char", "\u202a\u202e\u2066\u2069")
def test_the_name_of_a_file_is_read_as_it_is(char: str) -> None:
    """An "exe" must not be shown as a "png"."""
    assert f"U+{ord(char):04X}" in refused(files=[File(b"", name=f"SECRET{char}gnp.exe")])


@pytest.mark.parametrize("media_type", ["", "text", "text/plain; charset=x", "a/b\r\nX: y", "text/pläin"])
def test_a_media_type_is_one(media_type: str) -> None:
    assert refused(files=[File(b"", media_type)]) == "the media type of attachment 0 is not type/subtype"


@pytest.mark.parametrize("content_id", ["", "a b", "<a@b>", "ü"])
def test_a_content_id_is_one(content_id: str) -> None:
    assert refused(files=[File(b"", content_id=content_id)]).startswith("the content_id of attachment 0 is not one")


@pytest.mark.parametrize("text", ["a\u00a0b", "\u200bx", "עברית \u200f", "👩\u200d👩\u200d👧", "\ufeff"])
def test_text_in_any_script_goes_through(text: str) -> None:
    refuse_unsafe(**parts(subject=text, sender=address(display_name=text), headers={"X-Note": text}))
