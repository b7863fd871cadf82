"""`convergekit listen`: the channels of a file, their webhooks on a port, and what comes in on the screen."""

from __future__ import annotations

import argparse
import json
import signal

import anyio

from convergekit import Event, Hub, MemoryStore, Router
from convergekit.abc import ReceivesWebhooks
from convergekit.config import load
from convergekit.model import event_to_json

from ._console import Console
from ._events import shown
from ._serving import refusals_told, server_installed, serving
from ._tokens import parts_of

__all__ = ["run"]

_INTERRUPTED = 130


def run(args: argparse.Namespace, console: Console) -> int:
    """Print events until a signal; return 130 after Ctrl-C, 0 after SIGTERM."""
    server_installed()
    # Not the ledger of the file: what is printed would count as handled there, and so would what waits in it.
    parts = parts_of(load(args.config))
    hub = Hub.from_toml(args.config, store=MemoryStore(), router=_printing(console), parts=parts)
    return anyio.run(_listen, hub, args, console, backend=args.backend)


async def _listen(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    # In this order, so that the server stops taking before the hub drains.
    with refusals_told(console), anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        app = hub.asgi(public_url=args.public_url)
        async with hub, serving(app, backend=args.backend, host=args.host, port=args.port) as url:
            _greet(hub, url, console)
            received = await anext(signals)
            console.progress("finishing what has come in")
    return _INTERRUPTED if received == signal.SIGINT else 0


def _greet(hub: Hub, url: str, console: Console) -> None:
    console.tell(f"listening on {url}, until Ctrl-C", type="listening", url=url)
    for channel in hub.channels:
        adapter: object = channel.adapter
        path = f"{url}/{channel.name}" if isinstance(adapter, ReceivesWebhooks) else None
        reason = f": {channel.reason}" if channel.reason else ""
        text = f"  {channel.name} is {channel.state.value}{reason}" + (
            f", and takes webhooks at {path}" if path else ""
        )
        console.tell(
            text, type="channel", channel=channel.name, state=channel.state.value, reason=channel.reason, url=path
        )


def _printing(console: Console) -> Router:
    """Handlers that print everything, and answer nothing."""
    router = Router("listen")

    @router.on_event(Event)
    async def print_event(event: Event) -> None:
        console.tell(shown(event), **json.loads(event_to_json(event)))

    return router
