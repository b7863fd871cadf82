"""What is certain of a message, beside what it says: each of it alone."""

from typing import Any

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.inbound import Archived
from convergekit.model import CustomReceived, Event, MessageReceived, ReactionChanged
from tests.adapters.xmpp.stanzas.inbound.known import (
    ANN,
    BOT,
    NOW,
    OURS,
    ROOM,
    Known,
    Person,
    Room,
    carbon,
    chat,
    groupchat,
    stamped,
)

WORDS = "<body>a</body>"
GATEWAY = "gw.example.org"
OCCUPANT = '<occupant-id xmlns="urn:xmpp:occupant-id:0" id="{}"/>'
TYPES = '<composing xmlns="http://jabber.org/protocol/chatstates"/>'
ITEM = '<x xmlns="http://jabber.org/protocol/muc#user"><item jid="{}"/></x>'
LATE = f'<delay xmlns="urn:xmpp:delay" from="{ROOM}" stamp="2026-02-28T10:00:00Z"/>'


def only(xml: str, known: Known | None = None, archived: Archived | None = None) -> Event:
    (event,) = (known or Known()).read(xml, archived=archived).events
    return event


def component() -> Known:
    return Known(own=GATEWAY, full=GATEWAY, is_component=True)


class TestDetails:
    """What is as it mostly is, is not told."""

    @pytest.mark.parametrize(
        ("xml", "details"),
        [
            (chat(WORDS), {"resource": "phone"}),
            (chat(WORDS, sender=ANN), {}),
            (chat(WORDS, sender=ANN, id=None), {}),
            (chat(WORDS + '<origin-id xmlns="urn:xmpp:sid:0" id="m1"/>', sender=ANN), {}),
            (chat(WORDS + '<origin-id xmlns="urn:xmpp:sid:0" id="o1"/>', sender=ANN), {"origin_id": "o1"}),
            (chat(WORDS + stamped("77", BOT), sender=ANN), {"stanza_id": "77"}),
            (groupchat(WORDS, nickname=None), {"type": "groupchat"}),
            (groupchat(WORDS + stamped("s1"), id=None), {"type": "groupchat", "nickname": "ann"}),
            (chat(WORDS, sender=f"{ROOM}/ann"), {"nickname": "ann", "private": True}),
        ],
    )
    def test_and_nothing_is_told_that_is_not_known(self, xml: str, details: dict[str, Any]) -> None:
        assert only(xml).details == details

    def test_a_message_is_named_by_its_sender_and_in_a_room_by_the_room(self) -> None:
        direct = only(chat(WORDS + stamped("77", BOT)))
        nameless = only(chat(WORDS + '<origin-id xmlns="urn:xmpp:sid:0" id="o1"/>', id=None))
        said = only(groupchat(WORDS + stamped("s1")))

        assert isinstance(direct, MessageReceived)
        assert isinstance(nameless, MessageReceived)
        assert isinstance(said, MessageReceived)
        assert (direct.message_id, nameless.message_id, said.message_id) == ("m1", "o1", "s1")


class TestWho:
    def test_what_has_no_sender_is_our_servers_on_our_behalf(self) -> None:
        """RFC 6120 §8.1.2.1."""
        event = only(f'<message to="{BOT}/desk" type="chat" id="m1">{WORDS}</message>')
        assert isinstance(event, CustomReceived)
        assert (event.name, event.sender and event.sender.value) == ("xmpp.sent", BOT)

    def test_what_has_no_addressee_we_said_to_ourselves(self) -> None:
        event = only(f'<message from="{BOT}/phone" type="chat" id="m1">{WORDS}</message>')
        assert event.conversation is not None
        assert event.conversation.address.value == BOT

    def test_everybody_at_a_component_is_us(self) -> None:
        assert isinstance(
            only(chat(WORDS, sender=f"help@{GATEWAY}", to=f"sales@{GATEWAY}"), component()), CustomReceived
        )
        assert isinstance(only(chat(WORDS, sender=f"help@{GATEWAY}.evil.example"), component()), MessageReceived)

    def test_and_at_the_domain_of_an_account_others_are(self) -> None:
        known = Known(own="example.org", full="example.org")
        assert isinstance(only(chat(WORDS), known), MessageReceived)

    @pytest.mark.parametrize("mark", ["", '<x xmlns="http://jabber.org/protocol/muc#user"/>'])
    def test_what_another_device_said_to_an_occupant_stands_with_them(self, mark: str) -> None:
        rooms: dict[str, Room] = {} if mark else {ROOM: Room()}
        said = chat(WORDS + mark, sender=f"{BOT}/phone", to=f"{ROOM}/ann")
        event = only(carbon("sent", said), Known(rooms=rooms))
        assert event.conversation is not None
        assert event.conversation.address.value == f"{ROOM}/ann"

    def test_a_device_that_is_written_to_is_no_occupant(self) -> None:
        event = only(carbon("sent", chat(WORDS, sender=f"{BOT}/phone", to=f"{ANN}/desk")))
        assert event.conversation is not None
        assert event.conversation.address.value == ANN

    def test_whoever_says_more_of_a_room_is_not_private(self) -> None:
        event = only(chat(WORDS + ITEM.format(ANN), sender=f"{ANN}/phone"))
        assert event.sender is not None
        assert event.sender.value == ANN

    def test_an_account_has_one_conversation_whoever_is_written_to(self) -> None:
        one, other = only(chat(WORDS, to=BOT)), only(chat(WORDS, to=f"{BOT}/desk"))
        unaddressed = only(chat(WORDS).replace(f'to="{BOT}"', ""))
        sent = only(carbon("sent", chat(WORDS, sender=f"{BOT}/phone", to=ANN)))
        assert one.key == other.key == unaddressed.key
        assert one.conversation == other.conversation == sent.conversation
        assert isinstance(one, MessageReceived)
        assert one.to == ()


class TestOurOccupant:
    def test_no_jid_is_taken_from_a_message_in_our_own_archive(self) -> None:
        event = only(chat(WORDS + ITEM.format(f"{ANN}/x"), sender=f"{ROOM}/ann"), archived=Archived("", "7", NOW))
        assert Xmpp.of(event).real_jid is None

    def test_what_a_room_says_itself_is_nobodys(self) -> None:
        known = Known(rooms={ROOM: Room(people={"bot": Person(jid=f"{BOT}/desk")})})
        assert isinstance(only(groupchat(WORDS, nickname=None), known), MessageReceived)

    def test_whose_occupant_id_is_another_is_somebody_else(self) -> None:
        known = Known(rooms={ROOM: Room(people={"bot": Person(occupant_id="us")})})
        assert isinstance(
            only(groupchat(WORDS + OCCUPANT.format("ann's") + LATE, nickname="bot"), known), MessageReceived
        )

    def test_where_ours_is_not_known_the_nickname_tells(self) -> None:
        for people in ({}, {"bot": Person(occupant_id=None)}):
            known = Known(rooms={ROOM: Room(people=people)})
            assert isinstance(only(groupchat(WORDS + OCCUPANT.format("us"), nickname="bot"), known), CustomReceived)

    def test_who_is_there_now_did_not_say_what_was_said_before(self) -> None:
        known = Known(rooms={ROOM: Room(people={"ann": Person(jid="eve@evil.example/x")})})
        assert Xmpp.of(only(groupchat(WORDS), known)).real_jid == "eve@evil.example/x"
        assert Xmpp.of(only(groupchat(WORDS + LATE), known)).real_jid is None


class TestLate:
    def test_an_archive_that_says_no_time_is_one_all_the_same(self) -> None:
        archived = Archived("", "77")
        assert Xmpp.of(only(chat(WORDS), archived=archived)).delayed
        assert Known().read(chat(TYPES), archived=archived).notices == ()


class TestTyping:
    @pytest.mark.parametrize(
        "xml",
        [
            chat(TYPES, sender="eve@evil.example/x", type="groupchat"),
            chat(TYPES, sender="example.org"),
            groupchat(TYPES, nickname=None),
            chat(TYPES, type="headline"),
            chat(TYPES, type="error"),
        ],
    )
    def test_neither_a_stranger_nor_a_machine_types(self, xml: str) -> None:
        assert Known().read(xml).notices == ()

    def test_who_has_said_something_is_not_told_to_type(self) -> None:
        assert Known().read(chat(WORDS + TYPES)).notices == ()


class TestIds:
    def test_what_is_done_in_a_room_has_its_id_though_nothing_is_said(self) -> None:
        reaction = '<reactions xmlns="urn:xmpp:reactions:0" id="s0"><reaction>+</reaction></reactions>'
        reading = Known().read(groupchat(reaction + stamped("s1")))
        assert isinstance(reading.events[0], ReactionChanged)
        assert reading.archived == Archived(f"room:{ROOM}", "s1")

    def test_ours_is_known_by_the_origin_id_where_a_room_changes_the_other(self) -> None:
        xml = groupchat(WORDS + f'<origin-id xmlns="urn:xmpp:sid:0" id="{OURS}"/>', nickname="bot", id="changed")
        assert [event.type for event in Known().read(xml).events] == ["receipt.received"]


class TestUnreadable:
    def test_it_is_one_event_however_often_it_comes(self) -> None:
        origin = '<origin-id xmlns="urn:xmpp:sid:0" id="{}"/>'
        bad = "a b@c"
        assert (
            only(chat(origin.format("o1"), sender=bad)).key == only(chat(origin.format("o1"), sender=bad, id="2")).key
        )
        assert only(chat(origin.format("o1"), sender=bad)).key != only(chat(origin.format("o2"), sender=bad)).key
        assert only(chat("", sender=bad)).key == only(chat("", sender=bad)).key
        assert only(chat("", sender=bad, id=None)).key != only(chat("", sender=bad, id=None)).key

    def test_the_log_learns_what_was_not_believed(self) -> None:
        copy = Known().read(carbon("received", chat(WORDS), sender="eve@evil.example/\u00e9"))
        result = Known().read(chat('<result xmlns="urn:xmpp:mam:2"/>'))
        assert copy.refused == "a copy for another device, from eve@evil.example/\\xe9, who does not make such"
        assert result.refused == f"a result of an archive, from {ANN}/phone, who does not make such"
        assert Known().read(chat(WORDS)).refused is None


class TestContent:
    def test_what_is_answered_in_a_room_is_named_as_events_name_it(self) -> None:
        known = Known()
        known.read(groupchat('<body>a</body><origin-id xmlns="urn:xmpp:sid:0" id="o1"/>' + stamped("s1")))
        reply = '<reply xmlns="urn:xmpp:reply:0" id="o1"/>'
        event = only(groupchat(WORDS + reply, nickname="cy"), known)
        assert isinstance(event, MessageReceived)
        assert event.reply_to == "s1"

    def test_what_others_quote_is_what_was_written_anew(self) -> None:
        known = Known()
        reply = '<reply xmlns="urn:xmpp:reply:0" id="m0"/>'
        fallback = '<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:reply:0"><body start="0" end="4"/></fallback>'
        known.read(groupchat(f"<body>&gt; x\nYes</body>{reply}{fallback}" + stamped("s1")))
        known.read(groupchat("<body>No</body>" + stamped("s2"), id="m2"))
        texts = [found.text for id in ("s1", "s2") if (found := known.identities.find(ROOM, id)) is not None]
        assert texts == ["Yes", "No"]

    def test_a_book_is_not_looked_through_for_styling(self) -> None:
        event = only(chat(f"<body>*{'x' * 50_000}*</body>"))
        assert isinstance(event, MessageReceived)
        assert event.markdown is None

    def test_without_a_language_none_is_named(self) -> None:
        event = only(chat('<body>Hello</body><body xml:lang="de">Hallo</body>'))
        assert isinstance(event, MessageReceived)
        assert "language" not in event.model_fields_set
        assert Xmpp.of(event).bodies == {"": "Hello", "de": "Hallo"}
