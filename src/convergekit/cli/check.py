"""`convergekit check`: are the settings right, is the ledger well, and can every channel do its work?

The ledger is looked at and not opened: nothing is made, upgraded or claimed, unless a token is renewed, which has to be
kept for the worker. Each channel is entered by itself and asked; nothing is sent, and nothing is received either: what
a medium would deliver meanwhile stays with the medium.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import anyio

from convergekit.abc import Health
from convergekit.config import ChannelSettings, Settings, load
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.engine.supervision import first_of
from convergekit.errors import ConvergeError
from convergekit.stores import MemoryStore

from ._console import Console
from ._ledger import health
from ._tokens import parts_of

__all__ = ["run"]

#: Seconds that one channel may take to connect and to answer.
_PATIENCE = 30.0
_WORDS = {True: "ok", False: "not ok"}


def run(args: argparse.Namespace, console: Console) -> int:
    """Print a line for the ledger and for each channel; return 1 when one of them is not well."""
    settings = load(args.config)
    ledger = health(settings.store)
    state, where = _WORDS[ledger.ok], settings.store.shown
    console.tell(f"store {where} is {state}: {ledger.detail}", store=where, state=state, detail=ledger.detail)
    if not settings.channels:
        console.warn(f"{args.config}: right, but there is no channel in it")
    found = anyio.run(_checked, settings, args.backend, console, backend=args.backend)
    rows = [
        {
            "channel": name,
            "adapter": settings.channels[name].adapter.name,
            "state": _WORDS[each.ok],
            "detail": each.detail,
        }
        for name, each in found.items()
    ]
    if rows:
        console.table(rows, ("channel", "adapter", "state", "detail"))
    return int(not (ledger.ok and all(each.ok for each in found.values())))


async def _checked(settings: Settings, backend: str, console: Console) -> Mapping[str, Health]:
    found: dict[str, Health] = {}
    parts = parts_of(settings)

    async def check(channel: ChannelSettings) -> None:
        found[channel.name] = await _health(channel, backend, parts.get(channel.name, {}))
        console.progress(f"checked {channel.name} ({len(found)} of {len(settings.channels)})")

    async with anyio.create_task_group() as tasks:
        for channel in settings.channels.values():
            tasks.start_soon(check, channel)
    return {name: found[name] for name in settings.channels}


async def _health(channel: ChannelSettings, backend: str, parts: Mapping[str, Any]) -> Health:
    """How *channel* is; whatever its adapter does, the others are asked as well."""
    if backend not in channel.adapter.backends:
        runs_on = " or ".join(sorted(channel.adapter.backends))
        return Health(
            ok=False, detail=f"the adapter {channel.adapter.name!r} does not run on {backend}, but on {runs_on}"
        )
    try:
        with anyio.fail_after(_PATIENCE):
            return await _asked(channel, parts)
    except TimeoutError:
        return Health(ok=False, detail=f"no answer within {_PATIENCE:g} seconds")
    except Exception as exc:
        error = first_of(exc)  # a task group of the adapter's may stand around what it raises
        if isinstance(error, ConvergeError):
            return Health(ok=False, detail=str(error))
        # an adapter's bug; its text might show anything
        return Health(
            ok=False, detail=f"{type(error).__name__} in the adapter {channel.adapter.name!r}: a bug of its own"
        )


async def _asked(channel: ChannelSettings, parts: Mapping[str, Any]) -> Health:
    store, clock = MemoryStore(), SystemClock()
    intake = Intake(store, admitted=lambda: None, noticed=lambda: None)
    intake.is_open = False
    context = EngineContext(channel.name, store, clock, intake, parts)
    async with store.opened(clock):
        try:
            async with channel.adapter(channel.config, context) as adapter:
                return await adapter.check()
        finally:
            with anyio.move_on_after(5, shield=True):
                await context.aclose()
