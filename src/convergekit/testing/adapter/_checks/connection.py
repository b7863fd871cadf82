"""The connection on which an adapter listens: it is made, it drops, it is made again."""

from __future__ import annotations

from typing import Any

import anyio
from anyio.abc import TaskStatus

from convergekit.abc import Listens
from convergekit.hub import Channel, Hub
from convergekit.model import MessageReceived

from .._bench import CHANNEL, Bench, eventually
from .._subject import Cannot
from ._registry import check, expect

__all__: list[str] = []


class _Told(TaskStatus[None]):
    """What `listen` says, and how it ends."""

    def __init__(self) -> None:
        self.is_connected = False
        self.error: Exception | None = None
        self.ended = anyio.Event()

    def started(self, value: None = None) -> None:
        self.is_connected = True

    async def listening(self, adapter: Any) -> None:
        try:
            await adapter.listen(task_status=self)
        except Exception as error:
            self.error = error
        self.ended.set()


@check("says-when-connected", Listens)
async def _says(bench: Bench) -> None:
    told = _Told()
    async with bench.entered() as (adapter, _), anyio.create_task_group() as tasks:
        tasks.start_soon(told.listening, adapter)
        await eventually(lambda: told.is_connected or told.ended.is_set())
        tasks.cancel_scope.cancel()
    how = "" if not told.ended.is_set() else ": it returned" if told.error is None else f": {type(told.error).__name__}"
    expect(told.is_connected, f"`listen` did not call task_status.started(){how}")


@check("says-when-connected", Listens, when=["refused"])
async def _says_nothing(bench: Bench, when: str) -> None:
    """The login is refused once it is open; where it has logged in for good by then, that does not concern it."""
    told = _Told()
    async with bench.entered() as (adapter, _), anyio.create_task_group() as tasks:
        bench.subject.refuse_login()
        tasks.start_soon(told.listening, adapter)
        with bench.time.skipped(), anyio.move_on_after(10):
            await told.ended.wait()
        tasks.cancel_scope.cancel()
    expect(not (told.is_connected and told.error), f"it called task_status.started(), and the login was {when} then")


@check("drop-raises", Listens)
async def _drop_raises(bench: Bench) -> None:
    """The engine's clock stands still, so it does not connect again: if anybody does, it is the adapter."""
    async with bench.hub() as hub:
        channel, heard = hub.channel(CHANNEL), _heard(hub)
        await _hears(bench, heard, 1)
        noticed = await _drops(bench, channel)
        expect(noticed, "the connection dropped, and `listen` did not raise: does it connect again by itself?")
        expect(channel.state == "degraded", f"the connection dropped, and the channel is {channel.state}, for good")


@check("hears-again", Listens)
async def _hears_again(bench: Bench) -> None:
    async with bench.hub() as hub:
        channel, heard = hub.channel(CHANNEL), _heard(hub)
        await _hears(bench, heard, 1)
        for number in (1, 2):
            if not await _drops(bench, channel):
                raise Cannot("it does not raise when the connection drops")
            bench.clock.advance(2.0 ** (number - 1))  # by then the engine tries again
            if channel.state == "down":
                raise Cannot("it takes a drop for a refused account")
            back = await eventually(lambda: channel.state == "up")
            expect(back, f"after drop number {number} it did not come up again: {channel.reason}")
            await _hears(bench, heard, number + 1)


@check("refused-login-stops", Listens, when=["later"])
async def _refused_later(bench: Bench, when: str) -> None:
    """Somebody has changed the password, and the connection drops."""
    async with bench.hub() as hub:
        channel, heard = hub.channel(CHANNEL), _heard(hub)
        await _hears(bench, heard, 1)
        bench.subject.refuse_login()
        if not await _drops(bench, channel):
            raise Cannot("it does not raise when the connection drops")
        bench.clock.advance(1.0)
        down = await eventually(lambda: channel.state in ("up", "down"))
        expect(down, f"{when}, the login was refused, and it is tried again and again: {channel.reason}")


def _heard(hub: Hub) -> list[MessageReceived]:
    events: list[MessageReceived] = []

    @hub.on_message
    async def keep(message: MessageReceived) -> None:
        events.append(message)

    return events


async def _hears(bench: Bench, heard: list[MessageReceived], number: int) -> None:
    before = len(heard)
    with anyio.move_on_after(3):  # where nobody listens there may be nobody to say it to
        await bench.subject.push(bench.said(number))
    came = await eventually(lambda: len(heard) > before)
    expect(came, f"message number {number} was not heard" + (", after the connection was made again" * (number > 1)))


async def _drops(bench: Bench, channel: Channel) -> bool:
    """Drop the connection; whether the engine sees it."""
    await bench.subject.drop()
    return await eventually(lambda: channel.state != "up")
