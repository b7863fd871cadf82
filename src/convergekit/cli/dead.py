"""`convergekit dead`: what was given up or is unknown, for a person to look at and to decide."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import anyio

from convergekit import Hub
from convergekit.errors import ConfigurationError, ConvergeError
from convergekit.hub import DeadLetter, DeadLetters
from convergekit.model import MessageReceived, event_to_json, to_json

from ._console import Console
from ._ledger import ledger

__all__ = ["run"]

_COLUMNS = ("id", "direction", "state", "channel", "who", "at", "attempts", "reason")


def run(args: argparse.Namespace, console: Console) -> int:
    """Do what `args.action` says; return 1 where a letter was not there, or could not be sent again."""
    if args.action not in ("list", "show") and bool(args.ids) == args.all:
        raise ConfigurationError("name the letters by their ids, or say --all")
    if args.action == "resend" and args.text is not None and len(args.ids) != 1:
        raise ConfigurationError("--text is for one message; name it by its id")
    # Other words are written for the limits of a channel; whoever only decides needs no secrets of channels.
    hub = ledger(args, channels=args.action == "resend" and args.text is not None)
    return anyio.run(_run, hub, args, console, backend=args.backend)


async def _run(hub: Hub, args: argparse.Namespace, console: Console) -> int:
    async with hub:
        match args.action:
            case "list":
                return await _list(hub.dead_letters, args, console)
            case "show":
                return await _each(args.ids, lambda id: _show(hub.dead_letters, id, console), console)
            case _:
                ids = args.ids or [each.id async for each in _all(hub.dead_letters, args)]
                return await _each(ids, lambda id: _decide(hub.dead_letters, id, args, console), console)


async def _list(letters: DeadLetters, args: argparse.Namespace, console: Console) -> int:
    found = await letters.list(direction=args.direction, state=args.state, channel=args.channel, limit=args.limit + 1)
    rows = [_row(letter) for letter in found[: args.limit]]
    if rows:
        console.table(rows, _COLUMNS)
    else:
        console.say("no dead letters")
    if len(found) > args.limit:
        console.warn(f"there are more than {args.limit}; --limit shows more of them")
    return 0


async def _all(letters: DeadLetters, args: argparse.Namespace) -> AsyncIterator[DeadLetter]:
    """What `--all` means for this action: never what is unknown, since that is to be decided one by one."""
    direction = {"retry": "in", "resend": "out"}.get(args.action)
    async for letter in letters:
        if letter.state == "dead" and direction in (None, letter.direction) and args.channel in (None, letter.channel):
            yield letter


async def _each(ids: Sequence[str], act: Callable[[str], Awaitable[bool]], console: Console) -> int:
    missed = 0
    for id in ids:
        try:
            done = await act(id)
        except ConvergeError as exc:
            console.warn(f"{id}: {exc}")
            missed += 1
            continue
        if not done:
            console.warn(f"{id}: not there; somebody may have dealt with it")
            missed += 1
    return int(bool(missed))


async def _decide(letters: DeadLetters, id: str, args: argparse.Namespace, console: Console) -> bool:
    match args.action:
        case "retry":
            done, said = await letters.retry(id), "is handled anew"
        case "resend":
            handle = await letters.resend(id, args.text)
            done, said = True, f"is sent again, by a worker, as delivery {handle.deliveries[-1].id}"
        case "settle":
            done = await letters.settle(id, sent=args.sent)
            said = "counts as sent" if args.sent else "is tried again, by a worker"
        case _:
            done, said = await letters.discard(id), "is thrown away"
    if done:
        console.tell(f"{id} {said}", id=id, done=args.action)
    return done


async def _show(letters: DeadLetters, id: str, console: Console) -> bool:
    letter = await letters.get(id)
    if letter is None:
        return False
    row = _row(letter)
    lines = [f"{name:<10} {'-' if row[name] is None else row[name]}" for name in _COLUMNS]
    for attempt in letter.delivery.history if letter.delivery is not None else ():
        said = " ".join(filter(None, (attempt.outcome, attempt.code, attempt.reason)))
        lines.append(f"{'attempt':<10} {attempt.at.isoformat(timespec='seconds')} part {attempt.part + 1}: {said}")
    # As Python would write it: no terminal takes it for anything but text.
    lines.append(f"{'content':<10} {_content(letter)!r}")
    console.tell("\n".join(lines), **row, **_document(letter))
    return True


def _row(letter: DeadLetter) -> dict[str, Any]:
    who = letter.delivery.address if letter.delivery is not None else letter.event and letter.event.sender
    return {
        "id": letter.id,
        "direction": letter.direction,
        "state": letter.state,
        "channel": letter.channel,
        "who": None if who is None else str(who),
        "at": None if letter.at is None else letter.at.isoformat(timespec="seconds"),
        "attempts": letter.attempts,
        "reason": letter.reason,
    }


def _content(letter: DeadLetter) -> str:
    if letter.message is not None:
        return letter.message.text or letter.message.markdown or letter.message.html or ""
    event = letter.event
    return event.text or "" if isinstance(event, MessageReceived) else "" if event is None else event.type


def _document(letter: DeadLetter) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if letter.event is not None:
        found["event"] = json.loads(event_to_json(letter.event))
    if letter.message is not None:
        found["message"] = json.loads(to_json(letter.message))
    if letter.delivery is not None:
        found["delivery"] = json.loads(to_json(letter.delivery))
    return found
