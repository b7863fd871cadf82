"""The family of events, and how plugins join it."""

from typing import ClassVar

import pytest
from pydantic import ValidationError

from convergekit.errors import ConfigurationError
from convergekit.model import (
    Address,
    Attachment,
    ConversationRef,
    Event,
    Importance,
    Message,
    MessageReceived,
    UnknownEvent,
    event_type,
)
from convergekit.model._base import CONTROL

from .strategies import EVENTS

DESIGNED = {
    "MessageReceived", "MessageEdited", "MessageRetracted", "ReactionChanged", "ReceiptReceived", "DeliveryChanged",
    "PresenceChanged", "TypingChanged", "MembershipChanged", "SubscriptionRequested", "InvitationReceived",
    "ConsentChanged", "ComplaintReceived", "ChannelChanged", "GapDetected", "AuthorisationRevoked", "EndpointDisabled",
    "DeadLettered", "CustomReceived", "UnknownEvent", "Event", "MediaOffered", "MediaFetched",
}  # fmt: skip


def test_the_family_is_complete() -> None:
    assert {kind.__name__ for kind in EVENTS} == DESIGNED


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_each_type_finds_its_class(kind: type[Event]) -> None:
    assert event_type(kind.type) is kind


def test_an_unknown_type_finds_none() -> None:
    assert event_type("no.such") is None


def test_two_classes_with_one_type_are_refused_and_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'message.received': MessageReceived of .* and .*Impostor of"):

        class Impostor(Event):
            type: ClassVar[str] = "message.received"

    assert event_type("message.received") is MessageReceived


def test_the_same_class_may_be_defined_again() -> None:
    """As when a module is reloaded."""

    def define() -> type[Event]:
        class Again(Event):
            type: ClassVar[str] = "tests.again"

        return Again

    assert define() is not define()


@pytest.mark.filterwarnings("ignore:Field name")  # pydantic's own, before it is refused
@pytest.mark.parametrize("name", ["type", "v"])
def test_a_field_may_not_take_a_name_of_the_json_form(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"has a field '{name}'"):
        type("Taken", (Event,), {"__annotations__": {name: str}, "__module__": __name__, name: "x"})


@pytest.mark.parametrize("field", ["key", "channel", "lane", "message_id", "reply_to", "thread", "subject", "language"])
@pytest.mark.parametrize("hostile", ["a\r\nb", "a\x00", "\x85", "\ud800", "a" * 8193], ids=ascii)
def test_what_names_something_is_one_line(field: str, hostile: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MessageReceived(**{field: hostile})
    assert hostile[:20] not in str(caught.value)


def test_control_is_what_a_line_refuses() -> None:
    for number in range(0x180):
        char = chr(number)
        if CONTROL.search(char):
            with pytest.raises(ValidationError):
                MessageReceived(key=char)
        else:
            assert MessageReceived(key=char).key == char


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        MessageReceived(key="1", txt="hi")  # type: ignore[call-arg]


def test_an_event_is_frozen() -> None:
    event = MessageReceived(key="1")
    with pytest.raises(ValidationError):
        event.key = "2"  # type: ignore[misc]


def test_a_received_message_can_be_sent_on() -> None:
    event = MessageReceived(
        key="1",
        channel="c",
        conversation=ConversationRef(address=Address("tg:1")),
        text="t",
        markdown="m",
        html="h",
        subject="s",
        cc=("tg:2",),
        attachments=(Attachment(data=b"x", name="x"),),
        reply_to="r",
        thread="t",
        importance=Importance.BULK,
        language="de",
        headers={"X-A": "1"},
        native={"not": "sent on"},
    )
    assert event.to_message() == Message(
        "t",
        markdown="m",
        html="h",
        subject="s",
        cc=["tg:2"],
        attachments=[Attachment(data=b"x", name="x")],
        reply_to="r",
        thread="t",
        importance="bulk",
        language="de",
        headers={"X-A": "1"},
    )


def test_neither_the_original_nor_unknown_content_is_in_a_repr() -> None:
    assert "secret" not in repr(MessageReceived(key="1", native="secret"))
    assert "secret" not in repr(UnknownEvent(original={"type": "x", "text": "secret"}))
