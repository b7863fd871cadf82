"""Strangers, through real servers: the channel goes on hearing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from convergekit import Status
from convergekit.adapters.xmpp import XmppAdapter
from convergekit.errors import AccountError, DeliveryError, StoreError
from tests.adapters.xmpp.live.test_reliability import Desk, numbered, say
from tests.adapters.xmpp.live.test_sending import online
from tools.xmpp import Peer, XmppServer, body

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]


@pytest.mark.parametrize("size", [261_000, 261_500, 261_800])
async def test_a_question_with_an_id_without_end_ends_no_stream(
    xmpp_server: XmppServer, connect_peer: Connect, size: int
) -> None:
    """Our answer would be longer than the question, and the server takes just that much."""
    desk = Desk(xmpp_server, xmpp_server.fresh_account(), resource="desk")
    eve, ann = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
    async with desk.open() as adapter:
        assert adapter._parts is not None
        stream: Any = adapter._parts.stream
        wire = stream._wire
        asked = "<iq type='get' id='{}' to='{}/desk'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        await eve.send(asked.format("x" * size, desk.account.jid))
        await anyio.sleep(0.5)
        assert stream._wire is wire  # it is the same connection
        await say(ann, desk.account.jid, 3)
        await desk.until(3)
    assert desk.texts == numbered(3)


@pytest.mark.parametrize(("written", "prepared"), [("stra\u00dfe", "strasse"), ("\u2163", "iv"), ("\ufb01n", "fin")])
async def test_what_is_reported_under_the_name_that_a_server_makes_of_an_address_counts(
    xmpp_server: XmppServer, written: str, prepared: str
) -> None:
    """Today's servers go by RFC 6122, and answer by another name than they were asked for."""
    async with Peer(xmpp_server, xmpp_server.register(prepared, "pw")) as peer, online(xmpp_server) as (hub, _):
        sent = await hub.submit("hi", to=f"xmpp:{written}@{xmpp_server.domain}", via="im")
        message = await peer.until(lambda each: body(each) == "hi")
        received = f"<received xmlns='urn:xmpp:receipts' id='{message.get('id')}'/>"
        await peer.send(f"<message to='{message.get('from')}'>{received}</message>")
        assert await sent.wait(Status.DELIVERED, timeout=10) is Status.DELIVERED


async def test_a_ledger_that_fails_in_the_middle_loses_and_doubles_nothing(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    """Before it has stored something, and after; live, and while the archive is read; of messages that have no id."""
    desk = Desk(xmpp_server, xmpp_server.fresh_account())
    ann, admit = await connect_peer(xmpp_server), desk.context.admit
    calls = 0

    async def failing(*events: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        turn = calls % 5  # by the count of calls: how much comes with one depends on the machine
        if turn == 1:
            raise StoreError("the disk is full")
        result = await admit(*events, **more)
        if turn == 2:
            raise StoreError("it was stored, and nobody heard of it")
        return result

    async def listen(adapter: XmppAdapter) -> None:
        while True:
            with suppress(StoreError, DeliveryError):
                await adapter.listen()

    async with XmppAdapter(desk._config, desk.context) as adapter, anyio.create_task_group() as tasks:
        await tasks.start(adapter.listen)  # its place in the archive is known
        tasks.cancel_scope.cancel()
    desk.context.admit = failing  # type: ignore[method-assign]
    async with XmppAdapter(desk._config, desk.context) as adapter, anyio.create_task_group() as tasks:
        tasks.start_soon(listen, adapter)
        for number in range(200):
            named = f" id='n{number}'" if number % 2 else ""
            await ann.send(f"<message to='{desk.account.jid}' type='chat'{named}><body>{number}</body></message>")
            if number % 10 == 0:
                await anyio.sleep(0.05)
        await ann.synced()
        await desk.until(200, seconds=60)
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    assert calls > 2  # so it failed in both ways
    assert desk.texts == numbered(200)


async def test_more_than_a_server_keeps_for_us_does_not_end_the_channel(
    ejabberd: XmppServer, connect_peer: Connect
) -> None:
    """Above 5,000 stanzas that are not acknowledged ejabberd ends the stream, and anybody may send so many."""
    desk = Desk(ejabberd, ejabberd.fresh_account())
    ann, gate, admit = await connect_peer(ejabberd), anyio.Event(), desk.context.admit
    ended: list[Exception] = []

    async def slow(*events: Any, **more: Any) -> Any:
        if events:
            await gate.wait()
        return await admit(*events, **more)

    async def listen(adapter: XmppAdapter, *, task_status: TaskStatus[None]) -> None:
        status: TaskStatus[None] = task_status
        while True:
            try:
                await adapter.listen(task_status=status)
            except DeliveryError as error:
                ended.append(error)
            status = TASK_STATUS_IGNORED

    async with XmppAdapter(desk._config, desk.context) as adapter, anyio.create_task_group() as tasks:
        await tasks.start(listen, adapter)
        desk.context.admit = slow  # type: ignore[method-assign]
        for number in range(5200):
            await ann.say(desk.account.jid, str(number))
        while not ended:
            await anyio.sleep(0.1)
            if "Too many unacked" in ejabberd.logs():
                gate.set()
        gate.set()
        await desk.until(5200, seconds=60)
        tasks.cancel_scope.cancel()
    assert not any(isinstance(each, AccountError) for each in ended)
    assert desk.texts == numbered(5200)
