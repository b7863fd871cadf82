"""What is under way: written, or to be written, and not acknowledged yet; in order, and bounded.

Rules kept here:

- What goes in stays until the server has acknowledged it, whoever lost the connection. A new session writes all of it
  again, in the order in which it was handed over and before anything newer: ids and bytes are the same.
- Acknowledgements are a count of stanzas (XEP-0198 §4), and so everything written is counted, also what nobody waits
  for. Counts are modulo 2^32.
- There is room for so many stanzas and so many octets: a peer that does not read cannot fill our memory.

Pure: no clock, no event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

__all__ = ["OCTETS", "Parcel", "Window"]

OCTETS: Final = 1024 * 1024  # what a slow line (half a megabit a second) carries in the time for an acknowledgement
_MUCH: Final = 1000  # stanzas that nobody waits for, and that have to be counted until they are acknowledged
_MODULUS: Final = 2**32


class Parcel:
    """What one call hands over: stanzas in a row, that are acknowledged together.

    Args:
        stanzas: As they are written.
        started: Called just before the first is written, once.
        settled: Called once all are acknowledged, with None; or with what `started` has raised.

    Attributes:
        begun: Whether something of it has been written.
    """

    __slots__ = ("_left", "begun", "settled", "stanzas", "started")

    def __init__(
        self,
        stanzas: Sequence[bytes],
        *,
        started: Callable[[], None],
        settled: Callable[[Exception | None], None],
    ) -> None:
        self.stanzas, self.started, self.settled = stanzas, started, settled
        self.begun = False
        self._left = len(stanzas)

    @property
    def over(self) -> bool:
        """Whether nothing of it is waited for any more."""
        return self._left == 0


class Window:
    """The parcels under way, and those that wait for room.

    Args:
        stanzas: How many may be under way.
        octets: How many octets of them.

    Attributes:
        written: How many stanzas this session has written, modulo 2^32: where an acknowledgement may reach to.
    """

    def __init__(self, stanzas: int, octets: int = OCTETS) -> None:
        self.written = 0
        self._stanzas, self._octets = stanzas, octets
        self._acknowledged = 0
        self._sent: deque[tuple[Parcel, bytes] | None] = deque()  # None: nobody waits for it
        self._again: deque[tuple[Parcel, bytes]] = deque()
        self._waiting: deque[tuple[Parcel, bytes]] = deque()
        self._held = self._held_octets = 0

    @property
    def pending(self) -> bool:
        """Whether an acknowledgement is wanted."""
        return self._held > len(self._again) or len(self._sent) > _MUCH

    def put(self, parcel: Parcel) -> None:
        """Line up *parcel*, behind all others."""
        self._waiting.extend((parcel, stanza) for stanza in parcel.stanzas)

    def write(self) -> Iterator[bytes]:
        """What may be written now, in order. What has been taken counts as written."""
        while self._again:
            yield self._write(self._again.popleft())
        while self._waiting and self._has_room(len(self._waiting[0][1])):
            parcel, stanza = entry = self._waiting.popleft()
            if not parcel.begun:
                try:
                    parcel.started()
                except Exception as exc:  # whoever hands it over is told; nothing has left us
                    self._forget_waiting(parcel)
                    parcel._left = 0
                    parcel.settled(exc)
                    continue
                parcel.begun = True
            self._held += 1
            self._held_octets += len(stanza)
            yield self._write(entry)

    def count(self) -> None:
        """Something else was written, that nobody waits for."""
        self.written = (self.written + 1) % _MODULUS
        self._sent.append(None)

    def acknowledge(self, position: int) -> None:
        """The server has the first *position* stanzas of this session.

        Raises:
            ValueError: So many have not been written.
        """
        count = (position - self._acknowledged) % _MODULUS
        if count > len(self._sent):
            raise ValueError(f"{position} acknowledged, and {self.written} written")
        self._acknowledged = position
        for _ in range(count):
            if (entry := self._sent.popleft()) is not None and not entry[0].over:
                self._release(*entry)

    def resumed(self, position: int) -> None:
        """The same session goes on over another connection, and the server has its first *position* stanzas.

        Raises:
            ValueError: So many have not been written.
        """
        self.acknowledge(position)
        self._rewind()
        self.written = position

    def renewed(self) -> None:
        """Another session begins, and nothing of it has been written."""
        self._rewind()
        self.written = self._acknowledged = 0

    def drop(self, parcel: Parcel) -> None:
        """Nobody waits for *parcel* any more: it is not written again."""
        if parcel.over:
            return
        held = sum(1 for entry in (*self._sent, *self._again) if entry is not None and entry[0] is parcel)
        octets = sum(len(entry[1]) for entry in (*self._sent, *self._again) if entry is not None and entry[0] is parcel)
        self._held -= held
        self._held_octets -= octets
        self._sent = deque(None if entry is not None and entry[0] is parcel else entry for entry in self._sent)
        self._again = deque(entry for entry in self._again if entry[0] is not parcel)
        self._forget_waiting(parcel)
        parcel._left = 0

    def _has_room(self, octets: int) -> bool:
        return self._held == 0 or (self._held < self._stanzas and self._held_octets + octets <= self._octets)

    def _write(self, entry: tuple[Parcel, bytes]) -> bytes:
        self.written = (self.written + 1) % _MODULUS
        self._sent.append(entry)
        return entry[1]

    def _release(self, parcel: Parcel, stanza: bytes) -> None:
        self._held -= 1
        self._held_octets -= len(stanza)
        parcel._left -= 1
        if parcel.over:
            parcel.settled(None)

    def _rewind(self) -> None:
        self._again = deque(entry for entry in (*self._sent, *self._again) if entry is not None)
        self._sent.clear()

    def _forget_waiting(self, parcel: Parcel) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not parcel)
