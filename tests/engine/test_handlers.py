"""Handlers run at least once and finish once; what they send is sent once, however often they run."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import Conversation, Hub, MemoryStore, Message, MessageReceived, Router, Skip, Status, first_of, via
from convergekit.abc import EntryState, Lease
from convergekit.engine.handlers import CRASH_RETRY, HANDLER_RETRY
from convergekit.errors import RejectedError, SuppressedError
from convergekit.model import (
    ConsentChanged,
    DeadLettered,
    DeliveryChanged,
    DispatchState,
    Event,
    Failure,
    FailureKind,
    Receipt,
    ReceiptReceived,
    TypingChanged,
)
from convergekit.testing import FakeClock
from tests.engine.kit import ANN, BOB

pytestmark = pytest.mark.anyio


# Failing


async def test_a_failing_handler_is_tried_again_with_growing_pauses_and_then_kept(bench: Any) -> None:
    """Six times, full jitter; then its event is a dead letter, and its lane goes on."""
    at: list[float] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            if message.text == "poison":
                at.append(b.clock.monotonic())
                error = ValueError("hunter2")
                error.add_note("the password is hunter2")
                raise error

        medium = await b.add()
        medium.say(text="poison", sender=ANN)
        await b.settle()
        await b.pass_time(1200, step=1)

        pauses = [after - before for before, after in itertools.pairwise(at)]
        assert len(at) == HANDLER_RETRY.limit == 6
        assert all(pause <= min(300, 4**number) + 1 for number, pause in enumerate(pauses))
        (dead,) = await b.store.dead_entries()
        assert dead.attempts == 6
        assert dead.reason is not None
        assert dead.reason.startswith("ValueError in handler ")
        assert "hunter2" not in dead.reason


async def test_a_dead_letter_is_told_to_who_handles_them(bench: Any) -> None:
    """In and out; and a handler of dead letters that fails makes no further ones."""
    told: list[tuple[str, str]] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            raise ValueError("no")

        @b.hub.on_event(DeadLettered)
        async def dead(event: DeadLettered) -> None:
            told.append((event.direction, event.id))
            raise RuntimeError("this one fails too")

        medium = await b.add(attempts=1)
        medium.say(text="poison", sender=ANN)

        async def busy(out: Any) -> None:
            from convergekit.errors import NotSentError

            raise NotSentError("busy")

        medium.script(busy)
        handle_ = await b.hub.submit("hello", to=BOB)
        await b.settle()
        await b.pass_time(4000, step=10)

        entries = await b.store.dead_entries()
        poison = next(each for each in entries if isinstance(each.event, MessageReceived))
        assert set(told) == {("in", poison.id), ("out", handle_.deliveries[0].id)}
        assert sum(isinstance(each.event, DeadLettered) for each in entries) == 2
        assert len(entries) == 3


async def test_a_time_limit_of_a_handler_ends_its_run(bench: Any) -> None:
    """And it is tried again."""
    runs = 0
    async with bench() as b:

        @b.hub.on_message(timeout=0.02)
        async def handle(message: MessageReceived) -> None:
            nonlocal runs
            runs += 1
            if runs == 1:
                await anyio.sleep_forever()

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        assert runs == 1
        await b.pass_time(3)
        assert runs == 2


async def test_what_nobody_handles_is_done(bench: Any) -> None:
    """It is not tried for ever, and the hook for it is called."""
    seen: list[str] = []
    async with bench() as b:

        @b.hub.on_unhandled
        async def hook(event: Event) -> None:
            seen.append(event.key)

        medium = await b.add()
        medium.say(key="k", text="hello", sender=ANN)
        await b.settle()

        assert seen == ["k"]
        assert (await b.store.counts()).entries["loop", EntryState.DONE] == 1


# What handlers send


async def test_two_handlers_and_a_skip_send_under_keys_of_their_own(bench: Any) -> None:
    """The first one's reply is not taken for the second one's; and each is found again by a second run."""
    runs = 0
    async with bench() as b:

        @b.hub.on_message
        async def first(conversation: Conversation) -> None:
            await conversation.reply("from the first")
            raise Skip

        @b.hub.on_message
        async def second(conversation: Conversation) -> str:
            nonlocal runs
            runs += 1
            await conversation.reply(f"from the second, run {runs}")
            await conversation.reply("and again")
            if runs == 1:
                raise RuntimeError("after the replies")
            return "returned"

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        await b.pass_time(5)

        assert runs == 2
        assert medium.texts() == ["from the first", "from the second, run 1", "and again", "returned"]


async def test_a_key_of_the_callers_own_is_used_as_it_is(bench: Any) -> None:
    """Two events that name the same order are one message."""
    async with bench() as b:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> None:
            await conversation.reply("your order is on its way", key="order-42")

        medium = await b.add()
        medium.say(text="where is it?", sender=ANN)
        medium.say(text="where is it??", sender=ANN)
        await b.settle()

        assert medium.texts() == ["your order is on its way"]


async def test_edits_inside_a_handler_are_sent_once_too(bench: Any) -> None:
    """Every verb has a derived key."""
    runs = 0
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived, conversation: Conversation) -> None:
            nonlocal runs
            runs += 1
            sent = await conversation.reply("helo")
            await conversation.edit(sent, "hello")
            await conversation.react(message, "👍")
            if runs == 1:
                raise RuntimeError("again")

        medium = await b.add()
        medium.say(text="hi", sender=ANN)
        await b.settle()
        await b.pass_time(5)

        assert runs == 2
        assert [each.operation.value for each in medium.sent] == ["send", "edit", "react"]


async def test_a_task_that_outlives_its_handler_sends_as_the_host_does(bench: Any) -> None:
    """Its sends have no derived key, which a later run could mistake for another's, and no automatic mark."""
    go = anyio.Event()
    async with bench() as b, anyio.create_task_group() as tasks:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> None:
            async def later() -> None:
                await go.wait()
                await conversation.reply("later")

            tasks.start_soon(later)
            await conversation.reply("now")

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        go.set()
        await b.settle()

        assert medium.texts() == ["now", "later"]
        stored = {dispatch.message.text: dispatch for dispatch in await b.store.dispatches()}
        assert stored["now"].automatic
        assert stored["now"].origin is not None
        assert not stored["later"].automatic
        assert stored["later"].origin is None


async def test_a_reply_that_is_returned_commits_with_done(bench: Any) -> None:
    """Neither without the other, as the ledger sees it."""
    finished: list[tuple[int, int]] = []
    async with bench() as b:
        finish = b.store.finish

        async def seen(lease: Any, **what: Any) -> Any:
            before = len(await b.store.dispatches())
            found = await finish(lease, **what)
            finished.append((before, len(await b.store.dispatches())))
            return found

        b.store.finish = seen

        @b.hub.on_message
        async def handle(message: MessageReceived) -> Message:
            return Message(markdown="**yes**")

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()

        assert finished == [(0, 1)]
        assert medium.texts() == ["**yes**"]


async def test_a_reply_where_there_is_no_conversation_is_an_error_that_says_so(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends in the dead letters, rather than nowhere."""
    async with bench() as b:

        @b.hub.on_event(ReceiptReceived)
        async def handle(event: ReceiptReceived) -> str:
            return "thanks"

        medium = await b.add()
        medium.say(type="receipt.received", receipt={"status": "read", "ids": ["x"]})
        await b.settle()
        await b.pass_time(2000, step=10)

        (dead,) = await b.store.dead_entries()
        assert "ConfigurationError" in (dead.reason or "")


async def test_a_reply_to_what_is_ephemeral_is_sent_by_a_program(bench: Any) -> None:
    """There is no second run, and so no key that it could be found by."""
    async with bench() as b:

        @b.hub.on_event(TypingChanged)
        async def handle(event: TypingChanged, conversation: Conversation) -> str:
            await conversation.reply("take your time")
            return "I see you"

        medium = await b.add()
        for _ in range(2):
            b.hub.channel("loop").adapter.context.notify(TypingChanged(sender=ANN, typing=True))
            await b.settle()

        assert medium.texts() == ["take your time", "I see you"] * 2
        stored = await b.store.dispatches()
        assert all(dispatch.automatic for dispatch in stored)
        assert {dispatch.origin for dispatch in stored} == {None}


async def test_an_adapter_is_told_whether_a_program_speaks(bench: Any) -> None:
    """For media with a mark for it; a handler's reply is a program's, a host's own send a person's."""
    async with bench() as b:

        @b.hub.on_message
        async def answer(message: MessageReceived) -> str:
            return "by a program"

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        await b.hub.send("by a person", to=ANN)

        assert [(sent.text, sent.out.automatic) for sent in medium.sent] == [
            ("by a program", True),
            ("by a person", False),
        ]


# What the engine itself does about events


async def test_changes_of_a_delivery_are_told_to_who_handles_them(bench: Any) -> None:
    """Each with what it was before; in order."""
    told: list[tuple[Status, Status]] = []
    router = Router()

    @router.on_event(DeliveryChanged)
    async def handle(event: DeliveryChanged) -> None:
        told.append((event.previous, event.status))

    async with bench(router=router) as b:
        medium = await b.add()
        sent = await b.hub.send("hello", to=ANN)
        for number, status in enumerate(["sent", "read", "delivered"]):
            report = {"status": status, "ids": [medium.sent[0].id]}
            medium.say(type="receipt.received", key=f"r{number}", receipt=report)
            await b.settle()

        assert sent.status is Status.READ
    assert told == [
        (Status.QUEUED, Status.ACCEPTED),
        (Status.ACCEPTED, Status.SENT),
        (Status.SENT, Status.READ),
    ]


async def test_a_failure_after_a_delivery_is_told_as_disputed(bench: Any) -> None:
    """The status stays, and a person may want to know."""
    told: list[tuple[Status, bool]] = []
    async with bench() as b:

        @b.hub.on_event(DeliveryChanged)
        async def handle(event: DeliveryChanged) -> None:
            told.append((event.status, event.disputed))

        medium = await b.add()
        sent = await b.hub.send("hello", to=ANN)
        for number, status in enumerate(["delivered", "failed"]):
            report = {"status": status, "ids": [medium.sent[0].id]}
            medium.say(type="receipt.received", key=f"r{number}", receipt=report)
            await b.settle()

        assert sent.status is Status.DELIVERED
    assert told[-1] == (Status.DELIVERED, True)


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        ({"kind": "invalid_address", "code": "5.1.1", "text": "there is nobody of that name"}, "nobody of that name"),
        ({"code": "5.1.1"}, "5.1.1"),
        (None, None),
    ],
)
async def test_a_failure_that_is_reported_later_is_told_with_its_reason(
    bench: Any, failure: dict[str, str] | None, why: str | None
) -> None:
    """By the event and by the handle: it had gone out, so nothing else says why it did not arrive."""
    told: list[str | None] = []
    async with bench() as b:

        @b.hub.on_event(DeliveryChanged)
        async def handle(event: DeliveryChanged) -> None:
            if event.status is Status.FAILED:
                told.append(event.reason)

        medium = await b.add()
        sent = await b.hub.send("hello", to=ANN)
        report = {"status": "failed", "ids": [medium.sent[0].id], "failure": failure}
        medium.say(type="receipt.received", key="r", receipt=report)
        await b.settle()

        assert told == [sent.reason]
        assert (sent.reason or "").endswith(why) if why else sent.reason is None


async def test_events_of_our_own_are_not_stored_where_nobody_handles_them(bench: Any) -> None:
    """They would be rows that nobody asked for; an `on_unhandled` hook does not ask either."""
    async with bench() as b:

        @b.hub.on_unhandled
        async def hook(event: Event) -> None:
            raise AssertionError("nothing came in")

        await b.add()
        await b.hub.send("hello", to=ANN)
        await b.settle()

        assert (await b.store.counts()).entries == {}


async def test_who_opts_out_gets_nothing_more(bench: Any) -> None:
    """The event is recorded before any handler sees it, and the gate asks from then on; START takes it back."""
    async with bench() as b:
        medium = await b.add()

        def says(key: str, granted: bool) -> None:
            medium.say(type="consent.changed", key=key, sender=ANN, address=ANN, granted=granted, evidence=key)

        says("STOP", False)
        await b.settle()
        with pytest.raises(SuppressedError, match="opted out") as caught:
            await b.hub.send("news", to=ANN)
        assert caught.value.dispatch is not None
        stored = await b.store.load(caught.value.dispatch)
        assert stored is not None
        assert stored.state is DispatchState.SUPPRESSED
        assert (await b.hub.send("news", to=BOB)).status is Status.ACCEPTED
        says("START", True)
        await b.settle()
        await b.hub.send("welcome back", to=ANN)

        assert medium.texts(ANN) == ["welcome back"]


@pytest.mark.parametrize("told", ["when it is sent", "by a report"])
async def test_whom_a_medium_refuses_for_an_opt_out_gets_nothing_more(bench: Any, told: str) -> None:
    """Whose it is, the ledger knows, and no adapter has to say; a report repeated tells it once."""
    changes: list[ConsentChanged] = []
    failure = Failure(kind=FailureKind.OPTED_OUT, code="21610")
    async with bench() as b:

        @b.hub.on_event(ConsentChanged)
        async def handle(event: ConsentChanged) -> None:
            changes.append(event)

        medium = await b.add()
        if told == "by a report":
            sent = await b.hub.send("news", to=ANN)
            for key in ("1", "2"):
                receipt = Receipt(Status.FAILED, delivery=sent.deliveries[0].id, failure=failure)
                await b.hub._engine.channels["loop"].context.admit(ReceiptReceived(key=key, receipt=receipt))
        else:
            medium.script(RejectedError("unsubscribed", code="21610", kind=FailureKind.OPTED_OUT))
            with pytest.raises(RejectedError):
                await b.hub.send("news", to=ANN)
        await b.settle()
        with pytest.raises(SuppressedError, match="opted out"):
            await b.hub.send("more news", to=ANN)

    assert [(each.address.uri, each.granted, each.evidence) for each in changes] == [(ANN, False, "21610")]


async def test_no_second_way_is_tried_to_whom_the_first_refuses_for_an_opt_out(bench: Any) -> None:
    """The consent gate learns of it a moment later; another address of theirs is another matter."""
    async with bench() as b:
        first, second = await b.add("first"), await b.add("second")
        first.script(*[RejectedError("unsubscribed", kind=FailureKind.OPTED_OUT)] * 2)
        with pytest.raises(RejectedError, match="unsubscribed"):
            await b.hub.send("news", to=ANN, via=first_of("first", "second"))
        assert second.texts() == []
        await b.hub.send(
            "news", to=BOB, via=first_of(via(BOB, channel="first"), via("loopback:bob2", channel="second"))
        )
        assert second.texts() == ["news"]


async def test_an_agreement_is_asked_for_where_a_message_names_a_category(bench: Any) -> None:
    """Never asked is no."""
    async with bench() as b:
        medium = await b.add()
        news = Message("news", category="marketing")
        with pytest.raises(SuppressedError):
            await b.hub.send(news, to=ANN)
        await b.hub.consents.record(ConsentChanged(address=ANN, granted=True, category="marketing"))
        await b.hub.send(news, to=ANN)

        assert medium.texts() == ["news"]


async def test_a_report_that_comes_before_its_message_is_kept_until_then(bench: Any) -> None:
    """Whichever of the ids it names."""
    async with bench() as b:
        medium = await b.add()
        medium.say(type="receipt.received", receipt={"status": "delivered", "ids": ["other", "m-1"]})
        await b.settle()

        async def answer(out: Any) -> Receipt:
            return Receipt(Status.ACCEPTED, ids=("m-1",))

        medium.script(answer)
        sent = await b.hub.send("hello", to=ANN)
        await b.settle()

        assert sent.status is Status.DELIVERED
        assert list(await b.store.unpark("loop", ["m-1", "other"])) == []


async def test_only_a_persons_answer_is_an_answer(bench: Any) -> None:
    """An out-of-office note is none; neither is a message that answers something else."""
    async with bench() as b:
        medium = await b.add()
        sent = await b.hub.send("hello?", to=ANN)
        medium.say(text="I am away", sender=ANN, reply_to=medium.sent[0].id, automated=True)
        medium.say(text="by the way", sender=ANN, reply_to="something else")
        medium.say(text="hi", sender=ANN)
        await b.settle()
        assert sent.status is Status.ACCEPTED
        medium.say(text="yes?", sender=ANN, reply_to=medium.sent[0].id)
        await b.settle()

        assert sent.status is Status.ANSWERED


async def test_a_report_about_another_channels_message_is_not_believed(bench: Any) -> None:
    """Ids are the medium's own: two media may use the same."""
    async with bench() as b:
        first = await b.add("first", default=True)
        second = await b.add("second")
        sent = await b.hub.send("hello", to=ANN)
        report = {"status": "failed", "ids": [first.sent[0].id], "delivery": sent.deliveries[0].id}
        second.say(type="receipt.received", receipt=report)
        await b.settle()

        assert sent.status is Status.ACCEPTED


async def test_the_ledger_failing_under_a_handler_is_no_failure_of_the_handler(bench: Any) -> None:
    """No attempt is counted, and it does not run again: that it is done is stored as soon as that can be."""
    from convergekit.errors import StoreError

    runs = tries = 0
    async with bench() as b:
        finish = b.store.finish

        async def fails_once(*args: Any, **options: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise StoreError("the disk is full")
            return await finish(*args, **options)

        b.store.finish = fails_once

        @b.hub.on_message
        async def handle(message: MessageReceived) -> str:
            nonlocal runs
            runs += 1
            return "yes"

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.breathe()
        assert medium.texts() == []
        await b.pass_time(2)

        assert runs == 1
        assert medium.texts() == ["yes"]
        assert await b.store.dead_entries() == []


async def test_a_handler_that_waits_sees_the_refusal(bench: Any) -> None:
    """`send` inside a handler raises as it does outside."""
    seen: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(conversation: Conversation) -> None:
            try:
                await conversation.send("hello")
            except RejectedError as error:
                seen.append(error.reason)

        medium = await b.add()
        medium.script(RejectedError("blocked"), to=ANN)
        medium.say(text="hello", sender=ANN)
        await b.settle()

    assert seen == ["blocked"]


async def test_what_came_in_on_a_channel_that_is_not_here_waits_for_whoever_has_it(bench: Any) -> None:
    """A handler here could not answer it."""
    seen: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            seen.append(message.channel)

        await b.add()
        await b.store.admit("later", [MessageReceived(key="1", channel="later", text="x", sender=ANN)])
        await b.settle()
        assert seen == []
        await b.add("later")
        await b.settle()

    assert seen == ["later"]


class Killed(MemoryStore):
    """A ledger whose user is killed rather than closed: nothing is given back."""

    async def release(self, lease: Lease) -> None:
        pass


async def test_an_event_that_takes_the_process_down_is_given_up_too() -> None:
    """Each run that never came to its end counts; the first time it is begun again at once, then later and later."""
    store, clock, waits = Killed(), FakeClock(), []
    async with store.opened(clock):
        await store.admit("c", [MessageReceived(key="1", channel="c", text="x", sender=ANN)])
    for _ in range(CRASH_RETRY.limit + 3):
        hub, runs = Hub(store=store, clock=clock, random=Random(7), drain=0.001), anyio.Event()
        await hub.add_channel("c", {"adapter": "loopback"})

        @hub.on_message
        async def handle(message: MessageReceived, runs: anyio.Event = runs) -> None:
            runs.set()
            await anyio.sleep_forever()

        async with hub:
            for waited in range(0, 4000, 4):
                for _ in range(20):
                    await checkpoint()
                if runs.is_set():
                    waits.append(waited)
                    break
                clock.advance(4)
            dead = await store.dead_entries()
    assert waits[:2] == [0, 0]
    assert len(waits) == CRASH_RETRY.limit > HANDLER_RETRY.limit
    assert all(waited <= 4 ** (number - 2) + 4 for number, waited in enumerate(waits))
    (letter,) = dead
    assert (letter.attempts, letter.crashes) == (0, CRASH_RETRY.limit)
    assert letter.reason == f"whoever handled it went away, {CRASH_RETRY.limit} times"


async def test_a_run_that_was_cut_off_takes_none_of_a_handlers_attempts(bench: Any) -> None:
    """An innocent event is in hand when others crash; what its handler says of it is another matter."""
    store, clock, runs = Killed(), FakeClock(), 0
    async with store.opened(clock):
        await store.admit("c", [MessageReceived(key="1", channel="c", text="x", sender=ANN)])
        for _ in range(HANDLER_RETRY.limit):
            (cut_off,) = (await store.claim("in", limit=1, seconds=60)).leases
            if cut_off.recovered:
                await store.postpone(cut_off, due=clock.now(), hold=60, reason="whoever handled it went away")
                (cut_off,) = (await store.claim("in", limit=1, seconds=60)).leases
            clock.advance(61)
    async with bench(store=store, clock=clock) as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            nonlocal runs
            runs += 1
            raise ValueError

        await b.add("c")
        await b.pass_time(4000, step=4)
        (letter,) = await b.hub.dead_letters.list()
    assert runs == HANDLER_RETRY.limit
    assert letter.attempts == 2 * HANDLER_RETRY.limit
    assert letter.reason is not None
    assert letter.reason.startswith("ValueError")


async def test_a_run_that_another_process_left_unfinished_is_begun_again_at_once(bench: Any) -> None:
    """Most of them are innocent."""
    store, clock = MemoryStore(), FakeClock()
    async with store.opened(clock):
        await store.admit("c", [MessageReceived(key="1", channel="c", text="x", sender=ANN)])
        await store.claim("in", limit=1, seconds=60)
    heard: list[str] = []
    async with bench(store=store, clock=clock) as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            heard.append(message.text or "")

        await b.add("c")
        await b.settle()
    assert heard == ["x"]


async def test_a_message_that_no_handler_takes_is_told_of_once(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever has a mailbox open without meaning to read it learns so; one line, and no content."""
    async with bench() as b:
        medium = await b.add()
        for text in ("a secret", "another"):
            medium.say(text=text, sender=ANN)
        await b.settle()

    told = [record.getMessage() for record in caplog.records if "no handler took" in record.getMessage()]
    assert len(told) == 1
    assert "loop" in told[0]
    assert "secret" not in told[0]
