"""The server that plays the far side, held to a client that nobody here has written: slixmpp, as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree.ElementTree import fromstring

import anyio
import pytest
from slixmpp import JID, ClientXMPP
from slixmpp.exceptions import IqError

from convergekit.adapters.xmpp.subject.server import XmppServer
from convergekit.testing.adapter import Fault

pytestmark = pytest.mark.anyio

ANN, BOB, ROOM = "ann@example.org", "bob@example.org", "lounge@conference.example.org"
BODY = "{jabber:client}body"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"  # as slixmpp


def settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


class Client(ClientXMPP):
    """What comes goes into `heard`."""

    def __init__(self, server: XmppServer, jid: str, password: str = "a secret", *plugins: str) -> None:
        super().__init__(jid, password, plugin_config={"feature_mechanisms": {"unencrypted_scram": True}})
        self.enable_direct_tls = self.enable_starttls = False
        self.enable_plaintext = True
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        for plugin in plugins:
            self.register_plugin(plugin)
        self.add_event_handler("message", self.heard.put_nowait)
        self._address = server.server.host, server.server.port

    async def is_in(self) -> bool:
        """Log in; tells whether that is let happen."""
        over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        for name, answer in (("session_start", True), ("failed_all_auth", False)):
            self.add_event_handler(name, lambda _, answer=answer: settle(over, answer))
        self.connect(*self._address)
        with anyio.fail_after(10):
            return await over

    async def next(self) -> Any:
        """What came."""
        with anyio.fail_after(10):
            return await self.heard.get()

    async def until(self, event: str, *, after: Any = lambda: None) -> Any:
        """What *event* brings, once *after* was called."""
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.add_event_handler(event, lambda said: settle(found, said))
        after()
        with anyio.fail_after(10):
            return await found


@asynccontextmanager
async def servers() -> AsyncGenerator[XmppServer]:
    server = XmppServer({ANN: "a secret", BOB: "a secret"})
    async with server.server.serving():
        yield server


@asynccontextmanager
async def clients(server: XmppServer, *jids: str, plugins: tuple[str, ...] = ()) -> AsyncGenerator[list[Client]]:
    made = [Client(server, jid, "a secret", *plugins) for jid in jids]
    try:
        for each in made:
            assert await each.is_in()
            each.send_presence()
            await each.get_roster()  # with which the server has seen the presence, too
        yield made
    finally:
        for each in made:
            await each.disconnect(wait=0.5)
            each.cancel_connection_attempt()
        tasks = [task for each in made if (task := each._run_out_filters) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class TestLogin:
    async def test_by_the_password(self) -> None:
        async with servers() as server, clients(server, f"{ANN}/desk") as (ann,):
            assert ann.boundjid.full == f"{ANN}/desk"

    @pytest.mark.parametrize("password", ["another", ""])
    async def test_not_by_another(self, password: str) -> None:
        async with servers() as server:
            client = Client(server, ANN, password or "a secret")
            server.refuses_login = not password
            assert not await client.is_in()
            await client.disconnect(wait=0.5)
            if client._run_out_filters is not None:
                client._run_out_filters.cancel()
                await asyncio.gather(client._run_out_filters, return_exceptions=True)


class TestMessages:
    async def test_from_one_to_the_other(self) -> None:
        async with servers() as server, clients(server, ANN, BOB) as (ann, bob):
            ann.send_message(mto=JID(BOB), mbody="Hello <Bob> & all", mtype="chat")
            message = await bob.next()

            assert (message["from"].bare, message["body"]) == (ANN, "Hello <Bob> & all")
            assert [fromstring(each).findtext(BODY) for each in server.received] == ["Hello <Bob> & all"]

    async def test_who_is_not_there_gets_it_later(self) -> None:
        async with servers() as server:
            async with clients(server, ANN) as (ann,):
                ann.send_message(mto=JID(BOB), mbody="Hello", mtype="chat")
                await server.until(lambda: bool(server.received))
            async with clients(server, BOB) as (bob,):
                assert (await bob.next())["body"] == "Hello"

    async def test_to_elsewhere_is_kept(self) -> None:
        async with servers() as server, clients(server, ANN) as (ann,):
            ann.send_message(mto=JID("eve@example.net"), mbody="Hello", mtype="chat")
            await server.until(lambda: bool(server.received))

    async def test_the_archive_is_read_page_by_page(self) -> None:
        async with servers() as server, clients(server, ANN, BOB, plugins=("xep_0313",)) as (ann, bob):
            for number in range(5):
                ann.send_message(mto=JID(BOB), mbody=f"{number}", mtype="chat")
                await bob.next()
            archive = bob.plugin["xep_0313"]
            found = [each async for each in archive.iterate(with_jid=JID(ANN), rsm={"max": "2"})]
            others = [each async for each in archive.iterate(with_jid=JID("eve@example.net"))]
            behind = await archive.retrieve(rsm={"max": "9", "after": found[2]["mam_result"]["id"]})

        bodies = [each["mam_result"]["forwarded"]["stanza"]["body"] for each in found]
        assert bodies == ["0", "1", "2", "3", "4"]
        assert others == []
        assert len(behind["mam"]["results"]) == 2
        assert behind["mam_fin"]["complete"]

    async def test_what_is_not_in_the_archive_is_not_found(self) -> None:
        async with servers() as server, clients(server, BOB, plugins=("xep_0313",)) as (bob,):
            server.accounts[BOB].archive.keep("<message xmlns='jabber:client'/>", at=server.now(), peer=ANN)
            with pytest.raises(IqError) as caught:
                await bob.plugin["xep_0313"].retrieve(rsm={"after": "unheard-of"})
        assert caught.value.condition == "item-not-found"


class TestStreamManagement:
    async def test_what_is_acknowledged_is_counted(self) -> None:
        async with servers() as server, clients(server, BOB, plugins=("xep_0198",)) as (bob,):
            await server.say(BOB, message("Hello"))
            assert (await bob.next())["body"] == "Hello"
            with anyio.fail_after(10):
                await server.until(lambda: server.accounts[BOB].acknowledged == 1)

    async def test_what_was_sent_is_acknowledged(self) -> None:
        async with servers() as server, clients(server, ANN, plugins=("xep_0198",)) as (ann,):
            say = ann.make_message(mto=JID(BOB), mbody="Hello", mtype="chat")
            say.send()
            acknowledged = await ann.until("stanza_acked", after=ann.plugin["xep_0198"].request_ack)
            while acknowledged.get("id") != say["id"]:
                acknowledged = await ann.until("stanza_acked", after=ann.plugin["xep_0198"].request_ack)

    async def test_a_session_goes_on_where_it_was_cut_off(self) -> None:
        async with servers() as server, clients(server, BOB, plugins=("xep_0198",)) as (bob,):
            await bob.until("disconnected", after=server.server.drop)
            await server.say(BOB, message("Hello"))
            await bob.until("session_resumed", after=lambda: bob.connect(*bob._address))

            assert (await bob.next())["body"] == "Hello"


class TestRooms:
    async def test_who_is_in_hears_what_is_said(self) -> None:
        async with servers() as server, clients(server, ANN, BOB, plugins=("xep_0045",)) as (ann, bob):
            await ann.plugin["xep_0045"].join_muc_wait(JID(ROOM), "Ann", timeout=10)
            presence, *_ = await bob.plugin["xep_0045"].join_muc_wait(JID(ROOM), "Bob", timeout=10)
            ann.send_message(mto=JID(ROOM), mbody="Hello", mtype="groupchat")
            messages = [await each.next() for each in (ann, bob)]

            assert presence["muc"]["nick"] == "Bob"
            assert sorted(bob.plugin["xep_0045"].get_roster(JID(ROOM))) == ["Ann", "Bob"]
            assert [(str(each["from"]), each["body"]) for each in messages] == [(f"{ROOM}/Ann", "Hello")] * 2
            assert server.rooms.rooms[ROOM].transcript() == ["Ann: Hello"]

    async def test_a_nickname_is_had_by_one(self) -> None:
        async with servers() as server, clients(server, ANN, plugins=("xep_0045",)) as (ann,):
            server.rooms.open(ROOM, Ann="ann@example.net/phone")
            refused = await ann.until(
                "presence_error", after=lambda: ann.plugin["xep_0045"].join_muc(JID(ROOM), "Ann", maxhistory="0")
            )
            assert refused["error"]["condition"] == "conflict"


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.RESET, Fault.SERVER_ERROR, Fault.ERROR_PAGE])
async def test_it_takes_a_message_and_is_gone(fault: Fault) -> None:
    async with servers() as server, clients(server, ANN) as (ann,):
        assert server.fault(fault)
        await ann.until("disconnected", after=lambda: ann.send_message(mto=JID(BOB), mbody="Hello", mtype="chat"))
        assert len(server.received) == 1


async def test_what_it_has_no_way_to_say() -> None:
    async with servers() as server:
        assert not server.fault(Fault.REFUSED)
        assert not server.fault(Fault.THROTTLED)


def message(text: str) -> str:
    return f"<message from='{ANN}/phone' to='{BOB}' type='chat'><body>{text}</body></message>"
