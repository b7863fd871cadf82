"""Life, and what happens when the medium is away."""

from __future__ import annotations

from convergekit.abc import Adapter
from convergekit.errors import ConvergeError

from .._bench import CHANNEL, Bench, eventually
from .._subject import Cannot, Fault
from ._registry import broken, check, expect

__all__: list[str] = []


@check("check-in-words")
async def _check_in_words(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        before = len(bench.subject.received())
        health = await adapter.check()
        expect(isinstance(health.detail, str) and health.detail, "it says nothing in words")
        expect(len(bench.subject.received()) == before, "it sent something")


@check("check-in-words", when=["refused", "unreachable"])
async def _check_when_something_is_wrong(bench: Bench, when: str) -> None:
    async with bench.entered() as (adapter, _):
        if when == "refused":
            bench.subject.refuse_login()
        else:
            await bench.fault(Fault.UNREACHABLE)
        try:
            health = await adapter.check()
        except Exception as error:
            raise broken(f"the far side is {when}, and it raised {type(error).__name__}") from error
        expect(isinstance(health.detail, str) and health.detail, f"the far side is {when}, and it says nothing")


@check("check-in-words", when=["never-let-in"])
async def _check_is_not_let_in(bench: Bench, when: str) -> None:
    """The credentials are wrong from the start, and opening it did not find out."""
    if bench.adapter_class.check is Adapter.check:
        raise Cannot("it has no check of its own")
    bench.subject.refuse_login()
    try:
        async with bench.entered() as (adapter, _):
            health = await adapter.check()
    except ConvergeError as error:
        raise Cannot(f"it cannot be opened: {error}") from error
    expect(not health.ok, "the credentials are wrong, and it says that all is well")


@check("refused-login-stops")
async def _refused_login_stops(bench: Bench) -> None:
    bench.subject.refuse_login()
    async with bench.hub() as hub:
        channel = hub.channel(CHANNEL)
        stopped = await eventually(lambda: channel.state in ("down", "degraded"))
        expect(stopped, f"the login was refused, and the channel is {channel.state}")
        expect(channel.state == "down", f"the login was refused, and it is tried again and again: {channel.reason}")
