"""From a route to a plan: the legs, what the gates say, what is lost, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from convergekit.errors import ConfigurationError, InvalidInputError, UnsupportedContentError
from convergekit.model import (
    Address,
    Attachment,
    Capabilities,
    Contact,
    ConversationKind,
    ConversationRef,
    Degradation,
    LegStep,
    Message,
    ParallelStep,
    Part,
    SequenceStep,
    Status,
    Step,
    TextLimit,
    from_json,
    to_json,
)
from convergekit.router import (
    STANDARD,
    Allow,
    Decision,
    Drop,
    Gate,
    GateInput,
    Plan,
    PlannedLeg,
    Prepared,
    Resolved,
    all_of,
    default_route,
    divert,
    first_of,
    has_scheme,
    preferred,
    prepare,
    recipient_key,
    resolve,
    same_thread,
    via,
    when,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SMS, MAIL, JID = Address("sms:+4915112345678"), Address("mailto:ann@example.org"), Address("xmpp:ann@example.org")
ANN = Contact(id="ann", addresses=(MAIL, SMS))
HELLO = Message("hello")


@dataclass(frozen=True)
class Channel:
    """What the engine shows of a channel."""

    name: str
    schemes: frozenset[str]
    default: bool = False
    degrade: Literal["allow", "warn", "refuse"] = "warn"
    state: str = ""
    receipts: frozenset[Status] = frozenset({Status.ACCEPTED, Status.DELIVERED})
    text: TextLimit | None = None

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        return Capabilities(receipts=self.receipts, text=self.text)


def channels(*several: Channel) -> Mapping[str, Channel]:
    return {channel.name: channel for channel in several}


ALERTS = Channel("alerts", frozenset({"sms", "tel"}))
MAILS = Channel("mail", frozenset({"mailto"}))
BOTH = channels(ALERTS, MAILS)


def resolved(route: Any, recipient: Any = ANN, among: Mapping[str, Channel] = BOTH, **more: Any) -> Resolved:
    return resolve(route, recipient=recipient, message=HELLO, channels=among, **more)


def ways(found: Resolved) -> list[tuple[str, Address]]:
    return [(leg.channel, leg.address) for leg in found.legs]


class TestVia:
    def test_a_channel_takes_the_address_that_it_serves(self) -> None:
        step, legs, _ = resolved("alerts")
        assert step == LegStep(leg=0)
        assert legs == (
            PlannedLeg(
                leg=0, channel="alerts", address=SMS, conversation=ConversationRef(channel="alerts", address=SMS)
            ),
        )

    def test_an_address_takes_the_only_channel_that_serves_it(self) -> None:
        assert ways(resolved("sms:+49301234567")) == [("alerts", Address("sms:+49301234567"))]

    def test_of_several_channels_the_default_one_is_taken(self) -> None:
        second = Channel("second", frozenset({"sms"}), default=True)
        assert ways(resolved(SMS, SMS, channels(ALERTS, second))) == [("second", SMS)]
        assert ways(resolved(via(SMS, channel="alerts"), SMS, channels(ALERTS, second))) == [("alerts", SMS)]

    def test_several_without_a_default_are_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"alerts, second and none is the default; set default = true"):
            resolved(SMS, SMS, channels(ALERTS, Channel("second", frozenset({"sms"}))))

    def test_several_defaults_are_no_default(self) -> None:
        one, two = (Channel(name, frozenset({"sms"}), default=True) for name in ("one", "two"))
        with pytest.raises(ConfigurationError, match="one, two are all the default"):
            resolved(SMS, SMS, channels(one, two))

    @pytest.mark.parametrize(
        ("address", "way_out"),
        [
            (JID, r"adapter = \"xmpp\" \(pip install 'convergekit\[xmpp\]'\)"),
            (Address("https://example.org/secret"), r"adapter = \"webhook\"$"),
            (Address("fax:123"), "convergekit adapters"),
        ],
    )
    def test_no_channel_tells_what_there_is_and_what_to_install(self, address: Address, way_out: str) -> None:
        with pytest.raises(ConfigurationError, match=way_out) as caught:
            resolved(address, address)
        assert f"no channel serves {address.scheme}: addresses; configured: alerts (sms, tel), mail" in str(
            caught.value
        )
        assert "secret" not in str(caught.value)

    def test_a_channel_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="no open channel 'alert'; there are: alerts, mail"):
            resolved("alert")

    def test_a_channel_that_does_not_serve_the_address_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="mail serves mailto"):
            resolved(via(SMS, channel="mail"))

    def test_a_recipient_without_such_an_address_cannot_be_reached(self) -> None:
        with pytest.raises(InvalidInputError, match="contact:bob has no address that alerts serves"):
            resolved("alerts", Contact(id="bob", addresses=(MAIL,)))


class TestPreferred:
    def test_it_follows_the_contact(self) -> None:
        assert ways(resolved(preferred())) == [("mail", MAIL), ("alerts", SMS)]
        assert ways(resolved(preferred(), ANN.model_copy(update={"preferred": "sms"}))) == [
            ("alerts", SMS),
            ("mail", MAIL),
        ]

    def test_it_is_a_sequence(self) -> None:
        step, _, _ = resolved(preferred(until=Status.DELIVERED, within=60, tries=2))
        goals = tuple(LegStep(leg=n, goal=Status.DELIVERED) for n in (0, 1))
        assert step == SequenceStep(steps=goals, within=60, tries=2)

    def test_the_active_conversation_comes_first_and_only_once(self) -> None:
        thread = ConversationRef(channel="alerts", address=SMS, thread="7")
        found = resolved(preferred(), conversation=thread)
        assert ways(found) == [("alerts", SMS), ("mail", MAIL)]
        assert found.legs[0].conversation == thread

    @pytest.mark.parametrize(
        "other",
        [
            ConversationRef(channel="alerts", address="sms:+49309999999"),
            ConversationRef(channel="alerts", address=SMS, kind=ConversationKind.GROUP),
            ConversationRef(channel="closed", address=SMS),
        ],
        ids=["somebody else's", "a room", "not open"],
    )
    def test_a_conversation_that_is_not_theirs_is_not_used(self, other: ConversationRef) -> None:
        """An answer to one person never lands with another, or in front of everybody."""
        assert ways(resolved(preferred(), conversation=other)) == [("mail", MAIL), ("alerts", SMS)]

    def test_an_address_that_nothing_serves_is_passed_over_and_told(self) -> None:
        found = resolved(preferred(), Contact(id="ann", addresses=(JID, SMS)))
        assert ways(found) == [("alerts", SMS)]
        assert found.step == LegStep(leg=0)
        assert found.warnings[0].startswith("no channel serves xmpp:")

    def test_nobody_can_be_reached_without_addresses(self) -> None:
        with pytest.raises(InvalidInputError, match="contact:bob has no address at all"):
            resolved(preferred(), Contact(id="bob"))
        with pytest.raises(ConfigurationError, match="no channel serves xmpp:"):
            resolved(preferred(), Contact(id="bob", addresses=(JID,)))


class TestSameThread:
    def test_it_goes_where_the_message_came_from(self) -> None:
        room = ConversationRef(
            channel="mail", address="mailto:list@example.org", kind=ConversationKind.GROUP, thread="t"
        )
        assert resolved(same_thread(), conversation=room).legs[0].conversation == room

    def test_a_conversation_as_the_recipient_is_the_thread(self) -> None:
        ref = ConversationRef(channel="mail", address=MAIL, thread="t")
        for route in (default_route(ref), preferred(), via("mail"), via(MAIL)):
            assert resolved(route, ref).legs[0].conversation == ref

    def test_a_conversation_without_a_channel_finds_one(self) -> None:
        assert resolved(same_thread(), ConversationRef(address=MAIL)).legs[0].conversation.channel == "mail"

    def test_a_thread_belongs_to_its_channel(self) -> None:
        second = Channel("second", frozenset({"mailto"}))
        ref = ConversationRef(channel="mail", address=MAIL, thread="t")
        found = resolved("second", ref, channels(MAILS, second))
        assert found.legs[0].conversation == ConversationRef(channel="second", address=MAIL)

    def test_where_its_channel_is_gone_the_next_way_is_taken(self) -> None:
        gone = ConversationRef(channel="closed", address=MAIL)
        found = resolved(first_of(same_thread(), "alerts"), conversation=gone)
        assert ways(found) == [("alerts", SMS)]
        assert found.warnings == ("same_thread(): its channel 'closed' is not open",)

    def test_without_a_thread_the_next_way_is_taken(self) -> None:
        found = resolved(first_of(same_thread(), "alerts"))
        assert ways(found) == [("alerts", SMS)]
        assert found.warnings == ("same_thread() needs a conversation: reply in one, or name one as the recipient",)
        with pytest.raises(InvalidInputError, match="needs a conversation"):
            resolved(same_thread())


class TestComposed:
    def test_first_of_and_all_of_become_steps(self) -> None:
        step, _, _ = resolved(first_of(all_of("alerts", "mail"), "alerts", within=5))
        both = ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        assert step == SequenceStep(steps=(both, LegStep(leg=2)), within=5)

    def test_a_goal_holds_for_all_that_is_inside(self) -> None:
        _, legs, _ = resolved(first_of("alerts", preferred(), until=Status.DELIVERED))
        assert {leg.goal for leg in legs} == {Status.DELIVERED}

    def test_an_inner_goal_may_ask_for_more(self) -> None:
        _, legs, _ = resolved(first_of(all_of("alerts", until=Status.DELIVERED), "mail"))
        assert [leg.goal for leg in legs] == [Status.DELIVERED, Status.ACCEPTED]

    def test_when_goes_one_way_or_the_other(self) -> None:
        route = when(has_scheme("xmpp"), preferred(), "mail")
        assert ways(resolved(route)) == [("mail", MAIL)]
        assert resolved(when(has_scheme("xmpp"), "mail"))[:2] == (None, ())
        assert ways(resolved(all_of(when(has_scheme("xmpp"), "mail"), "alerts"))) == [("alerts", SMS)]

    def test_all_of_needs_everybody(self) -> None:
        with pytest.raises(InvalidInputError, match="no address that mail serves"):
            resolved(all_of("alerts", "mail"), SMS)

    def test_what_cannot_be_had_leaves_no_gap_in_the_numbers(self) -> None:
        found = resolved(first_of(all_of("alerts", "mail"), "alerts"), SMS)
        assert [leg.leg for leg in found.legs] == [0]

    def test_nothing_that_can_be_had_says_all_reasons(self) -> None:
        with pytest.raises(InvalidInputError, match=r"alerts serves.*; same_thread\(\) needs"):
            resolved(first_of("alerts", same_thread()), MAIL)

    def test_a_mistake_is_not_passed_over(self) -> None:
        with pytest.raises(ConfigurationError, match="no open channel 'alert'"):
            resolved(first_of("alert", "mail"))

    def test_a_double_is_told(self) -> None:
        found = resolved(all_of("alerts", SMS))
        assert found.warnings == ("legs 0 and 1 go to the same address over alerts",)


class TestGoals:
    def test_what_a_channel_can_never_report_is_refused_with_the_way_out(self) -> None:
        with pytest.raises(ConfigurationError, match=r"no more than DELIVERED: ask for until=Status.DELIVERED"):
            resolved(first_of("alerts", until=Status.READ))

    @pytest.mark.parametrize("receipts", [{Status.READ}, {Status.ACCEPTED, Status.ANSWERED}])
    def test_better_evidence_proves_it_too(self, receipts: set[Status]) -> None:
        seen = Channel("chat", frozenset({"sms"}), receipts=frozenset(receipts))
        assert resolved(first_of("chat", until=Status.DELIVERED), among=channels(seen)).step is not None

    def test_a_failure_is_no_evidence_of_arrival(self) -> None:
        relay = Channel("relay", frozenset({"sms"}), receipts=frozenset({Status.ACCEPTED, Status.FAILED}))
        with pytest.raises(ConfigurationError, match="no more than ACCEPTED"):
            resolved(first_of("relay", until=Status.SENT), among=channels(relay))

    def test_whatever_is_declared_can_be_accepted(self) -> None:
        silent = Channel("silent", frozenset({"sms"}), receipts=frozenset())
        assert resolved("silent", among=channels(silent)).step == LegStep(leg=0)


# -- gates, rendering, the plan ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rendered:
    parts: tuple[Part, ...] = (Part(text="hello"),)
    degradations: tuple[Degradation, ...] = ()


async def render(message: Message, capabilities: Capabilities, *, policy: str) -> Rendered:
    if policy == "refuse":
        raise UnsupportedContentError("it cannot show tables")
    return Rendered(degradations=(Degradation(what="markup", detail="tables as text"),))


@dataclass(frozen=True)
class Says:
    """A gate that says something about some channels."""

    decision: Decision
    about: frozenset[str]
    name: str = "mine"

    def decide(self, leg: GateInput) -> Decision:
        return self.decision if leg.channel in self.about else Allow()


def says(decision: Decision, *about: str) -> Gate:
    return Says(decision, frozenset(about))


async def prepared(
    route: Any = None,
    *,
    recipient: Any = ANN,
    message: Message = HELLO,
    among: Any = BOTH,
    gates: Any = STANDARD,
    rendering: Rendered | None = None,
    **more: Any,
) -> Prepared:
    async def facts(leg: PlannedLeg) -> GateInput:
        return GateInput(
            message=message, address=leg.address, channel=leg.channel, conversation=leg.conversation, now=NOW, **more
        )

    async def given(*_: Any, **__: Any) -> Any:
        return rendering

    return await prepare(
        message,
        recipient=recipient,
        route=route,
        channels=among,
        gates=gates,
        facts=facts,
        render=render if rendering is None else given,
    )


def numbers(found: Prepared) -> tuple[list[int], list[int]]:
    return [each.leg.leg for each in found.legs], [each.leg.leg for each in found.unused]


async def test_what_passes_is_rendered() -> None:
    found = await prepared()
    assert numbers(found) == ([0, 1], [])
    assert found.legs[0].parts == (Part(text="hello"),)
    assert [record.gate for record in found.legs[0].gates] == ["loop_guard", "ttl", "consent", "not_before"]
    assert found.legs[0].due(NOW) == NOW
    assert found.reason is None


async def test_a_deferred_leg_stays_and_has_its_time() -> None:
    later = NOW + timedelta(hours=1)
    found = await prepared(message=Message("hello", not_before=later))
    assert numbers(found) == ([0, 1], [])
    assert found.legs[0].due(NOW) == later
    assert found.legs[0].parts != ()


async def test_a_leg_that_a_gate_drops_is_left_out() -> None:
    for route in (first_of("mail", "alerts"), all_of("mail", "alerts")):
        found = await prepared(route, gates=[says(Drop(reason="quiet"), "mail")])
        assert found.step == LegStep(leg=1)
        assert numbers(found) == ([1], [0])
        assert found.unused[0].parts == ()


async def test_nothing_is_left_when_all_are_dropped_and_it_says_why() -> None:
    found = await prepared(message=Message("hello", category="news"))
    assert found.step is None
    assert found.error is None
    assert found.reason == ("mail: consent: they never agreed to 'news'; alerts: consent: they never agreed to 'news'")


async def test_content_that_is_refused_goes_the_next_way() -> None:
    strict = channels(ALERTS, Channel("mail", frozenset({"mailto"}), degrade="refuse"))
    found = await prepared(first_of("mail", "alerts"), among=strict)
    assert (found.step, found.error) == (LegStep(leg=1), None)

    for route in ("mail", all_of("mail", "alerts"), first_of("mail")):
        found = await prepared(route, among=strict)
        assert found.step is None
        assert isinstance(found.error, UnsupportedContentError)


async def test_a_diverted_leg_goes_the_other_way_with_the_same_goal() -> None:
    gates = [says(divert("alerts", "no mail at night"), "mail")]
    found = await prepared(first_of("mail", until=Status.DELIVERED), gates=gates)
    assert found.step == LegStep(leg=1, goal=Status.DELIVERED)
    assert numbers(found) == ([1], [0])
    assert found.warnings == ()

    found = await prepared("mail", gates=[says(divert(first_of(same_thread(), "alerts"), "elsewhere"), "mail")])
    assert found.warnings[0].startswith("same_thread() needs a conversation")


async def test_a_diversion_inside_a_route_takes_the_place_of_its_leg() -> None:
    gates = [says(divert(all_of("sms:+49301111111", "sms:+49302222222"), "both phones"), "mail")]
    found = await prepared(first_of("mail", "alerts"), gates=gates)
    both: Step = ParallelStep(steps=(LegStep(leg=2), LegStep(leg=3)))
    assert found.step == SequenceStep(steps=(both, LegStep(leg=1)))
    assert sorted(numbers(found)[0]) == [1, 2, 3]


async def test_diversions_do_not_run_in_circles() -> None:
    gates = [says(divert("alerts", "there"), "mail"), says(divert("mail", "and back"), "alerts")]
    found = await prepared("mail", gates=gates)
    assert found.step is None
    assert found.reason == "alerts: mine: diverted twice: and back"


async def test_a_channel_in_trouble_is_told() -> None:
    down = channels(Channel("alerts", frozenset({"sms"}), state="down: the credentials are refused"))
    found = await prepared("alerts", among=down)
    assert found.legs[0].warnings == ("alerts is down: the credentials are refused",)


class TestPlan:
    async def test_it_tells_everything_and_in_words(self) -> None:
        route = first_of("mail", "alerts", until=Status.DELIVERED, within=300)
        found = await prepared(route, gates=[says(Drop(reason="quiet"), "alerts")])
        plan = Plan(recipients=(found.summary(), (await prepared(first_of("mail", "alerts"))).summary()))

        assert str(plan).splitlines() == [
            "to contact:ann by first_of(via('mail'), via('alerts'), until=Status.DELIVERED, within=300.0)",
            "  0. mail to mailto:ann@example.org until DELIVERED: 1 part",
            "     gates: mine allows",
            "     lossy: markup: tables as text",
            "  not used: 1. alerts to sms:+4915112345678 until DELIVERED: mine drops it (quiet)",
            "     gates: mine drops it (quiet)",
            "to contact:ann by first_of(via('mail'), via('alerts'))",
            "  one after another:",
            "    0. mail to mailto:ann@example.org until ACCEPTED: 1 part",
            "       gates: loop_guard allows, ttl allows, consent allows, not_before allows",
            "       lossy: markup: tables as text",
            "    1. alerts to sms:+4915112345678 until ACCEPTED: 1 part",
            "       gates: loop_guard allows, ttl allows, consent allows, not_before allows",
            "       lossy: markup: tables as text",
        ]
        assert plan.ok
        assert len(plan.degradations) == 3

    async def test_it_tells_what_is_paid_for_by_the_segment(self) -> None:
        """Of what goes as SMS, before it is sent; files go as MMS, which has another price."""
        parts = (Part(text="a" * 161), Part(text="я"), Part(attachments=(Attachment(url="https://example.org/a.png"),)))
        by_sms = Channel("alerts", frozenset({"sms"}), text=TextLimit(max=1530, unit="gsm7"))
        found = await prepared("alerts", among=channels(by_sms), rendering=Rendered(parts=parts))
        (leg,) = found.summary().legs

        assert (leg.parts, leg.segments) == (3, 3)
        assert str(leg).endswith(": 3 parts, 3 segments")

    async def test_other_channels_have_no_segments(self) -> None:
        assert [leg.segments for leg in (await prepared("mail")).summary().legs] == [None]

    async def test_nothing_sent_is_not_ok(self) -> None:
        strict = channels(Channel("mail", frozenset({"mailto"}), degrade="refuse"))
        plan = Plan(recipients=((await prepared("mail", among=strict)).summary(),))
        assert not plan.ok
        assert "nothing is sent: it cannot show tables" in str(plan)

    async def test_it_survives_json(self) -> None:
        gates = [says(divert("alerts", "no mail at night"), "mail")]
        found = await prepared(all_of("mail", "alerts"), gates=gates)
        plan = Plan(recipients=(found.summary(),))
        assert from_json(Plan, to_json(plan)) == plan


def test_recipients_have_one_name_in_the_ledger() -> None:
    assert recipient_key(SMS) == "sms:+4915112345678"
    assert recipient_key(ANN) == "contact:ann"
    assert recipient_key(ConversationRef(channel="mail", address=MAIL, thread="t")) == "mail/mailto:ann@example.org#t"
