"""How it is proven that a call is genuine: from its bytes, and in a time that tells nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

from convergekit.abc import ReceivesWebhooks

from .._bench import Bench, Door, request_of
from .._subject import Call, Cannot
from ._calls import calls_in_c
from ._registry import check, expect
from .webhooks import refuses

__all__: list[str] = []


@check("unsigned-refused", ReceivesWebhooks, body=["nothing", "an empty object"])
async def _unsigned(bench: Bench, body: str) -> None:
    async with bench.door() as door:
        call = replace(bench.subject.call(bench.said()), body=b"{}" if body == "an empty object" else b"")
        if door.adapter.challenge(request_of(call)) is not None:
            raise Cannot("it is a probe")
        await refuses(door.adapter, call, f"a call without a signature, whose body is {body},")


@check("forged-refused", ReceivesWebhooks, how=["rewritten"])
async def _rewritten(bench: Bench, how: str) -> None:
    """The signature is of these bytes, and not of what they say: there is more than one way to read JSON."""
    async with bench.door() as door:
        call = door.signed(bench.said())
        for body in _rewritings(call):
            await refuses(door.adapter, replace(call, body=body), f"a call whose body was {how} under way")


def _rewritings(call: Call) -> Iterator[bytes]:
    try:
        document = json.loads(call.body)
    except ValueError:
        raise Cannot("its calls are no JSON") from None
    yield call.body + b" "
    yield json.dumps(document, indent=7).encode()


@check("compares-in-constant-time", ReceivesWebhooks)
async def _constant_time(bench: Bench) -> None:
    """By what is called: a time that differs by nanoseconds is nothing that could be measured here."""
    async with bench.door() as door:
        call = door.signed(bench.said())
        calls = _Calls()
        with calls_in_c(calls.see):
            await door.adapter.verify(request_of(call))
        if not (calls.hashes or _is_token(door, call)):
            raise Cannot("its calls are proven neither by an HMAC of Python's nor by the secret itself")
        expect(calls.compares, "it compares without hmac.compare_digest: how long that takes tells what was right")


def _is_token(door: Door, call: Call) -> bool:
    """Whether the secret itself stands in the call."""
    secret = door.bench.subject.secret
    return secret is not None and any(secret in value for value in (*call.headers.values(), call.query))


class _Calls:
    """What was called.

    Attributes:
        hashes: Whether an HMAC was made.
        compares: Whether something was compared in constant time.
    """

    hashes = False
    compares = False

    def see(self, frame: FrameType, function: Any) -> None:
        """See `calls_in_c`."""
        self.hashes |= "hmac" in function.__name__ or frame.f_globals.get("__name__") == "hmac"
        self.compares |= "compare_digest" in function.__name__
