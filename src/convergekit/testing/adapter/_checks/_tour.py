"""All that an adapter does, once: what is looked for in everything that it calls, logs and says."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from convergekit.abc import Listens, Polls, ReceivesWebhooks

from .._bench import Bench, Door, Ear, parsed, request_of
from .._subject import Cannot, Fault
from .._verbs import implements

__all__ = ["Tour", "tour"]


@dataclass(slots=True)
class Tour:
    """What was seen on the way.

    Attributes:
        errors: Where they came from, and what came out, with its causes: as a traceback prints it.
        shown: Where it is, and what: the adapter's repr, what `check` says.
        events: What came in, as it is stored, but for the originals.
    """

    errors: list[tuple[str, str]] = field(default_factory=list)
    shown: list[tuple[str, str]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def going(self, where: str) -> Generator[None]:
        """Go on whatever is raised; what cannot be played is left out."""
        try:
            yield
        except Cannot:
            return
        except Exception as error:
            self.saw(where, error)

    def saw(self, where: str, error: Exception) -> None:
        """Keep *error* as it would be printed."""
        self.errors.append((where, f"{error!r}\n{''.join(traceback.format_exception(error))}"))

    async def hear_samples(self, ear: Ear) -> None:
        """All that this way in has, and keep the events."""
        for sample in ear.bench.subject.samples:
            with self.going("a sample"):
                await ear.hear(sample.said)
        for event in ear.events:
            self.events.append((f"the event {event.type}", event.model_dump_json(exclude={"native"})))


async def tour(bench: Bench) -> Tour:
    """Open, send, whatever the far side does; hear, what makes sense and what does not; be refused; leave."""
    seen = Tour()
    bench.config()  # where nobody tells even the settings, nothing is seen
    with seen.going("opening"):
        async with bench.entered() as (adapter, _):
            await _sends(bench, adapter, seen)
            await _is_asked(adapter, seen)
    for protocol, hears in ((ReceivesWebhooks, _by_webhook), (Polls, _by_poll), (Listens, _on_a_connection)):
        if implements(bench.adapter_class, protocol):
            with seen.going("receiving"):
                await hears(bench, seen)
    with seen.going("a refused login"):
        bench.subject.refuse_login()
        async with bench.entered() as (adapter, _):
            await _is_asked(adapter, seen)
            await bench.attempt(adapter)
    return seen


async def _sends(bench: Bench, adapter: Any, seen: Tour) -> None:
    for fault in (None, *(fault for fault in Fault if fault is not Fault.SILENT)):
        with seen.going("sending"):
            if fault is not None:
                await bench.fault(fault)
            attempt = await bench.attempt(adapter)
            if attempt.error is not None:
                seen.saw(f"sending to a far side that is {fault}", attempt.error)


async def _is_asked(adapter: Any, seen: Tour) -> None:
    seen.shown.append(("its repr", repr(adapter)))
    with seen.going("check"):
        seen.shown.append(("what `check` says", (await adapter.check()).detail))


async def _by_webhook(bench: Bench, seen: Tour) -> None:
    async with bench.door() as door:
        await door.say(bench.said(1))
        torn = bench.subject.call(bench.said(3))
        for said in (b"", b"[]", replace(torn, body=torn.body[:-1])):
            with seen.going("a webhook that makes no sense"):
                await _is_called(door, said)
        with seen.going("a webhook that is forged"):
            forged = door.signed(bench.said(2), secret=bench.subject.other_secret)
            await door.adapter.verify(request_of(forged))
        await seen.hear_samples(door)


async def _is_called(door: Door, said: Any) -> None:
    request = request_of(door.signed(said))
    await door.adapter.verify(request)
    await parsed(door.adapter, request)


async def _by_poll(bench: Bench, seen: Tour) -> None:
    async with bench.asking() as asking:
        await asking.say(bench.said(1))
        with seen.going("a poll of what makes no sense"):
            for said in bench.subject.nonsense():
                await asking.say(said)
        await seen.hear_samples(asking)


async def _on_a_connection(bench: Bench, seen: Tour) -> None:
    async with bench.listening() as listening:
        await listening.hear(bench.said(1), *bench.subject.nonsense())
        await seen.hear_samples(listening)
