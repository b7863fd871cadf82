"""Which calls are X' own, and what is signed for whom."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convergekit.abc import Headers, Request
from convergekit.errors import SignatureError
from convergekit.http.signatures import Challenge, X

from .kit import NOW

SIGNATURE = "x-twitter-webhooks-signature"

OLD, NEW = "the-old-consumer-secret", "the-new-consumer-secret"
TOKEN = "OWUxYjI3M2EtZmQ5My00YTQz+/_-="


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def challenge(request: Request, secrets: list[str]) -> Challenge | None:
    return X(secrets).challenge(request, NOW)


def verify(request: Request, secrets: list[str]) -> None:
    X(secrets).verify(request, NOW)


def get(query: str, body: bytes = b"") -> Request:
    return Request("GET", query=query, body=body)


def post(body: bytes, *signatures: str) -> Request:
    return Request("POST", headers=Headers([(SIGNATURE.encode(), each.encode()) for each in signatures]), body=body)


@pytest.mark.parametrize("query", [f"crc_token={TOKEN}", f"crc_token={quote(TOKEN, safe='')}"])
def test_a_challenge_is_answered_with_the_token_signed_by_the_newest_secret(query: str) -> None:
    answer = challenge(get(query), [NEW, OLD])

    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {"response_token": signed(NEW, TOKEN.encode())}


@pytest.mark.parametrize("length", [16, 128])
def test_a_token_has_16_to_128_characters(length: int) -> None:
    def status(characters: int) -> int:
        answer = challenge(get("crc_token=" + "a" * characters), [NEW])
        assert answer is not None
        return answer.status

    assert status(length) == 200
    assert status(15 if length == 16 else 129) == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "crc_token",
        "crc_token=",
        "crc_token=" + quote('{"data":{"event_type":"dm.received"}}'),
        "crc_token=" + quote("[1,2,3,4,5,6,7,8,9]"),
        "crc_token=" + quote('"aaaaaaaaaaaaaaaaaaa"'),
        "crc_token=" + quote("a blank between them"),
        "crc_token=" + quote("aaaaaaaaaaaaaaaaaaaa\n"),
        "crc_token=" + quote("äaaaaaaaaaaaaaaaaaaa"),
        "crc_token=aaaaaaaaaaaaaaaaaaaaä",
        "crc_token=aaaaaaaaaaaaaaaaaaaa%ff",
        f"crc_token={TOKEN}&nonce=1",
        f"crc_token={TOKEN}&crc_token={TOKEN}",
        f"nonce=1&crc_token={TOKEN}",
        f"crc_token={TOKEN};x",
        f"%63rc_token={TOKEN}",
        f"CRC_TOKEN={TOKEN}",
        "crc_token=" + "%61" * 129,
    ],
)
def test_a_hostile_token_is_refused_and_nothing_is_signed(query: str) -> None:
    answer = challenge(get(query), [NEW, OLD])

    assert answer is not None
    assert answer.status == 400
    assert not re.search(rb"sha256|[A-Za-z0-9+/]{43}=", answer.body)


def test_a_challenge_with_a_body_is_refused() -> None:
    answer = challenge(get(f"crc_token={TOKEN}", body=b"{}"), [NEW])

    assert answer is not None
    assert answer.status == 400


def test_without_a_secret_a_challenge_is_refused() -> None:
    answer = challenge(get(f"crc_token={TOKEN}"), [])

    assert answer is not None
    assert answer.status == 400


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
def test_only_a_get_is_taken_for_a_challenge(method: str) -> None:
    assert challenge(Request(method, query=f"crc_token={TOKEN}"), [NEW]) is None


_BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
    st.from_regex(rb"[A-Za-z0-9+/_=-]{10,140}", fullmatch=True),
)


@given(body=_BODIES)
@example(body=b"12345678901234567890")
@example(body=b"{}")
def test_no_answer_is_the_signature_of_an_event(body: bytes) -> None:
    """Whatever is offered as a token: where it is signed, it is no JSON object, so nobody reads an event in it."""
    answer = challenge(get("crc_token=" + quote(body, safe="")), [NEW])

    assert answer is not None
    if answer.status != 200:
        assert signed(NEW, body).encode() not in answer.body
        return
    assert json.loads(answer.body)["response_token"] == signed(NEW, body)
    try:
        document = json.loads(body)
    except ValueError:
        return
    assert not isinstance(document, dict | list)


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_a_call_is_good_by_each_of_the_secrets(secret: str) -> None:
    body = b'{"a": "\xc3\xa4"}'

    verify(post(body, signed(secret, body)), [NEW, OLD])


@pytest.mark.parametrize(
    "request_",
    [
        post(b"{}"),
        post(b"{}", ""),
        post(b"{}", "sha256="),
        post(b"{}", signed("another secret", b"{}")),
        post(b"{ }", signed(NEW, b"{}")),
        post(b"{}", signed(NEW, b"{}").removeprefix("sha256=")),
        post(b"{}", signed(NEW, b"{}"), signed(NEW, b"{}")),
        post(b"{}", signed(NEW, b"{}").replace("sha256=", "SHA256=")),
        post(b"{}", "sha256=ä"),
        Request("GET", headers=Headers({SIGNATURE: signed(NEW, b"")})),
    ],
)
def test_a_call_that_is_not_signed_by_x_is_refused(request_: Request) -> None:
    with pytest.raises(SignatureError):
        verify(request_, [NEW, OLD])


@given(header=st.text(max_size=100), body=st.binary(max_size=50))
def test_whatever_the_header_is_there_is_one_error(header: str, body: bytes) -> None:
    request = Request("POST", headers=Headers({SIGNATURE: header}), body=body)

    with pytest.raises(SignatureError):
        verify(request, [NEW])


def test_without_a_secret_nothing_is_good() -> None:
    with pytest.raises(SignatureError):
        verify(post(b"{}", signed("", b"{}")), [])


@pytest.mark.parametrize("token", [TOKEN, "12345678901234567890"])
def test_the_answer_to_a_challenge_is_no_signature_of_an_event(token: str) -> None:
    """Whoever has had a token signed has the signature of a body; a number is even JSON."""
    answer = challenge(get(f"crc_token={token}"), [NEW])

    assert answer is not None
    with pytest.raises(SignatureError, match="challenge"):
        verify(post(token.encode(), json.loads(answer.body)["response_token"]), [NEW])
