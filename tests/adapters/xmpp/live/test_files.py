"""Files by real servers: up by XEP-0363, said by XEP-0066, and fetched only where the host says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from xml.etree.ElementTree import Element

import anyio
import httpx
import pytest

from convergekit import Attachment, Hub, MemoryStore, Message, MessageReceived, Status
from convergekit.abc import SupportsUpload
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import ConversationRef, MediaFetched
from tools.xmpp import Peer, XmppServer

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]
OOB_URL = f"{tag(NS.OOB, 'x')}/{tag(NS.OOB, 'url')}"
PICTURE = bytes(range(256)) * 1000


@asynccontextmanager
async def online(server: XmppServer, **options: Any) -> AsyncGenerator[tuple[Hub, str, list[Any]]]:
    """A hub with a new account as its channel "im"; the account, and what the hub has handled."""
    account = server.fresh_account("bot")
    handled: list[Any] = []
    hub = Hub(store=MemoryStore())

    @hub.on_message
    async def keep(event: MessageReceived) -> None:
        handled.append(event)

    @hub.on_event(MediaFetched)
    async def keep_media(event: MediaFetched) -> None:
        handled.append(event)

    settings = {"adapter": "xmpp", "jid": account.jid, "password": account.password, "host": server.host}
    async with hub:
        await hub.add_channel("im", {**settings, "port": server.port, "ca": str(server.ca), **options})
        yield hub, account.jid, handled


async def got(server: XmppServer, url: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=server.ssl_context()) as client:
        return await client.get(url)


async def until(handled: list[Any], kind: type[Any]) -> Any:
    with anyio.fail_after(10):
        while not (found := [each for each in handled if isinstance(each, kind)]):
            await anyio.lowlevel.checkpoint()
    return found[0]


async def shared(peer: Peer, content: bytes, name: str = "photo.png") -> str:
    """Have *peer* upload something; its URL."""
    service = peer.server.uploads
    answer = await peer.ask(f"<request xmlns='{NS.UPLOAD}' filename='{name}' size='{len(content)}'/>", to=service)
    slot = answer.find(tag(NS.UPLOAD, "slot"))
    assert slot is not None
    put, get = slot.find(tag(NS.UPLOAD, "put")), slot.find(tag(NS.UPLOAD, "get"))
    assert put is not None
    assert get is not None
    headers = {header.get("name", ""): header.text or "" for header in put}
    async with httpx.AsyncClient(verify=peer.server.ssl_context()) as client:
        assert (await client.put(put.get("url", ""), content=content, headers=headers)).status_code == 201
    return get.get("url", "")


def has_file(stanza: Element) -> bool:
    return stanza.find(OOB_URL) is not None


async def test_what_is_attached_can_be_got_by_its_url(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Also what is kept apart from the row in the ledger: more than 64 KiB."""
    ann = await connect_peer(xmpp_server)
    small = Attachment(data=b"some words", name="note ü.txt")
    async with online(xmpp_server) as (hub, _, _):
        message = Message("look", attachments=[Attachment(data=PICTURE, name="photo.png"), small])
        sent = await hub.send(message, to=f"xmpp:{ann.bare}")
        assert sent.status is Status.ACCEPTED

        await ann.until("look")
        await ann.until(lambda _: len([*filter(has_file, ann.received)]) == 2)
        files = [stanza for stanza in ann.received if has_file(stanza)]
        urls = [stanza.findtext(OOB_URL, "") for stanza in files]
        assert [stanza.findtext(tag(NS.CLIENT, "body")) for stanza in files] == urls  # for who knows nothing of files
        assert urls[0].endswith("photo.png")
        first, second = [await got(xmpp_server, url) for url in urls]

    assert first.content == PICTURE
    assert first.headers["content-type"] == "image/png"
    assert second.content == b"some words"


async def test_several_megabytes_go(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await connect_peer(xmpp_server)
    large = PICTURE * 32
    async with online(xmpp_server) as (hub, _, _):
        await hub.send(Message(attachments=[Attachment(data=large, name="f.bin")]), to=f"xmpp:{ann.bare}")
        url = (await ann.until(has_file)).findtext(OOB_URL, "")
        assert (await got(xmpp_server, url)).content == large


async def test_a_host_uploads_for_its_own_use(xmpp_server: XmppServer) -> None:
    async with online(xmpp_server) as (hub, bot, _):
        adapter: object = hub.channel("im").adapter
        assert isinstance(adapter, SupportsUpload)
        url = await adapter.upload(Attachment(data=PICTURE, name="a.png"), ConversationRef(address=f"xmpp:{bot}"))
        assert (await got(xmpp_server, url)).content == PICTURE


async def test_what_is_too_large_for_the_server_is_refused(
    start_xmpp_server: Callable[..., XmppServer], connect_peer: Connect
) -> None:
    server = start_xmpp_server(file_limit=1000)
    ann = await connect_peer(server)
    async with online(server) as (hub, _, _):
        with pytest.raises(RejectedError, match="1000"):
            await hub.send(Message("no", attachments=[Attachment(data=b"x" * 1001)]), to=f"xmpp:{ann.bare}")
        sent = await hub.send(Message("yes", attachments=[Attachment(data=b"x" * 1000)]), to=f"xmpp:{ann.bare}")
        assert sent.status is Status.ACCEPTED
        await ann.until("yes")
        assert not any(message.findtext(tag(NS.CLIENT, "body")) == "no" for message in ann.messages())


async def test_a_server_that_takes_no_files(
    start_xmpp_server: Callable[..., XmppServer], connect_peer: Connect
) -> None:
    """A URL goes all the same."""
    server = start_xmpp_server(without=["uploads"])
    ann = await connect_peer(server)
    async with online(server) as (hub, _, _):
        with pytest.raises(RejectedError, match="give the attachment a url"):
            await hub.send(Message(attachments=[Attachment(data=b"x")]), to=f"xmpp:{ann.bare}")
        await hub.send(Message(attachments=[Attachment(url="https://e.org/a.png")]), to=f"xmpp:{ann.bare}")
        assert (await ann.until(has_file)).findtext(OOB_URL) == "https://e.org/a.png"


class TestIncoming:
    async def say(self, peer: Peer, to: str, url: str) -> None:
        await peer.say(to, url, f"<x xmlns='{NS.OOB}'><url>{url}</url></x>")

    async def test_it_is_fetched_where_the_host_says_so(self, xmpp_server: XmppServer, connect_peer: Connect) -> None:
        """Over TLS under the authority that the channel names."""
        ann = await connect_peer(xmpp_server)
        async with online(xmpp_server, fetch_media=1_000_000, media_hosts=["localhost"]) as (hub, bot, handled):
            await self.say(ann, bot, await shared(ann, PICTURE))

            message = await until(handled, MessageReceived)
            assert message.attachments[0].name == "photo.png"
            fetched = await until(handled, MediaFetched)
            assert fetched.target == message.key
            assert fetched.attachment.claim.size == len(PICTURE)
            assert await hub.read(message.attachments[0]) == PICTURE

    async def test_not_what_is_too_large(self, xmpp_server: XmppServer, connect_peer: Connect) -> None:
        """That is in the dead letters, and the message is not held up."""
        ann = await connect_peer(xmpp_server)
        limit = len(PICTURE) - 1
        async with online(xmpp_server, fetch_media=limit, media_hosts=["localhost"]) as (hub, bot, handled):
            await self.say(ann, bot, await shared(ann, PICTURE))

            message = await until(handled, MessageReceived)
            with pytest.raises(UnsupportedContentError, match=str(limit)):
                await hub.read(message.attachments[0])
            with anyio.fail_after(10):
                while not (letters := [letter async for letter in hub.dead_letters]):
                    await anyio.lowlevel.checkpoint()
            assert "fetch_media" in str(letters[0].reason)

    @pytest.mark.parametrize("options", [{}, {"fetch_media": 1_000_000, "media_hosts": ["elsewhere.example.org"]}])
    async def test_nothing_otherwise(
        self, xmpp_server: XmppServer, connect_peer: Connect, options: dict[str, Any]
    ) -> None:
        """Whoever writes to us chooses the URL: by default nobody is asked for it."""
        ann = await connect_peer(xmpp_server)
        async with online(xmpp_server, **options) as (hub, bot, handled):
            url = await shared(ann, PICTURE)
            await self.say(ann, bot, url)

            message = await until(handled, MessageReceived)
            assert message.attachments[0].url == url
            assert message.attachments[0].kept_as is None
            with pytest.raises(UnsupportedContentError, match="media_hosts"):
                await hub.read(message.attachments[0])
            assert not any(isinstance(each, MediaFetched) for each in handled)
