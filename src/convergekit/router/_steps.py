"""Going through the tree of a plan."""

from __future__ import annotations

from collections.abc import Iterator

from convergekit.model import LegStep, Step

__all__ = ["leaves"]


def leaves(step: Step) -> Iterator[LegStep]:
    """The legs of *step*, in the order in which they stand there."""
    if isinstance(step, LegStep):
        yield step
    else:
        for child in step.steps:
            yield from leaves(child)
