"""Gates decide, and do nothing: who may be written to, how often, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from convergekit.model import Address, ConversationRef, Importance, Message
from convergekit.router import (
    STANDARD,
    Allow,
    Decision,
    Defer,
    Drop,
    Gate,
    GateInput,
    GateRecord,
    consent,
    decide_all,
    divert,
    expiry,
    loop_guard,
    not_before,
    ttl,
    via,
)

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ANN = Address("sms:+4915112345678")


def leg(message: Message | None = None, **facts: Any) -> GateInput:
    return GateInput(
        message=message or Message("hello"),
        address=ANN,
        channel="alerts",
        conversation=ConversationRef(channel="alerts", address=ANN),
        now=NOW,
        **facts,
    )


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class TestConsent:
    @pytest.mark.parametrize(
        ("category", "consents", "allowed"),
        [
            (None, {}, True),
            (None, {"news": False}, True),
            ("news", {"news": True}, True),
            ("news", {"news": False}, False),
            ("news", {}, False),
            ("news", {"offers": True}, False),
            ("news", {None: True}, False),  # START takes a STOP back, and subscribes to nothing
            ("news", {None: False, "news": True}, False),
            (None, {None: False}, False),
        ],
    )
    def test_a_category_needs_an_agreement_of_its_own(self, category: Any, consents: Any, allowed: bool) -> None:
        decision = consent().decide(leg(Message("hello", category=category), consents=consents))
        assert isinstance(decision, Allow) is allowed

    def test_a_gate_may_name_the_category_of_what_has_none(self) -> None:
        assert consent("news").decide(leg()) == Drop(reason="they never agreed to 'news'")
        assert isinstance(consent("news").decide(leg(consents={"news": True})), Allow)
        own = leg(Message("hello", category="offers"), consents={"offers": True})
        assert isinstance(consent("news").decide(own), Allow)

    @pytest.mark.parametrize(
        ("automatic", "replying", "allowed"),
        [(False, True, True), (True, True, False), (False, False, False), (True, False, False)],
    )
    def test_after_stop_only_a_person_answers(self, automatic: bool, replying: bool, allowed: bool) -> None:
        decision = consent().decide(leg(automatic=automatic, replying=replying, consents={None: False}))
        assert isinstance(decision, Allow) is allowed

    @given(st.sampled_from([{}, {"news": False}, {None: False}, {None: False, "news": True}]), st.booleans())
    def test_urgency_opens_no_gate(self, consents: Any, automatic: bool) -> None:
        urgent, normal = (
            leg(Message("hello", category="news", importance=how), consents=consents, automatic=automatic)
            for how in (Importance.URGENT, Importance.NORMAL)
        )
        assert urgent.importance is Importance.URGENT
        assert decide_all(STANDARD, urgent) == decide_all(STANDARD, normal)
        assert isinstance(decide_all(STANDARD, urgent)[-1].decision, Drop)


class TestLoopGuard:
    @pytest.mark.parametrize(("automatic", "automated"), [(False, True), (True, False), (False, False)])
    def test_people_answer_machines_and_machines_answer_people(self, automatic: bool, automated: bool) -> None:
        decision = loop_guard().decide(leg(automatic=automatic, in_reply_to_automated=automated))
        assert isinstance(decision, Allow)

    def test_a_machine_does_not_answer_a_machine(self) -> None:
        """RFC 3834 §2."""
        assert isinstance(loop_guard().decide(leg(automatic=True, in_reply_to_automated=True)), Drop)

    @pytest.mark.parametrize(("recent", "automatic", "allowed"), [(2, True, True), (3, True, False), (3, False, True)])
    def test_there_is_a_cap_for_each_correspondent(self, recent: int, automatic: bool, allowed: bool) -> None:
        decision = loop_guard(limit=3, per=60).decide(leg(automatic=automatic, recent_automatic=recent))
        assert isinstance(decision, Allow) is allowed


class TestTime:
    @pytest.mark.parametrize(("start", "decision"), [(0, Allow), (-1, Allow), (1, Defer)])
    def test_what_is_scheduled_waits(self, start: float, decision: type) -> None:
        found = not_before().decide(leg(Message("hello", not_before=at(start))))
        assert isinstance(found, decision)
        assert not isinstance(found, Defer) or found.until == at(1)

    @pytest.mark.parametrize(
        ("gate", "message", "created", "allowed"),
        [
            (ttl(), Message("hello"), -9e9, True),
            (ttl(), Message("hello", expires_at=at(1)), 0, True),
            (ttl(), Message("hello", expires_at=at(0)), 0, False),
            (ttl(60), Message("hello"), -59, True),
            (ttl(60), Message("hello"), -60, False),
            (ttl(60), Message("hello", expires_at=at(-1)), 0, False),
            (ttl(60), Message("hello", not_before=at(3600)), 0, True),  # counted from when it may go
            (ttl(60), Message("hello", not_before=at(-30)), -3600, True),
            (ttl(), Message("hello", not_before=at(60), expires_at=at(60)), 0, False),  # it would only wait for its end
        ],
    )
    def test_what_is_late_is_dropped(self, gate: Gate, message: Message, created: float, allowed: bool) -> None:
        decision = gate.decide(leg(message, created_at=at(created)))
        assert isinstance(decision, Allow) is allowed

    def test_the_engine_learns_the_end_in_advance(self) -> None:
        assert expiry([], Message("hello"), NOW) is None
        assert expiry([], Message("hello", expires_at=at(9)), NOW) == at(9)
        assert expiry(STANDARD, Message("hello", expires_at=at(9)), NOW) == at(9)
        assert expiry([ttl(60), ttl(5)], Message("hello", expires_at=at(9)), NOW) == at(5)


@dataclass(frozen=True)
class Own:
    """A gate as a host writes it."""

    name: str
    answer: Decision

    def decide(self, leg: GateInput) -> Decision:
        return self.answer


class TestDecideAll:
    def test_the_order_does_not_depend_on_how_they_are_given(self) -> None:
        records = decide_all([not_before(), Own("mine", Allow()), consent(), ttl(), loop_guard()], leg())
        assert [record.gate for record in records] == ["loop_guard", "ttl", "consent", "mine", "not_before"]

    def test_it_ends_at_the_first_no(self) -> None:
        records = decide_all(STANDARD, leg(consents={None: False}))
        assert [record.gate for record in records] == ["loop_guard", "ttl", "consent"]
        assert records[-1].decision == Drop(reason="they opted out of everything")

    def test_what_is_dropped_is_not_merely_deferred(self) -> None:
        scheduled = Message("hello", category="news", not_before=at(60))
        assert isinstance(decide_all(STANDARD, leg(scheduled))[-1].decision, Drop)

    def test_own_gates_are_asked_in_the_order_given(self) -> None:
        drop = Own("b", Drop(reason="no"))
        assert [each.gate for each in decide_all([Own("a", Allow()), drop, Own("c", Allow())], leg())] == ["a", "b"]

    def test_no_gate_says_nothing(self) -> None:
        assert decide_all([], leg()) == ()


@pytest.mark.parametrize(
    "decision",
    [Allow(), Defer(until=at(1), reason="later"), Drop(reason="no"), divert("alerts", "quicker")],
)
def test_decisions_survive_json(decision: Decision) -> None:
    record = GateRecord(gate="mine", decision=decision)
    data = record.model_dump_json(exclude_defaults=True)
    assert TypeAdapter(GateRecord).validate_json(data) == record


def test_diverting_takes_what_stands_for_a_route() -> None:
    assert divert("alerts", "quicker").route == via("alerts")


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (consent(), "consent()"),
        (consent("news"), "consent('news')"),
        (loop_guard(), "loop_guard()"),
        (loop_guard(limit=3), "loop_guard(limit=3)"),
        (ttl(60), "ttl(seconds=60.0)"),
        (not_before(), "not_before()"),
    ],
)
def test_gates_are_values(gate: Any, text: str) -> None:
    names = {"consent": consent, "loop_guard": loop_guard, "ttl": ttl, "not_before": not_before}
    assert repr(gate) == str(gate) == text
    assert eval(text, names) == gate
    assert hash(eval(text, names)) == hash(gate)
    assert isinstance(gate, Gate)


@pytest.mark.parametrize("make", [lambda: loop_guard(limit=0), lambda: loop_guard(per=0), lambda: ttl(0)])
def test_limits_have_a_sense(make: Any) -> None:
    with pytest.raises(ValidationError):
        make()
