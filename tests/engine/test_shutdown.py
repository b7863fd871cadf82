"""Leaving in good order: nothing more is taken in, what is due is finished, then the channels are closed."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Timer
from time import monotonic
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import Conversation, DispatchHandle, Hub, MemoryStore, MessageReceived, Status
from convergekit.abc import EntryState, Outgoing
from convergekit.errors import ConfigurationError, NotRunningError, RejectedError, StoreError
from convergekit.model import Receipt
from convergekit.testing import FakeClock
from tests.engine.kit import ANN, Listening, ListeningConfig, ProbeConfig

pytestmark = pytest.mark.anyio


async def test_leaving_finishes_what_is_due_in_order(bench: Any) -> None:
    """Handlers end, what they sent goes out, and only then are the channels left."""
    log: list[str] = []
    go = anyio.Event()

    async def sending(out: Outgoing) -> None:
        log.append(f"sent {out.text}")

    async def open_the_gate() -> None:
        await b.breathe()
        log.append("leaving")
        go.set()

    async with anyio.create_task_group() as tasks, bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived, conversation: Conversation) -> str:
            await go.wait()
            log.append("handled")
            await conversation.reply("first")
            return "second"

        await b.hub.add_channel("probe", ProbeConfig(), sending=sending, log=log)
        adapter = b.hub.channel("probe").adapter
        await adapter.context.admit(MessageReceived(key="k", sender="probe:ann", text="hello"))
        await b.breathe()
        tasks.start_soon(open_the_gate)

    assert log == ["leaving", "handled", "sent first", "sent second", "probe left"]
    assert (await b.store.counts()).entries["probe", EntryState.DONE] == 1


async def test_while_it_drains_nothing_is_taken_in(bench: Any) -> None:
    """The medium is refused, and keeps what it has."""
    refused: list[type[BaseException]] = []
    go = anyio.Event()

    async with anyio.create_task_group() as tasks, bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            await go.wait()

        medium = await b.add()
        adapter = b.hub.channel("loop").adapter
        medium.say(text="hello", sender=ANN)
        await b.breathe()

        async def late() -> None:
            await b.breathe()
            try:
                await adapter.context.admit(MessageReceived(key="late", sender=ANN, text="late"))
            except NotRunningError as error:
                refused.append(type(error))
            go.set()

        tasks.start_soon(late)

    assert refused == [NotRunningError]


async def test_the_deadline_is_kept_whatever_a_handler_does(bench: Any) -> None:
    """Its event stays in the ledger, for the next hub."""
    with anyio.fail_after(60):
        async with bench(drain=0.05) as b:

            @b.hub.on_message
            async def handle(message: MessageReceived) -> None:
                await anyio.sleep_forever()

            medium = await b.add()
            medium.say(text="hello", sender=ANN)
            await b.breathe()

    assert (await b.store.counts()).entries["loop", EntryState.READY] == 1


async def test_an_adapter_that_cannot_part_does_not_hold_the_hub(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given some seconds, and then cancelled."""
    from convergekit.engine import engine

    monkeypatch.setattr(engine, "_CLOSING", 0.05)

    async def listening(adapter: Listening, task_status: Any) -> None:
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await anyio.sleep_forever()

    with anyio.fail_after(60):
        async with bench(drain=0.05) as b:
            await b.hub.add_channel("ears", ListeningConfig(), listening=listening)


async def test_what_waits_for_a_time_does_not_hold_the_hub(bench: Any) -> None:
    """A retry in an hour is the next hub's."""
    from convergekit.errors import ThrottledError

    with anyio.fail_after(60):
        async with bench(drain=60) as b:
            medium = await b.add()
            medium.script(ThrottledError("slow down", retry_after=3600))
            sent = await b.hub.send("hello", to=ANN)

    assert sent.status is Status.QUEUED


@pytest.mark.parametrize("error", [ValueError("mine"), RejectedError("no"), ExceptionGroup("mine", [KeyError("x")])])
async def test_an_error_of_the_host_comes_out_as_it_is(bench: Any, error: Exception) -> None:
    """Not inside a group of ours; and the channels are closed all the same."""
    log: list[str] = []

    async def host() -> None:
        async with bench() as b:
            await b.hub.add_channel("probe", ProbeConfig(), log=log)
            raise error

    with pytest.raises(type(error)) as caught:
        await host()

    assert caught.value is error
    assert log == ["probe left"]


async def test_an_error_of_the_host_cuts_no_send_off(bench: Any) -> None:
    """Its outcome would be unknown for no reason."""
    go = anyio.Event()

    async def slow(out: Outgoing) -> Receipt | None:
        await go.wait()
        return None

    async def open_the_gate() -> None:
        for _ in range(50):
            await checkpoint()
        go.set()

    async def host() -> None:
        async with bench() as b:
            medium = await b.add()
            medium.script(slow)
            handles.append(await b.hub.submit("hello", to=ANN))
            await b.breathe()
            tasks.start_soon(open_the_gate)
            raise ValueError("mine")

    handles: list[DispatchHandle] = []
    async with anyio.create_task_group() as tasks:
        with pytest.raises(ValueError, match="mine"):
            await host()

    assert handles[0].status is Status.ACCEPTED


async def test_a_ledger_that_does_not_open_is_said_as_it_is() -> None:
    """Un-grouped, before anything was started."""
    store = MemoryStore()
    async with Hub(store=store, clock=FakeClock(), random=Random(1)):
        with pytest.raises(StoreError, match="open already"):
            async with Hub(store=store, clock=FakeClock(), random=Random(2)):
                raise AssertionError("it is open")


async def test_a_hub_is_entered_once() -> None:
    """The second time it says what to do."""
    hub = Hub(store=MemoryStore())
    async with hub:
        pass
    with pytest.raises(ConfigurationError, match="entered once"):
        async with hub:
            raise AssertionError("it is open")


async def test_outside_it_says_that_it_is_not_open(bench: Any) -> None:
    """Before and after; the handles of before can still be read."""
    hub = Hub(store=MemoryStore())
    with pytest.raises(NotRunningError, match="async with hub"):
        await hub.send("hello", to=ANN)
    with pytest.raises(NotRunningError):
        await hub.plan("hello", to=ANN)
    with pytest.raises(NotRunningError):
        await hub.run()
    async with bench() as b:
        await b.add()
        handle = await b.hub.send("hello", to=ANN)
    with pytest.raises(NotRunningError):
        await b.hub.submit("hello", to=ANN)
    assert handle.status is Status.ACCEPTED


async def test_whoever_waits_for_a_message_is_told_that_the_hub_was_closed(bench: Any) -> None:
    """It would otherwise wait for ever, for nobody is there to tell."""
    told: list[str] = []

    async with anyio.create_task_group() as tasks, bench() as b:
        await b.add()
        handle = await b.hub.send("hello", to=ANN)

        async def waits() -> None:
            try:
                await handle.wait(Status.READ)
            except NotRunningError as error:
                told.append(str(error))

        tasks.start_soon(waits)
        await b.breathe()

    assert len(told) == 1
    with anyio.fail_after(60), pytest.raises(NotRunningError):
        await handle.wait(Status.READ)
    assert await handle.wait(Status.ACCEPTED) is Status.ACCEPTED


async def test_health_names_each_channel(bench: Any) -> None:
    """Its state, why, and its adapter."""
    async with bench() as b:
        await b.add("good")
        await b.hub.add_channel("probe", ProbeConfig())
        health = b.hub.health()

        assert health.ok
        assert {name: (each.state, each.reason, each.adapter) for name, each in health.channels.items()} == {
            "good": ("up", None, "loopback"),
            "probe": ("up", None, "probe"),
        }
    assert not b.hub.health().ok
    assert {each.state for each in b.hub.health().channels.values()} == {"closed"}


# Signals, in a process of its own

SCRIPT = """
import anyio, logging, sys
from convergekit import Conversation, Hub, MemoryStore, MessageReceived
from convergekit.adapters.loopback import Medium

async def main():
    hub, medium, go = Hub(store=MemoryStore(), drain=float(sys.argv[2])), Medium(), anyio.Event()

    @hub.on_message
    async def handle(message: MessageReceived) -> str:
        print("handling", flush=True)
        await anyio.sleep(float(sys.argv[3]))
        return "answered"

    async with hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        medium.say(text="hello", sender="loopback:ann")
        await hub.run()
        print("ran", flush=True)
    print("left", medium.texts(), flush=True)

logging.basicConfig(stream=sys.stdout, format="%(message)s")
logging.getLogger("convergekit.hub").setLevel(logging.INFO)
anyio.run(main, backend=sys.argv[1])
"""


@dataclass(frozen=True)
class Served:
    """How a process ended.

    Args:
        code: Its exit code.
        lines: What it said.
        drained: Seconds from the first signal's being noticed to the end.
    """

    code: int
    lines: list[str]
    drained: float


def served(backend: str, drain: float, handler: float, *signals: int) -> Served:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, backend, str(drain), str(handler)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parent,
    ) as process:
        stuck = Timer(60, process.kill)
        stuck.start()
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        process.send_signal(signals[0])
        lines.append(process.stdout.readline())  # two signals at once are one, to the kernel
        noticed = monotonic()
        for number in signals[1:]:
            process.send_signal(number)
        lines += process.stdout
        stuck.cancel()
    return Served(process.returncode, [line.strip() for line in lines], monotonic() - noticed)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_drains(backend: str, number: signal.Signals) -> None:
    """The handler ends, its reply goes out, the process ends well."""
    process = served(backend, 600, 0.3, number)
    assert process.lines == ["handling", f"{number.name}: draining", "ran", "left ['answered']"]
    assert process.code == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_second_signal_does_not_wait_any_longer(backend: str) -> None:
    """Not in `run`, and not when the hub is left either."""
    process = served(backend, 600, 600, signal.SIGTERM, signal.SIGTERM)
    assert process.lines == ["handling", "SIGTERM: draining", "ran", "left []"]
    assert process.code == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_time_to_drain_is_given_once(backend: str) -> None:
    """`run` and leaving share it."""
    process = served(backend, 2, 600, signal.SIGTERM)
    assert process.lines == ["handling", "SIGTERM: draining", "ran", "left []"]
    assert process.drained < 4
