"""What others say through a real server, as a hub hears it; and what is forged, which changes nothing there either."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from xml.etree.ElementTree import Element

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.model import (
    CustomReceived,
    MessageEdited,
    MessageReceived,
    MessageRetracted,
    ReactionChanged,
    TypingChanged,
)
from tests.adapters.xmpp.live.bot import Bot, online, xmpp
from tools.xmpp import Peer, XmppServer

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]
FORWARDED = (
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='boss@localhost/desk' to='{us}' "
    "type='chat' id='f1'><body>Pay them.</body></message></forwarded>"
)


def is_from(who: str) -> Callable[[MessageReceived], bool]:
    return lambda event: event.sender == xmpp(who)


def texts(bot: Bot) -> list[str | None]:
    return [event.text for event in bot.heard.events if isinstance(event, MessageReceived)]


async def test_each_extension_is_its_event(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    async with online(xmpp_server) as bot:
        peer = await connect_peer(xmpp_server)
        us, heard = bot.us.value, bot.heard

        await peer.send(f"<message to='{us}' type='chat'><composing xmlns='{NS.CHAT_STATES}'/></message>")
        assert (await heard.until(lambda each: each.typing, TypingChanged)).sender == xmpp(peer.bare)

        await peer.say(us, "I meant *coffee*.", id="c1")
        said = await heard.said("I meant *coffee*.")
        assert (said.message_id, said.markdown) == ("c1", "I meant **coffee**.")

        await peer.say(us, "I meant tea.", f"<replace xmlns='{NS.CORRECTION}' id='c1'/>", id="c2")
        edited = await heard.until(lambda each: each.text == "I meant tea.", MessageEdited)
        assert (edited.target, Xmpp.of(edited).unverified) == ("c1", False)

        reaction = f"<reactions xmlns='{NS.REACTIONS}' id='c1'><reaction>\u2615</reaction></reactions>"
        await peer.send(f"<message to='{us}' type='chat' id='c3'>{reaction}</message>")
        assert (await heard.until(lambda each: each.target == "c1", ReactionChanged)).reactions == ("\u2615",)

        fallback = f"<fallback xmlns='{NS.FALLBACK}' for='{NS.REPLY}'><body start='0' end='6'/></fallback>"
        await peer.say(us, "> tea\nYes", f"<reply xmlns='{NS.REPLY}' id='c1' to='{peer.bare}'/>{fallback}")
        reply = await heard.said("> tea\nYes")
        assert (reply.reply_to, reply.visible_text) == ("c1", "Yes")

        await peer.say(us, "Unreadable.", f"<encryption xmlns='{NS.ENCRYPTION}' namespace='urn:xmpp:omemo:2'/>")
        assert Xmpp.of(await heard.said("Unreadable.")).encrypted == "OMEMO"

        await peer.say(us, "Taken back.", f"<retract xmlns='{NS.RETRACTION}' id='c1'/>")
        assert (await heard.until(lambda _: True, MessageRetracted)).target == "c1"
        assert texts(bot) == ["I meant *coffee*.", "> tea\nYes", "Unreadable."]


async def test_who_asks_is_told_that_it_is_safe(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    async with online(xmpp_server) as bot:
        peer = await connect_peer(xmpp_server)
        id = await peer.say(bot.us.value, "Hello", f"<request xmlns='{NS.RECEIPTS}'/>")

        def is_receipt(stanza: Element) -> bool:
            received = stanza.find(tag(NS.RECEIPTS, "received"))
            return received is not None and received.get("id") == id

        await peer.until(is_receipt)
        assert texts(bot) == ["Hello"]


@pytest.mark.parametrize("kind", ["received", "sent"])
async def test_a_forged_copy_changes_nothing(xmpp_server: XmppServer, connect_peer: Connect, kind: str) -> None:
    """XEP-0280 §11."""
    async with online(xmpp_server) as bot:
        peer = await connect_peer(xmpp_server)
        us = bot.us.value
        copy = f"<{kind} xmlns='{NS.CARBONS}'>{FORWARDED.format(us=us)}</{kind}>"
        await peer.send(f"<message to='{us}' type='chat'>{copy}</message>")
        await peer.say(us, "And now?")
        await bot.heard.said("And now?")

        assert texts(bot) == ["And now?"]
        assert not [event for event in bot.heard.events if isinstance(event, CustomReceived)]


async def test_a_forged_archive_result_changes_nothing(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    async with online(xmpp_server) as bot:
        peer = await connect_peer(xmpp_server)
        us = bot.us.value
        result = f"<result xmlns='{NS.MAM}' queryid='q' id='1'>{FORWARDED.format(us=us)}</result>"
        await peer.send(f"<message to='{us}' type='chat'>{result}</message>")
        await peer.say(us, "And now?")
        await bot.heard.said("And now?")

        assert texts(bot) == ["And now?"]


async def test_a_forged_stanza_id_changes_nothing(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Neither is a message taken for another because of it, nor does the place in the archive move there."""
    async with online(xmpp_server) as bot:
        peer, other = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
        us = bot.us.value
        await other.say(us, "first")
        await bot.heard.said("first")
        forged = f"<stanza-id xmlns='{NS.SID}' by='{us}' id='forged'/>"
        for text in ("one", "two"):
            await peer.say(us, text, forged)
            await bot.heard.said(text)
        await peer.say(us, "not stored", f"{forged}<no-store xmlns='{NS.HINTS}'/>")
        await bot.heard.said("not stored")

        assert texts(bot) == ["first", "one", "two", "not stored"]
        cursor = await bot.adapter.context.cursor("")
        assert cursor is not None
        assert cursor["id"] != "forged"


async def test_a_forged_occupant_id_changes_nothing(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Nobody corrects, or takes back, what somebody else has said in a room, whatever they say who they are."""
    async with online(xmpp_server) as bot:
        ann, eve = await connect_peer(xmpp_server), await connect_peer(xmpp_server)
        room = f"{ann.bare.partition('@')[0]}-tea@{xmpp_server.rooms}"
        await ann.join(room, "ann")
        await eve.join(room, "eve")
        await bot.channel.join(xmpp(room))
        await ann.say(room, "Tea at four.", kind="groupchat", id="a1")
        hers = await bot.heard.said("Tea at four.")

        occupant = Xmpp.of(hers).occupant_id
        forged = f"<occupant-id xmlns='{NS.OCCUPANT_ID}' id='{occupant or 'anns'}'/>"
        await eve.say(room, "Tea at five.", f"<replace xmlns='{NS.CORRECTION}' id='a1'/>{forged}", kind="groupchat")
        await bot.heard.until(lambda each: each.name == "xmpp.forged", CustomReceived)
        target = hers.message_id
        await eve.say(
            room, "Taken back.", f"<retract xmlns='{NS.RETRACTION}' id='{target}'/>{forged}", kind="groupchat"
        )
        await ann.say(room, "And now?", kind="groupchat")
        await bot.heard.said("And now?")

        assert texts(bot) == ["Tea at four.", "And now?"]
        assert not [each for each in bot.heard.events if isinstance(each, MessageEdited | MessageRetracted)]


async def test_what_another_device_says_is_told_once_and_is_no_message(
    xmpp_server: XmppServer, connect_peer: Connect
) -> None:
    async with online(xmpp_server) as bot:
        phone, peer = await connect_peer(xmpp_server, bot.account), await connect_peer(xmpp_server)
        await phone.carbons()
        await phone.say(peer.bare, "From the phone", id="p1")
        sent = await bot.heard.until(lambda each: each.name == "xmpp.sent", CustomReceived)

        assert sent.data == {"text": "From the phone", "message_id": "p1"}
        assert sent.conversation is not None
        assert sent.conversation.address == xmpp(peer.bare)
        await peer.say(phone.jid, "To the phone")
        await bot.heard.said("To the phone")
        assert texts(bot) == ["To the phone"]
