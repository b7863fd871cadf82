"""What outlives a worker: the media, the feeds, and the record of what happened.

Everything here is done in the driver, in the step in which a question arrives. So what a worker wrote before it was
killed counts, and hand-overs are in the order in which they arrived. What a worker does by itself, as handlers do, has
the time at which it was done: a driver that is slow makes nothing overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import anyio

from .link import Link
from .plan import MEDIA, WAYS_IN, Incoming, Plan

__all__ = ["TURN", "Gap", "Handover", "Recorder", "Run", "until"]

#: Seconds between two looks at whether something has happened.
TURN: Final = 0.01
_SLOW: Final = 0.05
_PAGE: Final = 20


async def until(holds: Callable[[], bool], turn: float = TURN) -> None:
    """Return once something *holds*; looked at each *turn* seconds, for other processes are waited for."""
    while not holds():  # noqa: ASYNC110 - nobody would set an event
        await anyio.sleep(turn)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a worker stood still.

    Args:
        worker: Which.
        start: Since when.
        end: Until when.
    """

    worker: str
    start: float
    end: float


@dataclass(slots=True, eq=False)
class Handover:
    """One attempt at a part, as the medium saw it.

    Args:
        channel: By which it came.
        what: Which message.
        part: Which part of it.
        to: The recipient.
        worker: Who handed it over.
        at: When it arrived ...
        until: ... and when it was answered, or nobody was there any more to be answered.
        outcome: What the medium did with it.
        arrived: Whether it is now with the recipient because of this.
    """

    channel: str
    what: str
    part: int
    to: str
    worker: str
    at: float
    until: float | None = None
    outcome: str = ""
    arrived: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """One run of the handler of an event.

    Args:
        what: Which event.
        worker: Who ran it.
        at: When it began ...
        until: ... and when it ended, or nobody was there any more to end it.
        finished: Whether it came to its end.
        failed: Whether it failed because it was to.
        committed: Whether the ledger took it for done.
    """

    what: str
    worker: str
    at: float
    until: float | None = None
    finished: bool = False
    failed: bool = False
    committed: bool = False


@dataclass
class Recorder:
    """The media, the feeds and the record.

    Args:
        plan: What the media do and what the feeds hold.
    """

    plan: Plan
    handovers: list[Handover] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    submitted: dict[str, set[str]] = field(default_factory=dict)  # what -> ids of dispatches that were answered
    news: Counter[str] = field(default_factory=Counter)  # what -> times that its admission was answered with "new"
    offered: Counter[str] = field(default_factory=Counter)
    offered_at: dict[str, float] = field(default_factory=dict)  # for the first time
    notes: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)  # channel -> answers that the medium kept to itself
    strange: list[str] = field(default_factory=list)  # what nobody planned
    stalls: list[Gap] = field(default_factory=list)  # as the workers themselves have found out
    done: Counter[str] = field(default_factory=Counter)  # what -> times that the ledger took it for done
    progress: int = 0
    moved_at: float = field(default_factory=monotonic)
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)  # of a medium: key -> its own id of what it took
    _tries: Counter[tuple[str, int]] = field(default_factory=Counter)
    _runs: dict[int, Run] = field(default_factory=dict)
    _acknowledged: Counter[str] = field(default_factory=Counter)
    _finished: Counter[str] = field(default_factory=Counter)
    _failed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._feeds: Mapping[str, Sequence[Incoming]] = {channel: self.plan.feed(channel) for channel in WAYS_IN}
        self._done: set[str] = set()
        self._gone_out: set[str] = set()

    def answer(self, link: Link, what: str, question: dict[str, Any]) -> Any:
        """The answer to a worker's question."""
        answer: Callable[..., Any] = getattr(self, f"_on_{what}")
        return answer(link, **question)

    # Progress

    def moves(self) -> None:
        """Something has happened."""
        self.progress += 1
        self.moved_at = monotonic()

    @property
    def all_admitted(self) -> bool:
        """Whether every event of every feed was acknowledged."""
        return all(self._acknowledged[channel] >= len(feed) for channel, feed in self._feeds.items())

    def has_room(self, channel: str | None = None) -> bool:
        """Whether more events of *channel* may be offered, or without one more messages submitted."""
        if channel is None:
            return len(self.submitted) - len(self._gone_out) < self.plan.torture.window
        under_way = self._acknowledged[channel] - self._finished[channel]
        return under_way < self.plan.torture.window / len(WAYS_IN)

    def gone(self, link: Link) -> None:
        """A worker is gone: nobody waits for what was being answered."""
        now = monotonic()
        cut_off: list[Handover | Run] = [*self.handovers, *self.runs]
        for each in cut_off:
            if each.until is None and each.worker == link.name:
                each.until = now

    # The media

    def _on_take(self, link: Link, channel: str, key: str, what: str, part: int, to: str) -> Any:
        handover = Handover(channel, what, part, to, link.name, monotonic())
        self.handovers.append(handover)
        if what in self.plan.out:
            self._gone_out.add(what)
        self.moves()
        medium = MEDIA.get(channel) or WAYS_IN[channel]
        if medium.idempotent and (channel, key) in self._keys:
            handover.outcome = "known"
            return self._answered(handover, "taken", self._keys[channel, key])
        self._tries[what, part] += 1
        outcome = handover.outcome = self.plan.outcome(channel, what, part, self._tries[what, part])
        if outcome in ("taken", "slow", "taken_and_silent"):
            self.arrives(handover, key)
        if outcome in ("silent", "taken_and_silent"):
            self.silent[channel] += 1
        if outcome == "slow":
            return self._slowly(handover, key)
        return self._answered(handover, outcome, self._keys.get((channel, key)))

    def arrives(self, handover: Handover, key: str) -> None:
        """It is with its recipient, for good."""
        handover.arrived = True
        self._keys[handover.channel, key] = f"{handover.channel}-{len(self._keys)}"

    async def _slowly(self, handover: Handover, key: str) -> Any:
        await anyio.sleep(_SLOW)
        return self._answered(handover, "taken", self._keys[handover.channel, key])

    def _answered(self, handover: Handover, outcome: str, identity: str | None) -> Any:
        if handover.until is None:
            handover.until = monotonic()
        return {"outcome": outcome, "id": identity}

    def _on_reconcile(self, link: Link, channel: str, key: str) -> Any:
        self.notes["reconciled"] += 1
        return {"id": self._keys.get((channel, key))}

    def _on_gave_up(self, link: Link, channel: str, what: str) -> None:
        self.notes[f"time-outs of {channel}"] += 1
        self.silent[channel] += 1
        for each in reversed(self.handovers):
            if each.what == what and each.worker == link.name and each.until is None:
                each.until = link.asked_at

    # The feeds: what was not acknowledged is offered again

    def _on_next(self, link: Link, channel: str) -> Awaitable[Any]:
        return self._page(channel, self._acknowledged[channel], more=True)

    def _on_page(self, link: Link, channel: str, cursor: int) -> Awaitable[Any]:
        # A careless feed: each page begins with a piece of the one before.
        repeated = 2 if cursor < len(self._feeds[channel]) else 0
        return self._page(channel, max(0, cursor - repeated), more=False)

    async def _page(self, channel: str, start: int, *, more: bool) -> Any:
        feed = self._feeds[channel]
        await until(lambda: self.has_room(channel) and (not more or self._acknowledged[channel] < len(feed)))
        start = self._acknowledged[channel] if more else start
        page = feed[start : start + _PAGE]
        for each in page:
            self.offers(each.what)
        return {"events": [(each.what, each.sender) for each in page], "end": start + len(page)}

    def _on_admitted(self, link: Link, channel: str, end: int, new: Sequence[str]) -> None:
        self.news.update(new)
        if end > self._acknowledged[channel]:
            self._acknowledged[channel] = end
            self.moves()

    def offers(self, what: str) -> None:
        """An event is offered, for the first time or again."""
        self.offered[what] += 1
        self.offered_at.setdefault(what, monotonic())

    def admitted(self, channel: str, new: Sequence[str]) -> None:
        """A call from outside was answered."""
        self.news.update(new)
        self._acknowledged[channel] += 1
        self.moves()

    # The handlers

    def _on_begin(self, link: Link, what: str) -> Any:
        run = Run(what, link.name, link.asked_at)
        self.runs.append(run)
        number = len(self.runs)
        self._runs[number] = run
        event = self.plan.into[what]
        fails = event.failures > self._failed[what]
        return {"run": number, "pause": event.pause, "fails": fails, "reply": event.reply}

    def _on_end(self, link: Link, run: int, finished: bool, error: str = "PlannedError") -> Any:
        if error != "PlannedError":
            self.notes[f"handlers failed with {error}"] += 1
        ended = self._runs.pop(run)
        ended.until, ended.finished, ended.failed = link.asked_at, finished, not finished
        self._failed[ended.what] += not finished
        if finished and ended.what not in self._done:
            self._done.add(ended.what)
            self._finished[self.plan.into[ended.what].channel] += 1
            self.moves()
        return True

    def _on_cancelled(self, link: Link, what: str) -> None:
        """Maybe before the worker has learned which run it was, or after its end."""
        run = self._last(link, what)
        if run.until is None:
            run.until = link.asked_at

    def _on_committed(self, link: Link, what: str) -> None:
        self._last(link, what).committed = True
        self.done[what] += 1

    def _last(self, link: Link, what: str) -> Run:
        return next(run for run in reversed(self.runs) if run.what == what and run.worker == link.name)

    # What a worker says of itself

    def _on_stood_still(self, link: Link, since: float) -> None:
        self.stalls.append(Gap(link.name, since, link.asked_at))

    def _on_strange(self, link: Link, text: str) -> None:
        self.strange.append(f"{link.name}: {text}")

    def _on_note(self, link: Link, text: str) -> None:
        self.notes[text] += 1
