"""Routes are values: they compare, hash, print as the call that made them, and survive JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import convergekit.router as router
from convergekit.errors import InvalidInputError
from convergekit.model import Address, Importance, Message, Status
from convergekit.router import (
    Condition,
    Route,
    Situation,
    all_of,
    first_of,
    has_attachments,
    has_consent,
    has_importance,
    has_scheme,
    preferred,
    route_from_json,
    route_to_json,
    same_thread,
    to_route,
    via,
    when,
)

ANN = Address("mailto:ann@example.org")
GOALS = st.sampled_from([Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.READ])
WITHIN = st.none() | st.floats(0.5, 1e6)
TRIES = st.integers(1, 5)

CONDITIONS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["sms", "mailto"]).map(has_scheme)
    | st.sampled_from(Importance).map(has_importance)
    | st.sampled_from(["news", "it's"]).map(has_consent)
    | st.builds(has_attachments),
    lambda inner: (
        inner.map(lambda one: ~one)
        | st.tuples(inner, inner).map(lambda two: two[0] & two[1])
        | st.tuples(inner, inner).map(lambda two: two[0] | two[1])
    ),
    max_leaves=3,
)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    options = st.fixed_dictionaries({}, optional={"until": GOALS, "within": WITHIN, "tries": TRIES})
    return (
        st.builds(lambda routes, how: first_of(*routes, **how), some, options)
        | st.builds(lambda routes, until: all_of(*routes, until=until), some, GOALS)
        | st.builds(when, CONDITIONS, inner, st.none() | inner)
    )


ROUTES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["alerts", "support-mail", "sms:+4915112345678", ANN]).map(via)
    | st.builds(
        via, st.just(Address("sms:+4915112345678", display_name='"Ann"')), channel=st.none() | st.just("alerts")
    )
    | st.builds(preferred, until=GOALS, within=WITHIN, tries=TRIES)
    | st.builds(same_thread),
    _composed,
    max_leaves=5,
)


@given(ROUTES)
def test_a_route_prints_as_the_call_that_made_it(route: Route) -> None:
    names = {name: getattr(router, name) for name in router.__all__} | {"Address": Address, "Status": Status}
    again = eval(repr(route), names)

    assert again == route
    assert hash(again) == hash(route)
    assert str(route) == repr(route)


@given(ROUTES)
def test_a_route_survives_json(route: Route) -> None:
    assert route_from_json(route_to_json(route)) == route


def test_a_route_prints_no_more_than_was_said() -> None:
    route = first_of("alerts", "mailto:ann@example.org", until=Status.DELIVERED, within=300)
    assert repr(route) == "first_of(via('alerts'), via('mailto:ann@example.org'), until=Status.DELIVERED, within=300.0)"
    assert repr(when(has_scheme("sms") & ~has_importance("bulk"), "alerts")) == (
        "when((has_scheme('sms') & ~has_importance('bulk')), via('alerts'))"
    )


@pytest.mark.parametrize("value", ["mailto:ann@example.org", ANN, via(ANN)])
def test_an_address_stands_for_a_route(value: Any) -> None:
    assert to_route(value) == via("mailto:ann@example.org")


def test_a_name_without_a_colon_is_a_channel() -> None:
    assert via("alerts").channel == "alerts"
    assert via("sms:12345").channel is None
    assert via("sms:12345", channel="alerts").channel == "alerts"


@pytest.mark.parametrize("value", [["alerts", "mail"], ("alerts",), {"alerts"}])
def test_a_list_of_routes_is_refused_and_told_what_to_say_instead(value: Any) -> None:
    """A bare list is never "the first that works"."""
    for call in (to_route, first_of, all_of):
        with pytest.raises(TypeError, match=r"first_of\(...\).*all_of\(...\)"):
            call(value)


def test_what_is_no_route_is_refused() -> None:
    with pytest.raises(TypeError, match="int is no route"):
        to_route(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="at least one route"):
        first_of()
    with pytest.raises(InvalidInputError, match="nothing stands behind"):
        via("sms:")
    with pytest.raises(InvalidInputError, match="two channels"):
        via("alerts", channel="mail")


@pytest.mark.parametrize("until", [Status.QUEUED, Status.UNKNOWN, Status.FAILED])
def test_what_nobody_wishes_for_is_no_goal(until: Status) -> None:
    with pytest.raises(ValidationError, match="a goal is ACCEPTED or above"):
        first_of("alerts", until=until)


@pytest.mark.parametrize("options", [{"within": 0}, {"within": -1}, {"within": float("inf")}, {"tries": 0}])
def test_limits_have_a_sense(options: Any) -> None:
    with pytest.raises(ValidationError):
        first_of("alerts", **options)


def test_a_function_is_no_condition() -> None:
    """A route is stored with its dispatch; a function could not be."""
    with pytest.raises(TypeError, match="not a function"):
        when(lambda about: True, "alerts")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (has_scheme("SMS:"), True),
        (has_scheme("xmpp"), False),
        (has_importance("urgent"), True),
        (has_importance("bulk"), False),
        (has_consent("news"), True),
        (has_consent("offers"), False),
        (has_consent("never asked"), False),
        (has_attachments(), False),
        (~has_attachments(), True),
        (has_scheme("sms") & has_scheme("xmpp"), False),
        (has_scheme("sms") | has_scheme("xmpp"), True),
    ],
)
def test_conditions_look_at_the_recipient_and_the_message(condition: Condition, holds: bool) -> None:
    message = Message("hello", importance="urgent")
    about = Situation([Address("sms:+4915112345678")], message, {"news": True, "offers": False})
    assert condition.holds(about) is holds


def test_who_opted_out_of_everything_consents_to_nothing() -> None:
    assert not has_consent("news").holds(Situation([], Message("hello"), {"news": True, None: False}))
