"""A gateway's call becomes events, against reading and checking the same body for this one gateway alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

from convergekit.abc import Headers, Request
from convergekit.adapters.sms import SmsConfig
from convergekit.adapters.sms.callbacks import Callbacks, Read

from ..measure import Effort, Goal, Line, Side, Timer, compare
from .bodies import CALLS, Call

__all__ = ["check", "run"]

T = TypeVar("T")

PEER = f"json.loads, and pydantic {version('pydantic')} of the same body"
GOAL = Goal("<=", 6)
NOW = datetime(2026, 3, 1, 20, 16, 8, tzinfo=UTC)
_HEADERS = Headers([(b"content-type", b"application/json")])


async def run(effort: Effort) -> Iterator[Line]:
    """One call after another, each of which is new."""
    sides: dict[str, Side] = {}
    for call in CALLS:
        bodies = call.bodies(effort.items(3_000 // call.events, at_least=20))
        check(call, bodies[:10])
        sides[f"ours {call.title}"] = _side(ours(call), list(map(request_of, bodies)))
        sides[f"theirs {call.title}"] = _side(theirs(call), bodies)
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


def check(call: Call, bodies: list[bytes]) -> None:
    """Raise where ours finds other events in *bodies* than there are, or theirs anything wrong with them."""
    read, is_fine = ours(call), theirs(call)
    for body in bodies:
        is_fine(body)
        kinds = [event.type for event in read(request_of(body)).events]
        if len(kinds) != call.events or "custom.received" in kinds:
            raise RuntimeError(f"{call.title} was read as {kinds}")


def request_of(body: bytes) -> Request:
    """The call, as our app hands it on."""
    return Request(method="POST", headers=_HEADERS, body=body)


def ours(call: Call) -> Callable[[Request], Read]:
    """What the profile makes of it."""
    config = SmsConfig.model_validate({"gateway": call.gateway, "account": call.account, "from": "+15005550006"})
    callbacks = Callbacks(config, "alerts")
    return lambda request: callbacks.read(request, now=NOW)


def theirs(call: Call) -> Callable[[bytes], object]:
    """What a host makes of it that knows this one gateway."""
    return lambda body: call.check(json.loads(body))


def _side(read: Callable[[T], object], calls: Sequence[T]) -> Side:
    async def one_round() -> float:
        with Timer(len(calls)) as timer:
            for call in calls:
                read(call)
        return timer.figure

    return one_round
