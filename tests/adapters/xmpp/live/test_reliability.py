"""Nothing is lost and nothing doubled: real servers that are away, die, and are cut off."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import anyio
import pytest
from anyio.abc import TaskStatus

from convergekit.adapters.xmpp import XmppAdapter, XmppConfig
from convergekit.adapters.xmpp.inflow import Inflow
from convergekit.engine.clock import SystemClock
from convergekit.errors import DeliveryError
from convergekit.model import ConversationKind, ConversationRef, Event, MessageReceived
from convergekit.testing import FakeContext
from tests.adapters.xmpp.torture import Size, tortured
from tools.mail import CutProxy
from tools.xmpp import Account, Peer, XmppServer

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]


class Desk:
    """An account of ours; its ledger outlives each of its connections."""

    def __init__(self, server: XmppServer, account: Account, *, port: int | None = None, **settings: Any) -> None:
        self.context = FakeContext()
        self.losses = 0
        self.account = account
        self.address = f"xmpp:{account.jid}"
        self._config = XmppConfig(
            jid=account.jid,
            password=account.password,
            host=server.host,
            port=port or server.port,
            ca=server.ca,
            **settings,
        )

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[XmppAdapter]:
        """It listens, again and again."""
        async with XmppAdapter(self._config, self.context) as adapter, anyio.create_task_group() as tasks:
            await tasks.start(self._listen, adapter)
            yield adapter
            tasks.cancel_scope.cancel()

    async def _listen(self, adapter: XmppAdapter, *, task_status: TaskStatus[None]) -> None:
        told = _Once(task_status)
        while True:
            try:
                await adapter.listen(task_status=told)
            except DeliveryError:
                self.losses += 1
                await anyio.sleep(0.05)

    @property
    def texts(self) -> list[str | None]:
        return [each.text for each in self.context.admitted if isinstance(each, MessageReceived)]

    async def until(self, count: int, *, seconds: float = 30) -> None:
        """So many messages were admitted."""
        with anyio.fail_after(seconds):
            while len(self.texts) < count:  # noqa: ASYNC110 - it comes over a network
                await anyio.sleep(0.01)


class _Once(TaskStatus[None]):
    """It is started once; that it comes back is not told."""

    def __init__(self, status: TaskStatus[None]) -> None:
        self._status: TaskStatus[None] | None = status

    def started(self, value: None = None) -> None:
        status, self._status = self._status, None
        if status is not None:
            status.started()


def numbered(count: int, start: int = 0) -> list[str | None]:
    return [str(number) for number in range(start, start + count)]


async def say(peer: Peer, to: str, count: int, start: int = 0, *, kind: str = "chat") -> None:
    for number in range(start, start + count):
        await peer.say(to, str(number), kind=kind)
    await peer.synced()


async def test_what_was_said_while_we_were_away(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """More than a page of it; whatever the server brings by itself comes once, too."""
    desk = Desk(xmpp_server, xmpp_server.fresh_account())
    ann = await connect_peer(xmpp_server)
    async with desk.open():
        await say(ann, desk.account.jid, 3)
        await desk.until(3)

    await say(ann, desk.account.jid, 120, 3)
    async with desk.open():
        await desk.until(123)
        await say(ann, desk.account.jid, 1, 123)
        await desk.until(124)

    assert desk.texts == numbered(124)


async def test_what_was_said_before_we_ever_came_stays_there(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """But for what the server has kept for us, and brings."""
    account = xmpp_server.fresh_account()
    ann = await connect_peer(xmpp_server)
    async with Peer(xmpp_server, account):
        await say(ann, account.jid, 5)
    desk = Desk(xmpp_server, account)

    async with desk.open():
        await say(ann, account.jid, 1, 5)
        await desk.until(1)

    assert desk.texts == ["5"]


async def test_two_devices_with_carbons_hear_each_message_once(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    account = xmpp_server.fresh_account()
    desks = [Desk(xmpp_server, account, resource=name) for name in ("one", "other")]
    ann = await connect_peer(xmpp_server)

    async with desks[0].open(), desks[1].open():
        # One after the other: ejabberd lets what goes to one device overtake the copy of what went to another.
        for start, where in ((0, account.jid), (10, f"{account.jid}/one"), (20, f"{account.jid}/other")):
            await say(ann, where, 10, start)
            for desk in desks:
                await desk.until(start + 10)
    await say(ann, account.jid, 1, 30)
    for desk in desks:
        async with desk.open():  # and the archive has all of them
            await desk.until(31)

    for desk in desks:
        assert desk.texts == numbered(31)


async def test_a_room_is_entered_again_after_the_server_has_died_and_what_was_said_meanwhile_is_read(
    start_prosody: Callable[..., XmppServer], connect_peer: Connect
) -> None:
    server = start_prosody()
    room = server.fresh_room()
    desk = Desk(server, server.fresh_account(), rooms=[{"room": room}], room_ping_interval=1)
    ann = server.fresh_account()
    async with Peer(server, ann) as first:
        await first.join(room, "ann")
        async with desk.open():
            await say(first, room, 3, kind="groupchat")
            await desk.until(3)
        await say(first, room, 70, 3, kind="groupchat")
        await server.kill()
    await server.start()

    async with desk.open():
        again = await connect_peer(server, ann)
        await again.join(room, "ann")
        await say(again, room, 5, 73, kind="groupchat")
        await desk.until(78)

    assert desk.texts == numbered(78)


async def test_a_line_that_is_cut_in_the_middle_of_the_archive(
    start_prosody: Callable[..., XmppServer], connect_peer: Connect
) -> None:
    """Again and again, each time somewhat further on."""
    server = start_prosody(page=10)
    account = server.fresh_account()
    ann = await connect_peer(server)
    desk = Desk(server, account)
    async with desk.open():
        pass
    await say(ann, account.jid, 100)

    with CutProxy(server.port, times=3, after_answer=20_000) as proxy:
        through = Desk(server, account, port=proxy.port)
        through.context = desk.context
        async with through.open():
            await through.until(100)

    assert through.texts == numbered(100)
    assert proxy.cuts == 3


async def test_a_slow_ledger_slows_the_server_down(prosody: XmppServer, connect_peer: Connect) -> None:
    """What was read and is not stored stays within its bound, and all of it comes."""
    desk = Desk(prosody, prosody.fresh_account(), queue=50)
    ann = await connect_peer(prosody)
    gate = anyio.Event()
    admit = desk.context.admit
    counts: list[int] = []
    pauses: list[int] = []
    count = Inflow.__call__

    def counted(self: Inflow, element: Element) -> None:
        count(self, element)
        counts.append(self._count)
        pauses.append(self.pauses)

    async def slow(*events: Any, **more: Any) -> Any:
        await gate.wait()
        return await admit(*events, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Inflow, "__call__", counted)
        async with desk.open():
            await say(ann, desk.account.jid, 1)
            await desk.until(1)  # it comes live, and not out of the archive
            desk.context.admit = slow  # type: ignore[method-assign]
            await say(ann, desk.account.jid, 1999, 1)
            assert len(desk.texts) == 1
            gate.set()
            await desk.until(2000)

    assert desk.texts == numbered(2000)
    assert pauses[-1] > 0
    assert max(counts) < 50 + 1200  # one read from the socket, of at most 256 KiB, holds so many short stanzas


async def test_a_server_that_stands_still_is_noticed_and_come_back_to(
    start_prosody: Callable[..., XmppServer], connect_peer: Connect
) -> None:
    """Within ping_interval and ping_timeout, though the line is there."""
    server = start_prosody()
    ann = await connect_peer(server)
    desk = Desk(server, server.fresh_account(), ping_interval=0.5, ping_timeout=0.5, timeout=2)
    desk.context.clock = SystemClock()  # type: ignore[assignment]

    async with desk.open():
        await say(ann, desk.account.jid, 1)
        await desk.until(1)
        server.freeze()
        with anyio.fail_after(10):
            while not desk.losses:  # noqa: ASYNC110 - it comes over a network
                await anyio.sleep(0.05)
        server.thaw()
        await say(ann, desk.account.jid, 1, 1)
        await desk.until(2)

    assert desk.texts == numbered(2)


async def test_what_was_said_can_be_looked_up(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """One to one and in a room, backwards, in pages that are larger than the server's."""
    ann = await connect_peer(xmpp_server)
    ben = await connect_peer(xmpp_server)
    desk = Desk(xmpp_server, xmpp_server.fresh_account())
    room = xmpp_server.fresh_room()
    await ann.join(room, "ann")
    await say(ann, room, 10, kind="groupchat")

    async with desk.open() as adapter:
        await say(ann, desk.account.jid, 70)
        await say(ben, desk.account.jid, 3, 500)
        await desk.until(73)
        direct = ConversationRef(address=f"xmpp:{ann.bare}")
        group = ConversationRef(address=f"xmpp:{room}", kind=ConversationKind.GROUP)

        newest, cursor = await adapter.history(direct, None, 60)
        oldest, end = await adapter.history(direct, cursor, 60)
        said, _ = await adapter.history(group, None, 100)

    assert texts_of(newest) == numbered(60, 10)
    assert (texts_of(oldest), end) == (numbered(10), None)
    assert texts_of(said) == numbered(10)


def texts_of(events: Sequence[Event]) -> list[str | None]:
    return [each.text for each in events if isinstance(each, MessageReceived)]


async def test_nothing_is_lost_while_the_server_dies_and_lines_are_cut(
    start_prosody: Callable[..., XmppServer], tmp_path: Path
) -> None:
    """`make torture-xmpp` does it at full size."""
    size = Size(messages=120, peer_messages=30, kills=2, cuts=3, accounts=2, patience=30)

    outcome = await tortured(size, start_prosody(), tmp_path)

    assert outcome.wrong == []
    assert outcome.figures["kills of the server"] == 2
