"""How many of the server's stanzas are safe with us: `h` of XEP-0198.

Rules kept here:

- The server may forget what it is told is handled, and so it is told only of what has been stored: never of what was
  merely read. What we answer ourselves is handled at once, but `h` is a count from the beginning: it does not pass an
  older stanza that is not.
- What is not handled when the next connection is made is sent again after a resume, and counts then; whoever was
  given it forgets it.

Pure: no clock, no event loop.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Handled"]

_MODULUS: Final = 2**32


class Handled:
    """The count, over one session after the other.

    Attributes:
        owes: Whether the server has asked, and more is handled than it has been told.
    """

    def __init__(self) -> None:
        self.owes = False
        self._counts = False
        self._pending: deque[int] = deque()  # of each stanza that is not handled: how many of our own stand behind it
        self._uncounted = 0  # given before the server has begun to count, and not handled yet
        # Of this session:
        self._received = self._handled = self._asked = self._told = 0

    def given(self) -> None:
        """A stanza came that `handled` will tell of."""
        if self._counts:
            self._received += 1
            self._pending.append(0)
        else:
            self._uncounted += 1

    def done(self) -> None:
        """A stanza came that is handled with this."""
        if not self._counts:
            return
        self._received += 1
        if self._pending:
            self._pending[-1] += 1
        else:
            self._advance(1)

    def handled(self, count: int) -> None:
        """*count* more of those that were given are safe, in order."""
        uncounted = min(count, self._uncounted)
        self._uncounted -= uncounted
        for _ in range(min(count - uncounted, len(self._pending))):
            self._advance(1 + self._pending.popleft())

    def ask(self) -> None:
        """The server wants to know of all it has sent so far: now, and again as more of that is handled."""
        self.owes, self._asked = True, self._received

    def tell(self) -> int:
        """`h`, as the server is told of it with this."""
        self.owes, self._told = False, self._handled
        return self._handled % _MODULUS

    def lost(self) -> None:
        """The connection is gone. What is handled from now on still counts, if it is resumed."""
        self.owes = self._counts = False

    def forget(self) -> None:
        """Another connection is made: what is not handled now will not be."""
        self._pending.clear()
        self._uncounted = 0

    def begin(self, *, resumed: bool) -> None:
        """The server counts from here: from what it was told last, or from 0."""
        self._counts = True
        if not resumed:
            self._handled = self._told = 0
        self._received = self._asked = self._handled

    def _advance(self, count: int) -> None:
        self._handled += count
        self.owes = self.owes or self._told < self._asked
