"""`convergekit send`: one message, and what became of it."""

from __future__ import annotations

import argparse
import sys

import anyio
from pydantic import ValidationError

from convergekit import Address, DispatchHandle, Hub, MemoryStore, Message, via
from convergekit.errors import ConfigurationError, DeliveryError, InvalidInputError
from convergekit.model import DispatchState

from ._console import Console

__all__ = ["run"]


def run(args: argparse.Namespace, console: Console) -> int:
    """Send it; return 0 when it was taken, 1 when it was not or nobody knows."""
    to, message = _address(args.to), _message(args)
    hub = Hub.from_toml(args.config, role="send")  # what comes in meanwhile is for those who handle it
    return anyio.run(_send, hub, to, message, args, console, backend=args.backend)


async def _send(hub: Hub, to: Address, message: Message, args: argparse.Namespace, console: Console) -> int:
    route = via(args.channel) if args.channel else None
    async with hub:
        if args.channel:
            hub.channel(args.channel)  # an unknown name is told before anything else
        console.progress(f"sending to {to}, for at most {args.timeout:g} seconds")
        handle = await hub.submit(message, to=to, via=route, key=args.key)
        await handle.settled(args.timeout)
        return _told(handle, handle.error, _stays(hub), console)


def _stays(hub: Hub) -> str:
    if isinstance(hub.store, MemoryStore):
        return "the ledger in memory ends here"
    return "it stays in the ledger, and the next worker goes on with it"


def _told(handle: DispatchHandle, error: DeliveryError | None, stays: str, console: Console) -> int:
    taken = error is None and handle.state is DispatchState.SATISFIED
    reason = str(error) if error is not None else handle.reason
    text = f"{handle.status}: {reason}" if reason else str(handle.status)
    if not taken and error is None:
        text += f"; it was not taken in time, and {stays}"
    console.tell(
        text,
        status=handle.status.value,
        state=handle.state.value,
        reason=reason,
        code=error.code if error is not None else None,
        dispatch=handle.id,
        key=handle.key,
        channels=[delivery.channel for delivery in handle.deliveries],
    )
    return int(not taken)


def _address(uri: str) -> Address:
    try:
        return Address.parse(uri)
    except InvalidInputError as exc:
        raise ConfigurationError(f"--to: {exc}") from None


def _message(args: argparse.Namespace) -> Message:
    try:
        return Message(_text(args.text), subject=args.subject)
    except ValidationError as exc:
        wrong = " and ".join(sorted({str(error["loc"][0]) for error in exc.errors()}))
        raise ConfigurationError(f"{wrong}: there are characters in it that no medium carries") from None


def _text(said: str) -> str:
    if said != "-":
        return said
    if sys.stdin is None:
        raise ConfigurationError('standard input is closed, and "-" reads the text from it')
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"what comes from standard input is not UTF-8 at byte {exc.start}") from None
