"""`convergekit parse`: what a call that was saved becomes on a channel, for whoever writes the rules.

Nothing is stored, sent or opened, and no signature is asked for. An id that the signature knows is not there, so that
a key made of it is another one.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from convergekit import Event
from convergekit.abc import Headers, ReceivesWebhooks, Request
from convergekit.config import ChannelSettings, load
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.errors import ConfigurationError
from convergekit.model import event_to_json
from convergekit.stores import MemoryStore

from ._console import Console
from ._events import shown

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Print a line for each event; return 0, also where there is none."""
    channel = _named(load(args.config).channels, args.channel)
    headers = Headers(dict(map(_field, args.header)))
    body = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    request = Request("POST", query=args.query, headers=headers, body=body)
    events = anyio.run(_parsed, channel, request, backend=args.backend)
    for event in events:
        console.tell(shown(event), **json.loads(event_to_json(event)))
    if not events:
        console.warn(f"{channel.name} would take this call, and make nothing of it")
    return 0


def _named(channels: Mapping[str, ChannelSettings], name: str) -> ChannelSettings:
    if name in channels:
        return channels[name]
    near = difflib.get_close_matches(name, channels, n=1) or sorted(channels)
    raise ConfigurationError(f"no channel is called {name!r}; there is {', '.join(near) or 'none'}")


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ConfigurationError(f'{text!r} is no header, such as "X-GitHub-Event: issues"')
    return name.strip(), value.strip()


async def _parsed(channel: ChannelSettings, request: Request) -> Sequence[Event]:
    store, clock = MemoryStore(), SystemClock()
    intake = Intake(store, admitted=lambda: None, noticed=lambda: None)
    context = EngineContext(channel.name, store, clock, intake, {})
    async with store.opened(clock):
        try:
            adapter: object = channel.adapter(channel.config, context)
            if not isinstance(adapter, ReceivesWebhooks):
                raise ConfigurationError(f"{channel.name} takes no webhooks: {channel.adapter.name!r} has none")
            found = adapter.parse(request)
            return found if isinstance(found, Sequence) else await found
        finally:
            with anyio.move_on_after(5, shield=True):
                await context.aclose()
