"""Messages that are under way beside each other, and one after the other: each goes where it is to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import anyio

from convergekit.abc import Outgoing
from convergekit.errors import NotSentError, RejectedError
from convergekit.model import Address, ConversationRef

from .._bench import Attempt, Bench, eventually
from .._subject import Cannot, Fault
from .._wire import Wire
from ._registry import check, expect, listed
from ._sent import arrived, conversation

__all__: list[str] = []

_AT_ONCE: Final = 4


@check("to-whom")
async def _to_whom(bench: Bench) -> None:
    """To one, to another, to the first again: what was said to the one before leaves no trace."""
    people = [Address(bench.subject.to), _another(bench)]
    async with bench.entered() as (adapter, _):
        wires = [await _written_to(bench, adapter, people[index]) for index in (0, 1, 0)]
    named = [[wire.holds(each.value) for each in people] for wire in wires]
    if not named[0][0]:
        await _tells_them_apart(bench, people)
        return
    expect(named[1][1], "a message to one person went to another one, who had been written to before")
    expect(named[2][1] is named[0][1], "who was written to before is named in a message to somebody else")


async def _tells_them_apart(bench: Bench, people: Sequence[Address]) -> None:
    """Where the address is written in a form of the medium's own: at least it is another one for somebody else."""
    out = bench.outgoing()
    async with bench.entered() as (adapter, _):
        wires = [await _written_to(bench, adapter, each, out) for each in people]
    if not all(wire.received for wire in wires):
        raise Cannot("the far side takes the second for a repeat of the first")
    expect(wires[0].received != wires[1].received, "what is sent to two people is the same: it is not said to whom")


def _another(bench: Bench) -> Address:
    first, schemes = Address(bench.subject.to), bench.adapter_class.schemes
    found = (Address(each) for each in bench.subject.senders or ())
    try:
        return next(each for each in found if each.uri != first.uri and each.uri.partition(":")[0] in schemes)
    except StopIteration:
        raise Cannot("there is no second address: `senders` has nobody else who can be written to") from None


async def _written_to(bench: Bench, adapter: Any, to: Address, out: Outgoing | None = None) -> Wire:
    where = conversation(bench).model_copy(update={"address": to})
    attempt, wire = await arrived(bench, adapter, replace(out or bench.outgoing(), to=to, conversation=where))
    if attempt.receipt is None:
        raise Cannot(f"not everybody can be written to: it ended with {attempt}")
    return wire


@check("many-at-once", far_side=["well", Fault.REFUSED])
async def _many(bench: Bench, far_side: str) -> None:
    async with bench.entered() as (adapter, _):
        before = len(bench.subject.received())
        if isinstance(far_side, Fault):
            bench.subject.fault(far_side)
        attempts = await _at_once(bench, adapter)
        taken = sum(each.receipt is not None for each in attempts)
        await eventually(lambda: len(bench.subject.received()) >= before + taken)
        received = bench.subject.received()[before:]
    _each_as_it_ended(attempts, received)
    if isinstance(far_side, Fault):
        _who_was_refused(attempts, received)
    else:
        expect(not _refused(attempts), f"of {_AT_ONCE} sent at once, one was refused: {listed(_refused(attempts))}")


async def _at_once(bench: Bench, adapter: Any) -> Sequence[Attempt]:
    outs = [bench.outgoing(conversation=_room(bench, number)) for number in range(_AT_ONCE)]
    attempts: list[Attempt] = []

    async def sends(out: Outgoing) -> None:
        attempts.append(await bench.attempt(adapter, out))

    async with anyio.create_task_group() as tasks:
        for out in outs:
            tasks.start_soon(sends, out)
    return attempts


def _room(bench: Bench, number: int) -> ConversationRef:
    """Conversations are what the engine sends in at once: in each by itself, one comes after the other."""
    return conversation(bench, thread=f"thread-{number}")


def _each_as_it_ended(attempts: Sequence[Attempt], received: Sequence[bytes]) -> None:
    wires = [Wire(each) for each in received]
    for attempt in attempts:
        times = sum(wire.holds(attempt.out.text) for wire in wires)
        if attempt.receipt is not None:
            expect(times == 1, f"of {_AT_ONCE} sent at once, one that has a receipt arrived {times} times")
        elif isinstance(attempt.error, NotSentError):
            expect(times == 0, f"of {_AT_ONCE} sent at once, one that is called not sent arrived")
        else:
            expect(isinstance(attempt.error, RejectedError), f"of {_AT_ONCE} sent at once, one ended with {attempt}")
    ids = Counter(id for attempt in attempts if attempt.receipt for id in set(attempt.receipt.ids))
    alike = f"of {_AT_ONCE} sent at once, two have the same id: mixed up by the adapter, or given twice by the far side"
    expect(all(times == 1 for times in ids.values()), alike)


def _who_was_refused(attempts: Sequence[Attempt], received: Sequence[bytes]) -> None:
    """The first that came; where all of them are seen, it is known which that was."""
    refused = _refused(attempts)
    expect(len(refused) == 1, f"of {_AT_ONCE} sent at once, the far side refused one, and {len(refused)} ended so")
    if len(received) == _AT_ONCE:
        expect(Wire(received[0]).holds(refused[0].out.text), "the far side refused one, and another one ended so")


def _refused(attempts: Sequence[Attempt]) -> Sequence[Attempt]:
    return [attempt for attempt in attempts if isinstance(attempt.error, RejectedError)]
