"""`convergekit erase`: take out all that was said with somebody."""

from __future__ import annotations

import argparse

import anyio

from convergekit import Hub
from convergekit.model import Address

from ._console import Console
from ._ledger import ledger
from ._query import addresses

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Do it; return 1 when something was in somebody's hands and is left, so that it has to be done again."""
    whose = addresses(args.addresses)
    return anyio.run(_erase, ledger(args), whose, console, backend=args.backend)


async def _erase(hub: Hub, whose: list[Address], console: Console) -> int:
    async with hub:
        done = await hub.archive.erase(whose)
    text = f"{done.erased} erased, {done.cancelled} of them cancelled before they were sent or handled"
    console.tell(text, erased=done.erased, cancelled=done.cancelled, busy=done.busy)
    if done.busy:
        console.warn(f"{done.busy} being sent or handled at this moment; erase again when that is over")
    return int(bool(done.busy))
