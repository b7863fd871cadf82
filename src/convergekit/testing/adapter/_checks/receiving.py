"""What comes in, by any way."""

from __future__ import annotations

import anyio

from convergekit.abc import Listens
from convergekit.errors import StoreError

from .._bench import WAYS, Bench, Way, eventually
from ._registry import check, expect

__all__: list[str] = []


@check("keys-stable", way=list(WAYS))
async def _keys_stable(bench: Bench, way: Way) -> None:
    async with bench.hearing(way) as ear:
        await ear.say(bench.said(1), bench.said(1))
        expect(ear.events, "nothing came in")
        expect(len(ear.events) == 1, f"one message, delivered twice, gave {len(ear.events)} events")


@check("keys-distinct", way=list(WAYS))
async def _keys_distinct(bench: Bench, way: Way) -> None:
    async with bench.hearing(way) as ear:
        await ear.say(bench.said(1, text="fine"), bench.said(2, text="fine"))
        expect(len(ear.events) == 2, f"two messages gave {len(ear.events)} events")


@check("lanes-right", way=list(WAYS))
async def _lanes_right(bench: Bench, way: Way) -> None:
    async with bench.hearing(way) as ear:
        await ear.say(bench.said(1), bench.said(2, sender=1), bench.said(3))
        expect(len(ear.events) == 3, f"three messages gave {len(ear.events)} events")
        first, other, second = (
            event.lane or (event.conversation and event.conversation.key) or event.sender for event in ear.events
        )
        expect(first == second, "two messages of one person are in two lanes")
        expect(first != other, "messages of two people are in one lane")


@check("ack-after-admit", Listens)
async def _ack_after_admit(bench: Bench) -> None:
    async with bench.hearing("listen") as ear:
        ear.context.gate = anyio.Event()
        await bench.subject.push(bench.said(1))
        expect(await eventually(lambda: ear.context.offered == 1), "what was said was not offered to the ledger")
        await anyio.wait_all_tasks_blocked()
        expect(bench.subject.acknowledged() == 0, "the medium was told while `admit` had not returned")
        ear.context.gate.set()
        expect(await eventually(lambda: bench.subject.acknowledged() == 1), "the medium was never told")


@check("no-ack-without-admit", way=["webhook"])
async def _no_ack(bench: Bench, way: Way) -> None:
    async with bench.hearing(way) as ear:
        ear.context.refuses_admission = StoreError("the disk is full")
        told = await ear.say(bench.said(1))
        expect(not told, "the ledger failed, and the medium was told that we have it")
