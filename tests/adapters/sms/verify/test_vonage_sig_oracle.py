"""The signature of Vonage's SMS API: what Vonage's own libraries take and refuse, so do we."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.sms.verify.kit import (
    FORM,
    HOME,
    JSON,
    NOW,
    SECRET,
    Wire,
    changed,
    channel,
    names,
    places,
    takes,
    texts,
)
from tests.oracles import oracle

METHODS = {"md5hash": None, "md5hmac": "md5", "sha1hmac": "sha1", "sha256hmac": "sha256", "sha512hmac": "sha512"}
OURS = {method: channel("vonage-sig", {"method": method}) for method in METHODS}
STAMP = {"timestamp": str(int(NOW.timestamp())), "nonce": "aaaaaaaa-bbbb"}
fields = st.dictionaries(names.filter(lambda name: not set("&=") & set(name)), texts, max_size=6).map(
    lambda found: found | STAMP
)


@pytest.fixture(scope="module")
def vonage() -> Callable[[str], Any]:
    """Whoever signs by a method: `sign(fields)` and `check(fields)`. Plain MD5 is that of the older library."""
    new = oracle("vonage_http_client.auth", "requests", "requests.exceptions")
    stubs = ("pytz", "deprecated", "requests", "requests.adapters", "requests.sessions", "requests.exceptions")
    old = oracle("nexmo", *stubs)

    def by(method: str) -> Any:
        if METHODS[method] is None:
            client = old.Client(key="k", secret="s", signature_secret=SECRET)
            return client.signature, client.check_signature
        auth = new.Auth(api_key="k", signature_secret=SECRET, signature_method=METHODS[method])
        return auth.sign_params, auth.check_signature

    return by


def carried(how: str, said: dict[str, str]) -> Wire:
    """The fields as a form, a query, a JSON object, or half in the query and half in the form."""
    pairs = list(said.items())
    half = len(pairs) // 2 if how == "both" else 0
    match how:
        case "GET":
            return Wire(f"{HOME}?{urlencode(pairs)}", b"", {"content-type": FORM}, "GET")
        case "JSON":
            return Wire(HOME, json.dumps(said).encode(), {"content-type": JSON})
    query = f"?{urlencode(pairs[:half])}" if half else ""
    return Wire(HOME + query, urlencode(pairs[half:]).encode(), {"content-type": FORM})


def read(wire: Wire) -> list[tuple[str, str]]:
    """What a web framework makes of it."""
    body = wire.body.decode("latin-1")
    said = parse_qsl(wire.query, keep_blank_values=True)
    if wire.headers.get("content-type") != JSON:
        return said + parse_qsl(body, keep_blank_values=True)
    try:
        found = json.loads(wire.body)
    except ValueError:
        return []
    return said + list(found.items()) if isinstance(found, dict) else []


def checked(check: Callable[[Any], bool], found: dict[str, str]) -> bool:
    """What a library says; half a surrogate pair, which JSON can write, makes it fall over."""
    try:
        return check(found)
    except UnicodeEncodeError:
        return False


@changed
@pytest.mark.parametrize("how", ["form", "GET", "JSON", "both"])
@settings(max_examples=4)
@given(said=fields, method=st.sampled_from(list(METHODS)), at=places)
def test_signed_fields(
    vonage: Any, how: str, change: Callable[[Wire, int], Wire], said: dict[str, str], method: str, at: int
) -> None:
    sign, check = vonage(method)
    said = {name: value for name, value in said.items() if name != "sig"}
    wire = carried(how, said | {"sig": sign(dict(said))})
    assert takes(OURS[method], wire)
    wire = change(wire, at)
    found = read(wire)
    # Stricter than the libraries: a field that comes twice, and a call from another time.
    strict = len(dict(found)) == len(found) and timedelta(minutes=-5) <= wire.now - NOW <= timedelta(hours=25)
    assert takes(OURS[method], wire) == (strict and checked(check, dict(found)))


@pytest.mark.parametrize("method", METHODS)
def test_only_the_method_that_is_set_counts(vonage: Any, method: str) -> None:
    sign, _ = vonage(method)
    wire = carried("form", STAMP | {"sig": sign(dict(STAMP))})
    assert [other for other in METHODS if takes(OURS[other], wire)] == [method]


@pytest.mark.parametrize("method", METHODS)
def test_a_signature_in_capitals_is_one(vonage: Any, method: str) -> None:
    sign, check = vonage(method)
    said = STAMP | {"sig": sign(dict(STAMP)).upper()}
    assert check(dict(said))
    assert takes(OURS[method], carried("form", said))


@pytest.mark.parametrize("lost", ["timestamp", "sig"])
def test_without_a_time_or_a_signature_it_is_refused(vonage: Any, lost: str) -> None:
    """The libraries put in a time of their own where there is none."""
    sign, _ = vonage("sha256hmac")
    said = {name: value for name, value in STAMP.items() if name != lost}
    wire = carried("form", said | ({"sig": sign(dict(said))} if lost != "sig" else {}))
    assert not takes(OURS["sha256hmac"], wire)


def test_whole_numbers_in_json_are_signed_as_they_are_written(vonage: Any) -> None:
    sign, _ = vonage("sha256hmac")
    said: dict[str, Any] = STAMP | {"concat-part": 2}
    said["sig"] = sign(dict(said))
    assert takes(OURS["sha256hmac"], carried("JSON", said))


@pytest.mark.parametrize("value", [None, True, 1.5, {}, [], {"a": "b"}, ["a"]])
def test_what_nobody_says_how_to_sign_is_refused(vonage: Any, value: Any) -> None:
    """The libraries would take it as Python writes it; Vonage is not known to."""
    sign, _ = vonage("sha256hmac")
    said: dict[str, Any] = STAMP | {"concat": value}
    said["sig"] = sign(dict(said))
    assert not takes(OURS["sha256hmac"], carried("JSON", said))
