"""`convergekit worker`: one worker: its channels are open, what is due goes out, and what comes in is handled."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack

import anyio

from convergekit import Hub, Router
from convergekit.errors import ConfigurationError

from ._app import imported
from ._console import Console
from ._serving import refusals_told, server_installed, serving

__all__ = ["run"]

_CONFIG = "convergekit.toml"


def run(args: argparse.Namespace, console: Console) -> int:
    """Work until SIGINT or SIGTERM, then finish what is due; a second signal does not wait."""
    if args.port is not None:
        server_installed()
    hub = _hub(args)
    return anyio.run(_work, hub, args, console, backend=args.backend)


def _hub(args: argparse.Namespace) -> Hub:
    app = None if args.app is None else imported(args.app)
    if isinstance(app, Hub):
        if args.config is not None:
            raise ConfigurationError(
                f"--config: {args.app} is a Hub, which has its own settings; leave one of them out"
            )
        return app
    config = args.config or _CONFIG
    if isinstance(app, Router):
        return Hub.from_toml(config, router=app)
    # What comes in would be done as soon as no handler had taken it.
    return Hub.from_toml(config, role="send")


async def _work(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    async with hub, AsyncExitStack() as stack:
        url = None
        if args.port is not None:
            stack.enter_context(refusals_told(console))
            app = hub.asgi(health=True, public_url=args.public_url)
            url = await stack.enter_async_context(serving(app, backend=args.backend, host=args.host, port=args.port))
        _greet(hub, url, console)
        await hub.run()  # drains while the server still answers, with 503
    return 0


def _greet(hub: Hub, url: str | None, console: Console) -> None:
    at = f", and takes webhooks at {url}" if url is not None else ""
    console.tell(f"working{at}, until Ctrl-C", type="working", url=url)
    for channel in hub.channels:
        reason = f": {channel.reason}" if channel.reason else ""
        text = f"  {channel.name} is {channel.state.value}{reason}"
        console.tell(text, type="channel", channel=channel.name, state=channel.state.value, reason=channel.reason)
