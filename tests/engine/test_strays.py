"""On asyncio a cancellation can come out of foreign code though nobody has cancelled us: nothing of ours ends by it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from convergekit import MessageReceived, Status
from convergekit.abc import Outgoing
from convergekit.engine.strays import NO_STRAYS, StrayCancellationError
from tests.engine.kit import ANN, BOB, ListeningConfig, ProbeConfig


@pytest.fixture
def anyio_backend() -> Any:
    """Trio lets nobody forge a cancellation."""
    return "asyncio"


pytestmark = pytest.mark.anyio


def stray() -> BaseException:
    """As it comes out of awaiting a task that somebody else has cancelled."""
    return anyio.get_cancelled_exc_class()()


async def test_it_comes_out_as_an_ordinary_error_and_ours_as_it_is() -> None:
    """Told apart by whether a scope of ours was cancelled."""
    with pytest.raises(StrayCancellationError), NO_STRAYS:
        raise stray()
    with anyio.CancelScope() as scope:
        scope.cancel()
        with NO_STRAYS:
            await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught


async def test_from_a_send_it_makes_the_outcome_uncertain_and_the_others_go_on(bench: Any) -> None:
    """The message may have gone out."""

    async def sending(out: Outgoing) -> None:
        if out.text == "odd":
            raise stray()

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), sending=sending)
        odd, even = await b.hub.submit("odd", to="probe:a"), await b.hub.submit("even", to="probe:b")
        await b.settle()

        assert (odd.status, even.status) == (Status.UNKNOWN, Status.ACCEPTED)


async def test_from_a_handler_it_is_a_failure_like_any_other(bench: Any) -> None:
    """Tried again; and other conversations are served meanwhile."""
    runs: list[str] = []
    async with bench() as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            runs.append(str(message.sender))
            if runs == [ANN]:
                raise stray()

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        medium.say(text="hello", sender=BOB)
        await b.settle()
        assert runs == [ANN, BOB]
        await b.pass_time(3)
        assert runs == [ANN, BOB, ANN]


async def test_from_a_listen_it_is_a_reason_to_start_again(bench: Any) -> None:
    """The channel is degraded for a while, and no other channel notices."""
    tries = 0

    async def listening(adapter: Any, task_status: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise stray()
        task_status.started()
        await anyio.sleep_forever()

    async with bench() as b:
        await b.add()
        await b.hub.add_channel("ears", ListeningConfig(), listening=listening)
        assert b.hub.channel("ears").state == "degraded"
        await b.pass_time(3)
        assert b.hub.health().ok


async def test_from_an_opening_it_is_a_reason_to_try_again(bench: Any) -> None:
    """As if the connection had been refused."""
    tries = 0

    async def opening() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise stray()

    async with bench() as b:
        await b.hub.add_channel("probe", ProbeConfig(), opening=opening)
        await b.pass_time(3)
        assert (tries, b.hub.health().ok) == (2, True)
