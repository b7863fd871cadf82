"""`convergekit export`: all that was said, in a form that others read."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import aclosing

import anyio

from convergekit import Hub
from convergekit.abc import Found
from convergekit.errors import StoreError
from convergekit.stores.formats import to_line, to_mbox

from ._console import Console
from ._ledger import ledger
from ._query import query

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Write it to a file, or to standard output."""
    if args.output == "-":
        stream = getattr(sys.stdout, "buffer", None) or os.fdopen(1, "wb", closefd=False)
        return anyio.run(_export, ledger(args), args, console, stream.write, backend=args.backend)
    hub = ledger(args)
    # For the owner's eyes only; and an earlier export is never written over.
    with open(os.open(args.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        return anyio.run(_export, hub, args, console, file.write, backend=args.backend)


async def _export(hub: Hub, args: argparse.Namespace, console: Console, write: Callable[[bytes], object]) -> int:
    number = 0
    async with hub, aclosing(hub.archive.export(" ".join(args.words), **query(args))) as found:
        async for each in found:
            number += 1
            if args.format == "jsonl":
                write(f"{to_line(each)}\n".encode())
            else:
                write(to_mbox(each, await _files(hub, each, console)))
    console.progress(f"{number} messages")
    return 0


async def _files(hub: Hub, found: Found, console: Console) -> dict[int, bytes]:
    """What is kept beside the ledger."""
    files = {}
    for place, attachment in enumerate(found.content.attachments):
        if attachment.claim is None:
            continue
        try:
            async with hub.store.open(attachment.claim) as chunks:
                files[place] = b"".join([chunk async for chunk in chunks])
        except StoreError as exc:
            console.warn(f"{found.id}: {exc}; it is left out")
    return files
