"""What the engine lends to an adapter, without the rest of the engine.

`FakeContext` is the engine's own context over a ledger in memory, with a clock that stands still; so it keeps every
promise of `ChannelContext` in the engine's way, and writes down what the adapter did with it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.lowlevel

from convergekit.abc import Admission, Cursor, Fence, Outgoing
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.model import Address, ConversationRef, Event, Message, Part
from convergekit.stores import MemoryStore

from ._logs import Recorder
from .clock import FakeClock

__all__ = ["FakeContext", "outgoing"]


class FakeContext(EngineContext):
    """A `ChannelContext` for the test of one adapter: `MyAdapter(config, FakeContext())`.

    Args:
        channel: Name of the channel.
        transport: What `http` talks over in place of the network: `httpx.MockTransport(handler)`.
        parts: What a host would pass to `add_channel` beside the settings.
        clock: Time; without one a new `FakeClock`.

    Attributes:
        clock: Stands still until the test says `clock.advance(seconds)`.
        admitted: The new events that were admitted, in order, as the ledger has them.
        refuses_admission: Raised by `admit`, which then stores nothing; None while the ledger works.
        records: What was logged by `log`, at any level.
    """

    clock: FakeClock

    def __init__(
        self,
        *,
        channel: str = "fake",
        transport: Any = None,
        parts: Mapping[str, Any] | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        clock = clock or FakeClock()
        self.admitted: list[Event] = []
        self.refuses_admission: Exception | None = None
        self._notified: list[Event] = []
        ledger = _Ledger(clock, self)
        self._door = Intake(ledger, admitted=_nobody, noticed=_nobody)
        given = {} if transport is None else {"transport": transport}
        super().__init__(channel, ledger, clock, self._door, {**given, **(parts or {})})
        self.records: list[logging.LogRecord] = []
        self.log = _recorded(self.log.name, self.records)

    @property
    def notified(self) -> Sequence[Event]:
        """The ephemeral events so far: of those between two looks at this, only the newest about one thing."""
        while (event := self._door.next_notice()) is not None:
            self._notified.append(event)
        return self._notified

    @property
    def logged(self) -> str:
        """All that was logged, as text: messages, what came with them as `extra`, tracebacks. Look for secrets here."""
        formatter = logging.Formatter()
        return "\n".join(f"{formatter.format(record)} {_extra(record)}" for record in self.records)


class _Ledger(MemoryStore):
    """A store that is open from the start, and writes down what it has admitted."""

    def __init__(self, clock: FakeClock, context: FakeContext) -> None:
        super().__init__()
        self._clock = clock
        self._context = context

    async def admit(
        self, channel: str, events: Sequence[Event], cursor: Cursor | None = None, *, fence: Fence | None = None
    ) -> tuple[Admission, ...]:
        await anyio.lowlevel.checkpoint()  # as a disk would: other tasks run, and cancellation may come
        if self._context.refuses_admission is not None:
            raise self._context.refuses_admission
        admissions = await super().admit(channel, events, cursor, fence=fence)
        new = (event for event, each in zip(events, admissions, strict=True) if each is Admission.NEW)
        self._context.admitted.extend(new)
        return admissions


def _recorded(name: str, records: list[logging.LogRecord]) -> logging.Logger:
    """A logger of its own, so that two tests share none; what it is told goes on to the usual ones as well."""
    logger = logging.Logger(name, logging.DEBUG)
    logger.parent = logging.getLogger(name)
    logger.addHandler(Recorder(records))
    return logger


_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _USUAL}


def _nobody() -> None:
    """Nobody has to be told that something came: the test looks."""


def outgoing(
    to: str, text: str = "hello", *, message: Message | None = None, part: Part | None = None, **more: Any
) -> Outgoing:
    """What the engine would hand to `send` for *text* to the address *to*.

    Args:
        to: The recipient's URI.
        text: What is said.
        message: The message as it was written; by default *text* and nothing else.
        part: The finished part, where it is more than *text*.
        more: Any other field of `Outgoing`.
    """
    address = Address(to)
    more.setdefault("key", "dispatch1/0")
    more.setdefault("conversation", ConversationRef(address=address))
    return Outgoing(to=address, part=part or Part(text=text), message=message or Message(text), **more)
