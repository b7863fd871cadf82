"""Tokens of Vonage and of MessageBird: what their own libraries take and refuse, so do we."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

VONAGE, BIRD = channel("vonage-jwt"), channel("messagebird-jwt")
SECONDS = int(NOW.timestamp())
SHORT = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


@pytest.fixture(scope="module")
def vonage() -> Any:
    return oracle("vonage_jwt.verify_jwt")


@pytest.fixture(scope="module")
def bird() -> Any:
    return oracle("messagebird.request_validator", "dateutil", "dateutil.parser", "requests")


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(claims: Any, header: Any = None, *, digest: str = "sha256", secret: str = SECRET) -> str:
    text = f"{encoded({'alg': 'HS256', 'typ': 'JWT'} if header is None else header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.digest(secret.encode(), text.encode(), digest))}"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def bearer(given: str, body: bytes = b"{}") -> Wire:
    return Wire(HOME, body, {"authorization": f"Bearer {given}", "content-type": JSON})


def for_vonage(body: bytes = b"{}", **claims: Any) -> dict[str, Any]:
    return {"iat": SECONDS, "jti": "j1", "iss": "Vonage", "api_key": "k", "payload_hash": sha256(body)} | claims


def for_bird(wire: Wire, **claims: Any) -> dict[str, Any]:
    found = {
        "iss": "MessageBird",
        "nbf": SECONDS,
        "exp": SECONDS + 60,
        "jti": "j1",
        "url_hash": sha256(wire.url.encode()),
    }
    return found | ({"payload_hash": sha256(wire.body)} if wire.body else {}) | claims


class _Clock(datetime):
    """What PyJWT takes the time from."""

    seconds = NOW.timestamp()

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.fromtimestamp(cls.seconds, UTC)


def _at(wire: Wire) -> Any:
    clock = type("_Clock", (_Clock,), {"seconds": wire.now.timestamp()})
    return mock.patch("jwt.api_jwt.datetime", clock)


def taken_by_vonage(vonage: Any, wire: Wire, secret: str = SECRET) -> bool:
    with _at(wire):
        try:
            return vonage.verify_signature(wire.headers.get("authorization", "").removeprefix("Bearer "), secret)
        except vonage.VonageVerifyJwtError:
            return False


def taken_by_bird(bird: Any, wire: Wire, secret: str = SECRET) -> bool:
    with _at(wire):
        try:
            bird.RequestValidator(secret).validate_signature(
                wire.headers.get("messagebird-signature-jwt", ""), wire.url, wire.body
            )
        except (bird.ValidationError, KeyError, TypeError):  # a claim that is missing, or of another type
            return False
    return True


@changed
@settings(max_examples=8)
@given(body=bodies, at=places)
def test_a_body_of_vonage(vonage: Any, change: Callable[[Wire, int], Wire], body: bytes, at: int) -> None:
    wire = bearer(token(for_vonage(body)), body)
    assert takes(VONAGE, wire)
    assert taken_by_vonage(vonage, wire)
    before, wire = wire, change(wire, at)
    # Stricter than the library, which leaves the body, what is beside it and the token's age to the host.
    strict = wire.body == body and wire.says_all_in_its_body and wire.now.timestamp() - SECONDS <= 90_000
    if wire.headers == before.headers:
        assert takes(VONAGE, wire) == (taken_by_vonage(vonage, wire) and strict)
    else:
        assert not takes(VONAGE, wire)


@changed
@settings(max_examples=8)
@given(body=bodies | st.just(b""), at=places, algorithm=st.sampled_from(list(SHORT)))
def test_a_call_of_messagebird(
    bird: Any, change: Callable[[Wire, int], Wire], body: bytes, at: int, algorithm: str
) -> None:
    wire = Wire(f"{HOME}?id=1&status=delivered", body)
    given_token = token(for_bird(wire), {"alg": algorithm, "typ": "JWT"}, digest=SHORT[algorithm])
    wire = wire.with_headers(messagebird_signature_jwt=given_token)
    assert takes(BIRD, wire)
    before, wire = wire, change(wire, at)
    if wire.headers == before.headers:
        assert takes(BIRD, wire) == taken_by_bird(bird, wire)
    else:
        assert not takes(BIRD, wire)


CLAIMS = st.sampled_from(["iat", "nbf", "exp", "iss", "jti", "sub", "aud", "payload_hash", "url_hash"])
VALUES = st.sampled_from(
    [None, "", "x", True, False, 0, -1, 1.5, 10**30, [], ["x"], {}]
    + [SECONDS + each for each in (-100_000, -301, -61, -60, -2, -1, 0, 1, 2, 60, 10**9)]
    + [float(SECONDS), SECONDS + 0.5, SECONDS - 0.5, str(SECONDS)]
)


@settings(max_examples=300)
@given(changes=st.dictionaries(CLAIMS, VALUES, max_size=2), lost=st.sets(CLAIMS, max_size=1))
def test_what_a_library_refuses_in_a_claim_is_refused(
    vonage: Any, bird: Any, changes: dict[str, Any], lost: set[str]
) -> None:
    claims = {name: value for name, value in (for_vonage() | changes).items() if name not in lost}
    wire = bearer(token(claims))
    assert taken_by_vonage(vonage, wire) or not takes(VONAGE, wire)
    # Stricter: a time is a number, and there is one; and the digest of the body fits.
    numbers = all(type(value) in (int, float) for name, value in claims.items() if name in ("iat", "nbf", "exp"))
    if numbers and "iat" in claims and claims["iat"] > SECONDS - 90_000 and not {"payload_hash"} & {*changes, *lost}:
        assert takes(VONAGE, wire) == taken_by_vonage(vonage, wire)
    wire = Wire(HOME, b"{}")
    claims = {name: value for name, value in (for_bird(wire) | changes).items() if name not in lost}
    wire = wire.with_headers(messagebird_signature_jwt=token(claims))
    assert taken_by_bird(bird, wire) or not takes(BIRD, wire)
    if all(type(claims.get(name)) in (int, float) for name in ("nbf", "exp")):
        assert takes(BIRD, wire) == taken_by_bird(bird, wire)


HEADERS = [
    {"alg": "none"},
    {"alg": "None", "typ": "JWT"},
    {"alg": "hs256"},
    {"alg": "HS384"},
    {"alg": "HS512"},
    {"alg": "RS256"},
    {"alg": "ES256"},
    {"alg": None},
    {"alg": ["HS256"]},
    {"typ": "JWT"},
    {"alg": "HS256", "crit": ["exp"]},
    {"alg": "HS256", "crit": ["b64"], "b64": False},
    {"alg": "HS256", "b64": False},
    {"alg": "HS256", "kid": 1},
    [],
    "HS256",
]


@pytest.mark.parametrize("header", HEADERS, ids=str)
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_an_algorithm_that_is_another(vonage: Any, bird: Any, header: Any, digest: str) -> None:
    """What a token says of itself never decides: it has to agree with how it is signed."""
    wire = bearer(token(for_vonage(), header, digest=digest))
    assert takes(VONAGE, wire) is taken_by_vonage(vonage, wire) is False
    plain = Wire(HOME, b"{}")
    wire = plain.with_headers(messagebird_signature_jwt=token(for_bird(plain), header, digest=digest))
    assert takes(BIRD, wire) == taken_by_bird(bird, wire) == (header == {"alg": "HS512"} and digest == "sha512")


@pytest.mark.parametrize("secret", ["", "x"])
def test_a_token_that_is_not_signed(vonage: Any, bird: Any, secret: str) -> None:
    for end in ("", encoded(hmac.digest(secret.encode(), b"", "sha256"))):
        text = f"{encoded({'alg': 'none'})}.{encoded(for_vonage())}.{end}"
        assert takes(VONAGE, bearer(text)) is taken_by_vonage(vonage, bearer(text)) is False


JUNK = [
    "",
    ".",
    "..",
    "...",
    "a.b",
    "a.b.c.d",
    "ä.ö.ü",
    "=.=.=",
    "A" * 100_000,
    "." * 8000,
    "bnVsbA.bnVsbA.",
    "\x00.\x00.",
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_what_is_no_token(vonage: Any, bird: Any, junk: str) -> None:
    assert takes(VONAGE, bearer(junk)) is taken_by_vonage(vonage, bearer(junk)) is False
    wire = Wire(HOME, b"{}", {"messagebird-signature-jwt": junk})
    assert takes(BIRD, wire) is taken_by_bird(bird, wire) is False


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[" * 5000, b"[]", b"null", b'{"iat": NaN}', b'{"iat": 1e999}', b"\xff", b"9" * 5000]
)
def test_a_signed_token_that_says_nothing(vonage: Any, payload: bytes) -> None:
    wire = bearer(token(payload))
    assert not takes(VONAGE, wire)


@pytest.mark.parametrize("parts", [0, 1, 3, 4])
def test_a_signed_token_of_another_number_of_parts(vonage: Any, parts: int) -> None:
    text = ".".join([encoded({"alg": "HS256"}), *[encoded(for_vonage())] * 4][:parts])
    wire = bearer(f"{text}.{encoded(hmac.digest(SECRET.encode(), text.encode(), 'sha256'))}")
    assert takes(VONAGE, wire) is taken_by_vonage(vonage, wire) is False


def test_another_secret(vonage: Any, bird: Any) -> None:
    wire = bearer(token(for_vonage(), secret=OTHER))
    assert takes(VONAGE, wire) is taken_by_vonage(vonage, wire) is False
    assert takes(channel("vonage-jwt", secret=[SECRET, OTHER]), wire)
    plain = Wire(HOME, b"{}")
    wire = plain.with_headers(messagebird_signature_jwt=token(for_bird(plain), secret=OTHER))
    assert takes(BIRD, wire) is taken_by_bird(bird, wire) is False
    assert takes(channel("messagebird-jwt", secret=[SECRET, OTHER]), wire)


@pytest.mark.parametrize("leeway", ["0", "30"])
def test_clocks_may_differ_where_that_is_said(leeway: str) -> None:
    wire = bearer(token(for_vonage(iat=SECONDS + 20)))
    assert takes(channel("vonage-jwt", {"leeway": leeway}), wire) == (leeway == "30")


def test_one_signature_is_written_in_one_way(vonage: Any) -> None:
    """Stricter than the library, which also takes the last character with other bits that stand for nothing."""
    wire = bearer(token(for_vonage()))
    assert not takes(VONAGE, bearer(token(for_vonage()) + "="))
    assert takes(VONAGE, wire)


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer  "])
def test_the_scheme_is_written_as_it_comes(scheme: str) -> None:
    """RFC 9110 §11.1: without regard to case."""
    assert takes(VONAGE, Wire(HOME, b"{}", {"authorization": scheme + token(for_vonage())}))


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Token {}", "Bearer\t{}"])
def test_without_a_bearer_token_it_is_refused(value: str) -> None:
    assert not takes(VONAGE, Wire(HOME, b"{}", {"authorization": value.format(token(for_vonage()))}))
