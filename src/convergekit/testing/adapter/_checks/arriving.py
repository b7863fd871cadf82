"""What comes in becomes the event that it stands for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

import anyio
from pydantic import BaseModel

from convergekit.abc import Listens
from convergekit.errors import StoreError
from convergekit.model import Address, Event, MessageReceived

from .._bench import WAYS, Bench, Ear, Way, eventually
from .._subject import Call, Cannot, Sample
from ._registry import broken, check, expect, listed

__all__: list[str] = []

_LONGEST: Final = 200  # characters of a value that is shown
_A_MOMENT: Final = 0.05  # real seconds, in which what is under way arrives


@check("says-what-came", way=list(WAYS), what=["message", "samples"])
async def _says_what_came(bench: Bench, way: Way, what: str) -> None:
    async with bench.hearing(way) as ear:
        if what == "samples":
            await _samples(bench, ear)
            return
        for number, sender in enumerate(bench.subject.senders or (), 1):
            event = await _only(ear, bench.said(number, sender=number - 1))
            expect(bench.words(number) in f"{event.text} {event.markdown} {event.html}", "the event has another text")
            uri = Address.parse(sender).uri
            expect(event.sender is not None and event.sender.uri == uri, f"it is from {sender}, and not {event.sender}")
            expect(event.conversation is not None, "the event says nowhere where an answer goes")


async def _samples(bench: Bench, ear: Ear) -> None:
    samples, reasons = bench.subject.samples, []
    if not samples:
        raise Cannot("this subject has no samples: recorded payloads, and the events that they stand for")
    for sample in samples:
        try:
            heard = await ear.hear(sample.said)
        except Cannot as reason:  # a payload of another way in
            reasons.append(reason)
            continue
        expect(not heard.trouble, f"{sample.name}: {heard.trouble}")
        _compare(sample, [await _whole(ear, event) for event in heard.events])
    if len(reasons) == len(samples):
        raise reasons[0]


def _compare(sample: Sample, events: Sequence[Event]) -> None:
    names = [listed(type(event).__name__ for event in each) for each in (sample.events, events)]
    expect(names[0] == names[1], f"{sample.name}: it stands for {names[0]}, and became {names[1]}")
    for expected, event in zip(sample.events, events, strict=True):
        differences = list(_differences(expected, event, type(event).__name__))
        expect(not differences, f"{sample.name}: {'; '.join(differences)}")


def _differences(expected: object, found: object, place: str) -> Iterator[str]:
    """Where *found* is not as *expected*; of a model, in the fields that were set."""
    if isinstance(expected, BaseModel) and type(found) is type(expected):
        for name in sorted(expected.model_fields_set):
            yield from _differences(getattr(expected, name), getattr(found, name), f"{place}.{name}")
    elif isinstance(expected, tuple) and isinstance(found, tuple) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, other, f"{place}[{index}]")
    elif expected != found:
        yield f"{place} is {_short(found)} and not {_short(expected)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


async def _whole(ear: Ear, event: Event) -> Event:
    """*event* with the bytes of its attachments, of which the ledger keeps the large ones apart."""
    attachments = getattr(event, "attachments", ())
    if not any(each.claim for each in attachments):
        return event
    whole = [
        each.model_copy(update={"data": await ear.context.read(each), "claim": None}) if each.claim else each
        for each in attachments
    ]
    return event.model_copy(update={"attachments": tuple(whole)})


@check("keys-scoped-by-sender", way=list(WAYS))
async def _keys_scoped(bench: Bench, way: Way) -> None:
    async with bench.hearing(way) as ear:
        if not ear.adapter.capabilities.client_chosen_ids:
            raise Cannot("the medium chooses ids, and not peers: capabilities.client_chosen_ids is not set")
        heard = await ear.hear(bench.said(1, id="same"), bench.said(2, id="same", sender=1))
        expect(len(heard.events) == 2, f"two people used the same id, and that gave {len(heard.events)} events")


@check("lanes-right", way=["listen", "poll"], what=["order"])
async def _in_order(bench: Bench, way: Way, what: str) -> None:
    """Calls come one by one, and have no order that an adapter could change."""
    async with bench.hearing(way) as ear:
        heard = await ear.hear(*(bench.said(number) for number in range(1, 6)))
        texts = [event.text for event in heard.events if isinstance(event, MessageReceived)]
        expect(texts == sorted(texts, key=str), "what one person wrote did not come in the order in which it came")


@check("lanes-right", Listens, way=["listen"], what=["one-by-one"])
async def _one_by_one(bench: Bench, way: Way, what: str) -> None:
    """The ledger is slow; what is offered meanwhile by another call may be stored before."""
    async with bench.listening() as ear:
        ear.context.gate = anyio.Event()
        for number in range(1, 4):
            await bench.subject.push(bench.said(number))
        expect(await eventually(lambda: ear.context.waiting > 0), "what was said was not offered to the ledger")
        await anyio.sleep(_A_MOMENT)
        expect(ear.context.waiting == 1, "of one person, a message was offered while the one before was being stored")
        ear.context.gate.set()  # so that nobody waits for it who is left


@check("no-ack-without-admit", Listens, way=["listen"])
async def _no_ack(bench: Bench, way: Way) -> None:
    async with bench.listening() as ear:
        ear.context.refuses_admission = StoreError("the disk is full")
        await bench.subject.push(bench.said(1))
        expect(await eventually(lambda: ear.context.judged > 0), "what was said was not offered to the ledger")
        await anyio.wait_all_tasks_blocked()
        expect(bench.subject.acknowledged() == 0, "the ledger failed, and the medium was told that we have it")


@check("own-messages-ignored", way=list(WAYS), what=["echo", "same-words"])
async def _own_ignored(bench: Bench, way: Way, what: str) -> None:
    """The echo comes to an instance that has not sent it: there may have been a restart, or there is another worker."""
    out = bench.outgoing()
    async with bench.hearing(way) as ear:
        attempt = await bench.attempt(ear.adapter, out)
    if attempt.receipt is None:
        raise Cannot(f"what we send cannot come back: it ended with {attempt}")
    async with bench.hearing(way, context=ear.context) as ear:
        if what == "echo":
            id = next(iter(attempt.receipt.ids), out.key)
            heard = await ear.hear(bench.subject.echo(id=id, text=out.text))
            expect(not _messages(heard.events), "what we sent came back as a message to us")
        else:
            heard = await ear.hear(bench.said(text=out.text))
            expect(_messages(heard.events), "somebody answered in the words that we had sent, and was not heard")
        expect(not heard.trouble, heard.trouble)


@check("original-kept", way=list(WAYS))
async def _original_kept(bench: Bench, way: Way) -> None:
    said = bench.said(1)
    async with bench.hearing(way) as ear:
        native = (await _only(ear, said)).native
    expect(native is not None, "`native` is empty")
    sender = (bench.subject.senders or ("",))[0]
    needles = [each for each in (bench.words(1), "id-1", sender.partition(":")[2]) if each in _as_text(said)]
    forms = [form for each in _sayings(bench, way, said) for form in _forms(each)]
    originals = [part for form in forms for part in _parts(form) if all(one in _as_text(part) for one in needles)]
    if any(isinstance(each, dict | list) for each in originals):
        kept = any(part == original for part in _parts(native) for original in originals)
        expect(kept, "`native` is not what came, but something that was made of it")
    missing = [needle for needle in needles if needle not in _as_text(native)]
    expect(not missing, f"`native` lacks what was in the original: {listed(missing)}")


def _sayings(bench: Bench, way: Way, said: Any) -> list[Any]:
    """*said*, and the call that carries it."""
    return [said, bench.subject.call(said)] if way == "webhook" else [said]


def _forms(said: Any) -> list[Any]:
    """*said* as it came, and in each form that it may have been read into."""
    if isinstance(said, Call):
        return [form for text in (said.body, said.query) for form in _forms(text)]
    if not isinstance(said, bytes | str):
        return [said]
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    try:
        return [said, text, json.loads(text)]
    except ValueError:
        is_form = "=" in text and not text.startswith("<")  # which a form percent-encodes
        return [said, text, *([dict(parse_qsl(text)), parse_qs(text)] if is_form else [])]


def _parts(value: Any) -> Iterator[Any]:
    """*value*, and every object and list in it: of a batch each event may keep what is its own."""
    yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for each in inside:
        if isinstance(each, dict | list | tuple):
            yield from _parts(each)


def _as_text(value: Any) -> str:
    if isinstance(value, Call):
        return f"{_as_text(value.body)} {value.query}"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _messages(events: Sequence[Event]) -> list[MessageReceived]:
    return [event for event in events if isinstance(event, MessageReceived)]


async def _only(ear: Ear, said: Any) -> MessageReceived:
    """The message that *said* became."""
    heard = await ear.hear(said)
    expect(not heard.trouble, heard.trouble)
    match heard.events:
        case [MessageReceived() as message]:
            return message
        case events:
            broken(f"one message became {listed(type(event).__name__ for event in events)}")
