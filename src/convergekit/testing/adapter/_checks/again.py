"""The same once more: delivered again, to another process, after a failure; and what is only alike."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import anyio

from convergekit.abc import Listens, ReceivesWebhooks
from convergekit.errors import LeaseLostError, StoreError
from convergekit.model import IdempotencyKind, MessageReceived

from .._bench import WAYS, Bench, Listening, Way, eventually
from .._subject import Cannot, Fault
from ._calls import packages_of
from ._registry import broken, check, expect, listed
from ._sent import arrived

__all__: list[str] = []

_LATER: Final = 3600.0
_LOST: Final = "it could not be stored, and when it came again it was not offered to the ledger"
_LONG: Final = f"id-{'x' * 100}"
#: Ids that an adapter has made one of that cuts them, or does not tell capitals.
_ALIKE: Final = {"capitals": ("id-Alike", "id-aLIKE"), "length": (f"{_LONG}1", f"{_LONG}2")}


@check("keys-stable", way=list(WAYS), where=["elsewhere"])
async def _elsewhere(bench: Bench, way: Way, where: str) -> None:
    """To another process, an hour later: what is this one's own is no key."""
    first, again = await _here_and_elsewhere(bench, way)
    keys = [{event.key for event in events} for events in (first, again)]
    expect(keys[0] == keys[1], f"what comes again, {where} and later, has another key")


@check("says-what-came", way=list(WAYS), what=["time"])
async def _its_time(bench: Bench, way: Way, what: str) -> None:
    first, again = await _here_and_elsewhere(bench, way)
    times = [[event.at for event in events] for events in (first, again)]
    expect(times[0] == times[1], "`at` is not what the medium says, but when we heard of it")


async def _here_and_elsewhere(bench: Bench, way: Way) -> list[list[MessageReceived]]:
    said, words, found = bench.said(1), bench.words(1), list[list[MessageReceived]]()
    for process in (_this_process(), _another_process(bench.adapter_class)):
        with process:
            async with bench.hearing(way) as ear:
                await ear.hear(said)
        messages = [event for event in ear.events if isinstance(event, MessageReceived)]
        found.append([event for event in messages if words in f"{event.text} {event.markdown} {event.html}"])
        expect(found[-1], "what was said did not come in" + (", to another instance" * (len(found) > 1)))
        bench.clock.advance(_LATER)
    return found


@contextmanager
def _this_process() -> Generator[None]:
    yield


@contextmanager
def _another_process(adapter: type[Any]) -> Generator[None]:
    """As in another process, where `hash` of a text is another one; for the adapter's own code."""
    plain, is_theirs = builtins.hash, packages_of(adapter)

    def salted(value: object, /) -> int:
        caller = sys._getframe(1)
        is_key = is_theirs(caller) and caller.f_code.co_name != "__hash__"
        return plain(("another", value) if is_key else value)

    builtins.hash = salted
    try:
        yield
    finally:
        builtins.hash = plain


@check("keys-distinct", way=list(WAYS), alike=list(_ALIKE))
async def _alike(bench: Bench, way: Way, alike: str) -> None:
    said = [bench.said(number, id=id, text="fine") for number, id in enumerate(_ALIKE[alike], 1)]
    if said[0] == said[1]:
        raise Cannot("the medium has no ids that are alike in this way")
    async with bench.hearing(way) as ear:
        heard = await ear.hear(*said)
    if heard.trouble:
        raise Cannot(f"the medium has no such ids: {heard.trouble}")
    expect(
        len(heard.events) == 2, f"two messages, whose ids are alike but for {alike}, gave {len(heard.events)} events"
    )


@check("same-key-once", of=["parts"])
async def _parts(bench: Bench, of: str) -> None:
    """What is the same for all parts of a message is no key for one of them."""
    async with bench.entered() as (adapter, _):
        if adapter.capabilities.idempotency.kind is IdempotencyKind.NONE:
            raise Cannot("it declares no idempotency")
        first = bench.outgoing("word8701", key="dispatch8701/0-1", delivery="delivery8701", count=2)
        identities = []
        for out in (first, replace(first, key="dispatch8701/0-2", index=1)):
            attempt, wire = await arrived(bench, adapter, out)
            expect(attempt.receipt is not None, f"it ended with {attempt}")
            identities += [bench.subject.identity(each) for each in wire.received]
    expect(len(identities) == 2, f"two parts arrived as {len(identities)} messages")
    expect(identities[0] != identities[1], f"two {of} of a message are one to the far side")


@check("offered-again", ReceivesWebhooks, way=["webhook"])
async def _called_again(bench: Bench, way: Way) -> None:
    async with bench.door() as door:
        door.context.refuses_admission = StoreError("the disk is full")
        await door.say(bench.said(1))
        door.context.refuses_admission = None
        await door.say(bench.said(1))
    expect(door.events, _LOST)


@check("offered-again", Listens, way=["listen"])
async def _said_again(bench: Bench, way: Way) -> None:
    """The engine starts `listen` again, and the medium says again what was not acknowledged."""
    async with bench.listening() as ear, anyio.create_task_group() as tasks:
        ear.context.refuses_admission = StoreError("the disk is full")
        await bench.subject.push(bench.said(1))
        expect(await eventually(lambda: ear.context.judged > 0), "what was said was not offered to the ledger")
        await eventually(lambda: ear.ended is not None or ear.context.judged > 1)  # some media say it again at once
        ear.context.refuses_admission = None
        if ear.ended is None:
            await bench.subject.push(bench.said(1))
            await eventually(lambda: ear.ended is not None or bool(ear.events))
        if ear.ended is not None and not ear.events:
            await Listening(bench, ear.adapter, ear.context).begin(tasks)
            await bench.subject.push(bench.said(1))
            await eventually(lambda: bool(ear.events))
        expect(ear.events, _LOST)
        tasks.cancel_scope.cancel()


@check("lost-lease-ends-listening", Listens)
async def _lost_lease(bench: Bench) -> None:
    async with bench.listening() as ear:
        ear.context.refuses_admission = LeaseLostError("another worker listens now")
        await bench.subject.push(bench.said(1))
        ended = await eventually(lambda: ear.ended is not None)
    expect(ended, "another worker listens now, and `listen` goes on")
    expect(ear.ended != "`listen` returned", "another worker listens now, and `listen` returned as if all were said")


@check(
    "usable-after-failure",
    fault=[
        Fault.UNREACHABLE,
        Fault.REFUSED,
        Fault.THROTTLED,
        Fault.SERVER_ERROR,
        Fault.NONSENSE,
        Fault.ANSWER_LOST,
        Fault.RESET,
    ],
)
async def _usable(bench: Bench, fault: Fault) -> None:
    """It may take some tries: what is broken may be found out by the next message, and waiting may be in order."""
    async with bench.entered() as (adapter, _):
        if (usual := await bench.attempt(adapter)).receipt is None:
            raise Cannot(f"nothing can be sent at all: it ended with {usual}")
        await bench.fault(fault)
        await bench.attempt(adapter)
        tries = []
        for _try in range(3):
            bench.clock.advance(60.0)
            with anyio.move_on_after(2.0) as waiting:
                tries.append(await bench.attempt(adapter))
            if waiting.cancelled_caught:
                broken(f"after a send to a far side that was {fault}, the next one hangs")
            if tries[-1].receipt is not None:
                return
    broken(f"after a send to a far side that was {fault}, the next three end with {listed(tries)}")
