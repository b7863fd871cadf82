"""Rooms of real servers: in and out, made and set up, put out, come back to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from xml.etree.ElementTree import Element

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stanzas.rooms import leave_presence
from convergekit.errors import ConfigurationError, RejectedError
from convergekit.model import InvitationReceived, MessageReceived
from tests.adapters.xmpp.live.bot import online, xmpp
from tools.xmpp import Account, Peer, XmppServer

pytestmark = pytest.mark.anyio

Connect = Callable[..., Awaitable[Peer]]
Start = Callable[..., XmppServer]


def gone(room: str, nickname: str) -> Callable[[Element], bool]:
    return lambda each: each.get("from") == f"{room}/{nickname}" and each.get("type") == "unavailable"


# --- in and out -------------------------------------------------------------------------------------------------------


async def test_a_room_is_joined_spoken_in_and_left(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        place = await bot.channel.join(f"xmpp:{room}")
        assert {each.display_name for each in await bot.channel.members(xmpp(room))} == {"ann", "bot"}

        await bot.hub.send("hello all", to=place)
        assert (await ann.until("hello all")).get("from") == f"{room}/bot"
        await ann.say(room, "hello bot", kind="groupchat")
        heard = await bot.heard.said("hello bot")
        assert heard.sender == xmpp(f"{room}/ann")
        assert heard.conversation is not None
        assert heard.conversation.address == place.address

        await bot.channel.leave(xmpp(room))
        await ann.until(gone(room, "bot"))
        with pytest.raises(RejectedError, match="join it first"):
            await bot.channel.members(xmpp(room))


async def test_who_comes_and_goes_is_noticed(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    async with online(xmpp_server) as bot:
        await bot.channel.join(f"xmpp:{room}")
        await bot.heard.change(bot.us, "joined")

        await ann.join(room, "ann")
        await bot.heard.change(xmpp(f"{room}/ann"), "joined")
        await ann.send(f"<presence to='{room}/ann' type='unavailable'/>")
        await bot.heard.change(xmpp(f"{room}/ann"), "left")


async def test_a_nickname_that_is_taken_has_a_number_added(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "bot")
    async with online(xmpp_server) as bot:
        place = await bot.channel.join(f"xmpp:{room}")
        await bot.hub.send("I am another", to=place)

        assert (await ann.until("I am another")).get("from") == f"{room}/bot-2"


async def test_another_nickname_is_taken_while_we_are_in(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        place = await bot.channel.join(f"xmpp:{room}")
        assert await bot.channel.adapter.join(xmpp(room), nickname="helper") == place.model_copy(update={"channel": ""})
        await bot.hub.send("renamed", to=place)

        assert (await ann.until("renamed")).get("from") == f"{room}/helper"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"membersonly": "1"}, "auth/registration-required"),
        ({"passwordprotectedroom": "1", "roomsecret": "open-sesame"}, "auth/not-authorized"),
    ],
)
async def test_who_may_not_enter_is_told_so(
    xmpp_server: XmppServer, connect_peer: Connect, settings: dict[str, str], code: str
) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    await ann.configure(room, **settings)
    async with online(xmpp_server) as bot:
        with pytest.raises(RejectedError) as caught:
            await bot.channel.join(f"xmpp:{room}")
        assert caught.value.code == code

        if "roomsecret" in settings:
            await bot.adapter.join(xmpp(room), password="open-sesame")
            assert len(await bot.channel.members(xmpp(room))) == 2


# --- making and ruling ------------------------------------------------------------------------------------------------


async def test_a_room_is_made_and_set_up(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, name = await connect_peer(xmpp_server), xmpp_server.fresh_room().partition("@")[0]
    async with online(xmpp_server) as bot:
        place = await bot.channel.create_room(name, title="The lounge", persistent=True, members_only=True)
        assert place.address == xmpp(f"{name}@{xmpp_server.rooms}")
        refused = await ann.join(place.address.value, "ann")
        assert refused.get("type") == "error"

        told = await ann.ask(f"<query xmlns='{NS.DISCO_INFO}'/>", to=place.address.value)
        query = told.find(tag(NS.DISCO_INFO, "query"))
        assert query is not None
        assert {"muc_membersonly", "muc_persistent"} <= {each.get("var") for each in query}
        identity = query.find(tag(NS.DISCO_INFO, "identity"))
        assert identity is not None
        assert identity.get("name") == "The lounge"

        again = await bot.channel.create_room(name, title="The lounge", persistent=True, members_only=True)
        assert again == place, "a second call does what the first one did"
        with pytest.raises(ConfigurationError, match=r"no option 'colour'; .* they have .*title"):
            raise await _raised(bot.channel.create_room(f"{name}x", colour="red"))
        assert await _is_nowhere(ann, f"{name}x@{xmpp_server.rooms}"), "nothing is made"


async def _is_nowhere(peer: Peer, room: str) -> bool:
    """Whether there is no such room. ejabberd loses what comes for a room while that ends, so it is asked again."""
    for _ in range(5):
        with suppress(TimeoutError):
            answer = await peer.ask(f"<query xmlns='{NS.DISCO_INFO}'/>", to=room, seconds=2)
            return answer.get("type") == "error"
    return False


async def _raised(call: Awaitable[object]) -> Exception:
    try:
        await call
    except ConfigurationError as error:
        # Which others there are depends on the server.
        return ConfigurationError(str(error).replace("; they have", "; .. they have"))
    raise AssertionError("it has not failed")


async def test_who_is_invited_hears_of_it_and_may_come_in(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    async with online(xmpp_server) as bot:
        for options, by in (({}, tag(NS.CONFERENCE, "x")), ({"members_only": True}, tag(NS.MUC_USER, "x"))):
            after = len(ann.received)
            await bot.adapter.create_room(room, **options)
            await bot.channel.invite(xmpp(room), xmpp(ann.bare), "come in")
            await ann.until(
                lambda each, by=by: each.tag.endswith("}message") and each.find(by) is not None, after=after
            )
        assert (await ann.join(room, "ann")).get("type") is None


async def test_an_invitation_is_an_event_and_nothing_else(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        await ann.send(
            f"<message to='{bot.account.jid}'><x xmlns='{NS.CONFERENCE}' jid='{room}' reason='come in'/></message>"
        )
        event = await bot.heard.until(lambda each: each.text == "come in", InvitationReceived)
        assert event.room == xmpp(room)

        await bot.channel.join(event.room)
        assert len(await bot.channel.members(event.room)) == 2


async def test_a_moderator_puts_out_and_keeps_out(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, ben, room = await connect_peer(xmpp_server), await connect_peer(xmpp_server), xmpp_server.fresh_room()
    async with online(xmpp_server) as bot:
        await bot.channel.create_room(room)
        await ann.join(room, "ann")
        await ben.join(room, "ben")

        await bot.adapter.moderate(xmpp(room), xmpp(f"{room}/ann"), role="none", reason="enough")
        kicked = await ann.until(gone(room, "ann"))
        assert "307" in {each.get("code") for each in kicked.iter(tag(NS.MUC_USER, "status"))}
        await bot.heard.change(xmpp(f"{room}/ann"), "removed")
        assert (await ann.join(room, "ann")).get("type") is None

        await bot.adapter.moderate(xmpp(room), xmpp(ben.bare), affiliation="outcast")
        await bot.heard.change(xmpp(f"{room}/ben"), "banned")
        assert (await ben.join(room, "ben")).get("type") == "error"
        assert await bot.adapter.affiliations(xmpp(room), "outcast") == (xmpp(ben.bare),)
        assert await bot.adapter.affiliations(xmpp(room), "owner") == (bot.us,)


async def test_who_may_not_moderate_is_told_so(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        await bot.channel.join(f"xmpp:{room}")
        with pytest.raises(RejectedError) as caught:
            await bot.adapter.moderate(xmpp(room), xmpp(f"{room}/ann"), role="none")

    assert caught.value.code in ("auth/forbidden", "cancel/not-allowed")


# --- put out ----------------------------------------------------------------------------------------------------------

ADMIN = "<query xmlns='http://jabber.org/protocol/muc#admin'><item {item}><reason>enough</reason></item></query>"


@pytest.mark.parametrize(
    ("item", "membership"), [("nick='bot' role='none'", "removed"), ("jid='{jid}' affiliation='outcast'", "banned")]
)
async def test_who_is_put_out_stays_out_and_is_told(
    xmpp_server: XmppServer, connect_peer: Connect, item: str, membership: str
) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        await bot.channel.join(f"xmpp:{room}")
        await ann.ask(ADMIN.format(item=item.format(jid=bot.account.jid)), to=room, kind="set")

        event = await bot.heard.change(bot.us, membership)
        assert event.key, "it is kept"
        assert Xmpp.of(event).reason == "enough"
        with pytest.raises(RejectedError):
            await bot.channel.members(xmpp(room))


# --- coming back ------------------------------------------------------------------------------------------------------


async def test_rooms_are_rejoined_after_a_crash_of_the_server_and_what_was_said_is_caught_up(
    start_xmpp_server: Start, connect_peer: Connect
) -> None:
    server = start_xmpp_server()
    room, joined = server.fresh_room(), server.fresh_room()
    # A crash makes ejabberd forget accounts that are new.
    alice, bob = (Account(f"{name}@localhost", name) for name in ("alice", "bob"))
    ann = await connect_peer(server, bob)
    for each in (room, joined):
        await ann.join(each, "ann")
        await ann.configure(each, persistentroom="1")
    async with online(server, alice, rooms=[{"room": room}]) as bot:
        await bot.back(room)
        await bot.channel.join(f"xmpp:{joined}")
        await ann.say(room, "before", kind="groupchat")
        await bot.heard.said("before")

        await server.kill()
        await ann.ended()
        await server.start()
        again = await connect_peer(server, ann.account)
        for each in (room, joined):
            await again.join(each, "ann")
            await again.say(each, f"meanwhile in {each}", kind="groupchat")
        for each in (room, joined):
            await bot.back(each)
            await bot.heard.said(f"meanwhile in {each}")
            await again.say(each, f"after in {each}", kind="groupchat")
            await bot.heard.said(f"after in {each}")

    texts = [each.text for each in bot.heard.events if isinstance(each, MessageReceived)]
    assert len(texts) == len(set(texts)) == 5


async def test_a_room_that_has_forgotten_us_is_found_out(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server, room_ping_interval=0.3) as bot:
        await bot.channel.join(f"xmpp:{room}")
        parts = bot.adapter._parts
        assert parts is not None
        rooms, reading = parts.rooms, parts.rooms.read
        # As if the room had been restarted: it knows nothing of us, and has not told.
        rooms.read = lambda element, *, now: None  # type: ignore[method-assign]
        rooms._stream.post(leave_presence(room, "bot"))
        await ann.until(gone(room, "bot"))
        after = len(ann.received)
        rooms.read = reading  # type: ignore[method-assign]

        await ann.until(lambda each: each.get("from") == f"{room}/bot" and not each.get("type"), after=after)
        await ann.say(room, "welcome back", kind="groupchat")
        await bot.heard.said("welcome back")


async def test_who_is_offline_to_others_stays_in_rooms(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        await bot.channel.join(f"xmpp:{room}")

        await bot.channel.set_presence("offline")
        await ann.say(room, "are you there?", kind="groupchat")
        await bot.heard.said("are you there?")

        await bot.channel.set_presence("busy", "at lunch")
        shown = await ann.until(
            lambda each: each.get("from") == f"{room}/bot" and each.findtext(tag(NS.CLIENT, "show")) == "dnd"
        )
        assert shown.findtext(tag(NS.CLIENT, "status")) == "at lunch"


async def test_a_forged_presence_changes_nothing(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    """Servers stamp who it is from; what stands in it anybody may write."""
    ann, eve, room = await connect_peer(xmpp_server), await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    async with online(xmpp_server) as bot:
        await bot.channel.join(f"xmpp:{room}")
        await eve.join(room, "eve")
        mark = f"<x xmlns='{NS.MUC_USER}'><item affiliation='outcast' role='none'/>{{}}<status code='301'/></x>"
        forged = mark.format("<status code='110'/>") + f"<occupant-id xmlns='{NS.OCCUPANT_ID}' id='ann-s'/>"
        await eve.send(f"<presence to='{bot.account.jid}' type='unavailable'>{forged}</presence>")
        await eve.send(f"<presence to='{room}/eve'>{forged}<show>away</show></presence>")
        await bot.heard.until(lambda each: each.type == "presence.changed" and each.sender == xmpp(f"{room}/eve"))

        assert {each.display_name for each in await bot.channel.members(xmpp(room))} == {"ann", "bot", "eve"}
        parts = bot.adapter._parts
        assert parts is not None
        known = parts.rooms.inside(xmpp(room))
        eves = known.occupant("eve")
        assert eves is not None
        assert eves.occupant_id != "ann-s"


async def test_a_component_is_in_rooms_too(xmpp_server: XmppServer, connect_peer: Connect) -> None:
    ann, room = await connect_peer(xmpp_server), xmpp_server.fresh_room()
    await ann.join(room, "ann")
    component = {
        "account": "component",
        "jid": xmpp_server.component,
        "password": xmpp_server.component_secret,
        "port": xmpp_server.component_port,
    }
    async with online(xmpp_server, **component) as bot:
        place = await bot.channel.join(f"xmpp:{room}")
        await bot.hub.send("from the gateway", to=place)
        assert (await ann.until("from the gateway")).get("from") == f"{room}/bot"
        await ann.say(room, "hello gateway", kind="groupchat")
        await bot.heard.said("hello gateway")
