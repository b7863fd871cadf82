"""One limit over one window, and the lines of those who wait for their turn in it: pure.

Rules kept here:

- What X has counted is the truth: within one window a header may take away from what we believe is left, and never
  adds to it.
- Who answers may use all of a limit at once. All else has a share of it: some of it at once, the rest spread over the
  window, so that a burst does not use up what the next quarter of an hour is for.
- Who has no turn is told when it will be, behind those who were told before. So a thousand that wait are tried about
  twice each, and not a thousand times a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

__all__ = ["Priority", "Share", "Window", "shares"]

#: Seconds by which two resets of the same window may differ: they are told in whole seconds, and answers take time.
_SAME: Final = 5.0
#: Seconds by which who comes back may be early: X begins a window with its first request, which may come late.
_EARLY: Final = 10.0


class Priority(IntEnum):
    """How urgent a request is."""

    BACKGROUND = 0
    """Polls."""
    NORMAL = 1
    """What nobody waits for: posts and messages of our own accord, and what is looked up."""
    REPLY = 2
    """Answers."""


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a limit may be used.

    Args:
        part: Of the limit.
        burst: Of that part, how much at once; the rest is spread over the window.
    """

    part: float
    burst: float

    def usable(self, limit: int) -> int:
        """Requests in a window: at least one, for what has no turn ever would wait for good."""
        return max(1, int(limit * self.part))

    def at_once(self, limit: int) -> int:
        """How many of them need not be spread."""
        return max(1, int(self.usable(limit) * self.burst))


def shares(reserve: float) -> Mapping[Priority, Share]:
    """Who may use what, where the share *reserve* of each limit is kept for answers."""
    return {
        Priority.REPLY: Share(1.0, 1.0),
        Priority.NORMAL: Share(1.0 - reserve, 0.5),
        Priority.BACKGROUND: Share((1.0 - reserve) * 0.9, 0.25),
    }


class Window:
    """*limit* requests in *seconds*. Times are seconds of a clock that never goes back.

    Args:
        limit: Requests.
        seconds: How long it lasts.
        shares: Who may use what.
    """

    def __init__(self, limit: int, seconds: float, shares: Mapping[Priority, Share]) -> None:
        self.seconds = self._usual = seconds
        self._shares = shares
        self._limited(limit)
        self.used = 0
        self.ends: float | None = None  # it begins with its first request
        self._told_at = float("-inf")
        # How many turns are given away, those of later windows included: (how urgent, whether for the first time).
        self._lines: dict[tuple[Priority, bool], int] = {}

    def turn(self, priority: Priority, *, first: bool, now: float) -> float:
        """When the next turn is: *now* or before it for at once. Who asks for the first time stands behind the rest."""
        self._roll(now)
        if not self._lines and self.used < self._at_once[priority]:
            return now
        line = self._lines.get((priority, True), 0) if first else 0
        at = self._time_of(self._behind(priority, line), priority, now)
        return at if first or self.used >= self.limit else at - _EARLY

    def queue(self, priority: Priority, *, first: bool, now: float) -> float:
        """Give the next turn away; returns when it is."""
        self._roll(now)
        position = self._behind(priority, self._lines.get((priority, first), 0))
        self._lines[priority, first] = position
        return self._time_of(position, priority, now)

    def take(self, *, first: bool, now: float) -> None:
        """A request goes out."""
        self._roll(now)
        if first and self._lines:  # who comes back has stood in line already
            self._lines = {who: line + (line > self.used) for who, line in self._lines.items()}
        self.used += 1
        self.ends = now + self.seconds if self.ends is None else self.ends

    def give_back(self) -> None:
        """A request did not go out after all."""
        self.used = max(0, self.used - 1)

    def learn(
        self, limit: int, remaining: int, left: float, *, asked_at: float, now: float, under_way: int = 0
    ) -> None:
        """What X said, in the answer to a request of *asked_at*: *remaining* of *limit*, for *left* seconds more.

        *under_way* are those requests that are not answered yet, and may not be counted in it.
        """
        self._roll(now)
        ends, used = now + left, limit - remaining
        if self.ends is not None and abs(ends - self.ends) <= _SAME and limit == self.limit:
            self.used, self.ends = max(self.used, used), max(self.ends, ends)
        elif asked_at >= self._told_at:  # an answer that comes late tells of a window that is over
            if limit != self.limit:
                self._limited(limit)
            self.used, self.ends = min(limit, used + under_way), ends
            self.seconds = max(self._usual, left)
        self._told_at = max(self._told_at, asked_at)

    def exhaust(self, until: float) -> None:
        """Nothing more goes before *until*."""
        self.used, self.ends = self.limit, until

    def spacing(self, priority: Priority, now: float) -> float:
        """Seconds between two requests that are evenly spread, as much as is left of the window."""
        self._roll(now)
        usable = self._usable[priority]
        if self.ends is None or self.used < usable // 2:
            return self.seconds / usable
        return max(self.seconds / usable, (self.ends - now) / max(1, usable - self.used))

    def _limited(self, limit: int) -> None:
        self.limit = limit
        self._usable = {priority: share.usable(limit) for priority, share in self._shares.items()}
        self._at_once = {priority: share.at_once(limit) for priority, share in self._shares.items()}

    def _behind(self, priority: Priority, line: int) -> int:
        # What was used above one's own share is no turn of the next window.
        return max(min(self.used, self._usable[priority]), line) + 1

    def _time_of(self, position: int, priority: Priority, now: float) -> float:
        usable, at_once = self._usable[priority], self._at_once[priority]
        later, position = divmod(position - 1, usable)
        # What X says of the end is in whole seconds, and so may put the beginning a second or two ahead.
        start = now if self.ends is None else min(now, self.ends - self.seconds)
        spread = max(0, position - at_once + 1) / (usable - at_once + 1)
        return start + (later + spread) * self.seconds

    def _roll(self, now: float) -> None:
        if self.ends is None or now < self.ends:
            return
        over = 1 + int((now - self.ends) // self.seconds)
        lines = {(who, first): line - over * self._usable[who] for (who, first), line in self._lines.items()}
        self._lines = {who: line for who, line in lines.items() if line > 0}
        self.used = 0
        # Who waits was told times that go on from here.
        self.ends = self.ends + over * self.seconds if self._lines else None
