"""What must hold (the foundation's list), each as a test over the public API."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

from convergekit import Attachment, Contact, Conversation, Hub, MemoryStore, Message, MessageReceived, Status, first_of
from convergekit.adapters.loopback import LoopbackAdapter, Medium
from convergekit.errors import (
    AuthenticationError,
    InvalidInputError,
    NotSentError,
    RejectedError,
    SuppressedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import ConversationRef, DeliveryState, DispatchState, Receipt

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
BOB = "loopback:bob"


async def test_five_messages_in_a_burst_are_all_handled_in_order(bench: Any) -> None:
    """Five messages 5 ms apart into one conversation with a 60 ms handler: all five handled, in order."""
    handled: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def slow(message: MessageReceived) -> None:
            await b.clock.sleep(0.060)
            handled.append(message.text or "")

        medium = await b.add()
        for number in range(5):
            medium.say(text=str(number), sender=ANN)
            b.clock.advance(0.005)
            await anyio.lowlevel.checkpoint()
        for _ in range(100):
            b.clock.advance(0.010)
            for _ in range(10):
                await anyio.lowlevel.checkpoint()

    assert handled == ["0", "1", "2", "3", "4"]


async def test_a_slow_conversation_delays_no_other(bench: Any) -> None:
    """Ann's handler never returns while Bob's message is handled."""
    bobs = anyio.Event()
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            if str(message.sender) == ANN:
                await bobs.wait()
            else:
                bobs.set()

        medium = await b.add()
        medium.say(text="slow", sender=ANN)
        medium.say(text="quick", sender=BOB)
        await b.settle()

    assert bobs.is_set()


async def test_a_handler_that_waits_for_its_own_reply_does_not_deadlock(bench: Any) -> None:
    """In and out are different lanes, with workers of their own."""
    statuses: list[Status] = []
    async with bench(handlers=1, sends=1) as b:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> None:
            reply = await conversation.reply("here")
            statuses.append(await reply.wait(Status.ACCEPTED))

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()

    assert statuses == [Status.ACCEPTED]
    assert medium.texts(ANN) == ["here"]


async def test_a_handler_that_replies_and_then_raises_sends_one_reply(bench: Any) -> None:
    """The second run finds what the first one sent, although it would say something else."""
    runs: list[int] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> str:
            runs.append(len(runs))
            await conversation.reply(f"answer of run {len(runs)}")
            if len(runs) == 1:
                raise RuntimeError("after the reply")
            return "and done"

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.pass_time(30)

    assert len(runs) == 2
    assert medium.texts(ANN) == ["answer of run 1", "and done"]


async def test_a_duplicate_of_a_done_event_is_never_handled(bench: Any) -> None:
    """Its key is known for good."""
    handled: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            handled.append(message.key)

        medium = await b.add()
        medium.say(key="k1", text="once", sender=ANN)
        await b.settle()
        medium.say(key="k1", text="once", sender=ANN)
        medium.say(key="k2", text="other", sender=ANN)
        await b.settle()

    assert handled == ["k1", "k2"]


@pytest.mark.parametrize(
    "order",
    [
        (Status.SENT, Status.DELIVERED, Status.READ),
        (Status.READ, Status.DELIVERED, Status.SENT),
        (Status.DELIVERED, Status.READ, Status.DELIVERED, Status.SENT),
    ],
)
@pytest.mark.parametrize("early", [False, True])
async def test_statuses_in_any_order_and_before_the_send_returned(
    bench: Any, order: tuple[Status, ...], early: bool
) -> None:
    """Late, doubled, reordered and early reports end the same."""
    async with bench() as b:
        medium = await b.add()

        def reports() -> None:
            for number, status in enumerate(order):
                report = {"type": "receipt.received", "key": f"r{number}", "receipt": {"status": status.value}}
                report["receipt"]["ids"] = ["m-1"]
                medium.say(**report)

        async def answer(out: Any) -> Receipt:
            if early:
                reports()
                for _ in range(50):
                    await anyio.lowlevel.checkpoint()
            return Receipt(Status.ACCEPTED, ids=("m-1",))

        medium.script(answer)
        sent = await b.hub.send("hello", to=ANN)
        if not early:
            reports()
        await b.settle()

        assert sent.status is Status.READ
        assert await sent.wait(Status.READ, timeout=60) is Status.READ


async def test_throttled_in_part_3_of_5_sends_all_five_once_in_order(bench: Any) -> None:
    """Retry-After is waited for, costs no attempt, and the resume sends only what is missing."""
    text = "\n".join(f"part {number} " + "x" * 990 for number in range(5))
    count = 0

    async def third_is_throttled(out: Any) -> Receipt | None:
        nonlocal count
        count += 1
        if count == 3:
            raise ThrottledError("slow down", retry_after=20)
        return None

    async with bench() as b:
        medium = await b.add()
        medium.script(*[third_is_throttled] * 6)
        sent = await b.hub.send(text, to=ANN)
        assert sent.status is Status.QUEUED
        assert len(medium.sent) == 2
        assert sent.next_attempt is not None
        await b.pass_time(19)
        assert len(medium.sent) == 2
        await b.pass_time(3)

        assert sent.status is Status.ACCEPTED
        assert [each.text.split()[1] for each in medium.sent] == ["0", "1", "2", "3", "4"]
        assert sent.deliveries[0].attempts == 0
        assert len({each.out.key for each in medium.sent}) == 5


async def test_a_head_that_must_be_retried_for_hours_is_passed_after_hold(bench: Any) -> None:
    """And the ledger says so."""
    async with bench() as b:
        medium = await b.add(hold=60)

        async def refuses_the_first(out: Any) -> Receipt | None:
            if out.text == "first":
                raise NotSentError("busy")
            return None

        medium.script(*[refuses_the_first] * 100)
        first = await b.hub.submit("first", to=ANN)
        second = await b.hub.submit("second", to=ANN)
        await b.settle()
        assert medium.texts() == []
        await b.pass_time(40)
        assert medium.texts() == []
        await b.pass_time(300, step=5)

        assert medium.texts() == ["second"]
        assert second.status is Status.ACCEPTED
        assert first.status is Status.QUEUED
        await first.cancel()
        stored = await b.store.load(first.id)
        assert stored is not None
        assert stored.deliveries[0].passed


async def test_a_channel_with_bad_credentials_stops_no_other(bench: Any) -> None:
    """The others serve; a send through it comes back QUEUED with the reason; health says which and why."""
    async with bench() as b:
        good = await b.add("good", default=True)
        await b.add("bad", Medium(refuses_login=AuthenticationError("the password is refused")))

        assert (await b.hub.send("hello", to=ANN, via="good")).status is Status.ACCEPTED
        queued = await b.hub.send("hello", to=ANN, via="bad")

        assert queued.status is Status.QUEUED
        assert "the password is refused" in (queued.reason or "")
        health = b.hub.health()
        assert not health.ok
        assert health.channels["good"].state == "up"
        assert health.channels["bad"].state == "down"
        assert "the password is refused" in (health.channels["bad"].reason or "")
        assert good.texts() == ["hello"]

        b.media["bad"].refuses_login = None  # a person acts
        await b.pass_time(700, step=30)
        assert b.hub.health().ok
        assert queued.status is Status.ACCEPTED


async def test_a_contact_is_reached_on_the_second_after_the_first_refuses(bench: Any) -> None:
    """In the contact's own order, without being asked for."""
    async with bench() as b:
        medium = await b.add()
        medium.script(RejectedError("no such user", code="404"), to=ANN)
        sent = await b.hub.send("hello", to=Contact(id="c1", addresses=(ANN, BOB)))

        assert sent.status is Status.ACCEPTED
        assert medium.texts(BOB) == ["hello"]
        assert medium.texts(ANN) == []
        assert [each.status for each in sent.deliveries] == [Status.FAILED, Status.ACCEPTED]


async def test_first_of_never_moves_on_from_unknown(bench: Any) -> None:
    """The costliest error is a double."""
    async with bench() as b:
        medium = await b.add()
        medium.script(UncertainError("the answer was lost"), to=ANN)
        with pytest.raises(UncertainError) as caught:
            await b.hub.send("hello", to=ANN, via=first_of(ANN, BOB))
        await b.pass_time(3600, step=60)

        assert medium.texts(BOB) == []
        assert medium.texts(ANN) == ["hello"]
        assert caught.value.dispatch is not None
        stored = await b.store.load(caught.value.dispatch)
        assert stored is not None
        assert stored.status is Status.UNKNOWN
        assert stored.deliveries[0].state is DeliveryState.UNKNOWN


async def test_an_uncertain_send_is_repeated_where_a_double_is_impossible(bench: Any) -> None:
    """With a key that the far side knows, the second attempt makes no second message."""
    async with bench() as b:
        medium = await b.add("loop", Medium(idempotent=True))
        medium.script(UncertainError("the answer was lost"))
        sent = await b.hub.send("hello", to=ANN)
        assert sent.status is Status.UNKNOWN
        await b.pass_time(10)

        assert sent.status is Status.ACCEPTED
        assert medium.texts() == ["hello"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_an_uncertain_send_is_reconciled_where_the_medium_can_be_asked(bench: Any, arrived: bool) -> None:
    """Not sent again if it had arrived; sent again if it had not."""
    async with bench() as b:
        medium = await b.add("loop", Medium(remembers=True))

        async def lost(out: Any) -> Receipt | None:
            if arrived:
                medium.accept(out)
            raise UncertainError("the answer was lost")

        medium.script(lost)
        sent = await b.hub.send("hello", to=ANN)
        await b.pass_time(10)

        assert sent.status is Status.ACCEPTED
        assert medium.texts() == ["hello"]


async def test_cancelling_send_stops_the_waiting_and_not_the_message(bench: Any) -> None:
    """The message is in the ledger."""
    begun, go = anyio.Event(), anyio.Event()

    async def slow(out: Any) -> Receipt | None:
        begun.set()
        await go.wait()
        return None

    async with bench() as b:
        medium = await b.add()
        medium.script(slow)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: b.hub.send("hello", to=ANN))
            await begun.wait()
            tasks.cancel_scope.cancel()
        assert medium.texts() == []
        go.set()
        await b.settle()

        assert medium.texts() == ["hello"]


async def test_a_handler_cancelled_by_closing_is_run_again_by_the_next_hub(bench: Any) -> None:
    """What was admitted is handled, by whoever opens the store next."""
    handled: list[str] = []
    async with bench(drain=0.01) as b:

        @b.hub.on_message
        async def never_ends(message: MessageReceived) -> None:
            await anyio.sleep_forever()

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()

    async with bench(store=b.store) as again:

        @again.hub.on_message
        async def handle(message: MessageReceived) -> None:
            handled.append(message.text or "")

        await again.add()
        await again.settle()

    assert handled == ["hello"]


async def test_a_send_cancelled_by_closing_is_called_unknown(bench: Any) -> None:
    """It had started: it may have gone out, and is not sent again."""

    async def never_answers(out: Any) -> Receipt | None:
        await anyio.sleep_forever()
        return None

    async with bench(drain=0.01) as b:
        medium = await b.add()
        medium.script(never_answers)
        handle = await b.hub.submit("hello", to=ANN)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()

    stored = await b.store.load(handle.id)
    assert stored is not None
    assert stored.status is Status.UNKNOWN
    assert stored.deliveries[0].state is DeliveryState.SENDING  # it is asked about where this channel is open next

    async with bench(store=b.store, clock=b.clock) as again:
        await again.add("loop", medium)
        await again.pass_time(60)
        stored = await b.store.load(handle.id)
    assert stored is not None
    assert (stored.status, stored.deliveries[0].state) == (Status.UNKNOWN, DeliveryState.UNKNOWN)
    assert medium.texts() == []


@pytest.mark.parametrize("arrived", [True, False])
async def test_what_was_cut_off_by_closing_is_asked_about_by_whoever_comes_next(bench: Any, arrived: bool) -> None:
    medium = Medium(remembers=True)

    async def never_answers(out: Any) -> Receipt | None:
        if arrived:
            medium.accept(out)
        await anyio.sleep_forever()
        return None

    async with bench(drain=0.01) as b:
        await b.add("loop", medium)
        medium.script(never_answers)
        handle = await b.hub.submit("hello", to=ANN)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
    async with bench(store=b.store, clock=b.clock) as again:
        await again.add("loop", medium)
        await again.pass_time(60)
        stored = await b.store.load(handle.id)
    assert stored is not None
    assert stored.status is Status.ACCEPTED
    assert medium.texts() == ["hello"]


@pytest.mark.parametrize("fails", [3, 1000])
async def test_a_question_that_fails_is_asked_again(bench: Any, fails: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has cut off the answer has mostly cut off the question, too; but it is not asked for ever."""
    asked = 0
    reconcile = LoopbackAdapter.reconcile

    async def broken(self: LoopbackAdapter, out: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked <= fails:
            raise NotSentError("no connection")
        return await reconcile(self, out)

    monkeypatch.setattr(LoopbackAdapter, "reconcile", broken)
    async with bench() as b:
        medium = await b.add("loop", Medium(remembers=True))
        medium.script(UncertainError("the answer was lost"))
        sent = await b.hub.submit("hello", to=ANN)
        await b.settle()
        assert sent.status is Status.UNKNOWN
        assert sent.deliveries[0].state is DeliveryState.SENDING
        await b.pass_time(40_000, step=600)

        assert medium.texts() == ["hello"]
        delivery = sent.deliveries[0]
        if fails == 3:
            assert (sent.status, asked) == (Status.ACCEPTED, 4)
        else:
            assert delivery.state is DeliveryState.UNKNOWN
            assert asked == LoopbackAdapter.retry.limit


async def test_a_question_is_asked_again_when_the_medium_says(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it shows only later what it took, neither sooner, which costs, nor much later, which holds up the lane."""
    asked: list[float] = []
    reconcile = LoopbackAdapter.reconcile
    async with bench() as b:

        async def later(self: LoopbackAdapter, out: Any) -> Any:
            asked.append(b.clock.monotonic())
            if len(asked) < 4:
                raise ThrottledError("not shown yet", retry_after=15)
            return await reconcile(self, out)

        monkeypatch.setattr(LoopbackAdapter, "reconcile", later)
        medium = await b.add("loop", Medium(remembers=True))
        medium.script(UncertainError("the answer was lost"))
        sent = await b.hub.submit("hello", to=ANN)
        await b.pass_time(60)

        assert [at - asked[0] for at in asked] == [0, 15, 30, 45]
        assert sent.status is Status.ACCEPTED


async def test_a_failing_handler_ends_in_the_dead_letters(bench: Any) -> None:
    """After its attempts; and it holds nobody up."""
    handled: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            if message.text == "poison":
                raise ValueError("cannot")
            handled.append(message.text or "")

        medium = await b.add()
        medium.say(text="poison", sender=ANN)
        medium.say(text="good", sender=ANN)
        await b.pass_time(100)
        assert handled == ["good"]
        await b.pass_time(2000, step=20)

        dead = await b.store.dead_entries()
        assert [entry.event.text for entry in dead if isinstance(entry.event, MessageReceived)] == ["poison"]
        assert "ValueError" in (dead[0].reason or "")


async def test_an_edit_goes_out_after_its_original(bench: Any) -> None:
    """In the same lane, with the medium's id of what it changes."""
    async with bench() as b:
        medium = await b.add()
        conversation = b.hub.conversation(ANN)
        sent = await b.hub.submit("helo", to=ANN)
        await conversation.edit(sent, "hello")
        await b.settle()

        assert [each.operation.value for each in medium.sent] == ["send", "edit"]
        assert medium.sent[1].out.target == (medium.sent[0].id,)
        assert medium.texts() == ["helo", "hello"]


async def test_a_reply_is_bound_to_the_conversation_it_answers(bench: Any) -> None:
    """On the channel that the message came from, in its thread."""
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> str:
            return "yes"

        first = await b.add("first")
        second = await b.add("second")
        second.say(text="hello?", sender=ANN, message_id="m9", thread="t1", subject="A question")
        await b.settle()

        assert first.texts() == []
        (sent,) = second.sent
        assert sent.out.message.reply_to == "m9"
        assert sent.out.message.thread == "t1"
        assert sent.out.message.subject == "Re: A question"


async def test_automatic_mail_is_never_answered_automatically(bench: Any) -> None:
    """The loop guard is on without being asked for."""
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> str:
            return "thanks"

        medium = await b.add()
        medium.say(text="out of office", sender=ANN, automated=True)
        medium.say(text="a person", sender=BOB)
        await b.settle()

        assert medium.texts() == ["thanks"]
        assert medium.sent[0].to.uri == BOB
        states = {dispatch.state for dispatch in await b.store.dispatches()}
        assert DispatchState.SUPPRESSED in states


async def test_a_person_answering_makes_it_answered(bench: Any) -> None:
    """The strongest evidence there is."""
    async with bench() as b:
        medium = await b.add()
        sent = await b.hub.send("hello?", to=ANN)
        medium.say(text="yes", sender=ANN, reply_to=medium.sent[0].id)
        await b.settle()

        assert sent.status is Status.ANSWERED


async def test_several_recipients_get_one_dispatch_each(bench: Any) -> None:
    """Unseen by each other; one refusal is no exception for the others."""
    async with bench() as b:
        medium = await b.add()
        medium.script(RejectedError("gone"), to=ANN)
        handles = await b.hub.send("hello", to=[ANN, BOB])

        assert [handle.status for handle in handles] == [Status.FAILED, Status.ACCEPTED]
        assert isinstance(handles[0].error, RejectedError)
        assert handles[1].error is None


async def test_the_same_key_sends_once(bench: Any) -> None:
    """For good; other content under it is an error."""
    from convergekit.errors import KeyConflictError

    async with bench() as b:
        medium = await b.add()
        one = await b.hub.send("hello", to=ANN, key="order-1")
        two = await b.hub.send("hello", to=ANN, key="order-1")
        assert one.id == two.id
        await b.hub.send("hello", to=BOB, key="order-1")
        with pytest.raises(KeyConflictError):
            await b.hub.send("other", to=ANN, key="order-1")

        assert medium.texts(ANN) == ["hello"]
        assert medium.texts(BOB) == ["hello"]


async def test_scheduled_and_expiring(bench: Any) -> None:
    """`not_before` waits, and holds nobody up; `expires_at` ends it."""
    from datetime import timedelta

    async with bench() as b:
        medium = await b.add()
        now = b.clock.now()
        late = await b.hub.send(Message("later", not_before=now + timedelta(seconds=100)), to=ANN)
        assert late.status is Status.QUEUED
        await b.hub.send("now", to=ANN)
        assert medium.texts() == ["now"]
        await b.pass_time(101, step=10)
        assert medium.texts() == ["now", "later"]

        async def busy(out: Any) -> Receipt | None:
            raise NotSentError("busy")

        medium.script(*[busy] * 100)
        dying = await b.hub.send(Message("urgent news", expires_at=b.clock.now() + timedelta(seconds=30)), to=BOB)
        await b.pass_time(200, step=5)
        assert dying.state is DispatchState.EXPIRED
        assert dying.status is Status.FAILED


async def test_a_room_is_one_recipient(bench: Any) -> None:
    """A conversation can be sent to."""
    async with bench() as b:
        medium = await b.add()
        ref = ConversationRef(channel="loop", address="loopback:room", kind="group")
        await b.hub.send("hello all", to=ref)
        assert medium.sent[0].out.conversation == ref


async def test_a_handler_that_waits_until_its_reply_is_delivered_does_not_deadlock(bench: Any) -> None:
    """Reports of a conversation do not queue behind the handler that waits for them."""
    statuses: list[Status] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> None:
            reply = await conversation.reply("here")
            await reply.wait(Status.ACCEPTED)
            report = {"status": "delivered", "ids": [medium.sent[0].id]}
            medium.say(type="receipt.received", key="r1", receipt=report, sender=ANN, conversation={"address": ANN})
            statuses.append(await reply.wait(Status.DELIVERED, timeout=60))

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()

    assert statuses == [Status.DELIVERED]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_hub_can_be_made_before_there_is_an_event_loop(backend: str) -> None:
    """Modules make it at import, beside their handlers."""
    medium = Medium()
    hub = Hub(store=MemoryStore())

    async def main() -> None:
        async with hub:
            await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
            await hub.send("hello", to=ANN)

    anyio.run(main, backend=backend)
    assert medium.texts() == ["hello"]


async def test_a_failure_that_is_reported_late_ends_the_waiting(bench: Any) -> None:
    """Accepted, then bounced: nobody waits for a delivery that will not come."""
    async with bench() as b:
        medium = await b.add()
        sent = await b.hub.send("hello", to=ANN)
        report = {"status": "failed", "ids": [medium.sent[0].id], "failure": {"code": "5.1.1"}}
        medium.say(type="receipt.received", key="r1", receipt=report)
        await b.settle()
        with pytest.raises(RejectedError) as caught:
            await sent.wait(Status.DELIVERED)

        assert caught.value.code == "5.1.1"
        assert sent.status is Status.FAILED


async def test_channels_with_a_rate_hold_no_worker(bench: Any) -> None:
    """However long their queues are, another channel sends at once, and their own order is kept."""
    async with bench(sends=2) as b:
        for number in range(4):
            await b.add(f"slow{number}", rate={"count": 1, "per": 60})
            for text in ("1", "2", "3"):
                await b.hub.submit(text, to=ANN, via=f"slow{number}")
        free = await b.add("free")
        await b.settle()
        sent = await b.hub.send("hello", to=ANN, via="free")

        assert sent.status is Status.ACCEPTED
        assert free.texts() == ["hello"]
        assert b.media["slow0"].texts() == ["1"]
        await b.pass_time(61, step=10)
        assert b.media["slow0"].texts() == ["1", "2"]
        await b.pass_time(61, step=10)
        assert b.media["slow0"].texts() == ["1", "2", "3"]


async def test_a_person_may_answer_who_has_opted_out(bench: Any) -> None:
    """STOP stops programs and new messages; it does not silence the answer to what they themselves have written."""
    events: list[MessageReceived] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> str:
            events.append(message)
            return "an automatic answer"

        medium = await b.add()
        medium.say(type="consent.changed", key="stop", address=ANN, granted=False, sender=ANN)
        medium.say(text="a question", sender=ANN)
        await b.settle()
        assert medium.texts() == []
        await b.hub.conversation(events[0]).reply("a person's answer")
        await b.settle()

        assert medium.texts() == ["a person's answer"]
        with pytest.raises(SuppressedError):
            await b.hub.send("an offer", to=ANN)


async def test_alerts_may_be_resent_although_a_double_is_possible(bench: Any) -> None:
    """`on_uncertain = "resend"` is a choice of the channel."""
    async with bench() as b:
        medium = Medium()
        await b.hub.add_channel("alerts", {"adapter": "loopback", "on_uncertain": "resend"}, medium=medium)
        medium.script(UncertainError("the answer was lost"))
        sent = await b.hub.send("fire", to=ANN)
        await b.pass_time(10)

        assert sent.status is Status.ACCEPTED
        assert medium.texts() == ["fire", "fire"]


async def test_content_that_makes_no_sense_is_a_typed_error(bench: Any) -> None:
    """Nothing is stored, and the text is not shown."""
    async with bench() as b:
        await b.add()
        for text in ("a secret \ud800", "a secret \x00"):
            with pytest.raises(InvalidInputError) as caught:
                await b.hub.send(text, to=ANN)
            assert "secret" not in str(caught.value)
        with pytest.raises(UnsupportedContentError):
            await b.hub.send("word " * 2_000_000, to=ANN)

        assert await b.store.dispatches() == []


async def test_inbound_files_are_in_the_store_before_the_medium_is_told(bench: Any) -> None:
    """A stream is drained at admission, and can be read later."""

    async def chunks() -> Any:
        yield b"x" * 100_000

    async with bench() as b:
        await b.add()
        context = b.hub.channel("loop").adapter.context
        file = Attachment(stream=chunks, name="a.bin")
        await context.admit(MessageReceived(key="k", sender=ANN, text="see", attachments=(file,)))
        found: list[Attachment] = []

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            found.extend(message.attachments)

        await context.admit(MessageReceived(key="k2", sender=ANN, text="see", attachments=(file,)))
        await b.settle()

        assert found[-1].claim is not None
        assert await context.read(found[-1]) == b"x" * 100_000


async def test_a_hub_that_only_sends_takes_no_webhooks_in(bench: Any) -> None:
    """Nobody is told that it has what nobody would handle."""
    async with bench(role="send") as b:
        await b.add("hook", secret="sekrit")

        assert b.hub.receiver("hook") is None
        assert b.hub.health().ok


async def test_a_hub_that_only_submits_is_well_without_channels(bench: Any) -> None:
    """A readiness check beside workers can be true."""
    async with bench(role="submit") as b:
        await b.add()
        assert b.hub.health().ok

    assert not b.hub.health().ok


async def test_a_second_run_that_would_say_something_else_is_told_of(bench: Any, caplog: Any) -> None:
    """The first run's message stands, for there must be one; that it was another is in the log."""
    runs: list[int] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> None:
            runs.append(len(runs))
            await conversation.reply(f"answer {len(runs)}")
            if len(runs) == 1:
                raise RuntimeError("after the reply")

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.pass_time(30)

    assert medium.texts() == ["answer 1"]
    assert "would have sent something else" in caplog.text
    assert "answer 2" not in caplog.text


async def test_large_content_is_rendered_beside_the_event_loop(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds a megabyte, in which nobody else would be served."""
    from convergekit.engine import planner

    threads: list[int] = []
    render = planner.render

    def noting(*args: Any, **options: Any) -> Any:
        threads.append(threading.get_ident())
        return render(*args, **options)

    monkeypatch.setattr(planner, "render", noting)
    async with bench() as b:
        await b.add()
        await b.hub.send("small", to=ANN)
        await b.hub.send("word " * 20_000, to=ANN)

    assert threads[0] == threading.get_ident()
    assert threads[1] != threading.get_ident()


async def test_what_is_printed_of_a_delivery_is_no_content(bench: Any) -> None:
    """It ends up in logs."""
    async with bench() as b:
        await b.add()
        sent = await b.hub.send(Message("a private matter", subject="very private"), to=ANN)

        assert "private" not in repr(sent.deliveries) + repr(sent.dispatch) + repr(sent)
        with pytest.raises(TypeError, match="text or a Message"):
            await b.hub.send(b"bytes", to=ANN)  # type: ignore[call-overload]
