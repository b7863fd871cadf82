"""What X' answers mean: a row for each that is known, in each of the shapes that X has for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.problems import Act, act_of, body_of, outcome, problem_of, status_of
from convergekit.errors import (
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotPermittedError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.http import HttpAnswer

HTML = b"<!DOCTYPE html><html><body>Over capacity</body></html>"
TYPES = "https://api.x.com/2/problems/"


def problem(status: int, title: str, detail: str, type: str = "about:blank", **more: Any) -> dict[str, Any]:
    return {"title": title, "detail": detail, "type": type, "status": status, **more}


INVALID = problem(
    400,
    "Invalid Request",
    "One or more parameters to your request was invalid.",
    f"{TYPES}invalid-request",
    errors=[{"message": "The `max_results` query parameter value [1] is not between 5 and 100", "parameters": {}}],
)
UNAUTHORIZED = problem(401, "Unauthorized", "Unauthorized")
CREDITS = problem(402, "Payment Required", "credits depleted", f"{TYPES}credits-depleted")
CAPPED = problem(429, "UsageCapExceeded", "Usage cap exceeded: Monthly product cap", f"{TYPES}usage-capped")
DUPLICATE = problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
NOT_SUMMONED = problem(403, "Forbidden", "Reply to this conversation is not allowed.")
NO_DM = problem(403, "Forbidden", "You do not have permission to DM one or more participants.")
SCOPE = problem(403, "Forbidden", "Your client app lacks the permission.", f"{TYPES}oauth1-permissions")
NOT_ENROLLED = problem(
    403, "Client Forbidden", "Appropriate access is needed.", f"{TYPES}client-forbidden", reason="client-not-enrolled"
)
MISSING = problem(404, "Not Found Error", "Could not find tweet with id: [1].", f"{TYPES}resource-not-found")
CONFLICT = problem(409, "ConnectionException", "Rules must be configured.", f"{TYPES}rule-configuration-issue")
TOO_MANY = problem(429, "Too Many Requests", "Too Many Requests")
BROKEN = problem(503, "Service Unavailable", "Service Unavailable")


def old(code: int, message: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}]}


def inside(one: dict[str, Any]) -> dict[str, Any]:
    """The problem as X shows it now and then: as one of several."""
    return {"errors": [one]}


def answer(status: int, body: Any = b"", **headers: str) -> HttpAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, headers, content)


def judged(status: int, body: Any, act: Act = Act.POST, **more: Any) -> DeliveryError | None:
    it = answer(status, body)
    return outcome(it, body_of(it), act, **more)


@pytest.mark.parametrize("shape", ["plain", "inside errors"])
@pytest.mark.parametrize(
    ("body", "act", "error", "code"),
    [
        (INVALID, Act.POST, RejectedError, "invalid-request"),
        (INVALID, Act.READ, RejectedError, "invalid-request"),
        (UNAUTHORIZED, Act.POST, AuthenticationError, "401"),
        (CREDITS, Act.POST, CreditError, "credits-depleted"),
        (CREDITS, Act.READ, CreditError, "credits-depleted"),
        (CAPPED, Act.READ, CreditError, "usage-capped"),
        (DUPLICATE, Act.POST, RejectedError, "duplicate-content"),
        (DUPLICATE, Act.REPLY, RejectedError, "duplicate-content"),
        (NOT_SUMMONED, Act.REPLY, NotPermittedError, "403"),
        (NO_DM, Act.DIRECT, NotPermittedError, "403"),
        (NO_DM, Act.POST, RejectedError, "403"),
        (SCOPE, Act.REPLY, RejectedError, "oauth1-permissions"),
        (SCOPE, Act.DIRECT, RejectedError, "oauth1-permissions"),
        (NOT_ENROLLED, Act.READ, RejectedError, "client-forbidden"),
        (MISSING, Act.OTHER, RejectedError, "resource-not-found"),
        (CONFLICT, Act.OTHER, RejectedError, "rule-configuration-issue"),
        (TOO_MANY, Act.POST, ThrottledError, "429"),
        (BROKEN, Act.POST, UncertainError, "503"),
        (BROKEN, Act.READ, NotSentError, "503"),
    ],
    ids=lambda value: value.get("title") if isinstance(value, dict) else None,
)
def test_each_problem_has_its_outcome(
    body: dict[str, Any], act: Act, error: type[DeliveryError], code: str, shape: str
) -> None:
    found = judged(body["status"], body if shape == "plain" else inside(body), act, channel="x")
    assert type(found) is error
    assert found.code == code
    assert found.channel == "x"
    assert body["detail"] in found.reason


@pytest.mark.parametrize(
    ("body", "act", "way_out"),
    [
        (CREDITS, Act.READ, "credit is bought in X' developer console"),
        (
            SCOPE,
            Act.POST,
            "what the app may do is set in X' developer console, and its tokens are made anew after that",
        ),
        (UNAUTHORIZED, Act.READ, "look at the keys"),
    ],
)
def test_what_only_a_person_can_change_says_how(body: dict[str, Any], act: Act, way_out: str) -> None:
    found = judged(body["status"], body, act, way_out="look at the keys")
    assert found is not None
    assert found.reason.endswith(f"; {way_out}")


@pytest.mark.parametrize(
    ("status", "body", "act", "error"),
    [
        (400, old(214, "Bad request."), Act.POST, RejectedError),
        (401, old(89, "Invalid or expired token."), Act.POST, AuthenticationError),
        (403, old(187, "Status is a duplicate."), Act.POST, RejectedError),
        (429, old(88, "Rate limit exceeded"), Act.READ, ThrottledError),
        # The status is another, and the code says what is meant.
        (403, old(88, "Rate limit exceeded"), Act.POST, ThrottledError),
        (400, old(215, "Bad Authentication data."), Act.POST, AuthenticationError),
        (503, old(130, "Over capacity"), Act.POST, UncertainError),
        (400, {"error": "invalid_request", "error_description": "Value passed was invalid."}, Act.POST, RejectedError),
    ],
)
def test_a_code_of_old_tells_as_well(status: int, body: Any, act: Act, error: type[DeliveryError]) -> None:
    found = judged(status, body, act)
    assert type(found) is error
    assert found.code == ("duplicate-content" if "187" in json.dumps(body) else found.code)


@pytest.mark.parametrize("body", [HTML, b"", b"{", b"[]", b"null", b'"no"', b"\xff\xfe"])
@pytest.mark.parametrize(
    ("status", "act", "error"),
    [
        (401, Act.POST, AuthenticationError),
        (402, Act.POST, CreditError),
        (429, Act.POST, ThrottledError),
        # Nobody who answers 4xx has taken it; but it was not X who refused, so it is tried again.
        (400, Act.POST, NotSentError),
        (403, Act.REPLY, NotSentError),
        (404, Act.DIRECT, NotSentError),
        (408, Act.POST, NotSentError),
        (425, Act.POST, NotSentError),
        (500, Act.POST, UncertainError),
        (502, Act.DIRECT, UncertainError),
        (503, Act.REPLY, UncertainError),
        (503, Act.OTHER, UncertainError),
        (503, Act.READ, NotSentError),
        (302, Act.POST, NotSentError),
    ],
)
def test_what_is_no_json_is_told_by_its_status(status: int, act: Act, error: type[DeliveryError], body: bytes) -> None:
    assert type(judged(status, body, act)) is error


@pytest.mark.parametrize("body", [HTML, b"", b"{", b"[1]"])
def test_a_success_that_says_nothing_is_no_success(body: bytes) -> None:
    """Whether the post is there cannot be told, so it is looked up; what was to be read was not read."""
    for act, error in ((Act.POST, UncertainError), (Act.DIRECT, UncertainError), (Act.READ, NotSentError)):
        assert type(judged(200, body, act)) is error
    assert judged(204, b"", Act.OTHER) is None
    assert judged(200, b"", Act.OTHER) is None, "a webhook or a piece of a file has nothing to say"


def test_an_answer_that_broke_off_is_not_one() -> None:
    broken = HttpAnswer(201, {}, b'{"data": {"id": "1"', complete=False)
    assert type(outcome(broken, body_of(broken), Act.POST)) is UncertainError


def test_what_is_taken_in_part_is_taken() -> None:
    partial = {"data": {"id": "1"}, "errors": [problem(400, "Invalid", "The place is not known.")]}
    for act in Act:
        assert judged(200, partial, act) is None
        assert status_of(answer(200, partial), partial, act) == 200


def test_what_was_looked_for_and_is_not_there_is_an_answer() -> None:
    assert judged(200, inside(MISSING), Act.READ) is None
    assert judged(200, {"meta": {"result_count": 0}}, Act.READ) is None


def test_a_write_that_brings_errors_alone_is_refused() -> None:
    """Under 200 as well."""
    assert type(judged(200, inside(INVALID), Act.POST)) is RejectedError
    assert type(judged(200, inside({"title": "Forbidden", "status": 403}), Act.REPLY)) is NotPermittedError
    for status in (None, 200, True, 7, "400"):
        assert type(judged(200, inside({"message": "no", "status": status}), Act.POST)) is RejectedError
    assert type(judged(200, inside(TOO_MANY), Act.POST)) is ThrottledError
    assert status_of(answer(200, inside(CREDITS)), inside(CREDITS), Act.POST) == 402


def test_a_refusal_names_the_other_way() -> None:
    reply, direct = judged(403, NOT_SUMMONED, Act.REPLY), judged(403, NO_DM, Act.DIRECT)
    assert isinstance(reply, NotPermittedError)
    assert "direct message" in str(reply.alternative)
    assert isinstance(direct, NotPermittedError)
    assert "public" in str(direct.alternative)
    assert reply.kind == direct.kind == "not_permitted"


def test_a_throttle_waits_as_long_as_it_is_told() -> None:
    """... and for one route: posts need not wait for direct messages."""
    found = judged(429, TOO_MANY, Act.DIRECT, wait=321.5)
    assert isinstance(found, ThrottledError)
    assert (found.retry_after, found.scope) == (321.5, "conversation")


@pytest.mark.parametrize(
    ("method", "route", "said", "act"),
    [
        ("GET", "/2/tweets", None, Act.READ),
        ("POST", "/2/tweets", {"text": "a"}, Act.POST),
        ("POST", "/2/tweets", {"text": "a", "reply": {"in_reply_to_tweet_id": "1"}}, Act.REPLY),
        ("POST", "/2/dm_conversations/with/:id/messages", {"text": "a"}, Act.DIRECT),
        ("POST", "/2/dm_conversations", {}, Act.DIRECT),
        ("DELETE", "/2/tweets/:id", None, Act.OTHER),
        ("POST", "/2/media/upload/initialize", {}, Act.OTHER),
    ],
)
def test_what_was_asked_is_told_by_method_and_route(method: str, route: str, said: Any, act: Act) -> None:
    assert act_of(method, route, said) is act


def test_all_of_the_problem_is_kept() -> None:
    found = problem_of(INVALID)
    assert (found.type, found.status, found.raw) == ("invalid-request", 400, INVALID)
    assert found.words == (INVALID["title"], INVALID["detail"], INVALID["errors"][0]["message"])


TOKEN, TEXT = "Bearer access-token-of-the-account", "Your order 4711 is at the door of your neighbour"


@pytest.mark.parametrize(
    "detail",
    [
        f"You may not say {TEXT!r}.",
        "Refused: at the door of your neighbour",  # a good piece of it is as bad
        "no such token: access-token-of-the-account",
        "access-token-of-the",
    ],
)
def test_neither_a_token_nor_the_message_is_in_an_error(detail: str) -> None:
    found = judged(403, problem(403, "Forbidden", detail), Act.POST, hidden=lambda: [TOKEN, TEXT])
    assert found is not None
    assert str(found) == "X says: Forbidden [403]"


def test_where_nothing_is_left_to_tell_the_status_is_told() -> None:
    found = judged(400, problem(400, TEXT, TEXT), Act.POST, hidden=lambda: [TEXT])
    assert found is not None
    assert str(found) == "X: the server answered 'Bad Request' [400]"


def test_what_x_says_is_one_bounded_line() -> None:
    found = judged(400, problem(400, "Inv\r\nalid\x1b[31m\u2028\u202e", "a\tb " * 200), Act.POST)
    assert found is not None
    assert found.reason.isprintable()
    assert found.reason.startswith("X says: Inv alid [31m: a b a b")
    assert len(found.reason) <= 220


def test_a_type_or_code_of_another_making_is_no_code() -> None:
    for one in (
        {"type": "https://x.example/" + "a" * 100},
        {"type": "a/b c"},
        {"code": True},
        {"code": [1]},
        {"type": 5},
    ):
        assert judged(400, {"title": "no", **one}, Act.POST).code == "400"  # type: ignore[union-attr]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
names = st.sampled_from(["title", "detail", "type", "status", "code", "error", "errors", "message", "data"])


@given(st.integers(100, 999), st.dictionaries(names, json_values), st.sampled_from(Act))
def test_whatever_x_says_has_an_outcome(status: int, body: dict[str, Any], act: Act) -> None:
    it = answer(status, body)
    found = outcome(it, body_of(it), act)
    assert found is None or (isinstance(found, DeliveryError) and found.reason.isprintable())
    assert found is not None or 200 <= status < 300
    assert status_of(it, body_of(it), act) is not None
