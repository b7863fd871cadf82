"""Telnyx' signature: what Telnyx' own library takes and refuses, so do we."""

from __future__ import annotations

import base64
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings

from tests.adapters.sms.verify.kit import HOME, JSON, NOW, Wire, bodies, changed, channel, places, takes
from tests.oracles import oracle


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
OURS = channel("telnyx", secret=public(KEY))


@pytest.fixture(scope="module")
def telnyx() -> Any:
    return oracle("telnyx.lib.webhook_verification")


def signed(body: bytes, key: Ed25519PrivateKey = KEY, timestamp: str = str(int(NOW.timestamp()))) -> Wire:
    signature = base64.b64encode(key.sign(f"{timestamp}|".encode() + body)).decode()
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": timestamp, "content-type": JSON}
    return Wire(HOME, body, headers)


def taken_by(telnyx: Any, wire: Wire) -> bool:
    clock = SimpleNamespace(time=wire.now.timestamp)
    try:
        with mock.patch.object(telnyx, "time", clock):
            telnyx.verify_webhook_signature(wire.body, wire.headers, public(KEY))
    except (telnyx.WebhookVerificationError, UnicodeDecodeError):
        return False
    return True


@changed
@settings(max_examples=10)
@given(body=bodies, at=places)
def test_a_body(telnyx: Any, change: Callable[[Wire, int], Wire], body: bytes, at: int) -> None:
    wire = change(signed(body), at)
    if wire.body.decode("utf-8", "ignore").encode() != wire.body:
        return  # The library takes text alone.
    # Stricter than the library, which looks at nothing but the body.
    assert takes(OURS, wire) == (taken_by(telnyx, wire) and wire.says_all_in_its_body)


@pytest.mark.parametrize("seconds", [-301, -300, 0, 300, 301])
def test_the_window(telnyx: Any, seconds: int) -> None:
    wire = signed(b"{}", timestamp=str(int(NOW.timestamp()) + seconds))
    assert takes(OURS, wire) == taken_by(telnyx, wire) == (abs(seconds) <= 300)


@pytest.mark.parametrize("timestamp", ["", "now", "1.7e9", "-1", "9" * 400, " ", "٣", "1772366400\n"])
def test_a_time_that_is_none(telnyx: Any, timestamp: str) -> None:
    wire = signed(b"{}", timestamp=timestamp)
    assert not takes(OURS, wire)


@pytest.mark.parametrize("signature", ["", "=", "AAAA", "ä", "A" * 88, "A" * 8000, "A" * 100_000, "!" * 88])
def test_a_signature_that_is_none(telnyx: Any, signature: str) -> None:
    wire = signed(b"{}").with_headers(telnyx_signature_ed25519=signature)
    assert not takes(OURS, wire)
    assert not taken_by(telnyx, wire)


def test_another_key(telnyx: Any) -> None:
    wire = signed(b"{}", OTHER_KEY)
    assert takes(OURS, wire) is taken_by(telnyx, wire) is False
    assert takes(channel("telnyx", secret=[public(KEY), public(OTHER_KEY)]), wire)


def test_a_signature_with_characters_that_mean_nothing(telnyx: Any) -> None:
    """Stricter than the library, which leaves out what is no base64."""
    wire = signed(b"{}")
    wire = wire.with_headers(telnyx_signature_ed25519="!" + wire.headers["telnyx-signature-ed25519"])
    assert taken_by(telnyx, wire)
    assert not takes(OURS, wire)
