"""What becomes of events before they are admitted."""

from __future__ import annotations

import pytest

from convergekit.adapters.x.arrivals import Arrivals
from convergekit.adapters.x.handovers import invited
from convergekit.model import ConversationRef, CustomReceived, Event, MessageReceived, ReceiptReceived
from tests.adapters.x.activity_kit import desk, settled
from tests.adapters.x.feed_kit import Account

pytestmark = pytest.mark.anyio


def direct(id: str) -> MessageReceived:
    return MessageReceived(key=f"dm:{id}", message_id=id, sender="x:7", conversation="x:7", text="hi")


async def test_what_x_tells_by_itself_is_paid_for_and_what_is_polled_is_not() -> None:
    account = Account()
    arrivals = Arrivals(account.session)
    events: list[Event] = [
        direct("5"),
        MessageReceived(key="post:6", sender="x:7", text="hi"),
        MessageReceived(key="chat:8", sender="x:7"),
        CustomReceived(key="activity:profile.update.bio:9", name="x.profile.update.bio"),
    ]

    await arrivals.taken(events)
    assert account.budgets.told == []
    await arrivals.told(events)
    assert account.budgets.told == [("activity.dm", "5"), ("activity.post", "6"), ("activity.dm", "8")]


async def test_what_was_read_is_all_that_we_wrote_before() -> None:
    """X names the last one; handlers and the ledger hear of each."""
    async with desk(activity="stream") as it:
        await it.listen()
        sent = [it.account.direct(text, to=it.ann) for text in ("one", "two", "three")]
        memory = it.adapter._open.session.memory
        for each in sent:
            memory.wrote(f"x:{it.ann.id}", each.id)
        it.ann.read(sent[1])
        await settled()

        receipts = [event.receipt for event in it.context.admitted if isinstance(event, ReceiptReceived)]
        assert {id for receipt in receipts for id in receipt.ids} == {sent[0].id, sent[1].id}
        assert len({event.key for event in it.context.admitted}) == 2


@pytest.mark.parametrize("way", ["poll", "stream"])
async def test_the_first_message_after_a_hand_over_tells_of_it_whichever_way_it_comes(way: str) -> None:
    async with desk(activity="stream" if way == "stream" else "none") as it:
        if way == "stream":
            await it.listen()
        else:
            await it.poll("dms")
        post = it.account.post("Write to us in private")
        public = ConversationRef(address=f"x:{it.ann.id}", kind="public", thread=post.id)
        await invited(it.context, it.ann.id, post=post.id, conversation=public)
        it.ann.direct("here I am")
        await settled()
        if way == "poll":
            await it.poll("dms")

        (event,) = it.context.admitted
        assert event.details["handed_over"] == post.id
        assert event.details["handed_over_from"] == public.key


async def test_a_group_that_no_webhook_tells_of_is_polled_and_is_no_reason_for_distrust() -> None:
    async with desk(activity="webhook") as it:
        await it.listen()
        await it.poll("dms")
        await it.after(300)
        it.ann.group(it.server.user("bob"), text="hello all")
        await it.after(330)
        looks = it.server.count("GET", "/2/webhooks")
        await it.poll("dms")
        await settled()

        messages = [event for event in it.context.admitted if isinstance(event, MessageReceived)]
        assert [event.text for event in messages] == ["hello all"]
        assert it.server.count("GET", "/2/webhooks") == looks
