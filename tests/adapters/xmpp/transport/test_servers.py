"""The stream against real servers: logging in, being cut, resuming, and being thrown out."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import anyio
import pytest

from convergekit.adapters.xmpp import XmppConfig
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.transport import XmppStream
from convergekit.errors import AccountError, AuthenticationError, DeliveryError, NotSentError
from tests.adapters.xmpp.transport.far_side import refused, until
from tools.xmpp import Account, CutProxy, Peer, XmppServer, body

pytestmark = pytest.mark.anyio
Connect = Callable[..., Awaitable[Peer]]
Start = Callable[..., XmppServer]


def config(server: XmppServer, account: Account, **settings: Any) -> XmppConfig:
    security = settings.get("security", "starttls")
    port = server.tls_port if security == "tls" else server.port
    whole = {"jid": account.jid, "password": account.password, "host": server.host, "port": port, "ca": server.ca}
    return XmppConfig(**{**whole, **settings})


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


Opened = Callable[..., Awaitable[XmppStream]]


@pytest.fixture
async def open_stream(closing: AsyncExitStack) -> Opened:
    """A session that flows, and says that it is there; what comes in it is handled at once, and noted in `came`."""

    async def opened(
        server: XmppServer, account: Account | None = None, *, came: list[Element] | None = None, **settings: Any
    ) -> XmppStream:
        stream = make(config(server, account or server.fresh_account(), **settings), came)
        closing.push_async_callback(stream.close)
        await stream.open()
        stream.post(Element(tag(NS.CLIENT, "presence")))
        stream.flow()
        return stream

    return opened


def make(settings: XmppConfig, came: list[Element] | None = None) -> XmppStream:
    def incoming(element: Element) -> None:
        if came is not None:
            came.append(element)
        stream.handled(1)

    stream = XmppStream(settings, incoming=incoming)
    return stream


def message(to: str, text: str, ident: str | None = None) -> Element:
    found = Element(tag(NS.CLIENT, "message"), {"to": to, "type": "chat", "id": ident or f"id-{text}"})
    SubElement(found, tag(NS.CLIENT, "body")).text = text
    return found


async def deliver(stream: XmppStream, *messages: Element) -> None:
    await stream.deliver(messages, started=lambda: None)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_what_is_delivered_arrives_and_what_is_said_comes_in(
    xmpp_server: XmppServer, connect_peer: Connect, open_stream: Opened, security: str
) -> None:
    came: list[Element] = []
    stream, peer = await open_stream(xmpp_server, came=came, security=security), await connect_peer(xmpp_server)
    assert stream.bound is not None
    await peer.synced()
    await deliver(stream, message(peer.bare, "<hello> & more\n"))
    assert (await peer.until("<hello> & more\n")).get("from") == stream.bound.jid
    await peer.say(stream.bound.jid, "back")
    await until(lambda: [each for each in came if body(each) == "back"])
    assert {each.get("var") for each in (await peer.ask(f"<query xmlns='{NS.DISCO_INFO}'/>", to=stream.bound.jid))[0]}


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_once_it_is_closed_nothing_of_it_is_left(prosody: XmppServer, security: str) -> None:
    before = asyncio.all_tasks()
    stream = make(config(prosody, prosody.fresh_account(), security=security))
    await stream.open()
    stream.flow()
    with anyio.fail_after(1):  # the server says goodbye, too
        await stream.close()
    assert asyncio.all_tasks() == before
    assert stream._wire is not None
    assert stream._wire.transport is None


async def test_a_component_delivers_and_hears(
    xmpp_server: XmppServer, connect_peer: Connect, closing: AsyncExitStack
) -> None:
    came: list[Element] = []
    address = {"host": xmpp_server.host, "port": xmpp_server.component_port}
    secret = {"jid": xmpp_server.component, "password": xmpp_server.component_secret, "account": "component"}
    stream = make(XmppConfig(**secret, **address), came)  # type: ignore[arg-type]
    closing.push_async_callback(stream.close)
    await stream.open()
    stream.flow()
    peer = await connect_peer(xmpp_server)
    await peer.synced()  # it is known to be there; else the message may be kept for the next time
    await deliver(stream, message(peer.bare, "from the gateway"))
    await peer.until("from the gateway")
    await peer.say(f"somebody@{xmpp_server.component}", "to the gateway")
    await until(lambda: came)
    assert body(came[0]) == "to the gateway"
    other = make(XmppConfig(**{**secret, **address, "password": "wrong"}))  # type: ignore[arg-type]
    assert isinstance(await refused(other), AuthenticationError)


async def test_a_login_is_bound_to_its_connection_where_python_can_tell_them_apart(
    xmpp_server: XmppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot with TLS 1.3; RFC 5929, RFC 9266."""
    trust = XmppStream._trust

    def older(stream: XmppStream) -> ssl.SSLContext:
        context = trust(stream)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    monkeypatch.setattr(XmppStream, "_trust", older)
    stream = make(config(xmpp_server, xmpp_server.fresh_account()))
    await stream.open()
    assert stream._wire is not None
    assert stream._wire.plugin["feature_mechanisms"].mech.name.endswith("-PLUS")
    await stream.close()


async def test_a_wrong_password_and_a_stranger_are_refused(xmpp_server: XmppServer) -> None:
    account = xmpp_server.fresh_account()
    for one in (Account(account.jid, "wrong"), Account("nobody-at-all@localhost", "pw")):
        assert isinstance(await refused(make(config(xmpp_server, one))), AuthenticationError)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_is_not_trusted_gets_no_login(xmpp_server: XmppServer, security: str) -> None:
    account = xmpp_server.fresh_account()
    with anyio.fail_after(5):
        caught = await refused(make(config(xmpp_server, account, ca=None, security=security)))
    assert isinstance(caught, AccountError)
    assert "`ca`" in str(caught)


async def test_a_server_that_is_another_gets_no_login(xmpp_server: XmppServer) -> None:
    account = Account("bot@example.org", "pw")
    caught = await refused(make(config(xmpp_server, account, security="tls")))
    assert isinstance(caught, AccountError)


async def test_another_connection_with_our_resource_throws_us_out(prosody: XmppServer, open_stream: Opened) -> None:
    account = prosody.fresh_account()
    first = await open_stream(prosody, account, resource="desk")
    await open_stream(prosody, account, resource="desk")
    with anyio.fail_after(5), pytest.raises(AccountError, match="`resource`"):
        await first.ended()


async def test_a_server_that_stops_says_so(start_prosody: Start, open_stream: Opened) -> None:
    server = start_prosody()
    stream = await open_stream(server)
    await server.stop()
    with anyio.fail_after(5), pytest.raises(NotSentError):
        await stream.ended()
    assert isinstance(await refused(stream), NotSentError)


async def kept_open(stream: XmppStream, opened: list[bool]) -> None:
    """As a session does: open, flow, until it ends; and again."""
    while True:
        with suppress(NotSentError):
            bound = await stream.open()
            opened.append(bound.resumed)
            stream.post(Element(tag(NS.CLIENT, "presence")))
            stream.flow()
            await stream.ended()
        await anyio.sleep(0.01)


async def test_cut_again_and_again_nothing_is_lost_or_doubled_and_order_is_kept(
    xmpp_server: XmppServer, connect_peer: Connect, closing: AsyncExitStack
) -> None:
    """Each of these cuts is followed by a resume, and so the server knows what it has."""
    random, opened, came = Random(7), list[bool](), list[Element]()
    peer = await connect_peer(xmpp_server)
    await peer.synced()
    with CutProxy(xmpp_server.port, how="reset") as line:
        stream = make(config(xmpp_server, xmpp_server.fresh_account(), port=line.port, window=20), came)
        closing.push_async_callback(stream.close)
        async with anyio.create_task_group() as group:
            group.start_soon(kept_open, stream, opened)
            await until(lambda: stream.bound)
            assert stream.bound is not None
            own = stream.bound.jid
            numbers = iter(range(600))

            async def send() -> None:
                for number in numbers:
                    await deliver(stream, message(peer.bare, str(number)))
                    if random.random() < 0.02:
                        line.cut()

            async def talk() -> None:
                for number in range(600):
                    await peer.say(own, f"back {number}")
                    if number % 10 == 0:
                        await peer.synced()

            with anyio.fail_after(60):
                async with anyio.create_task_group() as senders:
                    senders.start_soon(talk)
                    for _ in range(20):
                        senders.start_soon(send)
                await peer.until("599")
                await until(lambda: sum(1 for each in came if (body(each) or "").startswith("back")) >= 600)
            group.cancel_scope.cancel()
    assert len(opened) > 3
    assert all(opened[1:])
    got = [int(body(each) or "") for each in peer.messages()]
    assert got == list(range(600))
    back = [text for each in came if (text := body(each) or "").startswith("back")]
    assert sorted(set(back)) == sorted(f"back {number}" for number in range(600))
    assert len(back) == 600


async def test_a_server_that_dies_and_comes_back_gets_all_of_it(start_prosody: Start, closing: AsyncExitStack) -> None:
    """Then it no longer knows what it had, and may get something twice: with the same id."""
    server = start_prosody()
    alice, bob = (Account(f"{name}@localhost", name) for name in ("alice", "bob"))
    stream, opened = make(config(server, alice, window=50)), list[bool]()
    closing.push_async_callback(stream.close)
    delivered = list[int]()
    async with anyio.create_task_group() as group:
        group.start_soon(kept_open, stream, opened)
        await until(lambda: stream.bound)
        numbers = iter(range(400))

        async def send() -> None:
            for number in numbers:
                await deliver(stream, message(bob.jid, str(number)))
                delivered.append(number)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as senders:
                for _ in range(30):
                    senders.start_soon(send)
                for least in (100, 250):
                    await until(lambda least=least: len(delivered) > least)  # type: ignore[misc]
                    await server.kill()
                    await server.start()
        group.cancel_scope.cancel()
    assert len(opened) >= 3
    async with Peer(server, bob) as peer:
        archived = [int(each.findtext(f".//{tag(NS.CLIENT, 'body')}") or "") for each in await peer.archived()]
    assert set(archived) == set(range(400))


async def test_a_line_that_falls_silent_is_noticed_and_what_was_under_way_arrives(
    prosody: XmppServer, connect_peer: Connect, closing: AsyncExitStack
) -> None:
    peer, opened = await connect_peer(prosody), list[bool]()
    await peer.synced()
    with CutProxy(prosody.port, how="silence") as line:
        settings = config(prosody, prosody.fresh_account(), port=line.port, ping_timeout=1.5)
        stream = make(settings)
        closing.push_async_callback(stream.close)
        async with anyio.create_task_group() as group:
            group.start_soon(kept_open, stream, opened)
            await until(lambda: stream.bound)
            line.cut()
            with anyio.fail_after(10):
                await deliver(stream, message(peer.bare, "into the dark"))
            await peer.until("into the dark")
            group.cancel_scope.cancel()
    assert opened == [False, True]


async def test_a_limit_that_is_exceeded_ends_the_stream_and_is_said(prosody: XmppServer, open_stream: Opened) -> None:
    """Nobody hands over so much (`stanzas.guard`); if it happens, it is no riddle."""
    stream = await open_stream(prosody)
    stream.post(message("bob@localhost", "x" * 300_000))
    with anyio.fail_after(5), pytest.raises(DeliveryError) as caught:
        await stream.ended()
    assert caught.value.code == "policy-violation"
