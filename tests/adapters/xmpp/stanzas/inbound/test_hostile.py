"""Whatever is in a stanza, reading it does not raise, and what comes of it can be stored."""

from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.stanzas.inbound import Archived, Reading
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import CUT
from convergekit.model import CustomReceived, event_from_json, event_to_json
from tests.adapters.xmpp.stanzas.inbound.known import ANN, BOT, NOW, OURS, ROOM, Known, chat, stanza

#: What XML can carry (XML 1.0 §2.2), and no parser hands over anything else.
ANYTHING = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=f"\ufffe\uffff{''.join(map(chr, range(32)))}")
    | st.sampled_from("\t\n\r"),
    max_size=40,
)
PLACES = [BOT, f"{BOT}/x", ANN, f"{ANN}/y", ROOM, f"{ROOM}/bot", f"{ROOM}/ann", "example.org", "@", "/", "a@b@c"]
JIDS = st.sampled_from(PLACES)
WORDS = (
    ANYTHING | JIDS | st.sampled_from([OURS, "m1", "0", "-1", "2026-02-28T10:00:00Z", "https://example.org/a", "chat"])
)
#: What reading looks for, and some that it does not.
NAMES = {
    NS.CLIENT: ["message", "body", "subject", "thread", "error"],
    NS.CARBONS: ["received", "sent"],
    NS.FORWARD: ["forwarded"],
    NS.MAM: ["result"],
    NS.DELAY: ["delay"],
    NS.SID: ["stanza-id", "origin-id"],
    NS.OCCUPANT_ID: ["occupant-id"],
    NS.RECEIPTS: ["request", "received"],
    NS.MARKERS: ["displayed", "received", "markable"],
    NS.CHAT_STATES: ["composing", "active"],
    NS.CORRECTION: ["replace"],
    NS.RETRACTION: ["retract", "retracted"],
    NS.MODERATION: ["moderated"],
    NS.FASTENING: ["apply-to"],
    NS.REACTIONS: ["reactions", "reaction"],
    NS.REPLY: ["reply"],
    NS.FALLBACK: ["fallback", "body"],
    NS.MUC_USER: ["x", "invite", "decline", "item", "status"],
    NS.CONFERENCE: ["x"],
    NS.OOB: ["x", "url", "desc"],
    NS.ENCRYPTION: ["encryption"],
    NS.STANZAS: ["gone", "text"],
    NS.HINTS: ["no-store"],
    NS.STYLING: ["unstyled"],
    NS.NICK: ["nick"],
    "urn:xmpp:omemo:2": ["encrypted", "payload"],
    "urn:example:unknown": ["x"],
}
TAGS = st.sampled_from([tag(namespace, name) for namespace, names in NAMES.items() for name in names] + ["x"])
KEYS = st.sampled_from(["id", "from", "to", "type", "by", "stamp", "for", "start", "end", "jid", "code", "namespace"])


@st.composite
def elements(draw: st.DrawFn, name: str | None = None, depth: int = 3) -> Element:
    element = Element(name or draw(TAGS), draw(st.dictionaries(KEYS, WORDS, max_size=3)))
    element.text = draw(st.none() | WORDS)
    for _ in range(draw(st.integers(0, 5 if name else 2)) if depth else 0):
        element.append(draw(elements(depth=depth - 1)))
    return element


@st.composite
def messages(draw: st.DrawFn) -> Element:
    message = draw(elements("{jabber:client}message"))
    message.set("type", draw(st.sampled_from(["chat", "groupchat", "normal", "headline", "error", "x"])))
    if draw(st.booleans()):
        message.set("from", draw(JIDS))
    return message


def assert_sound(reading: Reading) -> None:
    for event in reading.events:
        assert event.key
        Xmpp.of(event)
        assert "fault of ours" not in str(getattr(event, "data", ""))
        assert event_from_json(event_to_json(event)) == event
    assert all(not notice.key for notice in reading.notices)
    assert len({event.key for event in reading.events}) == len(reading.events)


@given(messages(), st.booleans())
def test_any_message_is_read(message: Element, archived: bool) -> None:
    assert_sound(Known().read(message, archived=Archived("", "1", NOW) if archived else None))


@given(messages(), st.sampled_from(["received", "sent"]), st.sampled_from([BOT, ANN]))
def test_any_message_in_a_copy_in_a_copy(message: Element, kind: str, sender: str) -> None:
    for _ in range(2):
        outer = Element("{jabber:client}message", {"from": sender, "to": BOT})
        copied = SubElement(outer, f"{{{NS.CARBONS}}}{kind}")
        SubElement(copied, f"{{{NS.FORWARD}}}forwarded").append(message)
        message = outer
        assert_sound(Known().read(message))


def nested(levels: int) -> Element:
    message = element = stanza(chat("<body>a</body>"))
    for _ in range(levels):
        element = SubElement(element, "{urn:example}deeper")
    return message


@pytest.mark.parametrize(
    "message",
    [
        nested(100),
        nested(50_000),
        stanza(chat(f"<body>{'x' * 2_000_000}</body>")),
        stanza(chat("<body>a</body>", sender="a b@c")),
        stanza(chat("<body>a</body>", sender=f"{ROOM}/ ")),
        stanza(chat("<body>a</body>", sender="x" * 10_000)),
        stanza(chat("<body>a</body>", sender="evil\u202e@example.org")),
        stanza(chat("<body>a</body>").replace("<message", f'<message xmlns:c="{CUT[1:-4]}" c:cut="depth"')),
    ],
    ids=["deep", "deeper", "large", "no JID", "no nickname", "long", "turned round", "cut"],
)
def test_what_cannot_be_read_is_told_and_is_not_lost(message: Element) -> None:
    reading = Known().read(message)

    (event,) = reading.events
    assert isinstance(event, CustomReceived)
    assert event.name == "xmpp.unreadable"
    assert event.data["id"] == "m1"
    assert_sound(reading)
    assert reading.events[0].key == Known().read(message).events[0].key


def test_a_fault_of_ours_is_one_message_and_no_more() -> None:
    class Broken(Known):
        def trusts_ids(self, by: str) -> bool:
            raise RuntimeError("Pay them.")

    archived = Archived("", "7", NOW)
    reading = Broken().read(chat("<body>a</body>"), archived=archived)

    (event,) = reading.events
    assert isinstance(event, CustomReceived)
    assert event.data["reason"] == "by a fault of ours: RuntimeError"
    assert reading.archived == archived


def test_forty_thousand_children_take_no_longer_than_that() -> None:
    """One walk: what is asked of a message is looked up."""
    message = stanza(chat("<body>a</body>"))
    for number in range(20_000):
        SubElement(message, f"{{urn:example:{number % 500}}}x")
    assert_sound(Known().read(message))


def test_a_time_without_end_is_none() -> None:
    at: Any = Known().read(chat('<body>a</body><delay xmlns="urn:xmpp:delay" from="example.org" stamp="9999-99-99"/>'))
    assert isinstance(at.events[0].at, datetime)
