"""A gateway's call becomes events, against reading and checking the same body for this one gateway alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version

from convergekit.abc import Headers, Request
from convergekit.adapters.sms import SmsConfig
from convergekit.adapters.sms.callbacks import Callbacks

from ..measure import Effort, Goal, Line, Side, Timer, compare
from .bodies import CALLS, Call

__all__ = ["run"]

PEER = f"json.loads, and pydantic {version('pydantic')} of the same body"
GOAL = Goal("<=", 6)
NOW = datetime(2026, 3, 1, 20, 16, 8, tzinfo=UTC)
_HEADERS = Headers([(b"content-type", b"application/json")])


async def run(effort: Effort) -> Iterator[Line]:
    """One call after another, each of which is new."""
    sides: dict[str, Side] = {}
    for call in CALLS:
        bodies = call.bodies(effort.items(3_000 // call.events, at_least=20))
        sides[f"ours {call.title}"] = _side(_ours(call), bodies)
        sides[f"theirs {call.title}"] = _side(_theirs(call), bodies)
    cpu = await compare(sides, effort.rounds)
    return iter(
        [
            Line.of(
                f"SMS callback into events: {call.title} (us CPU)",
                cpu[f"ours {call.title}"],
                PEER,
                cpu[f"theirs {call.title}"],
                GOAL,
            )
            for call in CALLS
        ]
    )


def _side(read: Callable[[bytes], object], bodies: list[bytes]) -> Side:
    async def one_round() -> float:
        with Timer(len(bodies)) as timer:
            for body in bodies:
                read(body)
        return timer.figure

    return one_round


def _ours(call: Call) -> Callable[[bytes], object]:
    config = SmsConfig.model_validate({"gateway": call.gateway, "account": call.account, "from": "+15005550006"})
    callbacks = Callbacks(config, "alerts")

    def read(body: bytes) -> object:
        found = callbacks.read(Request(method="POST", headers=_HEADERS, body=body), now=NOW)
        if len(found.events) != call.events or any(event.type == "custom" for event in found.events):
            raise RuntimeError(f"{call.title} was read as {[event.type for event in found.events]}")
        return found

    return read


def _theirs(call: Call) -> Callable[[bytes], object]:
    return lambda body: call.check(json.loads(body))
