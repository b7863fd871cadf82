"""One channel at run time: opened, supervised and left by itself, whatever the others do."""

from __future__ import annotations

import itertools
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from convergekit import ChannelOptions, Hub, MessageReceived, Status, first_of
from convergekit.abc import Adapter, Outgoing, Polled
from convergekit.adapters.loopback import Medium
from convergekit.engine import channels, engine
from convergekit.engine.outcomes import PATIENCE
from convergekit.errors import (
    AuthenticationError,
    ConfigurationError,
    CreditError,
    NotSentError,
    RejectedError,
    StoreError,
    ThrottledError,
)
from convergekit.model import Capabilities, ChannelChanged, Receipt, TextLimit
from tests.engine.kit import ANN, BOB, Listening, ListeningConfig, Polling, PollingConfig, Probe, ProbeConfig

pytestmark = pytest.mark.anyio


# Opening


async def test_a_channel_that_does_not_open_is_tried_again_with_growing_pauses(bench: Any) -> None:
    """Back-off with full jitter from the hub's own chance and clock; the hub itself opens, and others serve."""
    tries: list[float] = []

    async def refused() -> None:
        tries.append(b.clock.monotonic())
        if len(tries) < 6:
            raise ConnectionRefusedError("the password is hunter2")

    async with bench() as b:
        medium = await b.add("good")
        await b.hub.add_channel("bad", ProbeConfig(), opening=refused)
        assert b.hub.channel("bad").state == "degraded"
        assert b.hub.health().channels["bad"].reason == "ConnectionRefusedError"  # a library's words may hold a secret
        assert not b.hub.health().ok
        await b.hub.send("hello", to=ANN)
        await b.pass_time(60, step=0.5)

        assert medium.texts() == ["hello"]
        assert len(tries) == 6
        pauses = [after - before for before, after in itertools.pairwise(tries)]
        assert all(pause <= 2**number + 0.5 for number, pause in enumerate(pauses))
        assert pauses != sorted(pauses) or len(set(pauses)) == len(pauses)  # they are drawn, not fixed
        assert b.hub.health().ok


async def test_each_try_has_a_new_adapter(bench: Any) -> None:
    """Nothing half-broken is used again."""
    entered: list[Probe] = []

    async def fails_once() -> None:
        if len(entered) == 1:
            raise OSError("no")

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), opening=fails_once, entered=entered)
        await b.pass_time(5)

        assert len(entered) == 2
        assert b.hub.channel("probe").adapter is entered[1]


async def test_an_account_error_takes_it_down_and_is_probed_slowly(bench: Any) -> None:
    """A person has to act; asking every second would only lock the account."""
    tries: list[float] = []

    async def refused() -> None:
        tries.append(b.clock.monotonic())
        raise AuthenticationError("the token was revoked")

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), opening=refused)
        assert b.hub.channel("probe").state == "down"
        assert b.hub.channel("probe").reason == "the token was revoked"
        await b.pass_time(1000, step=10)

        assert 3 <= len(tries) <= 5


async def test_an_account_error_of_a_send_takes_it_down_and_keeps_the_message(bench: Any) -> None:
    """It goes out once the account is good again, and has cost no attempt."""
    async with bench() as b:
        medium = await b.add()
        medium.script(CreditError("no money left"))
        medium.refuses_login = CreditError("no money left")
        sent = await b.hub.send("hello", to=ANN)
        assert sent.status is Status.QUEUED
        assert "no money left" in (sent.reason or "")
        assert b.hub.health().channels["loop"].state == "down"
        medium.refuses_login = None
        await b.pass_time(700, step=20)

        assert sent.status is Status.ACCEPTED
        assert sent.deliveries[0].attempts == 0
        assert medium.texts() == ["hello"]


async def test_a_way_whose_account_is_known_to_be_refused_is_left_without_a_try(bench: Any) -> None:
    """Or of two gateways the second would carry one message every five minutes, and the others would wait."""
    async with bench() as b:
        first, second = await b.add("first"), await b.add("second")
        first.script(CreditError("no money left"))
        for text in ("one", "two"):
            sent = await b.hub.send(text, to=ANN, via=first_of("first", "second"))
            assert sent.status is Status.ACCEPTED
        waits = await b.hub.send("three", to=ANN, via="first")

        assert second.texts() == ["one", "two"]
        assert [each.reason for each in sent.deliveries] == ["left: the account cannot be used", None]
        assert waits.status is Status.QUEUED


async def test_what_waited_when_an_account_was_refused_goes_the_next_way_and_the_rest_keeps_its_place(
    bench: Any,
) -> None:
    """All of a hundred alerts, and not only those that were on their way."""
    async with bench() as b:
        first = await b.add("first", concurrency=2)
        second = await b.add("second")
        held = anyio.Event()

        async def refused(out: Outgoing) -> None:
            await held.wait()
            raise CreditError("no money left")

        first.script(refused, refused)
        people = [f"loopback:p{number}" for number in range(150)]
        for each in people:
            await b.hub.submit("alert", to=each, via=first_of("first", "second"))
        patient = await b.hub.submit("only there", to=people[0], via="first")
        held.set()
        await b.settle()

        assert sorted(str(each.to) for each in second.sent) == sorted(people)
        assert patient.status is Status.QUEUED
        await b.pass_time(700, step=20)

        assert first.texts() == ["only there"]


async def test_a_way_that_failed_before_is_not_replaced_by_one_whose_account_is_refused(bench: Any) -> None:
    """The third is asked; and the last is never left, for there is no other."""
    async with bench() as b:
        first, second, third = await b.add("first"), await b.add("second"), await b.add("third")
        second.script(CreditError("no money left"))
        await b.hub.send("waits", to=ANN, via="second")
        first.script(RejectedError("no"), RejectedError("no"))
        sent = await b.hub.send("hello", to=ANN, via=first_of("first", "second", "third"))
        last = await b.hub.send("hello", to=ANN, via=first_of("first", "second"))

        assert (second.texts(), third.texts()) == ([], ["hello"])
        assert sent.status is Status.ACCEPTED
        assert last.status is Status.QUEUED


async def test_a_channel_that_hangs_on_opening_blocks_no_other(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit it is degraded, and tried again."""
    monkeypatch.setattr(channels, "_OPENING", 0.05)
    opened = 0

    async def hangs() -> None:
        nonlocal opened
        opened += 1
        if opened == 1:
            await anyio.sleep_forever()

    async with bench() as b:
        await b.hub.add_channel("slow", ProbeConfig(), opening=hangs)
        assert b.hub.channel("slow").state == "degraded"
        assert "did not open within" in (b.hub.channel("slow").reason or "")
        await b.pass_time(3)
        assert b.hub.channel("slow").state == "up"


async def test_a_channel_that_hangs_on_opening_can_be_removed(bench: Any) -> None:
    """And so the hub can be left."""
    async with bench() as b, anyio.create_task_group() as tasks:

        async def add() -> None:
            await b.hub.add_channel("slow", ProbeConfig(), opening=anyio.sleep_forever)

        tasks.start_soon(add)
        await b.settle()
        assert b.hub.channel("slow").state == "opening"
        await b.hub.remove_channel("slow")
        assert [channel.name for channel in b.hub.channels] == []


async def test_a_caller_who_does_not_wait_for_the_opening_does_not_stop_it(bench: Any) -> None:
    """Cancelling `add_channel` stops the waiting."""
    go = anyio.Event()

    async with bench() as b:
        with anyio.move_on_after(0.01):
            await b.hub.add_channel("slow", ProbeConfig(), opening=go.wait)
        assert b.hub.channel("slow").state == "opening"
        go.set()
        await b.settle()
        assert b.hub.channel("slow").state == "up"


# Hearing


async def test_a_failing_listen_is_started_again_and_the_channel_goes_on_sending(bench: Any) -> None:
    """It is degraded, says why, and is up again once it is connected, all on one instance."""
    tries: list[Any] = []

    async def listening(adapter: Any, task_status: Any) -> None:
        tries.append(adapter)
        if len(tries) < 4:
            raise ConnectionError("reset")
        task_status.started()
        await adapter.context.admit(MessageReceived(key="k", text="hello", sender="listening:ann"))
        await anyio.sleep_forever()

    heard: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            heard.append(message.text or "")

        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        health = b.hub.health()
        assert health.channels["ears"].state == "degraded"
        assert health.channels["ears"].reason == "listen failed: ConnectionError"
        assert (await b.hub.send("still here", to="listening:ann")).status is Status.ACCEPTED
        await b.pass_time(10, step=0.5)

        assert len(tries) == 4
        assert all(adapter is tries[0] for adapter in tries)
        assert heard == ["hello"]
        assert b.hub.health().ok
        assert b.hub.channel("ears").reason is None


async def test_the_pause_begins_anew_after_a_stable_time(bench: Any) -> None:
    """A connection that breaks once a day does not end with pauses of minutes."""
    tries: list[float] = []

    async def listening(adapter: Any, task_status: Any) -> None:
        tries.append(b.clock.monotonic())
        task_status.started()
        await b.clock.sleep(100)
        raise ConnectionError("reset")

    async with bench() as b:
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        await b.pass_time(1200, step=1)

        assert len(tries) >= 10
        assert all(after - before <= 102 for before, after in itertools.pairwise(tries))


async def test_without_a_stable_time_the_pause_grows_to_its_cap(bench: Any) -> None:
    """Nobody is asked every second for hours; and never less than every five minutes."""
    tries: list[float] = []

    async def listening(adapter: Any, task_status: Any) -> None:
        tries.append(b.clock.monotonic())
        raise ConnectionError("reset")

    async with bench() as b:
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        await b.pass_time(7200, step=5)

        assert 20 <= len(tries) <= 120
        assert all(after - before <= 310 for before, after in itertools.pairwise(tries))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotSentError("nobody is at that port"), "nobody is at that port"),
        (ConnectionError("s3cret"), "ConnectionError"),
    ],
)
async def test_the_log_says_why_a_listen_failed_in_words_of_ours(
    error: Exception, told: str, bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def listening(adapter: Any, task_status: Any) -> None:
        raise error

    async with bench() as b:
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        await b.settle()
    assert f"listen failed: {told}; again in" in caplog.text
    assert "s3cret" not in caplog.text


async def test_an_account_error_inside_a_group_ends_the_listening(bench: Any) -> None:
    """Adapters have task groups of their own."""
    tries = 0

    async def listening(adapter: Any, task_status: Any) -> None:
        nonlocal tries
        tries += 1
        async with anyio.create_task_group() as tasks:

            async def refused() -> None:
                raise AuthenticationError("expired")

            tasks.start_soon(refused)

    async with bench() as b:
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        await b.settle()
        assert b.hub.channel("ears").state == "down"
        assert b.hub.channel("ears").reason == "expired"
        await b.pass_time(60, step=5)
        assert tries == 1


async def test_a_listen_that_never_says_it_is_connected_is_left_running(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs the hub a little patience, and itself nothing."""
    monkeypatch.setattr(engine, "_OPENING", 0.05)

    async def listening(adapter: Any, task_status: Any) -> None:
        await anyio.sleep_forever()

    async with bench() as b:
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        assert b.hub.channel("ears").state == "up"
        assert (await b.hub.send("hello", to="listening:ann")).status is Status.ACCEPTED


async def test_a_listen_that_returns_has_nothing_more_to_hear(bench: Any) -> None:
    """It is not started again."""
    tries = 0

    async def listening(adapter: Any, task_status: Any) -> None:
        nonlocal tries
        tries += 1

    async with bench() as b:
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        await b.pass_time(100, step=10)
        assert tries == 1
        assert b.hub.health().ok


async def test_a_poll_goes_on_from_its_cursor_which_is_stored_with_its_events(bench: Any) -> None:
    """Also in the next process; `more` polls at once, `wait` when the medium says, else the adapter's interval."""
    asked: list[tuple[str, Any, float]] = []
    handled: list[str] = []

    async def polling(feed: str, cursor: Any) -> Polled:
        asked.append((feed, cursor, b.clock.monotonic()))
        number = (cursor or 0) + 1
        if number > 4:
            return Polled((), cursor)
        event = MessageReceived(key=f"{feed}{number}", text="hello", sender="polling:ann")
        return Polled([event], number, more=number < 3, wait=3.0 if number == 3 else None)

    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            handled.append(message.key)

        await b.hub.add_channel("feed", PollingConfig(), polling=polling)
        await b.settle()
        assert [cursor for _, cursor, _ in asked] == [None, 1, 2]
        assert await b.store.cursor("feed", "inbox") == 3
        await b.pass_time(2.5, step=0.5)
        assert len(asked) == 3
        await b.pass_time(1, step=0.5)
        assert [cursor for _, cursor, _ in asked] == [None, 1, 2, 3]
        await b.pass_time(9)
        assert len(asked) == 4
        await b.pass_time(2)
        assert [cursor for _, cursor, _ in asked] == [None, 1, 2, 3, 4]
        assert handled == ["inbox1", "inbox2", "inbox3", "inbox4"]

    asked.clear()
    async with bench(store=b.store) as b:
        await b.hub.add_channel("feed", PollingConfig(), polling=polling)
        await b.settle()
        assert [cursor for _, cursor, _ in asked] == [4]


async def test_a_poll_whose_events_were_not_stored_begins_again_where_it_was(bench: Any) -> None:
    """The cursor is in the same transaction."""
    asked: list[Any] = []

    async def polling(feed: str, cursor: Any) -> Polled:
        asked.append(cursor)
        broken = MessageReceived(key="" if len(asked) == 1 else "k", text="hello", sender="polling:ann")
        return Polled([broken], "next") if cursor is None else Polled((), cursor)

    async with bench() as b:
        await b.hub.add_channel("feed", PollingConfig(), polling=polling)
        assert await b.store.cursor("feed", "inbox") is None
        await b.pass_time(13)

        assert asked[:2] == [None, None]
        assert await b.store.cursor("feed", "inbox") == "next"


async def test_a_throttled_poll_waits_as_long_as_it_is_told(bench: Any) -> None:
    """Whatever the back-off would have been."""
    asked: list[float] = []

    async def polling(feed: str, cursor: Any) -> Polled:
        asked.append(b.clock.monotonic())
        if len(asked) == 1:
            raise ThrottledError("slow down", retry_after=42)
        return Polled((), cursor)

    async with bench() as b:
        await b.hub.add_channel("feed", PollingConfig(), polling=polling)
        await b.pass_time(45)
        assert asked == [0, 42]


async def test_one_feed_that_fails_does_not_stop_the_other(bench: Any) -> None:
    """And the channel says which, until both are well."""
    asked: list[str] = []
    broken = True

    async def polling(feed: str, cursor: Any) -> Polled:
        asked.append(feed)
        if feed == "dm" and broken:
            raise OSError("no")
        return Polled((), cursor, wait=1)

    async with bench() as b:
        await b.hub.add_channel("feed", PollingConfig(), polling=polling, feeds=("dm", "mentions"))
        await b.pass_time(10)
        assert asked.count("mentions") == 11
        assert b.hub.channel("feed").reason == "poll dm failed: OSError"
        broken = False
        await b.pass_time(20)
        assert b.hub.channel("feed").state == "up"


async def test_a_role_that_only_sends_takes_nothing_in(bench: Any) -> None:
    """Workers that send may stand beside one that receives."""
    async with bench(role="send") as b:
        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.hub.send("hello", to=ANN)
        await b.pass_time(5)

        assert medium.texts() == ["hello"]
        assert (await b.store.counts()).entries == {}


# Coming and going


async def test_channels_come_and_go_and_others_do_not_notice(bench: Any) -> None:
    """What the others have under way goes on."""
    go = anyio.Event()

    async def slow(out: Outgoing) -> Receipt | None:
        await go.wait()
        return None

    async with bench() as b:
        first = await b.add("first", default=True)
        first.script(slow)
        handle = await b.hub.submit("hello", to=ANN)
        await b.breathe()
        await b.add("second")
        adapter = b.hub.channel("first").adapter
        await b.hub.remove_channel("second")
        assert b.hub.channel("first").adapter is adapter
        go.set()
        await b.settle()

        assert handle.status is Status.ACCEPTED
        with pytest.raises(ConfigurationError, match="no channel 'second'"):
            b.hub.channel("second")
        with pytest.raises(ConfigurationError, match="no channel 'second'"):
            await b.hub.remove_channel("second")
        with pytest.raises(ConfigurationError, match="'first' already"):
            await b.add("first")


async def test_a_channel_under_its_old_name_finds_what_was_queued_for_it(bench: Any) -> None:
    """Messages belong to the name, not to the instance."""
    async with bench() as b:
        await b.add("loop", Medium(refuses_login=OSError("away")))
        handle = await b.hub.submit("hello", to=ANN)
        await b.hub.remove_channel("loop")
        assert "no worker has the channel 'loop' open" in (handle.reason or "")
        medium = await b.add("loop")
        await b.settle()

        assert medium.texts() == ["hello"]
        assert handle.status is Status.ACCEPTED


async def test_removing_waits_for_what_is_being_sent(bench: Any) -> None:
    """Cut off, its outcome would be unknown; and what comes behind it stays for whoever opens the channel next."""
    go, begun = anyio.Event(), anyio.Event()
    log: list[str] = []

    async def sending(out: Outgoing) -> None:
        begun.set()
        await go.wait()
        log.append(f"{out.text} sent")

    async with bench() as b, anyio.create_task_group() as tasks:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending, log=log)
        first = await b.hub.submit("first", to="probe:ann")
        second = await b.hub.submit("second", to="probe:ann")
        await begun.wait()
        tasks.start_soon(b.hub.remove_channel, "probe")
        await b.breathe()
        go.set()
        await b.settle()

        assert log == ["first sent", "probe left"]
        assert first.status is Status.ACCEPTED
        assert second.status is Status.QUEUED
        assert second.deliveries[0].attempts == 0


async def test_changes_of_a_channel_are_told_to_who_handles_them(bench: Any) -> None:
    """Opened, down, and up again."""
    told: list[tuple[str, str | None]] = []
    async with bench() as b:

        @b.hub.on_event(ChannelChanged)
        async def handle(event: ChannelChanged) -> None:
            told.append((event.state, event.reason))

        medium = await b.add()
        medium.script(AuthenticationError("the token was revoked"))
        await b.hub.send("hello", to=ANN)
        await b.pass_time(700, step=10)

    assert told == [("up", None), ("down", "the token was revoked"), ("up", None)]


# Rates


async def test_a_rate_spreads_the_parts_of_one_channel_and_of_no_other(bench: Any) -> None:
    """Two in ten seconds are one every five."""
    at: list[float] = []

    async def sending(out: Outgoing) -> None:
        at.append(b.clock.monotonic())

    async with bench() as b:
        options = ChannelOptions(rate={"count": 2, "per": 10.0})
        await b.hub.add_channel("probe", ProbeConfig(), options=options, sending=sending)
        medium = await b.add("free")
        await b.hub.submit("hello", to=["probe:a", "probe:b", "probe:c", "probe:d"])
        await b.hub.send("hello", to=ANN)
        assert medium.texts() == ["hello"]
        await b.pass_time(20, idle=False)

        assert at == [0, 5, 10, 15]


async def test_a_rate_does_not_shorten_the_time_for_which_a_retry_keeps_its_place(bench: Any) -> None:
    """A second part that has waited for its turn, and then has to be tried again, holds its lane like anything else."""

    async def throttles_the_second_part(out: Outgoing) -> Receipt | None:
        if out.index == 1 and b.clock.monotonic() < 35:
            raise ThrottledError("not this one", retry_after=30, scope="conversation")
        return None

    async with bench() as b:
        medium = await b.add(rate={"count": 1, "per": 10.0})
        medium.script(*[throttles_the_second_part] * 10)
        await b.hub.submit("long " * 300, to=ANN)
        await b.hub.submit("short", to=ANN)
        await b.settle()
        await b.pass_time(90)

        assert [(each.out.index, each.out.count) for each in medium.sent] == [(0, 2), (1, 2), (0, 1)]


async def test_no_more_at_a_time_than_a_channel_allows(bench: Any) -> None:
    """However many are waiting; the other channel has its own number."""
    now = most = 0

    async def sending(out: Outgoing) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await b.clock.sleep(1)
        now -= 1

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), options=ChannelOptions(concurrency=3), sending=sending)
        medium = await b.add("free")
        handles = await b.hub.submit("hello", to=[f"probe:{number}" for number in range(10)])
        await b.hub.send("hello", to=ANN)
        assert medium.texts() == ["hello"]
        await b.pass_time(10, idle=False)

        assert most == 3
        assert all(handle.status is Status.ACCEPTED for handle in handles)


@pytest.mark.parametrize("scope", ["channel", "conversation"])
async def test_a_throttle_pauses_the_channel_or_the_conversation(bench: Any, scope: Any) -> None:
    """As the medium has said; either way nothing is lost, and it ends by itself."""
    async with bench() as b:
        medium = await b.add()
        medium.script(ThrottledError("slow down", retry_after=30, scope=scope), to=ANN)
        ann = await b.hub.send("hello ann", to=ANN)
        bob = await b.hub.submit("hello bob", to=BOB)
        await b.pass_time(29)
        assert ann.status is Status.QUEUED
        assert (bob.status is Status.ACCEPTED) == (scope == "conversation")
        await b.pass_time(2)

        assert ann.status is bob.status is Status.ACCEPTED


@pytest.mark.parametrize("scope", ["channel", "conversation"])
async def test_no_medium_is_waited_for_longer_than_three_days(bench: Any, scope: Any) -> None:
    """Whatever it asks for."""
    async with bench() as b:
        medium = await b.add()
        medium.script(ThrottledError("come back in 300 centuries", retry_after=1e12, scope=scope))
        handle = await b.hub.submit("hello", to=ANN)
        await b.settle()
        b.clock.advance(PATIENCE.total_seconds() - 1)
        await b.settle()
        assert handle.status is Status.QUEUED
        b.clock.advance(1)
        await b.settle()
        assert handle.status is Status.ACCEPTED


# What an adapter does wrong


async def test_an_unclassified_error_without_a_mark_is_uncertain(bench: Any) -> None:
    """An adapter that never says when the first byte leaves is taken to have sent."""

    async def sending(out: Outgoing) -> None:
        raise KeyError("oops")

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.settle()

        assert handle.status is Status.UNKNOWN
        assert handle.reason is not None
        assert "KeyError" in handle.reason


async def test_an_unclassified_error_before_the_mark_is_a_bug_where_there_usually_is_one(bench: Any) -> None:
    """Known to say when the first byte leaves, and it has not: it goes to the dead letters."""

    async def sending(out: Outgoing) -> None:
        if out.text == "bad":
            raise KeyError("oops")
        out.started()

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        await b.hub.send("good", to="probe:ann")
        handle = await b.hub.submit("bad", to="probe:ann")
        await b.settle()

        assert handle.status is Status.FAILED
        assert [each.dispatch for each in await b.store.dead_deliveries()] == [handle.id]


@pytest.mark.parametrize("begins", [True, False])
async def test_the_ledgers_own_trouble_is_no_bug_of_the_adapter(bench: Any, begins: bool) -> None:
    """Its state and its locks are in the ledger, which may be away just then."""

    async def sending(out: Outgoing) -> None:
        if out.text == "hello" and out.attempt == 1:
            if begins:
                out.started()
            raise StoreError("the database is away")
        out.started()

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        await b.hub.send("good", to="probe:ann")
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.settle()
        assert "the database is away" in (handle.reason or "")
        assert handle.status is (Status.UNKNOWN if begins else Status.QUEUED)
        b.clock.advance(60)
        await b.settle()
        assert handle.status is (Status.UNKNOWN if begins else Status.ACCEPTED)


async def test_an_unclassified_error_after_the_mark_is_uncertain(bench: Any) -> None:
    """It may have been taken."""

    async def sending(out: Outgoing) -> None:
        out.started()
        raise KeyError("oops")

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.settle()
        assert handle.status is Status.UNKNOWN


async def test_an_adapter_that_answers_nothing_is_uncertain(bench: Any) -> None:
    """A missing `return` is no receipt."""

    async def sending(out: Outgoing) -> Any:
        return "sent!"

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.settle()
        assert handle.status is Status.UNKNOWN
        assert "str in place of a Receipt" in (handle.reason or "")


@pytest.mark.parametrize("begins", [True, False])
async def test_a_send_that_takes_too_long_is_uncertain_only_if_it_had_begun(
    bench: Any, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    """The adapter's own limit."""
    monkeypatch.setattr(Probe, "send_timeout", 0.05)

    async def sending(out: Outgoing) -> None:
        if out.text == "first" or begins:
            out.started()
        if out.text != "first":
            await anyio.sleep_forever()

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        await b.hub.send("first", to="probe:ann")
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.hub.idle()

        assert handle.status is (Status.UNKNOWN if begins else Status.QUEUED)


@pytest.mark.parametrize("declares", [True, False])
async def test_the_first_send_of_a_process_that_does_not_begin_is_known_where_the_adapter_says_so(
    bench: Any, monkeypatch: pytest.MonkeyPatch, declares: bool
) -> None:
    """Without a word nobody knows yet whether it calls `out.started()` at all."""
    monkeypatch.setattr(Probe, "send_timeout", 0.05)
    monkeypatch.setattr(Probe, "calls_started", declares)

    async def sending(out: Outgoing) -> None:
        await anyio.sleep_forever()

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.hub.idle()

        assert handle.status is (Status.QUEUED if declares else Status.UNKNOWN)


async def test_the_adapters_own_policy_decides_when_it_is_tried_again(bench: Any) -> None:
    """And how often; the channel's settings may allow fewer attempts."""
    at: list[float] = []

    async def sending(out: Outgoing) -> None:
        at.append(b.clock.monotonic())
        raise NotSentError("busy")

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), options=ChannelOptions(attempts=4), sending=sending)
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.settle()
        await b.pass_time(60)

        assert at == [0, 1, 3, 7]
        assert handle.status is Status.FAILED
        assert "not sent in 4 attempts" in (handle.reason or "")


def test_the_probes_are_adapters() -> None:
    """What this file stands on."""
    assert Listening.Config is ListeningConfig
    assert Polling.Config is PollingConfig


# What depends on settings


class SettingConfig(BaseModel, frozen=True, extra="forbid"):
    """Of an adapter whose limits and addresses are a matter of settings."""

    longest: int = 10
    sends: bool = True


class Setting(Adapter[SettingConfig]):
    name = "setting"
    schemes = frozenset({"setting"})
    Config = SettingConfig

    def __init__(self, config: SettingConfig, context: Any) -> None:
        super().__init__(config, context)
        self.capabilities = Capabilities(text=TextLimit(max=config.longest))

    @classmethod
    def schemes_for(cls, config: SettingConfig) -> frozenset[str]:
        return cls.schemes if config.sends else frozenset()

    async def send(self, out: Outgoing) -> Receipt:
        return Receipt(Status.ACCEPTED)


async def test_limits_are_those_of_the_settings_also_where_nothing_is_open() -> None:
    """A process that only submits plans by them, too."""
    async with Hub(role="submit") as hub:
        await hub.add_channel("narrow", SettingConfig(longest=5))
        plan = await hub.plan("12345 67890", to="setting:ann")
        assert plan.recipients[0].legs[0].parts == 2


async def test_a_channel_that_cannot_send_is_none_to_send_by() -> None:
    async with Hub(role="submit") as hub:
        await hub.add_channel("ear", SettingConfig(sends=False))
        with pytest.raises(ConfigurationError, match="no channel serves setting:"):
            await hub.plan("hello", to="setting:ann")
        await hub.add_channel("mouth", SettingConfig())
        plan = await hub.plan("hello", to="setting:ann")
        assert plan.recipients[0].legs[0].channel == "mouth"
