"""How two things are compared.

Rules kept here:

- All sides of a comparison run in the same invocation and take turns, in an order that is turned round each time:
  what the machine does meanwhile meets all of them.
- A figure is the median of the rounds. The first round warms up and does not count, unless it is the only one.
- CPU time is counted rather than the clock on the wall, wherever a neighbour on the machine would show in the latter.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from time import process_time
from typing import Literal

__all__ = ["Effort", "Goal", "Line", "Side", "Timer", "compare", "missing"]

#: One round of one side; returns its figure.
Side = Callable[[], Awaitable[float]]

NOT_INSTALLED = "not installed"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Args:
        rounds: That count; the first one comes on top. With none of them that one is the figure, and means little.
        scale: Share of the usual number of items in a round.
    """

    rounds: int = 7
    scale: float = 1.0

    def items(self, usual: int, *, at_least: int = 1) -> int:
        """How many items a round has, where it would usually have *usual*."""
        return max(at_least, int(usual * self.scale))


@dataclass(frozen=True, slots=True)
class Goal:
    """What ours divided by theirs has to be."""

    relation: Literal["<=", ">="]
    limit: float

    def holds(self, ratio: float) -> bool:
        """Whether *ratio* is good enough."""
        return ratio <= self.limit if self.relation == "<=" else ratio >= self.limit

    def __str__(self) -> str:
        return f"{self.relation} {self.limit:g}x"


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison.

    Args:
        metric: What was measured, and in which unit.
        ours: The median of ours.
        peer: What stands on the other side, with its version.
        theirs: The median of theirs, or None where they could not be measured.
        ratio: ours / theirs, or None.
        goal: What the ratio has to be, or "-" where the line only informs.
        ok: Whether it is; None where there is no goal, or no ratio.
    """

    metric: str
    ours: float
    peer: str
    theirs: float | None
    ratio: float | None
    goal: str
    ok: bool | None

    @classmethod
    def of(cls, metric: str, ours: float, peer: str, theirs: float, goal: Goal | None = None) -> Line:
        """The line for two medians."""
        ratio = ours / theirs
        met = None if goal is None else goal.holds(ratio)
        return cls(metric, _short(ours), peer, _short(theirs), _short(ratio), "-" if goal is None else str(goal), met)

    @classmethod
    def never(cls, metric: str, times: int) -> Line:
        """The line for something that must not happen, and did so many times."""
        return cls(metric, times, "none", 0, None, "0", times == 0)

    @property
    def is_unknown(self) -> bool:
        """Whether there is a goal, and nobody to compare with."""
        return self.ok is None and self.goal != "-"

    def to_json(self) -> str:
        """On one line."""
        return json.dumps(asdict(self), ensure_ascii=False)


def missing(metric: str, ours: float, peer: str, goal: Goal) -> Line:
    """The line for a peer that is not there: neither met nor missed."""
    return Line(metric, _short(ours), f"{peer} ({NOT_INSTALLED})", None, None, str(goal), None)


class Timer:
    """CPU time of this process over one block or several, for each of *items*, in microseconds."""

    def __init__(self, items: int) -> None:
        self._items = items
        self.figure = 0.0

    def __enter__(self) -> Timer:
        self._start = process_time()
        return self

    def __exit__(self, *exc: object) -> None:
        self.figure += (process_time() - self._start) / self._items * 1e6


async def compare(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """The median of each side over *rounds* rounds, in which all of them take turns."""
    gc.collect()
    gc.freeze()  # what was imported and set up by one side is not to be collected at another's cost
    figures: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for number in range(rounds + 1):
        for name in order:
            gc.collect()
            figure = await sides[name]()
            if number or not rounds:
                figures[name].append(figure)
        order.reverse()
    gc.unfreeze()
    return {name: median(values) for name, values in figures.items()}


def _short(value: float) -> float:
    return float(f"{value:.4g}")
