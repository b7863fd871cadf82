"""`convergekit enable`: an endpoint that has said that it wants no more is written to again."""

from __future__ import annotations

import argparse

import anyio

from convergekit import Address, Hub

from ._console import Console
from ._ledger import existing, settings
from ._query import addresses

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Enable each address; return 1 where one was not disabled."""
    found = addresses(args.addresses)
    existing(settings(args))  # nothing is disabled in a ledger that is not there
    hub = Hub.from_toml(args.config, role="send")  # what is disabled is the channel's own affair, so it has to be open
    return anyio.run(_enable, hub, args.channel, found, console, backend=args.backend)


async def _enable(hub: Hub, name: str, found: list[Address], console: Console) -> int:
    missed = 0
    async with hub:
        channel = hub.channel(name)
        for address in found:
            was = await channel.enable(address)
            missed += not was
            text = f"{address.uri} is written to again" if was else f"{address.uri} was not disabled"
            console.tell(text, channel=name, address=address.uri, enabled=was)
    return int(bool(missed))
