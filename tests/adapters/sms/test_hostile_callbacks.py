"""Whatever a gateway sends: events, or a typed refusal; no traceback, and no valid item is lost beside a bad one.

The bodies are made of the profiles themselves: for each of their rules one that it reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from time import process_time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit import Hub, MemoryStore
from convergekit.abc import Headers, Request
from convergekit.adapters.sms import SmsConfig, profiles
from convergekit.adapters.sms.callbacks import Callbacks, Read
from convergekit.adapters.sms.profile import Condition, Inbound, Profile, StatusRule
from convergekit.errors import InvalidInputError
from convergekit.http.bodies import Item, compiled
from convergekit.model import ConsentChanged, CustomReceived, MessageReceived, ReceiptReceived
from convergekit.model.wire import event_from_json, event_to_json
from tests.asgi_kit import call

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = [name for name in profiles.names() if name != "generic"]
FORM = "application/x-www-form-urlencoded"


# --- bodies, from profiles ----------------------------------------------------


@cache
def config(name: str) -> SmsConfig:
    profile = profiles.load(name)
    account = dict.fromkeys(profile.settings, "x" * 24)
    return SmsConfig.model_validate({"gateway": name, "account": account, "from": "+15005550006"})


@cache
def callbacks(name: str) -> Callbacks:
    return Callbacks(config(name), "alerts")


def put(tree: Any, steps: list[str], value: Any) -> Any:
    """*tree* with *value* where the path leads; what is there already stays, as far as it can."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step == "*" or step.isdigit():
        inner = tree if isinstance(tree, list) and tree else [None]
        return [put(inner[0], rest, value), *inner[1:]]
    name = step.removesuffix("#") + ("0" if step.endswith("#") else "")
    found = tree if isinstance(tree, dict) else {}
    return {**found, name: put(found.get(name), rest, value)}


def fitting(condition: Condition) -> str | None:
    """A value of which *condition* holds; None where nothing may be there."""
    if condition.present is False:
        return None
    if condition.equals is not None:
        return condition.equals[0]
    pattern = condition.matches or ""
    plain = re.sub(r"\(([^|)]*)[^)]*\)", r"\1", pattern.replace("(?i)", "")).strip("^$").replace("\\", "")
    for candidate in ("1", plain, plain + "x", "inbound"):
        if re.search(pattern, candidate):
            return candidate
    raise AssertionError(f"no value fits {condition.matches}")


def first(paths: tuple[str, ...]) -> tuple[str, ...]:
    return paths[:1]


def wanted(rule: Inbound | StatusRule, profile: Profile, number: int) -> Iterator[tuple[str, Any]]:
    """What a call has to say for *rule*."""
    if isinstance(rule, Inbound):
        yield from ((path, "Hello") for path in first(rule.text))
        yield from ((path, "+4915112345678") for path in first(rule.sender))
    else:
        yield from ((path, next(iter(profile.words), "x")) for path in first(rule.word))
        yield from ((path, "d41.0") for path in first(rule.reference))
    yield from ((path, f"id-{number}") for path in first(rule.id))
    yield from ((path, "+15005550006") for path in first(rule.to))


def body_of(rule: Inbound | StatusRule, profile: Profile, number: int = 1) -> dict[str, Any]:
    """A body that *rule* reads."""
    tree: Any = {}
    each = [] if rule.each is None else rule.each.split(".")
    for path, value in wanted(rule, profile, number):
        steps = path.removeprefix("^").split(".")
        tree = put(tree, steps if path.startswith("^") or not each else [*each, "0", *steps], value)
    for condition in rule.when:
        if (value := fitting(condition)) is not None and not compiled([condition])(Item(tree)):
            tree = put(tree, condition.path.split("."), value)
    assert isinstance(tree, dict)
    return tree


@dataclass(frozen=True)
class Sample:
    """A valid body of a gateway's."""

    name: str
    rule: int
    kind: str
    body: Any

    @property
    def has_id(self) -> bool:
        """Whether it says of which message it is; else the URL does."""
        return "id-1" in json.dumps(self.body) or "d41.0" in json.dumps(self.body)

    @property
    def is_flat(self) -> bool:
        return all(isinstance(value, str) for value in self.body.values())

    def __repr__(self) -> str:
        return f"{self.name}-{self.kind}-{self.rule}"


def samples(number: int = 1) -> list[Sample]:
    found = []
    for name in NAMES:
        profile = profiles.load(name)
        rules = [("inbound", rule) for rule in profile.callbacks.inbound]
        rules += [("status", rule) for rule in profile.callbacks.status]  # type: ignore[misc]
        found += [Sample(name, at, kind, body_of(rule, profile, number)) for at, (kind, rule) in enumerate(rules)]
    return found


SAMPLES = samples()
OTHERS = {repr(each): each for each in samples(2)}


def read(name: str, body: Any, content_type: str = "application/json", query: str = "") -> Read | None:
    """What *body* is to the gateway's channel; None where it was refused as it may be."""
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=True).encode()
    request = Request("POST", query=query, headers=Headers({"content-type": content_type}), body=content)
    refusal: InvalidInputError | None = None
    try:
        found = callbacks(name).read(request, now=NOW)
    except InvalidInputError as exc:
        refusal, found = exc, Read()
    if refusal is not None:
        assert len(str(refusal)) < 300  # it is logged, and shows nothing of what was said
        return None
    for event in (*found.events, *(piece.message for piece in found.pieces)):
        assert event.key
        assert event_from_json(event_to_json(event)) == event  # the ledger can have it
    return found


def keys(found: Read | None) -> list[str]:
    return [] if found is None else [event.key for event in (*found.events, *(each.message for each in found.pieces))]


def batch(sample: Sample, items: list[Any]) -> Any:
    """*items* as the gateway sends several."""
    each = profiles.load(sample.name).callbacks.each
    return put({}, each[0].split("."), items) if each else items


def alone(sample: Sample, item: Any) -> Any:
    each = profiles.load(sample.name).callbacks.each
    return put({}, each[0].split("."), [item]) if each else item


@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
def test_a_valid_call_is_read(sample: Sample) -> None:
    """Else what follows would prove nothing."""
    found = read(sample.name, alone(sample, sample.body), query="" if sample.has_id else "ref=d41.0")
    assert found is not None
    (key,) = {
        event.key
        for event in (*found.events, *(each.message for each in found.pieces))
        if not isinstance(event, ConsentChanged)
    }
    kind = MessageReceived if sample.kind == "inbound" else ReceiptReceived | CustomReceived
    assert key.startswith("in" if sample.kind == "inbound" else "st")
    assert all(isinstance(event, kind | ConsentChanged) for event in found.events)


# --- mutations -----------------------------------------------------------------

HOSTILE: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, 0, -1, 1.5, 10**400, -(10**30), "", " ", "NaN", "Infinity", "-1", "1e999", "null", "9" * 5000,
        "\x00", "a\x00b", "\ud83d", "\u202e\u0007", "%", "%00%d8", "d8", [], {}, [[]], [None], [{}], {"a": 1}, [1],
        {"0": "x"}, "x" * 9000, "+", "whatsapp:", "sms:+4915112345678", "STOP", "2026-02-30", "0000", "d1.999999",
    ]
) | st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [here, *(found for name, each in inner for found in places(each, (*here, name)))]


def mutated(tree: Any, place: tuple[Any, ...], how: str, value: Any) -> Any:
    if not place:
        return {"list": [tree, value], "object": {"0": tree}, "delete": value}.get(how, value)
    tree = deepcopy(tree)
    inner = tree
    for step in place[:-1]:
        inner = inner[step]
    last = place[-1]
    match how:
        case "delete":
            del inner[last]
        case "list":
            inner[last] = [inner[last], value]
        case "object":
            inner[last] = {"0": inner[last], "value": value}
        case _:
            inner[last] = value
    return tree


@st.composite
def mutations(draw: st.DrawFn, among: list[Sample] = SAMPLES) -> tuple[Sample, Any]:
    sample = draw(st.sampled_from(among))
    body = deepcopy(sample.body)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(body)))
        body = mutated(body, place, draw(st.sampled_from(["delete", "list", "object", "replace"])), draw(HOSTILE))
    return sample, body


@given(mutations())
def test_a_broken_body_is_read_or_refused(drawn: tuple[Sample, Any]) -> None:
    sample, body = drawn
    read(sample.name, alone(sample, body))
    read(sample.name, body, query="ref=d1.0&id=7")


@given(mutations([each for each in SAMPLES if each.has_id]))
def test_a_broken_item_costs_nothing_of_the_batch(drawn: tuple[Sample, Any]) -> None:
    sample, body = drawn
    other = OTHERS[repr(sample)].body
    expected = keys(read(sample.name, batch(sample, [sample.body, other])))
    found = keys(read(sample.name, batch(sample, [sample.body, body, other])))
    assert expected
    assert set(expected) <= set(found)
    assert found.index(expected[0]) == 0


@given(
    sample=st.sampled_from([each for each in SAMPLES if each.is_flat]),
    more=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=12)), max_size=4),
    twice=st.integers(0, 9),
    values=st.lists(st.sampled_from(["", "\x00", "NaN", "STOP", "-1", "é", "9" * 999, "d1.0", "x,y"]), max_size=4),
    charset=st.sampled_from(
        ["", "; charset=utf-16be", "; charset=latin-1", "; charset=idna", "; charset=", "; charset=\x7f"]
    ),
    cut=st.integers(0, 30),
)
def test_a_broken_form_is_read_or_refused(
    sample: Sample, more: list[tuple[str, str]], twice: int, values: list[str], charset: str, cut: int
) -> None:
    pairs = list(sample.body.items())
    pairs += [(pairs[(twice + at) % len(pairs)][0], value) for at, value in enumerate(values)]
    pairs = [*more[:2], *pairs[twice % len(pairs) :], *pairs[: twice % len(pairs)], *more[2:]]
    content = urlencode(pairs, errors="replace").encode()
    read(sample.name, content[: len(content) - cut] or b"=", FORM + charset)
    read(sample.name, content, FORM + charset, query=urlencode(more, errors="replace"))


@given(sample=st.sampled_from(SAMPLES), at=st.integers(0, 400), junk=st.binary(max_size=6), cut=st.integers(0, 6))
def test_broken_bytes_are_read_or_refused(sample: Sample, at: int, junk: bytes, cut: int) -> None:
    content = json.dumps(alone(sample, sample.body)).encode()
    at %= len(content)
    for content_type in ("application/json", FORM, "application/json; charset=utf-16", ""):
        read(sample.name, content[:at] + junk + content[at + cut :], content_type)


# --- size ---------------------------------------------------------------------

LARGE: dict[str, bytes] = {
    "a long text": b'{"x":"' + b"a" * 1_000_000 + b'"}',
    "brackets": b"[" * 1_000_000,
    "objects": b'{"a":' * 200_000,
    "nothings": b"[" + b"0," * 500_000 + b"0]",
    "empty objects": b"[" + b"{}," * 330_000 + b"{}]",
    "a long number": b'{"id":' + b"9" * 1_000_000 + b"}",
    "ampersands": b"&" * 1_000_000,
    "equal signs": b"a=" + b"=" * 1_000_000,
    "percent signs": b"a=" + b"%" * 1_000_000,
    "escapes": b"a=" + b"%41" * 330_000,
    "surrogates": b'{"x":"' + b"\\ud83d" * 160_000 + b'"}',
    "many names": json.dumps({f"k{at}": 1 for at in range(70_000)}).encode(),
}


@pytest.mark.parametrize("name", ["twilio", "infobip"])
@pytest.mark.parametrize("what", LARGE)
def test_a_megabyte_of_anything_takes_a_moment(name: str, what: str) -> None:
    """What grows as the square of its input would take minutes."""
    started = process_time()
    read(name, LARGE[what], "")
    assert process_time() - started < 20


@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
def test_each_field_may_be_long(sample: Sample) -> None:
    started = process_time()
    for place in places(sample.body):
        for value in ("1" * 100_000, "%4 1" * 25_000):
            read(sample.name, alone(sample, mutated(sample.body, place, "replace", value)), query="ref=d1.0")
    assert process_time() - started < 20


# --- through the door ------------------------------------------------------------

TOKEN = "t" * 24
OPEN: dict[str, Any] = {
    "name": "open",
    "title": "Open",
    "callbacks": {
        "methods": ["GET", "POST"],
        "ack": {"status": 200},
        "inbound": [{"when": [{"path": "text", "present": True}], "id": "id", "from": "from", "text": "text"}],
        "status": [{"when": [{"path": "status", "present": True}], "id": "id", "word": "status"}],
    },
    "words": {"sent": "sent"},
}
GOOD = {"id": "m1", "from": "+4915112345678", "text": "Hello"}
DOORS: list[tuple[Any, str, int]] = [
    (GOOD, "", 200),
    ([GOOD, {"text": {"a": 1}}, None, [], {"status": []}, {"text": "who?"}], "", 200),
    ({"status": "unheard of", "id": "x"}, "", 200),
    ({"hello": float("nan")}, "", 200),
    ({"text": {"a": 1}}, "", 400),
    ({"status": "sent"}, "", 400),
    (b"", FORM, 400),
    (b"\xff\xfe\x00", "application/json", 400),
    (b"[" * 1_000_000, "application/json", 400),
    (b"[" * 1_100_000, "application/json", 413),
    (b"text=" + b"%E9" * 300_000, FORM + "; charset=utf-16be", 200),
]


@pytest.mark.anyio
async def test_whoever_calls_gets_an_answer_and_what_is_valid_is_heard() -> None:
    """Also where the ledger, and not only a value in memory, has to take what somebody made up."""
    heard: list[str | None] = []
    hub = Hub(store=MemoryStore())

    @hub.on_message
    async def hear(message: MessageReceived) -> None:
        heard.append(message.message_id)

    async with hub:
        await hub.add_channel("alerts", {"adapter": "sms", "profile": OPEN, "callback_token": TOKEN})
        app = hub.asgi()
        for body, content_type, status in DOORS:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = await call(app, f"/alerts/{TOKEN}", content, headers={"content-type": content_type})
            assert answer.status == status, (content[:80], answer)
            await hub.idle()

    assert heard == ["m1", None, None]
