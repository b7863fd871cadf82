"""The medium calls us."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convergekit.abc import ReceivesWebhooks
from convergekit.errors import SignatureError

from .._bench import Bench, request_of
from .._subject import Call, Cannot
from ._registry import broken, check, expect

__all__ = ["refuses"]


async def refuses(adapter: Any, call: Call, what: str) -> None:
    """Expect that `verify` refuses *call*."""
    try:
        await adapter.verify(request_of(call))
    except SignatureError:
        return
    except Exception as error:
        raise broken(f"{what} raised {type(error).__name__}") from error
    broken(f"{what} was taken")


@check("unsigned-refused", ReceivesWebhooks)
async def _unsigned(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        await refuses(adapter, bench.subject.call(bench.said()), "a call without a signature")


@check("forged-refused", ReceivesWebhooks, how=["secret", "body"])
async def _forged(bench: Bench, how: str) -> None:
    async with bench.door() as door:
        secret = bench.subject.other_secret if how == "secret" else None
        call = door.signed(bench.said(), secret=secret)
        if how == "body":
            call = replace(call, body=bench.subject.call(bench.said(2)).body)
        await refuses(door.adapter, call, f"a call with another {how}")


@check("stale-refused", ReceivesWebhooks)
async def _stale(bench: Bench) -> None:
    async with bench.door() as door:
        fresh, old = door.signed(bench.said()), door.signed(bench.said(), age=86_400.0)
        if fresh == old:
            raise Cannot("its signatures carry no time")
        await refuses(door.adapter, old, "a call that was signed a day ago")


@check("replay-once", ReceivesWebhooks)
async def _replay(bench: Bench) -> None:
    async with bench.door() as door:
        call = door.signed(bench.said())
        answers = [await door.call(call) for _ in range(2)]
        expect(answers[0].is_ok, f"a call that is genuine was answered with {answers[0].status}")
        expect(len(door.events) == 1, f"one call, delivered twice, gave {len(door.events)} events")
        expect(answers[0] == answers[1], "the second time it was answered otherwise")
