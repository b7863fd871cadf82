"""Sinch's signature: what Sinch's own library takes and refuses, so do we."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from tests.adapters.sms.verify.kit import (
    HOME,
    JSON,
    NOW,
    OTHER,
    SECRET,
    Wire,
    bodies,
    changed,
    channel,
    places,
    takes,
)
from tests.oracles import oracle

OURS = channel("sinch")
NAME = "x-sinch-webhook-signature"


@pytest.fixture(scope="module")
def sinch() -> Any:
    return oracle("sinch.domains.authentication.sinch_events.v1.authentication_validation")


def is_text(body: bytes) -> bool:
    return body.decode("utf-8", "ignore").encode() == body


def signed(
    sinch: Any, body: bytes, secret: str = SECRET, nonce: str = "01JA", stamp: str = str(int(NOW.timestamp()))
) -> Wire:
    signature = sinch.calculate_sinch_event_signature(sinch.compute_signed_data(body.decode(), nonce, stamp), secret)
    headers = {NAME: signature, f"{NAME}-nonce": nonce, f"{NAME}-timestamp": stamp}
    return Wire(HOME, body, {"content-type": JSON, f"{NAME}-algorithm": "HmacSHA256", **headers})


def taken_by(sinch: Any, wire: Wire) -> bool:
    return sinch.validate_sinch_event_signature_with_nonce(SECRET, wire.headers, wire.body.decode())


@changed
@settings(max_examples=10)
@given(body=bodies.filter(is_text), at=places)
def test_a_body(sinch: Any, change: Callable[[Wire, int], Wire], body: bytes, at: int) -> None:
    wire = signed(sinch, body)
    assert takes(OURS, wire)
    wire = change(wire, at)
    if is_text(wire.body):
        # Stricter than the library, which looks at no clock, and at nothing but the body.
        strict = wire.says_all_in_its_body and timedelta(minutes=-5) <= wire.now - NOW <= timedelta(days=2)
        assert takes(OURS, wire) == (taken_by(sinch, wire) and strict)


def test_another_secret(sinch: Any) -> None:
    wire = signed(sinch, b"{}", OTHER)
    assert takes(OURS, wire) is taken_by(sinch, wire) is False
    assert takes(channel("sinch", secret=[SECRET, OTHER]), wire)


def test_no_part_of_the_body_passes_for_the_nonce(sinch: Any) -> None:
    """Stricter than the library: where the body ends, the signature does not say, so a nonce has no dot."""
    wire = signed(sinch, b"a.b")
    cut = Wire(HOME, b"a", {**wire.headers, f"{NAME}-nonce": "b.01JA"})
    assert taken_by(sinch, cut)
    assert not takes(OURS, cut)


@pytest.mark.parametrize("stamp", ["", "now", "1.5", "-1", "2026-03-01T12:00:00Z"])
def test_a_time_that_is_none(sinch: Any, stamp: str) -> None:
    """Stricter than the library, which takes any."""
    assert not takes(OURS, signed(sinch, b"{}", stamp=stamp))
