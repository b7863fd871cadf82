"""Limits by route: what headers teach, and what failures do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.budgets.limits import SEEDS, Limits, Route, template
from convergekit.adapters.x.budgets.windows import Priority
from convergekit.testing import FakeClock

POSTS = Route("POST", "/2/tweets")
NORMAL, REPLY, BACKGROUND = Priority.NORMAL, Priority.REPLY, Priority.BACKGROUND


class Kit:
    """Limits without chance, and the clock they go by."""

    def __init__(self, reserve: float = 0.2) -> None:
        self.clock = FakeClock()
        self.limits = Limits(self.clock, reserve, lambda: 0.0)

    def take(self, route: Route = POSTS, priority: Priority = REPLY, *, first: bool = True) -> float:
        return self.limits.take(route, priority, first=first)

    def answered(self, status: int | None, headers: Mapping[str, str] | None = None, route: Route = POSTS) -> None:
        self.limits.learn(route, status, headers or {}, asked_at=self.clock.monotonic())

    def headers(self, family: str = "x-rate-limit", **values: object) -> dict[str, str]:
        told = {"limit": 100, "remaining": 50, "reset": int(self.clock.now().timestamp()) + 600} | values
        return {f"{family}-{name}": str(value) for name, value in told.items()}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/2/users/12345/mentions", "/2/users/:id/mentions"),
        ("/2/dm_conversations/with/7/messages", "/2/dm_conversations/with/:id/messages"),
        ("/2/dm_conversations/12-345/dm_events?max_results=5", "/2/dm_conversations/:id/dm_events"),
        ("/2/users/by/username/ann", "/2/users/by/username/:username"),
        ("/2/media/upload/3_99/append", "/2/media/upload/:id/append"),
        ("/2/tweets", "/2/tweets"),
        ("/2/users/:id/mentions", "/2/users/:id/mentions"),
    ],
)
def test_a_path_belongs_to_the_route_that_x_counts(path: str, route: str) -> None:
    assert template(path) == route
    assert template(route) == route


def test_every_seed_is_a_template() -> None:
    assert [key for key in SEEDS if template(key.split(" ")[1]) != key.split(" ")[1]] == []


def test_before_x_has_said_anything_its_documented_limits_are_kept() -> None:
    kit = Kit()
    sends = Route("POST", "/2/dm_conversations/with/:id/messages")

    assert [kit.take(sends) for _ in range(15)] == [0.0] * 15
    assert kit.take(sends) == 900.0


def test_an_account_and_the_app_itself_have_limits_of_their_own() -> None:
    kit = Kit()
    for _ in range(100):
        kit.take()

    assert kit.take() > 0
    assert kit.take(Route("POST", "/2/tweets", "app")) == 0.0


@pytest.mark.parametrize("family", ["x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour"])
def test_each_family_of_headers_shuts_what_it_says_is_used_up(family: str) -> None:
    kit = Kit()
    assert kit.take() == 0.0

    kit.answered(201, kit.headers(family, limit=10, remaining=0))

    assert kit.take() == 601.0
    kit.clock.advance(601)
    assert kit.take() == 0.0


def test_429_shuts_a_route_until_x_says_and_not_its_neighbours() -> None:
    kit = Kit()
    kit.take()

    kit.answered(429, kit.headers(remaining=0))

    assert kit.take() == 601.0
    assert kit.take(Route("GET", "/2/users/me")) == 0.0


def test_429_with_requests_left_is_believed_all_the_same() -> None:
    """Some limit is used up, though not the one that the headers tell of."""
    kit = Kit()
    kit.take()

    kit.answered(429, kit.headers(remaining=50))

    assert kit.take() == 601.0


def test_429_without_a_reset_shuts_for_longer_each_time_up_to_a_quarter_of_an_hour() -> None:
    kit, pauses = Kit(), []
    for _ in range(7):
        assert kit.take() == 0.0
        kit.answered(429)
        pauses.append(kit.limits.pause(POSTS, REPLY))
        kit.clock.advance(pauses[-1])

    assert pauses == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]


def test_an_answer_that_is_none_of_them_ends_the_growing() -> None:
    kit = Kit()
    for status in (429, 429, 201, 429):
        kit.take()
        kit.answered(status)
        last = kit.limits.pause(POSTS, REPLY) if status == 429 else 0
        kit.clock.advance(last + 1)

    assert last == 60.0


def test_requests_that_went_together_grow_the_pause_once() -> None:
    kit = Kit()
    for _ in range(16):
        kit.take()
    kit.clock.advance(1)

    for _ in range(16):
        kit.limits.learn(POSTS, 429, {}, asked_at=0.0)

    assert kit.limits.pause(POSTS, REPLY) == 60.0


def test_after_trouble_one_request_goes_first() -> None:
    kit = Kit()
    kit.take()
    kit.answered(429)
    kit.clock.advance(60)

    assert kit.take() == 0.0
    assert kit.take() > 0.0, "until the first is answered"
    kit.clock.advance(1)
    kit.answered(201)
    assert [kit.take() for _ in range(10)] == [0.0] * 10


def test_one_that_is_never_said_to_be_answered_does_not_shut_the_route_for_good() -> None:
    kit = Kit()
    kit.take()
    kit.answered(429)
    kit.clock.advance(60)
    kit.take()

    kit.clock.advance(120)

    assert kit.take() == 0.0


def test_a_failing_server_is_asked_less_and_less_and_one_lost_answer_changes_nothing() -> None:
    kit, pauses = Kit(), []
    for _ in range(10):
        assert kit.take() == 0.0
        kit.answered(503)
        kit.clock.advance(0.1)
        pauses.append(round(kit.take()))
        if pauses[-1] == 0:
            kit.limits.give_back(POSTS)
        kit.clock.advance(pauses[-1])

    assert pauses == [0, 5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_wrong_clock_of_ours_does_no_harm() -> None:
    """What counts is the difference between the reset and the answer's own Date."""
    kit = Kit()
    theirs = kit.clock.now() + timedelta(hours=3)
    headers = kit.headers(remaining=0, reset=int(theirs.timestamp()) + 120)
    kit.take()

    kit.answered(429, {**headers, "date": format_datetime(theirs, usegmt=True)})

    assert kit.take() == 121.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": "many"},
        {"limit": "0"},
        {"limit": "-5"},
        {"remaining": "101"},
        {"remaining": "-1"},
        {"reset": "soon"},
        {"reset": "1"},
        {"reset": "9" * 11},
        {"reset": "9" * 400},
        {"remaining": "0, 0"},
        {"limit": "١٠٠"},
    ],
)
def test_what_makes_no_sense_is_not_believed(wrong: dict[str, str]) -> None:
    kit = Kit()
    kit.take()

    kit.answered(201, kit.headers("x-rate-limit", **{"remaining": "0", **wrong}))

    assert kit.take() == 0.0


@given(
    st.dictionaries(st.sampled_from(["limit", "remaining", "reset", "date"]), st.text()), st.sampled_from([200, 429])
)
def test_no_header_breaks_it_or_shuts_it_for_more_than_a_day(values: dict[str, str], status: int) -> None:
    kit = Kit()
    kit.take()

    kit.answered(status, {("date" if name == "date" else f"x-rate-limit-{name}"): v for name, v in values.items()})

    assert kit.take() <= 90_000


def test_what_was_not_sent_is_given_back() -> None:
    kit = Kit()
    for _ in range(100):
        kit.take()

    kit.limits.give_back(POSTS)

    assert kit.take() == 0.0
    assert kit.take() > 0.0


def test_what_is_under_way_is_not_in_what_the_first_answer_tells() -> None:
    kit = Kit()
    for _ in range(50):
        kit.take()

    kit.answered(201, kit.headers(limit=50, remaining=49))

    assert kit.take() > 0


class TestPolls:
    """How long to wait between two polls."""

    READS = Route("GET", "/2/dm_events")

    def test_a_roomy_limit_leaves_the_interval_as_it_is(self) -> None:
        assert Kit().limits.wait(Route("GET", "/2/users/:id/mentions"), BACKGROUND, 60.0) == 60.0

    def test_a_narrow_one_spreads_them_over_its_window(self) -> None:
        kit = Kit()
        wait = kit.limits.wait(self.READS, BACKGROUND, 10.0)

        assert wait == 90.0, "15 a quarter of an hour, less what is kept"
        for _ in range(200):
            assert kit.take(self.READS, BACKGROUND, first=False) == 0.0
            kit.clock.advance(kit.limits.wait(self.READS, BACKGROUND, 10.0))

    def test_what_others_use_of_it_makes_them_rarer(self) -> None:
        kit = Kit()
        kit.take(self.READS)
        kit.answered(200, kit.headers(limit=15, remaining=7), self.READS)

        assert 300.0 <= kit.limits.wait(self.READS, BACKGROUND, 10.0) < 600.0, "two are left for ten minutes"

    def test_a_route_that_is_shut_is_not_polled(self) -> None:
        kit = Kit()
        kit.take(self.READS)
        kit.answered(429, kit.headers(limit=15, remaining=0), self.READS)

        assert kit.limits.wait(self.READS, BACKGROUND, 60.0) == 601.0


def test_of_many_routes_only_some_are_remembered() -> None:
    kit = Kit()
    for number in range(2000):
        kit.take(Route("GET", f"/2/{'x' * number}"))

    assert len(kit.limits._routes) <= 256
