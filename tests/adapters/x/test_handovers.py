"""From a public conversation into a private one, which is told with the first direct message."""

from __future__ import annotations

import pytest

from convergekit.adapters.x.handovers import handed_over, invited, linked
from convergekit.errors import UnsupportedContentError
from convergekit.model import Address, ConversationRef, Event, Message, MessageReceived, TypingChanged
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

PUBLIC = ConversationRef(address="x:7", kind="public", thread="900")


def direct(id: str, sender: str = "x:7") -> MessageReceived:
    address = Address(sender)
    where = ConversationRef(address=address)
    return MessageReceived(key=f"dm:{id}", message_id=id, conversation=where, sender=address, text="hi")


def told(events: list[Event]) -> list[object]:
    return [event.details.get("handed_over") for event in events]


def test_what_else_only_x_knows_stays_in_an_invitation() -> None:
    _, message = handed_over(PUBLIC, Message("Hi", native={"x": {"made_with_ai": True}, "email": {}}))

    assert message.native == {"x": {"made_with_ai": True, "hand_over": True}, "email": {}}


@pytest.mark.parametrize(
    "conversation",
    [
        ConversationRef(address="x:7"),
        ConversationRef(address="x:public", kind="public"),
        ConversationRef(address="x:@ann", kind="public", thread="900"),
    ],
)
def test_from_where_no_way_leads_into_private_none_is_made_up(conversation: ConversationRef) -> None:
    with pytest.raises(UnsupportedContentError):
        handed_over(conversation, Message("Hi"))


async def test_the_first_message_after_the_invitation_tells_of_it_and_no_other() -> None:
    context = FakeContext()
    await invited(context, "7", post="1000", conversation=PUBLIC)

    events = await linked(context, [direct("999"), direct("1001"), direct("1002"), direct("1003")])

    assert told(events) == [None, "1000", None, None]
    assert events[1].details["handed_over_from"] == "x:7#900"
    assert (await context.state.get("handover:7"))[0] is None


async def test_it_tells_so_again_where_it_comes_again() -> None:
    context = FakeContext()
    await invited(context, "7", post="1000", conversation=PUBLIC)

    first = await linked(context, [direct("1001")])
    again = await linked(context, [direct("1001")])

    assert first == again
    assert told(again) == ["1000"]


async def test_what_others_say_and_what_is_public_does_not() -> None:
    context = FakeContext()
    await invited(context, "7", post="1000", conversation=PUBLIC)
    post = MessageReceived(key="post:1001", message_id="1001", conversation=PUBLIC, sender="x:7", text="hi")
    typing = TypingChanged(conversation=ConversationRef(address="x:7"), sender=Address("x:7"), typing=True)

    assert await linked(context, [direct("1001", "x:8"), post, typing]) == [direct("1001", "x:8"), post, typing]
