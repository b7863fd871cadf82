"""What was said and is not admitted yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from .wire import Line

__all__ = ["Inbox", "Received"]

_ROOM: Final = 1000  # then nothing more is read, and TCP holds the server up


@dataclass(frozen=True, slots=True)
class Received:
    """Something that was said, and the key that it has for as long as we live."""

    line: Line
    key: str
    nick: str


class Inbox:
    """What was said and is not admitted yet. It outlives a connection: what came before the end of one is not lost."""

    def __init__(self) -> None:
        self.is_heard = False  # where nobody listens, the oldest makes room for the newest
        self._waiting: deque[Received] = deque()
        self._changed = anyio.Event()

    async def put(self, received: Received) -> None:
        """Wait for room: that is the only way to tell the server to wait."""
        while self.is_heard and len(self._waiting) >= _ROOM:
            await self._changed.wait()
        if len(self._waiting) >= _ROOM:
            self._waiting.popleft()
        self._waiting.append(received)
        self.wake()

    async def next(self, is_over: Callable[[], bool]) -> Sequence[Received]:
        """What waits, the oldest first; nothing once *is_over* and all was taken."""
        while not self._waiting and not is_over():
            await self._changed.wait()
        return tuple(self._waiting)

    def taken(self, count: int) -> None:
        """The oldest *count* are safe."""
        for _ in range(count):
            self._waiting.popleft()
        self.wake()

    def wake(self) -> None:
        """Have whoever waits look again."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
