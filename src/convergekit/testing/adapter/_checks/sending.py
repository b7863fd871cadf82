"""What the engine goes by: when the first byte leaves, what a receipt says, what a key is good for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from convergekit.abc import Listens, Outgoing, Polls, ReceivesWebhooks
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import IdempotencyKind, Status

from .._bench import Bench
from .._subject import Cannot, Fault, Untold
from .._verbs import implements
from ._registry import check, expect, listed
from ._sent import arrived, conversation, outgoing_for, verbs_of

__all__: list[str] = []


@check("receipt-has-ids")
async def _has_ids(bench: Bench) -> None:
    """What names a message later: a report, or a verb that is about it."""
    verbs = verbs_of(bench.adapter_class)
    if not bench.subject.statuses and not verbs:
        raise Cannot("nothing names its messages later: there are no reports, and no verbs that are about one")
    async with bench.entered() as (adapter, _):
        attempts = [await bench.attempt(adapter) for _ in range(2)]
    ids = [set(attempt.receipt.ids) if attempt.receipt is not None else set() for attempt in attempts]
    expect(all(ids), f"the receipt has no ids, and {listed(verbs) if verbs else 'reports'} would need them")
    expect(not ids[0] & ids[1], "two messages have the same id")


@check("started-before-first-byte")
async def _started(bench: Bench) -> None:
    for verb in ("send", *verbs_of(bench.adapter_class)):
        async with bench.entered() as (adapter, _):
            out = await outgoing_for(bench, adapter, verb)
            before, at = len(bench.subject.received()), list[int]()
            try:
                await getattr(adapter, verb)(replace(out, started=partial(_note, bench, at)))
            except UnsupportedContentError:
                if verb == "send":
                    raise
                continue  # not to them
        expect(at, f"`{verb}` never calls `out.started()`: pass out=out to `context.http`, or call it yourself")
        expect(at[0] == before, f"`{verb}` called `out.started()` when the far side had the message already")


def _note(bench: Bench, at: list[int]) -> None:
    at.append(len(bench.subject.received()))


@check("same-key-once")
async def _same_key(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        if adapter.capabilities.idempotency.kind is IdempotencyKind.NONE:
            raise Cannot("it declares no idempotency")
        if adapter.capabilities.idempotency.kind is IdempotencyKind.KEY:
            await _key_arrives(bench, adapter)
        out = bench.outgoing("word8401")
        first = await _identity(bench, adapter, out)
        again = await _identity(bench, adapter, replace(out, attempt=2, maybe_sent=True))
        other = await _identity(bench, adapter, bench.outgoing("word8401"))
    expect(again in (None, first), "the same key, handed over again, is another message to the far side")
    expect(other not in (None, first), "another key, with the same text, is a repeat to the far side")


async def _key_arrives(bench: Bench, adapter: Any) -> None:
    """Where the subject does not say by what the medium knows a repeat: at least the key goes along."""
    out = bench.outgoing()
    attempt, wire = await arrived(bench, adapter, out)
    expect(attempt.receipt is not None, f"it ended with {attempt}")
    try:
        for each in wire.received:
            bench.subject.identity(each)
    except Untold:
        advice = "if it goes along in another form, say by `identity` of the subject where it is"
        expect(wire.holds(out.key), f"the key is declared, and is not in what the far side got: {advice}")
        raise


async def _identity(bench: Bench, adapter: Any, out: Outgoing) -> object:
    """By what the medium knows *out*; None where it has known it as a repeat and dropped it."""
    before = len(bench.subject.received())
    attempt = await bench.attempt(adapter, out)
    expect(attempt.receipt is not None, f"it ended with {attempt}")
    messages = bench.subject.received()[before:]
    return bench.subject.identity(messages[-1]) if messages else None


@check("receipts-reachable")
async def _reachable(bench: Bench) -> None:
    words = {status for status in bench.subject.statuses.values() if status is not None}
    reached = {Status.ACCEPTED, *words}
    async with bench.entered() as (adapter, _):
        declared = adapter.capabilities_for(conversation(bench)).receipts
        attempt = await bench.attempt(adapter)
        if attempt.receipt is not None:
            reached.add(attempt.receipt.status)
        if RejectedError in bench.subject.ending(Fault.REFUSED):
            reached.add(Status.FAILED)  # what is refused has failed
    if any(implements(bench.adapter_class, way) for way in (Listens, Polls, ReceivesWebhooks)):
        reached.add(Status.ANSWERED)  # the engine sees it by the answer
    never = declared - reached
    advice = "write the medium's word for it into `statuses` of the subject, or declare less"
    expect(not never, f"nothing leads to {_named(never)}, which is declared: {advice}")
    more = words - declared
    expect(not more, f"a word of the medium stands for {_named(more)}, which capabilities.receipts does not name")


def _named(statuses: set[Status] | frozenset[Status]) -> str:
    return listed(sorted(map(str, statuses)))
