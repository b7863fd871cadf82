"""An export is read back: by us, and by whoever reads mail."""

import mailbox
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import Found
from convergekit.errors import InvalidInputError
from convergekit.model import Address, Attachment, ClaimCheck, ConversationRef, Message, MessageReceived
from convergekit.stores.formats import from_line, to_line, to_mbox

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANN = Address("sms:+4915112345678", display_name="Ann")
CLAIM = ClaimCheck(ref="sha256:" + "0" * 64, size=3)


def heard(text: str, who: Address = ANN, **fields: object) -> Found:
    where = ConversationRef(channel="c", address=who)
    event = MessageReceived(key="k", channel="c", conversation=where, sender=who, text=text, **fields)  # type: ignore[arg-type]
    return Found(
        id="1", direction="in", at=AT, channel="c", conversation=where, address=who, content=event, text=text,
        highlights=((0, 1),),
    )  # fmt: skip


def told(message: Message, text: str = "") -> Found:
    return Found(
        id="d1", direction="out", at=AT, channel="c", conversation=None, address=None, content=message, text=text
    )


def read(folder: Path, *found: Found) -> list[mailbox.mboxMessage]:
    """What a program finds in the file."""
    path = folder / "export.mbox"
    path.write_bytes(b"".join(map(to_mbox, found)))
    box = mailbox.mbox(path)
    try:
        return list(box)
    finally:
        box.close()


def body(mail: mailbox.mboxMessage) -> str:
    content = mail.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(TEXTS, st.sampled_from([ANN, Address("mailto:ann@example.org"), Address("x:12345")]))
def test_a_line_is_read_back(text: str, who: Address) -> None:
    found = heard(text, who, native={"raw": b"\xff"}, attachments=[Attachment(claim=CLAIM, name="a.txt")])
    line = to_line(found)
    assert "\n" not in line
    back = from_line(line)
    assert (back.id, back.direction, back.at, back.channel) == ("1", "in", AT, "c")
    assert (back.conversation, back.address, back.content, back.text) == (
        found.conversation,
        found.address,
        found.content,
        text,
    )


def test_what_we_said_is_read_back() -> None:
    found = told(Message("hello", subject="Hi"), "hello")
    assert from_line(to_line(found)) == found


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"v": 2}',
        '{"v": 1}',
        to_line(heard("x")).replace('"message.received"', '"reaction.changed"'),
        to_line(heard("x")).replace('"in"', '"up"'),
        to_line(heard("x"))[:-1],
    ],
)
def test_what_is_no_line_is_said(line: str) -> None:
    with pytest.raises(InvalidInputError):
        from_line(line)


def test_an_mbox_is_read_by_mail_programs(tmp_path: Path) -> None:
    ann = Address("mailto:ann@example.org", display_name="Änn, the First")
    file = Attachment(data=b"\x00\x01", name="größe.bin", media_type="image/png")
    first = heard("Hello\n", ann, subject="Grüße", message_id="<m1@example.org>", reply_to="m0@example.org",
                  cc=[ANN], attachments=[file])  # fmt: skip
    mail, second = read(tmp_path, first, told(Message(html="<p>Bye</p>"), "Bye"))
    assert mail.get_from().startswith("ann@example.org Fri Jan  2 03:04:05 2026")
    assert (mail["Message-ID"], mail["In-Reply-To"]) == ("<m1@example.org>", "<m0@example.org>")
    assert "ann@example.org" in mail["From"]
    assert mail["Cc"] == "Ann <nobody@sms.invalid>"
    assert mail["Date"] == "Fri, 02 Jan 2026 03:04:05 +0000"
    text, attachment = mail.get_payload()
    assert (text.get_content_type(), attachment.get_content_type()) == ("text/plain", "image/png")
    assert (attachment.get_payload(decode=True), attachment.get_filename()) == (b"\x00\x01", "größe.bin")
    assert [part.get_content_type() for part in second.get_payload()] == ["text/plain", "text/html"]
    assert second["X-Convergekit-Direction"] == "out"


def test_lines_that_look_like_the_next_message_are_quoted(tmp_path: Path) -> None:
    said = "From here on\n>From there\nfrom below\n\nFrom x@y Fri Jan  2 03:04:05 2026\n"
    mails = read(tmp_path, heard(said), heard("next"))
    assert len(mails) == 2
    assert body(mails[0]).splitlines() == [
        ">From here on",
        ">>From there",
        "from below",
        "",
        ">From x@y Fri Jan  2 03:04:05 2026",
    ]


@given(
    TEXTS, TEXTS.filter(str.isprintable), st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1)
)
def test_anything_that_was_said_can_be_written(text: str, subject: str, name: str) -> None:
    who = Address("tg:" + name, display_name=subject[:50] or None)
    mail = to_mbox(heard(text, who, subject=subject, message_id=name, thread=subject))
    assert mail.startswith(b"From nobody@tg.invalid ")
    assert mail.count(b"\nFrom ") == 0


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    files = [Attachment(claim=CLAIM, name="a.txt"), Attachment(claim=CLAIM), Attachment(url="https://example.org/b")]
    found = heard("x", attachments=files)
    (mail,) = read(tmp_path, found)
    assert mail["X-Convergekit-Left-Out"] == "a.txt, attachment 2, https://example.org/b"
    assert b"YWJj" in to_mbox(found, {0: b"abc"})
