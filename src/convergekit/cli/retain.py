"""`convergekit retain`: take out the content of what is old."""

from __future__ import annotations

import argparse

import anyio

from convergekit import Hub

from ._console import Console
from ._ledger import ledger

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Do it, and say how much it was."""
    return anyio.run(_retain, ledger(args), args, console, backend=args.backend)


async def _retain(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    async with hub:
        done = await hub.archive.retain(args.older_than, channel=args.channel)
    console.tell(f"{done} emptied", emptied=done)
    return 0
