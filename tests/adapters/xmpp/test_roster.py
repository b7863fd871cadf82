"""Who is there, whom we see, who asks to see us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

import anyio
import pytest

from convergekit.adapters.xmpp import roster
from convergekit.adapters.xmpp.config import XmppConfig
from convergekit.adapters.xmpp.roster import Roster
from convergekit.adapters.xmpp.stanzas.inbound import Reading
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.errors import InvalidInputError, NotSentError, UnsupportedContentError
from convergekit.model import Address, CustomReceived, PresenceChanged, SubscriptionRequested
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_stream import SILENT, FakeStream

pytestmark = pytest.mark.anyio

QUERY = tag(NS.ROSTER, "query")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Address("xmpp:ann@example.org")
PHONE = Address("xmpp:ann@example.org/phone")
COMPONENT = {"jid": "gw.example.org", "account": "component", "host": "localhost"}


def items(*jids: str, subscription: str = "both") -> str:
    return (
        f"<query xmlns='{NS.ROSTER}'>"
        + "".join(f"<item jid='{jid}' subscription='{subscription}' name='N'><group>G</group></item>" for jid in jids)
        + "</query>"
    )


class Desk:
    """A roster over a fake stream."""

    def __init__(self, *, context: FakeContext | None = None, **settings: Any) -> None:
        self.context = context or FakeContext()
        self.stream = FakeStream(self.hear)
        self.stream.answers[QUERY] = items("ann@example.org")
        config = XmppConfig(**{"jid": "bot@example.org", "password": "secret-word", **settings})
        self.roster = Roster(config, self.context, self.stream)
        self.reading = Reading()
        self.notices: list[tuple[Address | None, str, str | None]] = []
        self.keys: list[str] = []

    def hear(self, element: Element) -> None:
        self.reading = self.roster.read(element, now=NOW)
        for notice in self.reading.notices:
            assert isinstance(notice, PresenceChanged)
            self.notices.append((notice.sender, notice.presence, notice.text))
        self.keys += [event.key for event in self.reading.events if isinstance(event, SubscriptionRequested)]

    async def shown_by(self, who: Address) -> tuple[str, str | None]:
        found = self.roster.presence_of(who)
        return found.presence, found.text


async def begun(**settings: Any) -> Desk:
    desk = Desk(**settings)
    await desk.stream.open()
    await desk.roster.begin()
    return desk


def push(item: str, sender: str = "") -> str:
    return f"<iq type='set' id='p'{sender}><query xmlns='{NS.ROSTER}'>{item}</query></iq>"


# --- who is there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "presence"),
    [
        ("", "available"),
        ("<show>chat</show>", "available"),
        ("<show>away</show>", "away"),
        ("<show>xa</show>", "away"),
        ("<show>dnd</show>", "busy"),
        ("<show>nonsense</show>", "available"),
    ],
)
async def test_presence_is_noticed_and_can_be_asked(said: str, presence: str) -> None:
    desk = await begun()

    desk.stream.push(f"<presence from='ann@example.org/phone'>{said}<status>hi</status></presence>")

    assert desk.notices == [(ANN, presence, "hi")]
    assert await desk.shown_by(ANN) == await desk.shown_by(PHONE) == (presence, "hi")


async def test_of_whom_nothing_is_known_is_offline() -> None:
    desk = await begun()

    assert await desk.shown_by(Address("xmpp:nobody@example.org")) == ("offline", None)
    assert await desk.shown_by(PHONE) == ("offline", None)


async def test_of_several_devices_the_one_of_the_highest_priority_speaks() -> None:
    desk = await begun()
    desk.stream.push("<presence from='ann@example.org/phone'><priority>5</priority><show>away</show></presence>")
    desk.stream.push("<presence from='ann@example.org/laptop'><priority>1</priority></presence>")

    assert await desk.shown_by(ANN) == ("away", None)
    assert await desk.shown_by(Address("xmpp:ann@example.org/laptop")) == ("available", None)

    desk.stream.push("<presence from='ann@example.org/phone' type='unavailable'/>")
    desk.stream.push("<presence from='ann@example.org/laptop' type='unavailable'/>")

    assert desk.notices == [(ANN, "away", None), (ANN, "available", None), (ANN, "offline", None)]


async def test_what_does_not_change_is_not_noticed() -> None:
    desk = await begun()
    for _ in range(3):
        desk.stream.push("<presence from='ann@example.org/phone'/>")
    desk.stream.push("<presence from='ben@example.org/phone' type='unavailable'/>")

    assert desk.notices == [(ANN, "available", None)]


@pytest.mark.parametrize("kind", ["unsubscribed", "error", "unavailable"])
async def test_who_is_seen_no_more_is_offline(kind: str) -> None:
    desk = await begun()
    desk.stream.push("<presence from='ann@example.org/phone'/>")

    desk.stream.push(f"<presence from='ann@example.org' type='{kind}'/>")

    assert desk.notices[-1] == (ANN, "offline", None)
    assert await desk.shown_by(PHONE) == ("offline", None)


async def test_our_own_presence_is_no_news() -> None:
    desk = await begun()
    desk.stream.push("<presence from='bot@example.org/here'/>")

    assert desk.notices == []


@pytest.mark.parametrize(
    "said",
    [
        "<presence/>",
        "<presence from=''/>",
        "<presence from='@/x'/>",
        "<presence from='ann@example.org/p' type='nonsense'/>",
        "<presence from='ann@example.org/p' type='probe'/>",
    ],
)
async def test_what_makes_no_sense_changes_nothing(said: str) -> None:
    desk = await begun()
    desk.stream.push(said)

    assert desk.reading == Reading()


async def test_a_fresh_session_knows_nobody_any_more_and_a_resumed_one_does() -> None:
    desk = await begun()
    desk.stream.push("<presence from='ann@example.org/phone'/>")

    await desk.roster.begin(resumed=True)
    assert await desk.shown_by(ANN) == ("available", None)

    await desk.roster.begin()
    assert await desk.shown_by(ANN) == ("offline", None)


async def test_strangers_do_not_push_those_out_whom_we_know() -> None:
    desk = await begun()
    desk.stream.push("<presence from='ann@example.org/phone'/>")
    for number in range(roster.OTHERS + 50):
        desk.stream.push(f"<presence from='s{number}@evil.example/x'/>")
    for number in range(roster.RESOURCES + 5):
        desk.stream.push(f"<presence from='s@evil.example/{number}'/>")

    assert await desk.shown_by(ANN) == ("available", None)
    assert await desk.shown_by(Address("xmpp:s0@evil.example")) == ("offline", None)
    assert await desk.shown_by(Address("xmpp:s@evil.example/0")) == ("offline", None)


async def test_of_a_long_status_the_beginning_is_kept() -> None:
    desk = await begun()
    desk.stream.push(f"<presence from='ann@example.org/phone'><status>{'x' * 5000}</status></presence>")

    assert await desk.shown_by(ANN) == ("available", "x" * 1000)


# --- what we show -----------------------------------------------------------------------------------------------------


async def test_once_connected_we_are_seen() -> None:
    desk = await begun(priority=3, presence="away")

    (said,) = desk.stream.posted
    assert (said.get("type"), said.get("to")) == (None, None)
    assert said.findtext(tag(NS.CLIENT, "show")) == "away"
    assert said.findtext(tag(NS.CLIENT, "priority")) == "3"


async def test_who_is_invisible_says_nothing() -> None:
    desk = await begun(presence="invisible")

    assert desk.stream.posted == []


async def test_what_we_show_is_kept_over_sessions() -> None:
    desk = await begun()
    await desk.roster.set_presence("busy", "at lunch")
    desk.stream.drop()
    await desk.stream.open()

    await desk.roster.begin()

    assert [each.findtext(tag(NS.CLIENT, "show")) for each in desk.stream.posted] == [None, "dnd", "dnd"]
    assert desk.stream.posted[-1].findtext(tag(NS.CLIENT, "status")) == "at lunch"


@pytest.mark.parametrize("resumed", [True, False])
async def test_what_we_show_while_there_is_no_session_is_shown_in_the_next(resumed: bool) -> None:
    desk = await begun()
    desk.stream.drop()
    await desk.roster.set_presence("offline")
    await desk.stream.open()

    await desk.roster.begin(resumed=resumed)

    assert [each.get("type") for each in desk.stream.posted] == [None, "unavailable"]


async def test_a_presence_that_there_is_not_is_refused() -> None:
    desk = await begun()

    with pytest.raises(InvalidInputError, match="available, away, busy, offline"):
        await desk.roster.set_presence("asleep")


async def test_a_status_that_would_end_the_stream_is_refused_and_forgotten() -> None:
    desk = await begun()

    with pytest.raises(UnsupportedContentError):
        await desk.roster.set_presence("away", "half \ud800")
    await desk.roster.begin()

    assert [each.findtext(tag(NS.CLIENT, "show")) for each in desk.stream.posted] == [None, None]


async def test_a_component_has_neither_presence_nor_roster() -> None:
    desk = await begun(**COMPONENT)

    assert (desk.stream.posted, desk.stream.asked) == ([], [])
    with pytest.raises(UnsupportedContentError, match="component"):
        await desk.roster.set_presence("away")


async def test_a_component_is_asked_under_each_of_its_names_and_answers_in_it() -> None:
    """A request for another of its names is another request; what was not heard of is answered for the domain."""
    desk = await begun(**COMPONENT)

    names = []
    for asked in ("case-1@gw.example.org", "CASE-2@gw.example.org/x", "gw.example.org", "case-1@gw.example.org"):
        desk.stream.push(f"<presence type='subscribe' from='ann@example.org' to='{asked}'/>")
        (event,) = desk.reading.events
        assert event.conversation is not None
        assert event.conversation.address == ANN
        names.append(event.conversation.thread)
    assert names == ["case-1@gw.example.org", "case-2@gw.example.org", None, "case-1@gw.example.org"]
    assert len(set(desk.keys)) == 3

    await desk.roster.accept_subscription(ANN)
    await desk.roster.refuse_subscription(ANN)
    assert [(each.get("type"), each.get("from")) for each in desk.stream.posted] == [
        ("subscribed", "case-1@gw.example.org"),
        ("subscribed", "case-2@gw.example.org"),
        ("subscribed", "gw.example.org"),
        ("unsubscribed", None),
    ]


# --- the roster -------------------------------------------------------------------------------------------------------


async def test_the_roster_is_learned() -> None:
    desk = await begun()

    contact = desk.roster.contacts["ann@example.org"]
    assert (contact.name, contact.subscription, contact.groups) == ("N", "both", ("G",))
    assert desk.context.admitted == []


async def test_a_server_without_a_roster_is_done_without() -> None:
    desk = Desk()
    desk.stream.answers[QUERY] = StanzaError("cancel", "service-unavailable")
    await desk.stream.open()

    await desk.roster.begin()

    assert len(desk.stream.posted) == 1


async def test_a_roster_that_does_not_come_is_done_without_in_this_session() -> None:
    desk = Desk()
    desk.stream.answers[QUERY] = SILENT
    await desk.stream.open()

    await desk.roster.begin()

    assert "no roster" in desk.context.logged
    assert len(desk.stream.posted) == 1  # we are seen all the same


async def test_a_session_that_is_over_is_told() -> None:
    desk = Desk()

    with pytest.raises(NotSentError):
        await desk.roster.begin()


async def test_a_change_is_an_event() -> None:
    desk = await begun()
    desk.stream.push(push("<item jid='Ben@Example.org' subscription='to' ask='subscribe'/>"))

    (event,) = desk.reading.events
    assert isinstance(event, CustomReceived)
    assert (event.name, event.sender) == ("xmpp.roster", Address("xmpp:ben@example.org"))
    assert event.data == {"jid": "ben@example.org", "name": None, "subscription": "to", "asked": True, "groups": []}
    assert desk.roster.contacts["ben@example.org"].subscription == "to"


async def test_whose_presence_came_before_they_were_in_the_roster_is_not_pushed_out_by_strangers() -> None:
    desk = await begun()
    desk.stream.push("<presence from='ben@example.org/phone'/>")
    desk.stream.push(push("<item jid='ben@example.org' subscription='to'/>"))
    for number in range(roster.OTHERS + 1):
        desk.stream.push(f"<presence from='s{number}@evil.example/x'/>")

    assert await desk.shown_by(Address("xmpp:ben@example.org")) == ("available", None)


async def test_a_roster_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "CONTACTS", 2)
    desk = Desk()
    desk.stream.answers[QUERY] = items("ann@example.org", "ben@example.org", "eve@example.org")
    await desk.stream.open()
    await desk.roster.begin()
    desk.stream.push(push("<item jid='joe@example.org' subscription='to'/>"))

    assert list(desk.roster.contacts) == ["ann@example.org", "ben@example.org"]
    assert len(desk.reading.events) == 1, "it is told all the same"


async def test_who_is_removed_is_gone() -> None:
    desk = await begun()
    desk.stream.push(push("<item jid='ann@example.org' subscription='remove'/>"))

    (event,) = desk.reading.events
    assert isinstance(event, CustomReceived)
    assert event.data["subscription"] == "remove"
    assert desk.roster.contacts == {}


async def test_what_changed_while_we_were_away_is_an_event() -> None:
    desk = await begun()
    desk.stream.answers[QUERY] = items("ben@example.org")
    await desk.roster.begin()

    told = [(event.data["jid"], event.data["subscription"]) for event in desk.context.admitted]  # type: ignore[attr-defined]
    assert told == [("ann@example.org", "remove"), ("ben@example.org", "both")]


@pytest.mark.parametrize("sender", ["eve@evil.example", "bot@evil.example", "example.org", "@"])
async def test_only_our_own_account_changes_the_roster(sender: str) -> None:
    desk = await begun()
    desk.stream.push(push("<item jid='eve@evil.example' subscription='both'/>", f" from='{sender}'"))

    assert desk.reading == Reading()
    assert list(desk.roster.contacts) == ["ann@example.org"]


# --- subscriptions ----------------------------------------------------------------------------------------------------

REQUEST = "<presence from='ben@example.org' type='subscribe'><status>let me in</status></presence>"
BEN = Address("xmpp:ben@example.org")


async def test_a_request_is_an_event_and_nothing_else() -> None:
    desk = await begun()
    before = len(desk.stream.posted)
    desk.stream.push(REQUEST)

    (event,) = desk.reading.events
    assert isinstance(event, SubscriptionRequested)
    assert (event.sender, event.text) == (BEN, "let me in")
    assert desk.reading.replies == ()
    assert len(desk.stream.posted) == before


@pytest.mark.parametrize("restarted", [True, False])
async def test_a_repeated_request_is_the_same_event(restarted: bool) -> None:
    desk = await begun()
    desk.stream.push(REQUEST)
    again = await begun(context=desk.context) if restarted else desk
    again.stream.push(REQUEST.replace("ben@", "Ben@"))

    assert len({*desk.keys, *again.keys}) == 1


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("answer", ["accept_subscription", "refuse_subscription"])
async def test_a_request_after_an_answer_is_another_event(answer: str, restarted: bool) -> None:
    desk = await begun()
    desk.stream.push(REQUEST)
    await getattr(desk.roster, answer)(BEN)
    again = await begun(context=desk.context) if restarted else desk
    again.stream.push(REQUEST)

    assert len({*desk.keys, *again.keys}) == 2


async def test_an_answer_to_one_changes_nothing_for_another() -> None:
    desk = await begun()
    desk.stream.push(REQUEST)
    await desk.roster.accept_subscription(Address("xmpp:eve@example.org"))
    desk.stream.push(REQUEST)

    assert len(set(desk.keys)) == 1


async def test_a_request_after_another_device_has_answered_is_another_event() -> None:
    desk = await begun()
    desk.stream.push(REQUEST)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.roster.keep)
        desk.stream.push(push("<item jid='ben@example.org' subscription='from'/>"))
        desk.stream.push(push("<item jid='ben@example.org' subscription='none'/>"))
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    again = await begun(context=desk.context)
    again.stream.push(REQUEST)

    assert len({*desk.keys, *again.keys}) == 2


async def test_what_is_not_written_yet_counts_as_well() -> None:
    desk = await begun()
    desk.stream.push(REQUEST)
    desk.stream.push(push("<item jid='ben@example.org' subscription='from'/>"))
    await desk.roster.accept_subscription(Address("xmpp:eve@example.org"))
    desk.stream.push(REQUEST)

    assert len(set(desk.keys)) == 2


async def test_an_answer_that_gets_lost_is_asked_for_again() -> None:
    desk = await begun()
    desk.stream.push(REQUEST)
    desk.stream.drop()
    with pytest.raises(NotSentError):
        await desk.roster.accept_subscription(BEN)
    await desk.stream.open()
    desk.stream.push(REQUEST)

    assert len(set(desk.keys)) == 2


async def test_the_answers_that_are_kept_are_bounded_and_nobody_is_overheard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "_ANSWERS", 3)
    desk = await begun()
    desk.stream.push(REQUEST)
    await desk.roster.refuse_subscription(BEN)
    for number in range(5):
        await desk.roster.refuse_subscription(Address(f"xmpp:s{number}@evil.example"))
    desk.stream.push(REQUEST)

    assert len(set(desk.keys)) == 2
    assert len((await desk.context.state.get("subscriptions"))[0]["answered"]) == 3


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("subscribe", "subscribe"),
        ("unsubscribe", "unsubscribe"),
        ("accept_subscription", "subscribed"),
        ("refuse_subscription", "unsubscribed"),
    ],
)
async def test_what_we_ask_and_answer_goes_to_the_account(verb: str, kind: str) -> None:
    desk = await begun()

    await getattr(desk.roster, verb)(PHONE)

    assert (desk.stream.posted[-1].get("type"), desk.stream.posted[-1].get("to")) == (kind, "ann@example.org")


async def test_a_request_has_a_word_with_it() -> None:
    desk = await begun()

    await desk.roster.subscribe(ANN, "it is me")

    assert desk.stream.posted[-1].findtext(tag(NS.CLIENT, "status")) == "it is me"


@pytest.mark.parametrize("kind", ["subscribed", "unsubscribed", "unsubscribe"])
async def test_an_answer_to_us_is_an_event(kind: str) -> None:
    desk = await begun()
    desk.stream.push(f"<presence from='ann@example.org' type='{kind}'/>")

    (event,) = desk.reading.events
    assert isinstance(event, CustomReceived)
    assert (event.name, event.sender, event.data) == ("xmpp.subscription", ANN, {"state": kind})
