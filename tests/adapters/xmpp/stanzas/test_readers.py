"""What reads presences, rosters, forms and lists raises nothing, whatever it is given."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.config import XmppConfig
from convergekit.adapters.xmpp.rooms import Rooms
from convergekit.adapters.xmpp.roster import Roster
from convergekit.adapters.xmpp.stanzas.disco import read_features, read_services
from convergekit.adapters.xmpp.stanzas.errors import stanza_error
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stanzas.presence import presence, read_presence
from convergekit.adapters.xmpp.stanzas.room_form import read_form
from convergekit.adapters.xmpp.stanzas.rooms import join_presence, read_room_presence, read_standings
from convergekit.adapters.xmpp.stanzas.roster import read_roster
from convergekit.model import wire
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_stream import FakeStream, element

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = "lounge@conference.example.org"

TEXT = st.one_of(
    st.sampled_from(
        ["110", "301", "307", "303", "ann", "bot", "", "-1", "999999999999", "away", "subscribe", "remove"]
    ),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.just("x" * 2000),
)
NAMES = st.sampled_from(
    [
        tag(NS.CLIENT, "show"),
        tag(NS.CLIENT, "status"),
        tag(NS.CLIENT, "priority"),
        tag(NS.CLIENT, "error"),
        tag(NS.STANZAS, "conflict"),
        tag(NS.STANZAS, "text"),
        tag(NS.STANZAS, "Ünsinn"),
        tag(NS.MUC_USER, "x"),
        tag(NS.MUC_USER, "item"),
        tag(NS.MUC_USER, "status"),
        tag(NS.MUC_USER, "destroy"),
        tag(NS.MUC_USER, "actor"),
        tag(NS.MUC_USER, "reason"),
        tag(NS.OCCUPANT_ID, "occupant-id"),
        tag(NS.ROSTER, "query"),
        tag(NS.ROSTER, "item"),
        tag(NS.ROSTER, "group"),
        tag(NS.MUC_OWNER, "query"),
        tag(NS.MUC_ADMIN, "query"),
        tag(NS.MUC_ADMIN, "item"),
        tag(NS.DATA, "x"),
        tag(NS.DATA, "field"),
        tag(NS.DATA, "option"),
        tag(NS.DATA, "value"),
        tag(NS.DISCO_INFO, "query"),
        tag(NS.DISCO_INFO, "feature"),
        tag(NS.DISCO_ITEMS, "query"),
        tag(NS.DISCO_ITEMS, "item"),
    ]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["jid", "nick", "code", "id", "affiliation", "role", "type", "var", "subscription", "ask", "name"]),
    st.one_of(TEXT, st.sampled_from(["ann@example.org/x", "@", "a@b@c/", f"{ROOM}/bot", "a@" + "b" * 300])),
    max_size=5,
)


def _made(name: str, attributes: dict[str, str], text: str, children: Iterable[Element]) -> Element:
    found = Element(name, attributes)
    found.text = text
    found.extend(children)
    return found


ELEMENTS = st.recursive(
    st.builds(_made, NAMES, ATTRIBUTES, TEXT, st.just(())),
    lambda children: st.builds(_made, NAMES, ATTRIBUTES, TEXT, st.lists(children, max_size=5)),
    max_leaves=20,
)
FROM = st.one_of(st.sampled_from([f"{ROOM}/bot", f"{ROOM}/ann", ROOM, "ann@example.org/x", "@", ""]), TEXT)
TYPE = st.sampled_from(["", "unavailable", "error", "subscribe", "subscribed", "unsubscribed", "unsubscribe", "result"])


def _stanza(name: str, sender: str, kind: str, children: list[Element]) -> Element:
    found = Element(tag(NS.CLIENT, name), {"from": sender, **({"type": kind} if kind else {})})
    found.extend(children)
    return found


STANZAS = st.builds(_stanza, st.sampled_from(["presence", "iq"]), FROM, TYPE, st.lists(ELEMENTS, max_size=4))


@given(stanza=STANZAS)
def test_no_reader_raises(stanza: Element) -> None:
    read_presence(stanza), read_room_presence(stanza), stanza_error(stanza), read_features(stanza), read_form(stanza)
    list(read_roster(stanza)), list(read_standings(stanza)), list(read_services(stanza))


@given(stanzas=st.lists(STANZAS, max_size=6))
def test_whatever_comes_makes_events_that_the_ledger_can_hold(stanzas: list[Element]) -> None:
    """Of a room that we are in, and of everybody else."""
    config = XmppConfig(jid="bot@example.org", password="secret-word", rooms=[{"room": ROOM}])
    rooms, roster = (each(config, FakeContext(), FakeStream()) for each in (Rooms, Roster))
    here = element(f"<presence from='{ROOM}/bot'><x xmlns='{NS.MUC_USER}'><status code='110'/></x></presence>")
    assert isinstance(rooms, Rooms)
    assert isinstance(roster, Roster)
    rooms.read(here, now=NOW)
    for stanza in stanzas:
        reading = rooms.read(stanza, now=NOW) or roster.read(stanza, now=NOW)
        for event in (*reading.events, *reading.notices):
            assert wire.event_from_json(wire.event_to_json(event)) == event
        assert all(event.key for event in reading.events)


# --- what we write ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["available", "away", "busy", "offline"])
def test_what_we_show_is_read_as_it_was_meant(shown: str) -> None:
    said = read_presence(presence(shown, "text", priority=5))  # type: ignore[arg-type]

    assert (said.shown, said.text) == (shown, "text")
    assert said.priority == (0 if shown == "offline" else 5)


@pytest.mark.parametrize(
    ("condition", "kind", "code"),
    [
        ("<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>", "cancel", "cancel/conflict"),
        ("<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text>", "auth", "auth/undefined-condition"),
        ("<conflict xmlns='urn:other'/>", "strange", "cancel/undefined-condition"),
        ("", "", "cancel/undefined-condition"),
    ],
)
def test_an_error_has_a_code_of_known_words(condition: str, kind: str, code: str) -> None:
    stanza = element(f"<presence type='error'><error type='{kind}'>{condition}</error></presence>")

    assert str(stanza_error(stanza)) == code


def test_a_room_with_an_international_name_is_written_to_by_that_name() -> None:
    asked = join_presence("lounge@xn--bcher-kva.example", "Jörg Ä", id="1")

    assert asked.get("to") == "lounge@bücher.example/Jörg Ä"
