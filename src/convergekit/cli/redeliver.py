"""`convergekit redeliver`: what failed, or what a receiver has lost, goes out again from the ledger."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import anyio

from convergekit import Hub
from convergekit.errors import ConfigurationError, ConvergeError
from convergekit.hub import Left

from ._console import Console
from ._ledger import ledger
from ._query import addresses

__all__ = ["run"]

#: What has failed, is left all the same, and waits for a person.
_WAITING: Final = (Left.EXPIRED, Left.UNKNOWN)


def run(args: argparse.Namespace, console: Console) -> int:
    """Send again; return 1 where a message that was named does not go, or one that failed waits for a person."""
    if bool(args.ids) == (args.channel is not None):
        raise ConfigurationError("name messages by their ids, or a channel by --channel")
    if args.ids and (args.to or args.since or args.until or args.all or args.limit or args.dry_run):
        raise ConfigurationError("--to, --since, --until, --all, --limit and --dry-run go with --channel")
    # Whether a medium recognises a repeat is asked of the channel, so it has to be known.
    hub = ledger(args, channels=True)
    return anyio.run(_named if args.ids else _chosen, hub, args, console, backend=args.backend)


async def _named(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    missed = 0
    async with hub:
        for id in args.ids:
            try:
                handle = await hub.redeliver(id, expires_at=_expiry(args))
            except ConfigurationError:
                raise
            except ConvergeError as exc:
                console.warn(f"{id}: {exc}")
                missed += 1
                continue
            new = [each.id for each in handle.deliveries if each.supersedes and each.state.is_open]
            console.tell(f"{id} goes again, by a worker, as {', '.join(new)}", id=id, again=new)
    return int(bool(missed))


async def _chosen(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    until = args.until or datetime.now(UTC)
    if args.all and args.until is None:
        console.warn(f"what was sent before {until.isoformat()}; to go on after an interruption, say --until with that")
    would = "would go" if args.dry_run else "goes"
    number, left = 0, Counter[Left]()
    async with hub:
        found = hub.redeliveries(
            args.channel,
            to=None if args.to is None else addresses([args.to])[0],
            since=args.since,
            until=until,
            only="all" if args.all else "failed",
            limit=args.limit,
            expires_at=_expiry(args),
            dry_run=args.dry_run,
        )
        async for each in found:
            fields = {"dispatch": each.dispatch, "delivery": each.delivery.id, "to": str(each.delivery.address)}
            if each.left is None:
                number += 1
                console.tell(f"{each.delivery.id} {would} again", **fields, left=None)
            else:
                left[each.left] += 1
                console.tell(f"{each.delivery.id} is left: {each.why}", **fields, left=each.left)
    console.say(_summed(number, left, dry_run=args.dry_run))
    return int(any(left[why] for why in _WAITING))


def _expiry(args: argparse.Namespace) -> datetime | None:
    return None if args.expires_in is None else datetime.now(UTC) + args.expires_in


def _summed(number: int, left: Counter[Left], *, dry_run: bool) -> str:
    go = "would go" if dry_run else "goes" if number == 1 else "go"
    said = f"{number} {go} again"
    if left:
        said += f", {left.total()} left: " + ", ".join(f"{count} {why}" for why, count in left.most_common())
    return said
