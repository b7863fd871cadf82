"""What the engine lends to an adapter, in memory, with a clock that moves only when it is told to."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from convergekit.abc import Admission, Cursor, Outgoing
from convergekit.errors import StoreError, UnsupportedContentError
from convergekit.http import Http
from convergekit.model import Address, Attachment, ConversationRef, Event, Message, Part

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock:
    def __init__(self, start: datetime = START) -> None:
        self._now, self._seconds = start, 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds

    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.advance(seconds)


class FakeState:
    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, int]] = {}

    async def get(self, key: str) -> tuple[Any, int]:
        return self._values.get(key, (None, 0))

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        current = self._values.get(key, (None, 0))[1]
        if version is not None and version != current:
            return False
        self._values[key] = (value, current + 1)
        return True


class FakeContext:
    """A `ChannelContext`: remembers what was admitted, and knows it when it comes again.

    Args:
        transport: What `http` talks over; the network when None.
        channel: Name of the channel.
        broken: Whether the ledger fails.
    """

    def __init__(self, transport: Any = None, *, channel: str = "hooks", broken: bool = False) -> None:
        self.channel, self.broken = channel, broken
        self.clock, self.state = FakeClock(), FakeState()
        self.log = logging.getLogger(f"convergekit.channel.{channel}")
        self.parts: Mapping[str, Any] = {}
        self.http = Http(channel=channel, transport=transport, clock=self.clock)
        self.admitted: list[Event] = []
        self.notified: list[Event] = []
        self._cursors: dict[str, Any] = {}
        self._locks: dict[str, anyio.Lock] = {}

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        await anyio.lowlevel.checkpoint()
        if self.broken:
            raise StoreError("the disk is full")
        known = {event.key for event in self.admitted}
        self.admitted += [event for event in events if event.key not in known]
        if cursor is not None:
            self._cursors[cursor.feed] = cursor.value
        return tuple(Admission.DUPLICATE if event.key in known else Admission.NEW for event in events)

    async def cursor(self, feed: str = "") -> Any:
        return self._cursors.get(feed)

    def notify(self, event: Event) -> None:
        self.notified.append(event)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncGenerator[None]:
        async with self._locks.setdefault(name, anyio.Lock()):
            yield

    @asynccontextmanager
    async def open(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            assert attachment.data is not None, "the fake has no store to look into"
            yield attachment.data

        yield chunks()

    async def read(self, attachment: Attachment, *, limit: int | None = None) -> bytes:
        assert attachment.data is not None, "the fake has no store to look into"
        if limit is not None and len(attachment.data) > limit:
            raise UnsupportedContentError(f"an attachment exceeds {limit} bytes")
        return attachment.data


def outgoing(
    to: str, text: str = "hello", *, message: Message | None = None, part: Part | None = None, **more: Any
) -> Outgoing:
    """One part of a message to *to*."""
    address = Address(to)
    return Outgoing(
        to=address,
        part=part or Part(text=text),
        message=message or Message(text),
        key=more.pop("key", "dispatch1/0"),
        conversation=more.pop("conversation", ConversationRef(address=address)),
        **more,
    )
