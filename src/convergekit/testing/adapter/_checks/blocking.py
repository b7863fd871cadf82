"""What holds up the event loop."""

from __future__ import annotations

from .._bench import Bench
from .._watch import watching
from ._registry import check, expect, listed
from ._tour import tour

__all__: list[str] = []


@check("does-not-block")
async def _does_not_block(bench: Bench) -> None:
    """By what is called, and not by how long it takes: on this machine a server may answer at once."""
    with watching() as watched:
        await tour(bench)
    expect(not watched.blocking, f"it {listed(watched.blocking)}")
