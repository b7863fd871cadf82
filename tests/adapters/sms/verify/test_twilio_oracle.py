"""Twilio's signature: what Twilio's own library takes and refuses, so do we."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.sms.verify.kit import (
    FORM,
    HOME,
    JSON,
    OTHER,
    SECRET,
    Wire,
    bodies,
    changed,
    channel,
    pairs,
    places,
    posted,
    takes,
)
from tests.oracles import oracle

OURS = channel("twilio")
URLS = [HOME, "https://example.org:8443/hooks/alerts", "https://example.org:443/hooks/alerts", "http://example.org/x"]


class _Form(dict[str, list[str]]):
    """As Flask and Django give it to the library."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


@pytest.fixture(scope="module")
def twilio() -> Any:
    return oracle("twilio.request_validator")


def form(wire: Wire) -> _Form:
    text = wire.body.decode("latin-1")
    return _Form(parse_qs(text, keep_blank_values=True, errors="surrogateescape"))


def signed(twilio: Any, wire: Wire, secret: str = SECRET, algorithm: str | None = None) -> Wire:
    fields = form(wire) if wire.headers.get("content-type") == FORM else {}
    return wire.with_headers(
        x_twilio_signature=twilio.RequestValidator(secret).compute_signature(wire.url, fields, algorithm)
    )


def taken_by(twilio: Any, wire: Wire, secret: str = SECRET) -> bool:
    what = form(wire) if wire.headers.get("content-type") == FORM else wire.body.decode()
    algorithm = twilio.get_signature_algorithm(wire.headers.get("x-twilio-webhooks-signature-settings"))
    signature = wire.headers.get("x-twilio-signature", "")
    try:
        return twilio.RequestValidator(secret).validate(wire.url, what, signature, algorithm)
    except (TypeError, UnicodeError):  # a body that is no form and has no digest; a byte that is no UTF-8
        return False


@changed
@settings(max_examples=10)
@given(fields=pairs, query=pairs, url=st.sampled_from(URLS), at=places)
def test_a_form(twilio: Any, change: Callable[[Wire, int], Wire], fields: Any, query: Any, url: str, at: int) -> None:
    wire = signed(twilio, posted(fields, query, url))
    assert takes(OURS, wire)
    wire = change(wire, at)
    assert takes(OURS, wire) == taken_by(twilio, wire)


@changed
@settings(max_examples=10)
@given(body=bodies, query=pairs, at=places)
def test_a_body_that_is_no_form(
    twilio: Any, change: Callable[[Wire, int], Wire], body: bytes, query: Any, at: int
) -> None:
    digest = hashlib.sha256(body).hexdigest()
    wire = posted([], [*query, ("bodySHA256", digest)])
    wire = signed(twilio, replace(wire, body=body, headers={"content-type": JSON}))
    assert takes(OURS, wire)
    wire = change(wire, at)
    # The library takes the body as text, so it has nothing to say about one that is none.
    if wire.body.decode("utf-8", "ignore").encode() == wire.body:
        assert takes(OURS, wire) == taken_by(twilio, wire)


@pytest.mark.parametrize("said", ["HMAC_SHA256", "hmac_sha256", "HMAC_SHA1", "HMAC_MD5", "none", "", "HMAC_SHA256,x=1"])
@pytest.mark.parametrize("used", ["HMAC_SHA1", "HMAC_SHA256"])
def test_a_shared_key_is_told_from_the_auth_token(twilio: Any, said: str, used: str) -> None:
    wire = signed(twilio, posted([("Body", "a")]), algorithm=used)
    wire = wire.with_headers(x_twilio_webhooks_signature_settings=f"key=k1, algorithm={said}")
    assert takes(OURS, wire) == taken_by(twilio, wire)
    assert takes(OURS, wire) == (said.partition(",")[0].upper() == used or (not said and used == "HMAC_SHA1"))


@settings(max_examples=20)
@given(fields=pairs)
def test_another_token_is_refused(twilio: Any, fields: Any) -> None:
    assert not takes(OURS, signed(twilio, posted(fields), OTHER))


def test_a_body_that_nothing_covers_is_refused(twilio: Any) -> None:
    """The library is for the host to call as it should: with the text of such a body it raises a TypeError."""
    wire = replace(posted([]), headers={"content-type": "text/plain"})
    wire = signed(twilio, wire)
    assert takes(OURS, wire)
    assert not takes(OURS, replace(wire, body=b"Body=a"))


def test_the_order_of_values_and_their_number_do_not_count(twilio: Any) -> None:
    """A name that comes twice with the same value is signed once: that is how Twilio has it."""
    wire = signed(twilio, posted([("a", "2"), ("a", "1"), ("a", "2")]))
    assert takes(OURS, replace(wire, body=b"a=1&a=2"))
    assert not takes(OURS, replace(wire, body=b"a=1"))
