"""The verbs beside `send`: having the method is the promise."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from convergekit.abc import (
    Outgoing,
    Reconciliation,
    SupportsBatch,
    SupportsHistory,
    SupportsMedia,
    SupportsPresence,
    SupportsReconcile,
    SupportsRooms,
    SupportsSubscriptions,
    SupportsTyping,
    SupportsUpload,
)
from convergekit.errors import AccountError, DeliveryError, InvalidInputError, NotSentError, RejectedError
from convergekit.model import Address, Attachment, Content, ConversationRef, PresenceChanged, Receipt

from .._bench import Bench
from .._subject import Cannot, Fault
from .._verbs import implements
from .._wire import Wire
from ._registry import Broken, broken, check, expect, listed
from ._sent import arrived, conversation, outgoing_for, verbs_of

__all__: list[str] = []

_CONTENT = bytes(range(256)) * 300
_GONE = (NotSentError, RejectedError, AccountError)


@contextmanager
def _works(what: str) -> Generator[None]:
    """*what* raises nothing."""
    try:
        yield
    except (DeliveryError, InvalidInputError) as error:
        raise broken(f"{what} raised {type(error).__name__}: {error}") from error
    except Exception as error:
        if isinstance(error, Broken | Cannot):
            raise
        raise broken(f"{what} raised {type(error).__name__}") from error


@check("verbs-work", that=["does-it", Fault.UNREACHABLE, Fault.REFUSED, Fault.ANSWER_LOST])
async def _about_a_message(bench: Bench, that: str) -> None:
    verbs = verbs_of(bench.adapter_class)
    if not verbs:
        raise Cannot("the adapter has no verb that is about a message")
    for verb in verbs:
        async with bench.entered() as (adapter, _):
            if isinstance(that, Fault):
                await _ends_as_send(bench, adapter, verb, that)
            else:
                await _does_it(bench, adapter, verb)


async def _does_it(bench: Bench, adapter: Any, verb: str) -> None:
    says = {"edit": "word8501", "react": "👍"}.get(verb, "")
    out = await outgoing_for(bench, adapter, verb, says)
    attempt, wire = await arrived(bench, adapter, out, verb=verb)
    expect(attempt.receipt is not None, f"`{verb}` ended with {attempt}")
    expect(wire.received, f"`{verb}` did nothing: the far side got nothing")
    expect(any(map(wire.holds, out.target)), f"`{verb}` does not name the message that it is about")
    expect(wire.holds(says), f"`{verb}` does not say what it was to say")


async def _ends_as_send(bench: Bench, adapter: Any, verb: str, fault: Fault) -> None:
    out = await outgoing_for(bench, adapter, verb)
    await bench.fault(fault)
    attempt = await bench.attempt(adapter, out, verb=verb)
    endings = bench.subject.ending(fault)
    names = listed(ending.__name__ for ending in endings)
    expect(attempt.ending in endings, f"`{verb}` ended with {attempt}, and not with {names}")


@check("verbs-work", SupportsTyping, that=["typing"])
async def _typing(bench: Bench, that: str) -> None:
    async with bench.entered() as (adapter, _):
        for typing in (True, False, False):
            await _may_fail(adapter.typing(conversation(bench), typing), that)


@check("verbs-work", SupportsPresence, that=["set_presence"])
async def _presence(bench: Bench, that: str) -> None:
    async with bench.entered() as (adapter, _):
        for presence in ("away", "busy", "available", "offline"):
            await _may_fail(adapter.set_presence(presence), that)
        await _may_fail(adapter.set_presence("away", "word8502"), that)


async def _may_fail(call: Awaitable[Any], verb: str) -> None:
    """What is ephemeral may fail, and says so as everything else does."""
    try:
        await call
    except DeliveryError:
        pass
    except Exception as error:
        raise broken(f"`{verb}` raised {type(error).__name__}") from error


@check("verbs-work", SupportsSubscriptions, that=["subscriptions"])
async def _subscriptions(bench: Bench, that: str) -> None:
    who = Address(bench.subject.to)
    async with bench.entered() as (adapter, _):
        with _works("`presence_of`"):
            known = await adapter.presence_of(who)
        expect(isinstance(known, PresenceChanged), f"`presence_of` returned {type(known).__name__}")
        expect(known.presence == "offline", "somebody of whom nothing is known was there")
        for verb in ("subscribe", "unsubscribe", "accept_subscription", "refuse_subscription", "refuse_subscription"):
            with _works(f"`{verb}`"):
                await getattr(adapter, verb)(who)


@check("verbs-work", SupportsRooms, that=["rooms"])
async def _rooms(bench: Bench, that: str) -> None:
    async with bench.entered() as (adapter, _):
        with _works("`create_room`"):
            made = await adapter.create_room("room8503")
        expect(isinstance(made, ConversationRef), f"`create_room` returned {type(made).__name__}")
        room = made.address
        for _time in range(2):
            with _works("`join`, once or again,"):
                joined = await adapter.join(room)
            expect(joined.address == room, "`join` returned another room")
        with _works("`members`"):
            members = list(await adapter.members(room))
        expect(len(members) == len(set(members)), "who joined twice is in the room twice")
        with _works("`invite`"):
            await adapter.invite(room, Address(bench.subject.to))
        for _time in range(2):
            with _works("`leave`, once or again,"):
                await adapter.leave(room)


@check("verbs-work", SupportsUpload, that=["upload"])
async def _upload(bench: Bench, that: str) -> None:
    async with bench.entered() as (adapter, _):
        before = len(bench.subject.received())
        with _works("`upload`"):
            url = await adapter.upload(Attachment(data=_CONTENT, name="file8504.bin"), conversation(bench))
        expect(isinstance(url, str) and ":" in url, f"`upload` returned {url!r}, which is no URL")
        there = Wire(*bench.subject.received()[before:]).holds(_CONTENT)
        if not there and implements(type(adapter), SupportsMedia):
            there = await _fetched(adapter, url) == _CONTENT
        expect(there, "what was uploaded is not there as it was")


@check("verbs-work", SupportsMedia, that=["fetch"])
async def _fetch(bench: Bench, that: str) -> None:
    url, content = bench.subject.media()
    async with bench.entered() as (adapter, _):
        expect(await _fetched(adapter, url) == content, "`fetch` gave something else than what is served")
        try:
            async with adapter.fetch(Attachment(url=f"{url}-is-not-there")) as chunks:
                gone = b"".join([chunk async for chunk in chunks])
        except _GONE:
            return
        except Exception as error:
            raise broken(f"what is not there raised {type(error).__name__}") from error
        broken(f"what is not there came as {len(gone)} bytes")


async def _fetched(adapter: Any, url: str) -> bytes:
    with _works("`fetch`"):
        async with adapter.fetch(Attachment(url=url)) as chunks:
            return b"".join([chunk async for chunk in chunks])


@check("verbs-work", SupportsHistory, that=["history"])
async def _history(bench: Bench, that: str) -> None:
    words = [bench.words(8505 + number) for number in range(3)]
    for number, word in enumerate(words):
        await bench.subject.feed(bench.said(number, text=word))
    told: list[str] = []
    async with bench.entered() as (adapter, _):
        cursor: Any = None
        for _page in range(10):
            with _works("`history`"):
                events, cursor = await adapter.history(_with_sender(bench), cursor, 2)
            expect(len(events) <= 2, f"of a page of 2, {len(events)} came")
            told = [*(event.text or "" for event in events if isinstance(event, Content)), *told]
            if cursor is None:
                break
    expect(cursor is None, "the history has no end")
    found = [text for text in told if text in words]
    expect(found == words, f"of {listed(words)}, in this order, page by page came {listed(found)}")


def _with_sender(bench: Bench) -> ConversationRef:
    sender = (bench.subject.senders or (bench.subject.to,))[0]
    return conversation(bench).model_copy(update={"address": Address(sender)})


@check("verbs-work", SupportsReconcile, that=["reconcile"], after=["nothing", Fault.UNREACHABLE, Fault.ANSWER_LOST])
async def _reconcile(bench: Bench, that: str, after: str) -> None:
    async with bench.entered() as (adapter, _):
        out = bench.outgoing()
        if isinstance(after, Fault):
            await bench.fault(after)
            await bench.attempt(adapter, out)
        before = len(bench.subject.received())
        with _works("`reconcile`"):
            found = await _became(adapter, out)
        expect(
            found is None or isinstance(found, Receipt | Reconciliation), f"`reconcile` returned {type(found).__name__}"
        )
        expect(len(bench.subject.received()) == before, "`reconcile` sent something")
    if after is Fault.ANSWER_LOST:
        wrong = found is Reconciliation.NOT_TAKEN
        expect(not wrong, "what was taken is called not taken: it would be sent again, and arrive twice")
    else:
        expect(not isinstance(found, Receipt), "what was never taken has a receipt: it would be lost")


async def _became(adapter: Any, out: Outgoing) -> Any:
    """None: the medium may not show it yet, and is asked again later."""
    try:
        return await adapter.reconcile(out)
    except NotSentError:
        return None


@check("verbs-work", SupportsBatch, that=["send_batch"], far_side=["well", Fault.UNREACHABLE])
async def _batch(bench: Bench, that: str, far_side: str) -> None:
    async with bench.entered() as (adapter, _):
        outs = [bench.outgoing() for _ in range(min(adapter.batch_size, 3))]
        if isinstance(far_side, Fault):
            await bench.fault(far_side)
        before = len(bench.subject.received())
        with _works("`send_batch`"):
            answers = await adapter.send_batch(outs)
        wires = [Wire(each) for each in bench.subject.received()[before:]]
    expect(len(answers) == len(outs), f"{len(outs)} parts had {len(answers)} answers")
    strange = [type(each).__name__ for each in answers if not isinstance(each, Receipt | DeliveryError)]
    expect(not strange, f"an answer is a Receipt or a DeliveryError, and not {listed(strange)}")
    _arrived_as_answered(outs, answers, wires)
    if far_side == "well":
        expect(all(isinstance(each, Receipt) for each in answers), f"the answers are {listed(answers)}")


def _arrived_as_answered(outs: Sequence[Outgoing], answers: Sequence[Any], wires: Sequence[Wire]) -> None:
    """What has a receipt arrived once, and what was not sent did not."""
    for out, answer in zip(outs, answers, strict=True):
        times = sum(wire.holds(out.text) for wire in wires)
        if isinstance(answer, Receipt):
            expect(times == 1, f"a part that has a receipt arrived {times} times")
        elif isinstance(answer, NotSentError):
            expect(times == 0, "a part that is called not sent arrived")
