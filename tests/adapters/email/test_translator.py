"""A part as a letter: who it is from and to, on the envelope and in the header, and how it is found again."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from convergekit import Message
from convergekit.abc import Outgoing
from convergekit.adapters.email import EmailConfig
from convergekit.adapters.email.building import File
from convergekit.adapters.email.identifiers import Identifiers, thread_name
from convergekit.adapters.email.smtp import Accepted
from convergekit.adapters.email.translator import Letter, to_letter, to_receipt
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import Address, ConversationRef, Importance, Part, Status, shared_id
from convergekit.testing.context import outgoing

ANN, BOB = "mailto:ann@example.net", "mailto:bob@example.net"
NOW = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
OURS = Identifiers(b"0123456789abcdef", "example.org")
DELIVERY = f"{int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp() * 1000):012x}" + "0" * 19 + "1"


def config(**more: Any) -> EmailConfig:
    return EmailConfig(**{"address": "support@example.org", "smtp": {"host": "mail.example.org"}, **more})


def letter(out: Outgoing, *files: File, **settings: Any) -> Letter:
    return to_letter(out, files, config=config(**settings), identifiers=OURS, now=NOW)


def mail(out: Outgoing, **settings: Any) -> EmailMessage:
    raw = letter(out, **settings).to_bytes(eight_bit=False)
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def to(address: str = ANN, **more: Any) -> Outgoing:
    message = Message("hello", **more.pop("message", {}))
    return outgoing(address, message=message, delivery=more.pop("delivery", DELIVERY), **more)


# Who sees whom


def test_the_recipient_is_shown() -> None:
    found = mail(to(), display_name="Support")
    assert (found["From"], found["To"], found["Cc"]) == ("Support <support@example.org>", "ann@example.net", None)


def test_those_who_are_named_are_shown_and_the_envelope_has_one() -> None:
    out = to(BOB, message={"to": [ANN], "cc": [BOB]})
    found = mail(out)
    assert (found["To"], found["Cc"]) == ("ann@example.net", "bob@example.net")
    assert letter(out).envelope.recipient == "bob@example.net"


def test_who_gets_a_copy_is_not_shown_twice() -> None:
    found = mail(to(BOB, message={"cc": [BOB]}))
    assert (found["To"], found["Cc"]) == (None, "bob@example.net")


def test_copies_that_show_each_other_are_one_mail() -> None:
    """Each has its own envelope, and its own way back."""
    message = {"to": [ANN], "cc": [BOB]}
    one = letter(to(ANN, message=message, group="g" * 32))
    other = letter(to(BOB, message=message, group="g" * 32, delivery="f" * 32))
    assert one.message_id == other.message_id
    assert one.envelope.envid != other.envelope.envid
    receipt = to_receipt(to(BOB, group="g" * 32), other, Accepted(250, "2.0.0", "Ok", None))
    assert receipt.ids == (other.message_id, shared_id(other.message_id, Address(BOB)))


# What programs read


def test_what_a_person_writes_has_a_way_back() -> None:
    found = letter(to())
    assert found.envelope.reverse_path == "support@example.org"
    assert found.envelope.notify == {"delay", "failure"}
    assert mail(to())["Auto-Submitted"] is None


@pytest.mark.parametrize(("answers", "word"), [(None, "auto-generated"), ("m1@example.net", "auto-replied")])
def test_what_a_program_writes_says_so_and_has_none(answers: str | None, word: str) -> None:
    """RFC 3834 §3.3 and §5."""
    out = to(automatic=True, message={"reply_to": answers})
    assert mail(out)["Auto-Submitted"] == word
    assert letter(out, verp=True).envelope.reverse_path == ""
    assert letter(out).envelope.notify == frozenset()


@pytest.mark.parametrize(("word", "path"), [("no", "support@example.org"), ("auto-generated", "")])
def test_a_host_may_know_better_who_speaks(word: str, path: str) -> None:
    out = to(automatic=word == "no", native={"auto_submitted": word})
    assert letter(out).envelope.reverse_path == path
    assert mail(out)["Auto-Submitted"] == (None if word == "no" else word)


@pytest.mark.parametrize("message", [{"importance": Importance.BULK}, {"category": "news"}])
def test_what_goes_to_many_says_how_to_leave(message: Any) -> None:
    """RFC 8058 §3.1: one URL, one POST."""
    found = mail(
        to(message=message),
        unsubscribe_url="https://example.org/u?a={address}&d={delivery}",
        unsubscribe_address="u@example.org",
    )
    url, by_mail = found["List-Unsubscribe"].split(", ")
    assert url == f"<https://example.org/u?a=ann%40example.net&d={OURS.envelope_id(to())}>"
    assert by_mail == "<mailto:u@example.org?subject=unsubscribe>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_an_address_beyond_ascii_leaves_by_mail_too() -> None:
    found = mail(to(message={"category": "news"}), unsubscribe_address="grüße@example.org")
    assert found["List-Unsubscribe"] == "<mailto:gr%C3%BC%C3%9Fe@example.org?subject=unsubscribe>"


def test_what_goes_to_one_does_not() -> None:
    found = mail(to(), unsubscribe_url="https://example.org/u", unsubscribe_address="u@example.org")
    assert (found["List-Unsubscribe"], found["List-Unsubscribe-Post"]) == (None, None)


def test_a_read_receipt_is_asked_for_where_it_is_wanted() -> None:
    assert mail(to())["Disposition-Notification-To"] is None
    assert mail(to(), read_receipts=True)["Disposition-Notification-To"] == "<support@example.org>"
    assert mail(to(native={"read_receipt": True}), reply_to="r@example.org")["Disposition-Notification-To"]


# How it is found again


def test_the_reverse_path_may_carry_the_delivery() -> None:
    found = letter(to(), verp=True, reverse_path="bounces@example.org").envelope.reverse_path
    named = OURS.in_recipient(found)
    assert named is not None
    assert named.delivery == DELIVERY
    assert found.startswith("bounces+")


def test_its_ids_name_the_delivery() -> None:
    found = letter(to(index=1, count=3))
    for named in (OURS.in_message_id(found.message_id), OURS.in_envelope_id(found.envelope.envid or "")):
        assert named is not None
        assert (named.delivery, named.part) == (DELIVERY, 1)


def test_an_answer_names_all_that_came_before() -> None:
    """The thread's own name first, the mail that is answered last (RFC 5322 §3.6.4)."""
    thread = thread_name("a@example.net")
    message = {"reply_to": "<c@example.net>", "references": ["a@example.net", "b@example.net"], "thread": thread}
    found = mail(to(message=message))
    ids = [each.strip("<>") for each in found["References"].split()]
    assert ids == [OURS.thread_reference(thread), "a@example.net", "b@example.net", "c@example.net"]
    assert found["In-Reply-To"] == "<c@example.net>"
    named = OURS.in_message_id(found["Message-ID"])
    assert named is not None
    assert named.thread == thread


def test_what_is_said_in_one_conversation_has_one_thread() -> None:
    """Also where it answers nothing: the reference that both have holds them together in every mail program."""
    ref = ConversationRef(address=ANN, thread=thread_name("a@example.net"))
    first, second = (mail(to(conversation=ref, delivery=f"{number:032x}")) for number in (1, 2))
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]


@pytest.mark.parametrize(
    ("thread", "reference"), [("ticket 42", "ticket%2042@example.org"), ("a@b.example", "a@b.example")]
)
def test_a_thread_that_the_host_named_is_a_reference_too(thread: str, reference: str) -> None:
    found = mail(to(message={"thread": thread}))
    assert f"<{reference}>" in found["References"].split()


def test_a_repeat_is_the_same_mail_to_the_last_octet() -> None:
    """Its date is when it was submitted, which does not change from attempt to attempt."""
    later = to_letter(to(attempt=2), (), config=config(), identifiers=OURS, now=datetime(2026, 5, 1, tzinfo=UTC))
    assert later.to_bytes(eight_bit=True) == letter(to()).to_bytes(eight_bit=True)
    assert mail(to())["Date"].datetime == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("delivery", ["", "not one of the ledger's", "f" * 32, "0" * 32, "z" * 32])
def test_where_its_id_tells_no_time_it_is_now(delivery: str) -> None:
    assert mail(to(delivery=delivery))["Date"].datetime == NOW.replace(microsecond=0)


# What cannot be a mail


@pytest.mark.parametrize(
    "native",
    [
        {"no_such": 1},
        {"auto_submitted": "maybe"},
        {"unsubscribe_url": "http://a.example/"},
        {"unsubscribe_url": "https://a/>, <b"},
        "text",
        {"notify": ["never"]},
    ],
)
def test_what_mail_does_not_know_is_refused(native: Any) -> None:
    with pytest.raises(UnsupportedContentError, match="native of email"):
        letter(to(native=native))


@pytest.mark.parametrize(
    "out",
    [
        to(message={"headers": {"Bcc": "eve@example.net"}}),
        to(message={"headers": {"X-A": "a\u2028b"}}),
        to(part=Part(text="t", subject="a\u2029Bcc: eve@example.net")),
        to(message={"cc": [Address(BOB, display_name="a\u2028b")]}),
    ],
)
def test_what_would_be_another_header_is_refused_and_never_shown(out: Outgoing) -> None:
    with pytest.raises(RejectedError) as caught:
        letter(out)
    assert "eve@" not in str(caught.value)


def test_a_file_with_a_folder_in_its_name_is_refused() -> None:
    with pytest.raises(UnsupportedContentError):
        letter(to(), File(b"x", name="../../etc/passwd"))


def test_a_receipt_says_what_the_server_said() -> None:
    receipt = to_receipt(to(), letter(to()), Accepted(250, "2.0.0", "Ok: queued as 4F2", "4F2"))
    assert (receipt.status, receipt.part, receipt.delivery) == (Status.ACCEPTED, 0, DELIVERY)
    assert receipt.native == {"code": 250, "text": "Ok: queued as 4F2", "queue_id": "4F2"}
