"""Several workers on one ledger: what one settles wakes the others, and what only one may do, one does."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any

import anyio
import pytest

from convergekit import ChannelOptions, Hub, MessageReceived, Status
from convergekit.abc import EntryState, Outgoing, Polled
from convergekit.adapters.loopback import Medium
from convergekit.engine import engine, lanes, outbox, ownership
from convergekit.engine.ownership import OWNING
from convergekit.errors import LeaseLostError
from tests.engine.kit import ANN, Listening, ListeningConfig, PollingConfig, ProbeConfig
from tests.engine.workers import Worker, Workers

pytestmark = pytest.mark.anyio
_OPTIONS = ChannelOptions()


class Only(Listening):
    """One connection at a time, sending included."""

    exclusive = True


class Ears:
    """Who listens now, on a channel called "ears"; and an admission that can be made in its name."""

    def __init__(self) -> None:
        self.open: list[Any] = []
        self.heard: list[str] = []
        self.refused: list[type[BaseException]] = []
        self.says: dict[Any, anyio.Event] = {}

    async def __call__(self, adapter: Any, task_status: Any) -> None:
        self.open.append(adapter)
        self.says[adapter] = anyio.Event()
        try:
            task_status.started()
            while True:
                await self.says[adapter].wait()
                self.says[adapter] = anyio.Event()
                key = f"key{len(self.heard) + len(self.refused)}"
                try:
                    await adapter.context.admit(MessageReceived(key=key, text="hello", sender="listening:ann"))
                    self.heard.append(key)
                except LeaseLostError as error:
                    self.refused.append(type(error))
                    raise
        finally:
            self.open.remove(adapter)

    async def add(self, hub: Hub) -> None:
        await hub.add_channel("ears", ListeningConfig(), listening=self)


# What others have done


@pytest.mark.parametrize("silent", [False, True], ids=["told", "on the floor"])
async def test_a_wait_ends_when_another_worker_has_sent_it(silent: bool) -> None:
    """In a process that only submits; and by polling alone, should nobody tell it."""
    medium = Medium()

    async def loop(hub: Hub) -> None:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)

    async with Workers().running() as workers:
        web = await workers.start(loop, role="submit")
        web.peer.silent = silent
        statuses: list[Status] = []
        handle = await web.hub.submit("hello", to=ANN)

        async def wait() -> None:
            statuses.append(await handle.wait(Status.ACCEPTED))

        async def send() -> None:
            statuses.append((await web.hub.send("hello again", to=ANN, timeout=None)).status)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(send)
            await workers.breathe()
            assert statuses == []
            assert "waits for a worker" in (handle.reason or "")
            await workers.start(loop)
            await workers.pass_time(6)

        assert statuses == [Status.ACCEPTED] * 2
        assert medium.texts() == ["hello", "hello again"]


async def test_what_one_worker_submits_another_sends_at_once() -> None:
    """It is told of it; nobody has to wait for the next look."""
    medium, elsewhere = Medium(), Medium(refuses_login=OSError("away"))

    async with Workers().running() as workers:
        one = await workers.start()
        two = await workers.start()
        await one.hub.add_channel("loop", {"adapter": "loopback"}, medium=elsewhere)
        await two.hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        handle = await one.hub.submit("hello", to=ANN)
        await workers.breathe(80)

        assert medium.texts() == ["hello"]
        assert handle.status is Status.ACCEPTED


async def test_a_worker_that_is_told_nothing_looks_now_and_then() -> None:
    """Polling is the floor that suffices alone: for deliveries, for events, for timers."""
    medium, handled = Medium(), []

    async def only_events(hub: Hub) -> None:
        @hub.on_message
        async def handle(message: MessageReceived) -> None:
            handled.append(message.key)

    async with Workers().running() as workers:
        worker = await workers.start(only_events)
        worker.peer.silent = True
        await worker.hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        web = await workers.start(role="submit")
        await web.hub.add_channel("loop", {"adapter": "loopback"})
        await web.hub.submit("hello", to=ANN)
        await web.peer.admit("loop", [MessageReceived(key="k", channel="loop", lane="a")])
        await workers.pass_time(6)

        assert medium.texts() == ["hello"]
        assert handled == ["k"]


async def test_a_database_that_was_away_is_followed_again(caplog: Any) -> None:
    """Claims, timers and watches try again by themselves, with pauses, and say so without filling the log."""
    medium = Medium()

    async def loop(hub: Hub) -> None:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)

    async with Workers().running() as workers:
        web = await workers.start(loop, role="submit")
        worker = await workers.start(loop)
        worker.peer.away = web.peer.away = True
        for peer in (worker.peer, web.peer):
            peer.tell()
        await workers.pass_time(120)
        assert len(caplog.records) < 60
        worker.peer.away = web.peer.away = False
        handle = await web.hub.submit("hello", to=ANN)
        await workers.pass_time(12)

        assert medium.texts() == ["hello"]
        assert handle.status is Status.ACCEPTED


def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves while the database is away gives the machine's time to nothing."""
    for module in (engine, ownership, lanes, outbox):
        for name in ("_CLOSING", "_GIVING_BACK", "_CLEANUP", "_STORING"):
            monkeypatch.setattr(module, name, 0.05, raising=False)


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
async def test_a_hub_is_left_in_bounded_time_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """What could not be given back is free when its time has run out."""
    hasty(monkeypatch)
    ears, begun = Ears(), anyio.Event()

    async def add(hub: Hub) -> None:
        @hub.on_message
        async def handle(message: MessageReceived) -> None:
            begun.set()
            await anyio.sleep_forever()

        async def sending(out: Outgoing) -> None:
            await anyio.sleep_forever()

        await hub.add_channel("ears", ListeningConfig(), listening=ears, sending=sending)

    async with Workers().running() as workers:
        worker = await workers.start(add, drain=0.05)
        for number in range(3):
            await worker.hub.submit("hello", to=f"listening:{number}")
        ears.says[ears.open[0]].set()
        await begun.wait()
        await workers.breathe()
        worker.peer.away, worker.peer.hangs = not hangs, hangs
        with anyio.fail_after(60):
            await worker.close()

        assert ears.open == []


# A lane that another worker has taken


class Slow:
    """A handler that takes its time; what it did, by whom, and how it ended."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.medium = Medium()
        self.go = anyio.Event()

    def of(self, name: str) -> Any:
        async def ready(hub: Hub) -> None:
            @hub.on_message
            async def handle(message: MessageReceived) -> None:
                self.runs.append(f"{name} begins")
                try:
                    await self.go.wait()
                except anyio.get_cancelled_exc_class():
                    self.runs.append(f"{name} is cancelled")
                    raise
                self.runs.append(f"{name} ends")

            await hub.add_channel("loop", {"adapter": "loopback"}, medium=self.medium)

        return ready


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
async def test_a_handler_is_cancelled_when_its_lease_ends_without_being_renewed(
    monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """It would go on beside that of the worker that takes over: *done* is fenced, and its other effects are not."""
    hasty(monkeypatch)
    slow = Slow()

    async with Workers().running() as workers:
        one = await workers.start(slow.of("one"), lease=90, drain=0.05)
        slow.medium.say(text="hello", sender=ANN)
        await workers.breathe()
        one.peer.away, one.peer.hangs = not hangs, hangs
        await workers.pass_time(80)
        assert slow.runs == ["one begins"]
        await workers.start(slow.of("two"), lease=90)
        await workers.pass_time(7)
        assert slow.runs == ["one begins", "one is cancelled"]  # and has left before anybody may take over
        await workers.pass_time(13)
        slow.go.set()
        await workers.breathe()

    assert slow.runs == ["one begins", "one is cancelled", "two begins", "two ends"]


async def test_a_handler_is_cancelled_when_the_ledger_refuses_to_renew_its_lease(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By its own clock it has time left; who took over has another one."""
    slow = Slow()

    async with Workers().running() as workers:
        await workers.start(slow.of("one"), lease=90)
        slow.medium.say(text="hello", sender=ANN)
        await workers.breathe()
        await workers.pass_time(10)
        store = workers.ledger.store
        store._lanes.end_leases("in", workers.clock.now() + timedelta(seconds=91))
        (stolen,) = (await store.claim("in", limit=1, seconds=60)).leases
        assert slow.runs == ["one begins"]
        await workers.pass_time(21)
        assert slow.runs == ["one begins", "one is cancelled"]
        await store.finish(stolen)

    assert "cancelled" in caplog.text


async def test_a_handler_whose_lease_is_renewed_goes_on() -> None:
    """For as long as it likes."""
    slow = Slow()

    async with Workers().running() as workers:
        await workers.start(slow.of("one"), lease=90)
        slow.medium.say(text="hello", sender=ANN)
        await workers.breathe()
        await workers.start(slow.of("two"), lease=90)
        await workers.pass_time(600, step=5)
        slow.go.set()
        await workers.breathe()

    assert slow.runs == ["one begins", "one ends"]


# What only one process may do


async def _two(workers: Workers, ears: Ears) -> tuple[Worker, Worker]:
    return await workers.start(ears.add), await workers.start(ears.add)


async def test_one_worker_hears_and_both_send() -> None:
    """The other is on standby, says so, and is well."""
    ears = Ears()

    async with Workers().running() as workers:
        first, second = await _two(workers, ears)
        assert [adapter is first.hub.channel("ears").adapter for adapter in ears.open] == [True]
        assert first.hub.channel("ears").state == "up"
        assert second.hub.channel("ears").state == "standby"
        assert second.hub.health().channels["ears"].reason == "owned by another worker"
        assert second.hub.health().ok
        await first.close()
        sent = await second.hub.send("hello", to="listening:ann")
        assert sent.status is Status.ACCEPTED


async def test_a_worker_takes_over_at_once_from_one_that_leaves() -> None:
    """It has been given back."""
    ears = Ears()

    async with Workers().running() as workers:
        first, second = await _two(workers, ears)
        await first.close()
        await workers.pass_time(1.0, step=0.5)

        assert ears.open == [second.hub.channel("ears").adapter]
        assert second.hub.channel("ears").state == "up"


async def test_a_worker_takes_over_from_one_that_has_died() -> None:
    """Once its time has run out, and not before."""
    ears = Ears()

    async with Workers().running() as workers:
        first, second = await _two(workers, ears)
        await workers.pass_time(100)
        assert ears.open == [first.hub.channel("ears").adapter]
        await first.die()
        await workers.pass_time(OWNING / 2)
        assert ears.open == []
        await workers.pass_time(OWNING / 2 + 6)

        assert ears.open == [second.hub.channel("ears").adapter]
        ears.says[ears.open[0]].set()
        await workers.breathe()
        assert ears.heard == ["key0"]


async def test_what_a_stale_owner_admits_is_refused_and_ends_its_hearing() -> None:
    """It was stopped for a while, and goes on before it has looked at the time."""
    ears = Ears()

    async with Workers().running() as workers:
        first, second = await _two(workers, ears)
        (stale,) = ears.open

        fence = first.hub._engine.channels["ears"].ownership.fence
        assert fence is not None
        await workers.ledger.store.disown(fence)  # it has lost it, and will not know before its next renewal
        second.hub._engine.channels["ears"].ownership.look()
        await workers.pass_time(2)
        assert ears.open == [stale, second.hub.channel("ears").adapter]
        ears.says[stale].set()
        await workers.breathe(200)

        assert ears.refused == [LeaseLostError]
        assert ears.heard == []
        assert ears.open == [second.hub.channel("ears").adapter]
        assert first.hub.channel("ears").state == "standby"


async def test_a_worker_that_was_stopped_finds_out_by_itself() -> None:
    """Its clock has gone on: it stops hearing without asking anybody."""
    ears = Ears()

    async with Workers().running() as workers:
        first, second = await _two(workers, ears)
        first.peer.away = True  # it cannot renew
        await workers.pass_time(OWNING + 8)

        assert ears.open == [second.hub.channel("ears").adapter]
        assert first.hub.channel("ears").state == "degraded"
        assert "cannot tell who owns it" in (first.hub.channel("ears").reason or "")
        first.peer.away = False
        await workers.pass_time(6)
        assert first.hub.channel("ears").state == "standby"
        assert ears.open == [second.hub.channel("ears").adapter]


async def test_a_lease_on_which_nobody_answers_ends_in_time() -> None:
    """A ledger that hangs, rather than fails, leaves nobody hearing beyond its time."""
    ears = Ears()

    async with Workers().running() as workers:
        worker = await workers.start(ears.add)

        async def hangs(*args: Any) -> None:
            await anyio.sleep_forever()

        vars(worker.peer)["own"] = hangs
        await workers.pass_time(OWNING - 1)
        assert len(ears.open) == 1
        await workers.pass_time(2)
        assert ears.open == []
        await worker.die()


async def test_a_poll_is_one_workers_and_goes_on_from_its_cursor() -> None:
    """The one that takes over asks for what comes next."""
    asked: list[Any] = []

    async def polling(feed: str, cursor: Any) -> Polled:
        asked.append(cursor)
        number = (cursor or 0) + 1
        return Polled([MessageReceived(key=str(number), text="hello", sender="polling:ann")], number)

    async def feed(hub: Hub) -> None:
        await hub.add_channel("feed", PollingConfig(), polling=polling)

    async with Workers().running() as workers:
        first = await workers.start(feed)
        await workers.start(feed)
        await workers.pass_time(25)
        assert asked == [None, 1, 2]
        await first.die()
        await workers.pass_time(40)
        assert asked[:4] == [None, 1, 2, 3]
        assert len(set(asked)) == len(asked)


async def test_an_exclusive_adapter_is_entered_by_one_worker_which_alone_sends() -> None:
    """The account bears one connection; what others submit waits for that one, and `send` for its answer."""
    ears, entered = Ears(), []

    async def only(hub: Hub) -> None:
        hub._engine.add("ears", Only, ListeningConfig(), _OPTIONS, {"listening": ears, "entered": entered})

    async with Workers().running() as workers:
        first, second = await workers.start(only), await workers.start(only)
        assert len(entered) == 1
        assert second.hub.channel("ears").adapter is None
        assert second.hub.channel("ears").state == "standby"
        sent = await second.hub.send("hello", to="listening:ann")
        assert sent.status is Status.ACCEPTED
        await first.die()
        await workers.pass_time(OWNING + 6)
        assert len(entered) == 2
        assert second.hub.channel("ears").state == "up"
        sent = await second.hub.send("hello again", to="listening:ann")
        assert sent.status is Status.ACCEPTED
        await second.hub.remove_channel("ears")
        assert ears.open == []


async def test_an_exclusive_channel_that_is_on_standby_can_be_closed() -> None:
    """Waiting for one's turn is no reason to stay."""

    async def only(hub: Hub) -> None:
        hub._engine.add("ears", Only, ListeningConfig(), _OPTIONS, {"listening": Ears()})

    async with Workers().running() as workers:
        await workers.start(only)
        second = await workers.start(only)
        with anyio.fail_after(60):
            await second.hub.remove_channel("ears")
            await second.close()


async def test_an_exclusive_channel_that_was_lost_is_left_and_comes_back() -> None:
    """Also when it comes back to the same worker: its adapter is a new one, and it sends again."""
    ears, entered, log = Ears(), [], []

    async def only(hub: Hub) -> None:
        hub._engine.add("ears", Only, ListeningConfig(), _OPTIONS, {"listening": ears, "entered": entered, "log": log})

    async with Workers().running() as workers:
        worker = await workers.start(only)
        worker.peer.away = True
        await workers.pass_time(OWNING + 1)
        assert log == ["ears left"]
        assert not worker.hub._engine.channels["ears"].is_serving
        worker.peer.away = False
        await workers.pass_time(12)
        assert len(entered) == 2
        assert worker.hub.channel("ears").state == "up"
        assert (await worker.hub.send("hello", to="listening:ann")).status is Status.ACCEPTED


async def test_a_channel_that_hears_nothing_is_nobodys() -> None:
    """It costs the ledger nothing."""

    async def probe(hub: Hub) -> None:
        await hub.add_channel("probe", ProbeConfig())

    async with Workers().running() as workers:
        worker = await workers.start(probe)
        await workers.pass_time(100, step=5)

        assert "own" not in worker.peer.calls


async def test_an_outcome_is_kept_until_the_database_is_back() -> None:
    """Forgotten, it would be unknown, and a person would have to look."""
    sends = 0

    async with Workers().running() as workers:
        worker = await workers.start()

        async def sending(out: Outgoing) -> None:
            nonlocal sends
            sends += 1
            worker.peer.away = True

        await worker.hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await worker.hub.submit("hello", to="probe:a")
        await workers.pass_time(60)
        worker.peer.away = False
        await workers.pass_time(10)

        assert handle.status is Status.ACCEPTED
        assert sends == 1


async def test_a_handler_that_has_ended_does_not_run_again_because_the_database_was_away() -> None:
    """That it is done is stored when it can be."""
    runs = 0

    async def handling(hub: Hub) -> None:
        @hub.on_message
        async def handle(message: MessageReceived) -> None:
            nonlocal runs
            runs += 1
            worker.peer.away = True

    medium = Medium()
    async with Workers().running() as workers:
        worker = await workers.start(handling)
        await worker.hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        medium.say(text="hello", sender=ANN)
        await workers.pass_time(60)
        worker.peer.away = False
        await workers.pass_time(200, step=10)

        assert runs == 1
        assert (await workers.ledger.store.counts()).entries["loop", EntryState.DONE] == 1


async def test_a_hub_that_was_made_before_a_fork_makes_ids_of_its_own() -> None:
    """Children that enter a copy of it would else name two messages alike."""
    made = Hub(store="memory:")
    copies = [copy(made._own_chance), made._own_chance]
    assert copies[0] is not None
    async with made:
        assert copies[0].getstate() != copies[1].getstate()  # type: ignore[union-attr]
