"""Corrections, retractions and reactions are bound to their author."""

import pytest

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.inbound import Archived
from convergekit.adapters.xmpp.stanzas.inbound.authors import is_same, occupant
from convergekit.model import CustomReceived, Event, MessageEdited, MessageReceived, MessageRetracted, ReactionChanged
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

REPLACE = '<body>I meant tea.</body><replace xmlns="urn:xmpp:message-correct:0" id="{}"/>'
RETRACT = (
    '<retract xmlns="urn:xmpp:message-retract:1" id="{}"/><body>This program shows no retractions.</body>'
    '<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:message-retract:1"/>'
)
OCCUPANT = '<occupant-id xmlns="urn:xmpp:occupant-id:0" id="{}"/>'
CY = "cy@example.org/desk"


def only(xml: str, known: Known, archived: Archived | None = None) -> Event:
    (event,) = known.read(xml, archived=archived).events
    return event


def assert_forged(event: Event) -> None:
    assert isinstance(event, CustomReceived)
    assert event.name == "xmpp.forged"


@pytest.fixture
def known() -> Known:
    """Ann has said m1 to us alone, and s1 (for her m1) in the room."""
    known = Known()
    known.read(chat("<body>I meant coffee.</body>"))
    known.read(groupchat("<body>Coffee.</body>" + stamped("s1") + OCCUPANT.format("ann's")))
    return known


class TestCorrections:
    def test_the_content_is_the_new_one(self, known: Known) -> None:
        event = only(chat(REPLACE.format("m1"), id="m2"), known)

        assert isinstance(event, MessageEdited)
        assert (event.target, event.text) == ("m1", "I meant tea.")
        assert not Xmpp.of(event).unverified

    def test_in_a_room_it_names_the_message_as_events_do(self, known: Known) -> None:
        event = only(groupchat(REPLACE.format("m1") + OCCUPANT.format("ann's"), id="m2"), known)

        assert isinstance(event, MessageEdited)
        assert event.target == "s1"

    def test_by_the_origin_id_as_well(self) -> None:
        known = Known()
        known.read(groupchat('<body>a</body><origin-id xmlns="urn:xmpp:sid:0" id="o1"/>' + stamped("s1")))
        event = only(groupchat(REPLACE.format("o1"), id="m2"), known)
        assert isinstance(event, MessageEdited)
        assert event.target == "s1"

    def test_nobody_corrects_another(self, known: Known) -> None:
        assert_forged(only(groupchat(REPLACE.format("m1") + OCCUPANT.format("cy's"), nickname="cy", id="m2"), known))
        # The nickname alone is not the author, where the room tells who is who.
        assert_forged(only(groupchat(REPLACE.format("m1") + OCCUPANT.format("cy's"), nickname="ann", id="m2"), known))

    def test_nobody_corrects_us(self, known: Known) -> None:
        known.identities.learn(ANN, OURS, author=BOT)
        assert_forged(only(chat(REPLACE.format(OURS), id="m2"), known))

    def test_an_id_that_another_has_used_as_well_is_ones_own(self, known: Known) -> None:
        known.read(groupchat("<body>Mine.</body>" + stamped("s2") + OCCUPANT.format("cy's"), nickname="cy"))
        theirs = only(groupchat(REPLACE.format("m1") + OCCUPANT.format("cy's"), nickname="cy", id="m2"), known)
        hers = only(groupchat(REPLACE.format("m1") + OCCUPANT.format("ann's"), id="m2"), known)

        assert isinstance(theirs, MessageEdited)
        assert isinstance(hers, MessageEdited)
        assert (theirs.target, hers.target) == ("s2", "s1")

    def test_in_another_conversation_it_is_another_message(self, known: Known) -> None:
        event = only(chat(REPLACE.format("m1"), sender=CY, id="m2"), known)
        assert isinstance(event, MessageEdited)
        assert event.sender is not None
        assert event.sender.value == "cy@example.org"

    def test_what_nobody_remembers_is_told_and_is_doubted(self) -> None:
        event = only(chat(REPLACE.format("m0"), id="m2"), Known())
        assert isinstance(event, MessageEdited)
        assert event.target == "m0"
        assert Xmpp.of(event).unverified

    def test_a_correction_of_nothing_is_a_message(self) -> None:
        assert isinstance(only(chat(REPLACE.format(""), id="m2"), Known()), MessageReceived)

    def test_who_took_a_nickname_over_does_not_correct_who_had_it(self) -> None:
        """Where a room has no occupant ids, an author is a nickname and a stay."""
        room = Room(trusts_occupant_ids=False, people={"ann": Person(stay=1)})
        known = Known(rooms={ROOM: room})
        known.read(groupchat("<body>a</body>" + stamped("s1")))
        assert isinstance(only(groupchat(REPLACE.format("m1"), id="m2"), known), MessageEdited)

        room.people["ann"] = Person(stay=2)
        assert_forged(only(groupchat(REPLACE.format("m1"), id="m3"), known))


class TestRetractions:
    def test_who_wrote_it_takes_it_back(self, known: Known) -> None:
        event = only(chat(RETRACT.format("m1"), id="m2"), known)

        assert isinstance(event, MessageRetracted)
        assert event.target == "m1"

    def test_in_a_room_by_the_rooms_id(self, known: Known) -> None:
        event = only(groupchat(RETRACT.format("s1") + OCCUPANT.format("ann's"), id="m2"), known)
        assert isinstance(event, MessageRetracted)
        assert event.target == "s1"

    def test_nobody_takes_back_what_another_wrote(self, known: Known) -> None:
        assert_forged(only(groupchat(RETRACT.format("s1") + OCCUPANT.format("cy's"), nickname="cy", id="m2"), known))
        assert_forged(only(groupchat(RETRACT.format("s1") + OCCUPANT.format("cy's"), nickname="ann", id="m2"), known))
        assert_forged(only(groupchat(RETRACT.format("s1"), nickname=None, id="m2"), known))

    def test_what_nobody_remembers_is_told_and_is_doubted(self) -> None:
        assert Xmpp.of(only(chat(RETRACT.format("m0"), id="m2"), Known())).unverified

    def test_as_it_was_written_until_2022(self, known: Known) -> None:
        old = '<apply-to xmlns="urn:xmpp:fasten:0" id="m1"><retract xmlns="urn:xmpp:message-retract:0"/></apply-to>'
        event = only(chat(old, id="m2"), known)
        assert isinstance(event, MessageRetracted)
        assert event.target == "m1"

    def test_what_stands_in_its_place_in_an_archive(self, known: Known) -> None:
        stone = '<retracted xmlns="urn:xmpp:message-retract:1" id="r1" stamp="2026-02-28T10:00:00Z"/>'
        event = only(groupchat(stone), known, Archived(f"room:{ROOM}", "s1", NOW))
        assert isinstance(event, MessageRetracted)
        assert event.target == "s1"

        assert known.read(groupchat(stone)).events == ()  # nobody but the archive says so


class TestModeration:
    NEW = (
        '<retract xmlns="urn:xmpp:message-retract:1" id="{id}"><moderated xmlns="urn:xmpp:message-moderate:1" '
        'by="tea@rooms.example.org/den"/><reason>Spam</reason></retract>'
    )
    OLD = (
        '<apply-to xmlns="urn:xmpp:fasten:0" id="{id}"><moderated xmlns="urn:xmpp:message-moderate:0" '
        'by="tea@rooms.example.org/den"><retract xmlns="urn:xmpp:message-retract:0"/><reason>Spam</reason>'
        "</moderated></apply-to>"
    )

    @pytest.mark.parametrize("form", [NEW, OLD])
    def test_a_room_takes_back_what_somebody_wrote(self, form: str, known: Known) -> None:
        event = only(groupchat(form.format(id="s1"), nickname=None, id="m2"), known)

        assert isinstance(event, MessageRetracted)
        assert event.target == "s1"
        assert (Xmpp.of(event).moderator, Xmpp.of(event).reason) == (f"{ROOM}/den", "Spam")

    @pytest.mark.parametrize("form", [NEW, OLD])
    def test_nobody_else_speaks_for_its_moderators(self, form: str, known: Known) -> None:
        assert_forged(only(groupchat(form.format(id="s1"), nickname="ann", id="m2"), known))
        assert_forged(only(chat(form.format(id="m1"), id="m2"), known))
        assert_forged(only(chat(form.format(id="m1"), sender=ROOM, id="m2"), known))


class TestReactions:
    def react(self, id: str, *reactions: str, beside: str = "") -> str:
        inside = "".join(f"<reaction>{reaction}</reaction>" for reaction in reactions)
        return f'<reactions xmlns="urn:xmpp:reactions:0" id="{id}">{inside}</reactions>{beside}'

    def test_all_that_somebody_thinks_of_it(self, known: Known) -> None:
        event = only(chat(self.react("m1", "\U0001f44d", "\u2615\ufe0f", "\U0001f44d"), id="m2"), known)

        assert isinstance(event, ReactionChanged)
        assert (event.target, event.reactions) == ("m1", ("\U0001f44d", "\u2615\ufe0f"))
        assert event.sender is not None
        assert event.sender.value == ANN

    def test_none_is_none_any_more(self, known: Known) -> None:
        event = only(chat(self.react("m1"), id="m2"), known)
        assert isinstance(event, ReactionChanged)
        assert event.reactions == ()

    def test_in_a_room_they_are_of_the_occupant(self, known: Known) -> None:
        event = only(groupchat(self.react("s1", "\U0001f44d"), nickname="cy", id="m2"), known)
        assert isinstance(event, ReactionChanged)
        assert event.sender is not None
        assert (event.target, event.sender.value) == ("s1", f"{ROOM}/cy")

    def test_what_stands_in_for_it_is_not_said(self, known: Known) -> None:
        beside = '<body>\U0001f44d</body><fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:reactions:0"/>'
        assert isinstance(only(chat(self.react("m1", "\U0001f44d", beside=beside), id="m2"), known), ReactionChanged)

    def test_what_is_said_as_well_is_not_lost(self, known: Known) -> None:
        events = known.read(chat(self.react("m1", "\U0001f44d", beside="<body>Yes!</body>"), id="m2")).events

        assert [type(event) for event in events] == [ReactionChanged, MessageReceived]
        assert len({event.key for event in events}) == 2

    def test_whatever_is_in_it_is_bounded(self, known: Known) -> None:
        shown = [f"{number}" for number in range(500)] + ["x" * 5000, "\n", ""]
        event = only(chat(self.react("m1", *shown), id="m2"), known)
        assert isinstance(event, ReactionChanged)
        assert len(event.reactions) == 50

    def test_of_another_device_they_are_not_somebodys(self, known: Known) -> None:
        event = only(carbon("sent", chat(self.react("m1", "\U0001f44d"), sender=f"{BOT}/x", to=ANN)), known)
        assert isinstance(event, CustomReceived)
        assert event.data["reacts"] == "m1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ANN, ANN, True),
        (ANN, BOT, False),
        (occupant(f"{ROOM}/ann", "o1", None), occupant(f"{ROOM}/cy", "o1", None), True),
        (occupant(f"{ROOM}/ann", "o1", None), occupant(f"{ROOM}/ann", "o2", None), False),
        (occupant(f"{ROOM}/ann", None, Person(stay=1)), occupant(f"{ROOM}/ann", None, Person(stay=2)), False),
        (occupant(f"{ROOM}/ann", None, Person(stay=1)), occupant(f"{ROOM}/cy", None, None), False),
        (occupant(f"{ROOM}/ann", None, Person(stay=1)), occupant(f"{ROOM}/ann", None, None), None),
        (occupant(f"{ROOM}/ann", "o1", None), occupant(f"{ROOM}/ann", None, None), None),
        (occupant(f"{ROOM}/ann", "o1", None), ROOM, False),
    ],
)
def test_two_authors_are_the_same_or_not_or_nobody_can_tell(one: str, other: str, same: bool | None) -> None:
    assert is_same(one, other) is is_same(other, one) is same
