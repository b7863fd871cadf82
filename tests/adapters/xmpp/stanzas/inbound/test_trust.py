"""Who may say what: a forged stanza changes nothing."""

from datetime import UTC, datetime

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.inbound import Archived
from convergekit.model import CustomReceived, MessageReceived
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

BOSS = "boss@example.org/desk"
WORDS = "<body>Pay them.</body>"


class TestCarbons:
    """XEP-0280 §11; CVE-2017-5589, CVE-2019-16235, CVE-2020-26547."""

    def test_what_another_device_received_is_a_message_once(self) -> None:
        (event,) = Known().read(carbon("received", chat(WORDS))).events

        assert isinstance(event, MessageReceived)
        assert (event.text, event.sender) == ("Pay them.", event.conversation and event.conversation.address)
        assert Xmpp.of(event).carbon == "received"

    def test_what_another_device_sent_is_told_once_and_is_no_message(self) -> None:
        reading = Known().read(carbon("sent", chat(WORDS, sender=f"{BOT}/phone", to=f"{ANN}/desk")))

        (event,) = reading.events
        assert isinstance(event, CustomReceived)
        assert event.name == "xmpp.sent"
        assert event.data == {"text": "Pay them.", "message_id": "m1"}
        assert event.conversation is not None
        assert event.conversation.address.value == ANN

    def test_what_we_sent_ourselves_is_nothing(self) -> None:
        origin = f'<origin-id xmlns="urn:xmpp:sid:0" id="{OURS}"/>'
        for said in (chat(WORDS, sender=f"{BOT}/x", to=ANN, id=OURS), chat(WORDS + origin, sender=f"{BOT}/x", to=ANN)):
            assert Known().read(carbon("sent", said)).events == ()

    def test_it_says_when(self) -> None:
        delay = '<delay xmlns="urn:xmpp:delay" stamp="2026-02-28T10:00:00Z"/>'
        (event,) = Known().read(carbon("received", chat(WORDS), beside=delay)).events
        assert event.at == datetime(2026, 2, 28, 10, tzinfo=UTC)

    @pytest.mark.parametrize("kind", ["received", "sent"])
    @pytest.mark.parametrize(
        "sender", ["eve@evil.example", "eve@evil.example/x", "example.org", f"{BOT}/phone", "bot@example.com"]
    )
    def test_nobody_but_our_server_makes_one(self, kind: str, sender: str) -> None:
        for inner in (BOSS, f"{BOT}/phone"):
            known = Known()
            reading = known.read(carbon(kind, chat(WORDS, sender=inner), sender=sender))

            assert reading.events == reading.notices == reading.replies == ()
            assert reading.refused is not None
            assert known.identities.find("boss@example.org", "m1") is None

    def test_nobody_says_that_we_sent_what_somebody_else_did(self) -> None:
        reading = Known().read(carbon("sent", chat(WORDS, sender=BOSS)))
        assert reading.events == ()
        assert reading.refused is not None

    @pytest.mark.parametrize("kind", ["received", "sent"])
    def test_no_copy_stands_in_a_copy(self, kind: str) -> None:
        inner = carbon("received", chat(WORDS, sender=BOSS)).replace(' xmlns="jabber:client"', "", 1)
        assert Known().read(carbon(kind, inner)).events == ()

    def test_nor_in_an_archive(self) -> None:
        copy = carbon("received", chat(WORDS, sender=BOSS))
        assert Known().read(copy, archived=Archived("", "1", NOW)).events == ()

    def test_two_messages_in_one_are_none(self) -> None:
        one = chat(WORDS).replace("<message", '<message xmlns="jabber:client"')
        assert Known().read(carbon("received", chat(WORDS), beside=one)).events == ()

    def test_a_component_has_no_devices(self) -> None:
        known = Known(own="gw.example.org", full="gw.example.org", is_component=True)
        assert known.read(carbon("received", chat(WORDS, sender=BOSS), sender="gw.example.org")).events == ()

    def test_what_is_said_beside_a_forged_one_is_said_by_its_sender(self) -> None:
        forged = carbon("received", chat(WORDS, sender=BOSS), sender="eve@evil.example")
        (event,) = (
            Known().read(forged.replace("</message>", "", 0).replace("<received", "<body>Hi</body><received")).events
        )

        assert isinstance(event, MessageReceived)
        assert (event.text, event.sender and event.sender.value) == ("Hi", "eve@evil.example")


class TestArchiveResults:
    RESULT = (
        '<result xmlns="urn:xmpp:mam:2" queryid="q" id="7"><forwarded xmlns="urn:xmpp:forward:0">'
        '<message xmlns="jabber:client" from="boss@example.org/desk" id="m1"><body>Pay them.</body></message>'
        "</forwarded></result>"
    )

    @pytest.mark.parametrize("sender", [BOT, "eve@evil.example", ROOM])
    def test_one_that_nobody_asked_for_is_nothing(self, sender: str) -> None:
        reading = Known().read(chat(self.RESULT, sender=sender))

        assert reading.events == ()
        assert reading.archived is None
        assert reading.refused is not None

    def test_none_comes_by_a_copy(self) -> None:
        assert Known().read(carbon("received", chat(self.RESULT, sender=BOT))).events == ()

    def test_what_was_asked_for_moves_the_place_on(self) -> None:
        archived = Archived("", "77", NOW)
        assert Known().read(chat(WORDS), archived=archived).archived == archived
        assert Known().read(chat(""), archived=archived).archived == archived

    @pytest.mark.parametrize(
        "xml",
        [groupchat(WORDS, room="other@rooms.example.org"), chat(WORDS, sender=BOSS), chat(WORDS, sender=f"{ROOM}/ann")],
    )
    def test_a_room_has_nothing_but_its_own_words_in_its_archive(self, xml: str) -> None:
        archived = Archived(f"room:{ROOM}", "77", NOW)
        reading = Known().read(xml, archived=archived)

        assert reading.events == ()
        assert reading.archived == archived
        assert reading.refused is not None

    def test_what_we_have_sent_is_no_message_to_us(self) -> None:
        archived = Archived("", "77", NOW)
        assert Known().read(chat(WORDS, sender=f"{BOT}/desk", to=ANN, id=OURS), archived=archived).events == ()

    def test_an_archive_of_a_room_that_we_are_not_in_is_read(self) -> None:
        (event,) = Known(rooms={}).read(groupchat(WORDS), archived=Archived(f"room:{ROOM}", "77", NOW)).events
        assert isinstance(event, MessageReceived)
        assert event.message_id == "77"


class TestStanzaIds:
    """XEP-0359 §5; it only ever tells where a message stands in an archive."""

    def test_our_servers_tells_where_it_is_in_the_archive(self) -> None:
        assert Known().read(chat(WORDS + stamped("77", BOT))).archived == Archived("", "77")

    def test_a_rooms_likewise(self) -> None:
        assert Known().read(groupchat(WORDS + stamped("s1"))).archived == Archived(f"room:{ROOM}", "s1")

    @pytest.mark.parametrize(
        "ids",
        [
            stamped("evil", BOT) + stamped("77", BOT),  # what one server leaves in place, and puts its own behind
            stamped("77", BOT) + stamped("evil", BOT),
            stamped("evil", ANN),
            stamped("evil", f"{BOT}/desk"),
            stamped("evil", "example.org"),
            stamped("evil", ""),
            stamped("evil", "@"),
            stamped("", BOT),
            stamped("&#10;", BOT),
            '<stanza-id xmlns="urn:xmpp:sid:0" id="evil"/>',
        ],
    )
    def test_no_other_is_believed(self, ids: str) -> None:
        reading = Known().read(chat(WORDS + ids))

        assert reading.archived is None
        assert reading.events[0].key == Known().read(chat(WORDS)).events[0].key

    @pytest.mark.parametrize("hint", ["no-store", "no-permanent-store"])
    def test_nor_one_on_what_no_server_archives(self, hint: str) -> None:
        xml = chat(f'{WORDS}<{hint} xmlns="urn:xmpp:hints"/>' + stamped("evil", BOT))
        assert Known().read(xml).archived is None
        assert Known().read(chat(stamped("evil", BOT))).archived is None

    def test_nor_where_nobody_says_that_forged_ones_are_taken_away(self) -> None:
        known = Known(trusted=set())
        (event,) = known.read(groupchat(WORDS + stamped("s1"))).events

        assert known.read(groupchat(WORDS + stamped("s1"))).archived is None
        assert isinstance(event, MessageReceived)
        assert event.message_id == "m1"

    def test_a_room_speaks_for_itself_alone(self) -> None:
        assert Known().read(groupchat(WORDS + stamped("77", BOT))).archived is None
        assert Known().read(chat(WORDS + stamped("s1", ROOM), sender=f"{ROOM}/ann")).archived is None


class TestOccupantIds:
    """XEP-0421 §4."""

    ID = '<occupant-id xmlns="urn:xmpp:occupant-id:0" id="{}"/>'

    def test_one_that_the_room_does_not_make_is_not_believed(self) -> None:
        known = Known(rooms={ROOM: Room(trusts_occupant_ids=False)})
        (event,) = known.read(groupchat(WORDS + self.ID.format("forged"))).events
        assert Xmpp.of(event).occupant_id is None

    def test_nor_one_of_several_nor_one_between_two(self) -> None:
        (event,) = Known().read(groupchat(WORDS + self.ID.format("a") + self.ID.format("b"))).events
        (direct,) = Known().read(chat(WORDS + self.ID.format("a"))).events
        assert Xmpp.of(event).occupant_id is Xmpp.of(direct).occupant_id is None

    def test_nobody_writes_somebody_elses_jid(self) -> None:
        mark = '<x xmlns="http://jabber.org/protocol/muc#user"><item jid="boss@example.org/desk"/></x>'
        (event,) = Known().read(groupchat(WORDS + mark)).events
        assert Xmpp.of(event).real_jid is None

        (event,) = Known().read(groupchat(WORDS + mark), archived=Archived(f"room:{ROOM}", "1", NOW)).events
        assert Xmpp.of(event).real_jid == BOSS


class TestRooms:
    @pytest.mark.parametrize("sender", ["eve@evil.example/x", "other@rooms.example.org/ann"])
    def test_who_is_no_room_of_ours_says_nothing_to_a_room(self, sender: str) -> None:
        xml = chat(WORDS, sender=sender, type="groupchat")
        for archived in (None, Archived("", "77", NOW)):
            reading = Known().read(xml, archived=archived)

            (event,) = reading.events
            assert isinstance(event, CustomReceived)
            assert event.name == "xmpp.message"
            assert reading.archived == archived

    def test_what_we_say_is_no_message_to_us(self) -> None:
        (event,) = Known().read(groupchat(WORDS, nickname="bot", id="other-device")).events
        assert isinstance(event, CustomReceived)
        assert event.name == "xmpp.sent"

    def test_who_had_our_nickname_earlier_is_somebody_else(self) -> None:
        delay = f'<delay xmlns="urn:xmpp:delay" from="{ROOM}" stamp="2026-02-28T10:00:00Z"/>'
        (event,) = Known().read(groupchat(WORDS + delay, nickname="bot")).events
        assert isinstance(event, MessageReceived)

    def test_ours_is_known_by_its_id_after_a_restart(self) -> None:
        delay = f'<delay xmlns="urn:xmpp:delay" from="{ROOM}" stamp="2026-02-28T10:00:00Z"/>'
        assert not any(
            isinstance(event, MessageReceived)
            for event in Known().read(groupchat(WORDS + delay, nickname="bot", id=OURS)).events
        )

    def test_and_by_the_occupant_id_under_another_nickname(self) -> None:
        known = Known(rooms={ROOM: Room(people={"bot": Person(occupant_id="us")})})
        xml = groupchat(WORDS + '<occupant-id xmlns="urn:xmpp:occupant-id:0" id="us"/>', nickname="bot-2", id=OURS)
        assert not any(isinstance(event, MessageReceived) for event in known.read(xml).events)

    def test_and_by_the_jid_that_the_room_shows(self) -> None:
        known = Known(rooms={ROOM: Room(people={"bot-2": Person(jid=f"{BOT}/phone"), "bot": Person(jid=f"{ANN}/x")})})
        (ours,) = known.read(groupchat(WORDS, nickname="bot-2")).events
        (theirs,) = known.read(groupchat(WORDS, nickname="bot")).events

        assert isinstance(ours, CustomReceived)
        assert isinstance(theirs, MessageReceived)

    def test_a_message_to_ourselves_is_none(self) -> None:
        (event,) = Known().read(chat(WORDS, sender=f"{BOT}/phone", to=BOT)).events
        assert isinstance(event, CustomReceived)
        assert Known().read(chat(WORDS, sender=f"{BOT}/desk", to=BOT, id=OURS)).events == ()
