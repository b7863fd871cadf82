"""`convergekit search`: what was said, the newest first."""

from __future__ import annotations

import argparse
import json

import anyio

from convergekit import Hub
from convergekit.stores.formats import to_line

from ._console import Console
from ._ledger import ledger
from ._query import line, query

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Print it; return 1 when nothing was found, as grep does."""
    return anyio.run(_search, ledger(args), args, console, backend=args.backend)


async def _search(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    async with hub:
        page = await hub.archive.search(" ".join(args.words), **query(args), limit=args.limit, after=args.after)
    for found in page.found:
        console.tell(line(found), **json.loads(to_line(found)), highlights=found.highlights)
    if page.next is not None:
        console.warn(f"there is more: --after {page.next}")
    if not page.found:
        console.warn("nothing was found")
    return 0 if page.found else 1
