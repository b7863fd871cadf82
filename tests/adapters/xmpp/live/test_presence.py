"""Presence and subscriptions with real servers: seen, asked for, accepted, refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from xml.etree.ElementTree import Element

import anyio
import pytest

from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.errors import UnsupportedContentError
from convergekit.model import CustomReceived, PresenceChanged, SubscriptionRequested
from tests.adapters.xmpp.live.bot import Bot, online, until, xmpp
from tools.xmpp import Account, Peer, XmppServer

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]


def presence(sender: str, kind: str | None = None) -> Callable[[Element], bool]:
    """Whether a stanza is a presence of *kind* of an account."""

    def look(stanza: Element) -> bool:
        bare = stanza.get("from", "").partition("/")[0]
        return stanza.tag.endswith("}presence") and bare == sender and stanza.get("type") == kind

    return look


async def interested(peer: Peer) -> Peer:
    """Who has asked for the roster is told what becomes of subscriptions (RFC 6121 §2.2)."""
    await peer.ask(f"<query xmlns='{NS.ROSTER}'/>")
    return peer


async def seen(bot: Bot, who: Peer, shown: str, text: str | None = None) -> None:
    """What *who* shows is an event, and can be asked."""

    def is_it(event: PresenceChanged) -> bool:
        return (event.sender, event.presence, event.text) == (xmpp(who.bare), shown, text)

    await bot.heard.until(is_it, PresenceChanged)
    found = await bot.channel.presence_of(xmpp(who.bare))
    assert (found.presence, found.text) == (shown, text)


async def friends(bot: Bot, ann: Peer) -> None:
    """Have each of both see the other."""
    await bot.channel.subscribe(xmpp(ann.bare))
    await ann.until(presence(bot.account.jid, "subscribe"))
    await ann.send(f"<presence to='{bot.account.jid}' type='subscribed'/>")
    await ann.subscribe(bot.account.jid)
    await bot.heard.until(lambda each: each.sender == xmpp(ann.bare), SubscriptionRequested)
    await bot.channel.accept_subscription(xmpp(ann.bare))
    await ann.until(presence(bot.account.jid, "subscribed"))


async def test_presence_is_seen_as_it_changes(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        assert (await bot.channel.presence_of(xmpp(ann.bare))).presence == "offline"
        await friends(bot, ann)
        await seen(bot, ann, "available")
        assert (await bot.channel.presence_of(xmpp(ann.jid))).presence == "available"

        await ann.send("<presence><show>dnd</show><status>at lunch</status></presence>")
        await seen(bot, ann, "busy", "at lunch")
        await ann.send("<presence type='unavailable'/>")
        await seen(bot, ann, "offline")


async def test_who_is_there_is_learned_again_in_a_fresh_session(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        await friends(bot, ann)
    async with online(xmpp_server, bot.account) as bot:
        await seen(bot, ann, "available")


async def test_what_we_show_is_seen(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server, presence="away") as bot:
        await friends(bot, ann)
        shown = await ann.until(presence(bot.account.jid))
        assert shown.findtext(tag(NS.CLIENT, "show")) == "away"

        await bot.channel.set_presence("busy", "at lunch")
        shown = await ann.until(lambda each: each.findtext(tag(NS.CLIENT, "show")) == "dnd")
        assert shown.findtext(tag(NS.CLIENT, "status")) == "at lunch"

        after = len(ann.received)
        await bot.channel.set_presence("offline")
        await ann.until(presence(bot.account.jid, "unavailable"), after=after)


async def test_what_we_show_is_kept_over_a_loss(start_xmpp_server: Callable[..., XmppServer]) -> None:
    server = start_xmpp_server()
    alice, bob = (Account(f"{name}@localhost", name) for name in ("alice", "bob"))
    async with online(server, alice) as bot, Peer(server, bob) as ann:
        await interested(ann)
        await friends(bot, ann)
        await bot.channel.set_presence("busy", "at lunch")
        await ann.until(lambda each: each.findtext(tag(NS.CLIENT, "show")) == "dnd")
        await server.stop()
        await server.start()
        async with Peer(server, bob) as again:
            await again.until(lambda each: each.findtext(tag(NS.CLIENT, "status")) == "at lunch", seconds=30)


async def test_a_request_is_an_event_that_is_told_once_and_accepted_by_nobody(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        await ann.send(f"<presence to='{bot.account.jid}' type='subscribe'><status>let me in</status></presence>")
        first = await bot.heard.until(lambda each: each.sender == xmpp(ann.bare), SubscriptionRequested)
        await ann.synced()
        assert not any(presence(bot.account.jid, "subscribed")(each) for each in ann.received)

    async with online(xmpp_server, bot.account) as again:  # the server repeats it at the next login
        second = await again.heard.until(lambda each: each.sender == xmpp(ann.bare), SubscriptionRequested)
        assert second.key == first.key

        await again.channel.refuse_subscription(xmpp(ann.bare))
        await ann.until(presence(bot.account.jid, "unsubscribed"))
        await ann.subscribe(bot.account.jid)
        third = await again.heard.until(lambda each: each.key != second.key, SubscriptionRequested)
        assert third.sender == xmpp(ann.bare)


async def test_what_becomes_of_our_own_request_is_told(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, ben = [await interested(await connect_peer(xmpp_server)) for _ in range(2)]
    async with online(xmpp_server) as bot:
        for who, answer, subscription in ((ann, "subscribed", "to"), (ben, "unsubscribed", "none")):
            await bot.channel.subscribe(xmpp(who.bare), "it is me")
            await who.until(presence(bot.account.jid, "subscribe"))
            await who.send(f"<presence to='{bot.account.jid}' type='{answer}'/>")

            def is_pushed(event: CustomReceived, jid: str = who.bare, to: str = subscription) -> bool:
                data = event.data
                return event.name == "xmpp.roster" and (data["jid"], data["subscription"]) == (jid, to)

            await bot.heard.until(is_pushed, CustomReceived)

        await bot.channel.unsubscribe(xmpp(ann.bare))
        await ann.until(presence(bot.account.jid, "unsubscribe"))


async def test_who_takes_it_back_is_offline(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        await friends(bot, ann)
        await seen(bot, ann, "available")
        await ann.send(f"<presence to='{bot.account.jid}' type='unsubscribed'/>")
        await seen(bot, ann, "offline")


async def test_a_forged_push_changes_nothing(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    eve = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        parts = bot.adapter._parts
        assert parts is not None
        item = f"<item jid='{eve.bare}' subscription='both'/>"
        full = parts.roster._stream.bound
        assert full is not None
        answer = await eve.ask(f"<query xmlns='{NS.ROSTER}'>{item}</query>", to=full.jid, kind="set")

        assert answer.get("type") == "error"
        assert parts.roster.contacts == {}
        await until(lambda: parts.roster._stream.bound is not None)


async def test_somebody_who_only_says_that_they_are_there_is_heard(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    """Presence that is sent to us alone: nobody has subscribed to anything."""
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        parts = bot.adapter._parts
        assert parts is not None
        assert parts.roster._stream.bound is not None
        await ann.send(f"<presence to='{parts.roster._stream.bound.jid}'><show>away</show></presence>")
        await seen(bot, ann, "away")


@pytest.mark.parametrize("text", ["\x00", "half \ud800", "x" * 300_000])
async def test_what_would_end_the_stream_is_refused_and_the_next_goes_through(
    xmpp_server: XmppServer, connect_peer: Connect, text: str
) -> None:
    ann = await interested(await connect_peer(xmpp_server))
    async with online(xmpp_server) as bot:
        await friends(bot, ann)
        with pytest.raises(UnsupportedContentError):
            await bot.channel.set_presence("away", text)
        await bot.channel.set_presence("away", "well")
        with anyio.fail_after(10):
            await ann.until(lambda each: each.findtext(tag(NS.CLIENT, "status")) == "well")
