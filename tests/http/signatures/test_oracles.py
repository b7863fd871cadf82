"""What the vendors' own libraries take and refuse, so do we; and they take what we sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergekit.errors import SignatureError
from convergekit.http.signatures import SignatureScheme
from tests.oracles import oracle

from .kit import CASES, NOW, Call

#: Whether the vendor's library takes a call; anything it raises is a refusal.
Takes = Callable[[Call], bool]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode)


def standardwebhooks(secret: str) -> Takes:
    module = oracle("standardwebhooks.webhooks")
    return lambda call: _at_now(module, lambda: module.Webhook(secret).verify(call.body or b"", dict(call.headers)))


def svix(secret: str) -> Takes:
    inner, module = oracle("standardwebhooks.webhooks"), oracle("svix.webhooks")
    return lambda call: _at_now(inner, lambda: module.Webhook(secret).verify(call.body, dict(call.headers)))


def stripe(secret: str) -> Takes:
    module = oracle("stripe._webhook", "stripe._event", "stripe._api_requestor")

    def takes(call: Call) -> bool:
        with mock.patch.object(module.time, "time", NOW.timestamp):
            header = call.headers.get("stripe-signature", "")
            return _raises_nothing(
                lambda: module.WebhookSignature.verify_header(call.body.decode(), header, secret, tolerance=300)
            )

    return takes


def slack(secret: str) -> Takes:
    module = oracle("slack_sdk.signature")
    clock = mock.Mock(now=NOW.timestamp)
    verifier = module.SignatureVerifier(secret, clock)
    return lambda call: _raises_nothing(lambda: _truth(verifier.is_valid_request(call.body, dict(call.headers))))


def twilio(secret: str) -> Takes:
    module = oracle("twilio.request_validator")

    def takes(call: Call) -> bool:
        form = _Form(parse_qs(call.body.decode(), keep_blank_values=True))
        given = call.headers.get("x-twilio-signature", "")
        return bool(module.RequestValidator(secret).validate(call.url, form, given))

    return takes


class _Form(dict[str, list[str]]):
    """As Flask and Django give it to the library."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def _truth(value: object) -> None:
    if not value:
        raise ValueError


def _raises_nothing(verify: Callable[[], Any]) -> bool:
    try:
        verify()
    except Exception:
        return False
    return True


def _at_now(module: Any, verify: Callable[[], Any]) -> bool:
    """The library asks the clock itself."""
    with mock.patch.object(module, "datetime", mock.Mock(wraps=datetime, now=lambda tz: NOW.astimezone(tz))):
        return _raises_nothing(verify)


ORACLES: Mapping[str, Callable[[str], Takes]] = {
    "standard": standardwebhooks,
    "svix": svix,
    "stripe": stripe,
    "slack": slack,
    "twilio": twilio,
}
vendors = pytest.mark.parametrize("name", ORACLES)


@pytest.fixture(scope="module")
def takes() -> Mapping[str, Takes]:
    return {name: make(CASES[name].secret(1)) for name, make in ORACLES.items()}


def ours(scheme: SignatureScheme, call: Call) -> bool:
    try:
        scheme.verify(call, NOW)
    except SignatureError:
        return False
    return True


@vendors
def test_the_vendors_library_takes_what_we_sign(name: str, takes: Mapping[str, Takes]) -> None:
    assert takes[name](CASES[name].call(1))
    assert not takes[name](CASES[name].call(2))


#: What may happen to a call on its way, in the name of the header that matters most.
CHANGES: Mapping[str, Callable[[str], str]] = {
    "nothing": lambda text: text,
    "one character": lambda text: text[:-3] + ("b" if text[-3] == "a" else "a") + text[-2:],
    "the version": lambda text: text.replace("v1", "v2").replace("v0", "v1"),
    "no version": lambda text: text.partition(",")[2] or text.partition("=")[2],
    "cut": lambda text: text[:-1],
    "empty": lambda text: "",
    "another before": lambda text: f"v1,{'A' * 43}= {text}" if " " in text or text.startswith("v1,") else text,
    "upper case": lambda text: text.upper(),
}
_HEADERS = {
    "standard": "webhook-signature",
    "svix": "svix-signature",
    "stripe": "stripe-signature",
    "slack": "x-slack-signature",
    "twilio": "x-twilio-signature",
}


@vendors
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_of_a_changed_signature_we_think_as_the_vendor_does(
    name: str, change: Callable[[str], str], takes: Mapping[str, Takes]
) -> None:
    call, header = CASES[name].call(1), _HEADERS[name]
    call = Call(call.body, {**call.headers, header: change(call.headers[header])})

    assert ours(CASES[name].scheme(1), call) == takes[name](call)


@vendors
@settings(max_examples=15)
@given(body=texts, seconds=st.integers(-400, 400))
def test_of_a_changed_body_and_another_time_we_think_as_the_vendor_does(
    name: str, takes: Mapping[str, Takes], body: bytes, seconds: int
) -> None:
    case = CASES[name]
    at = datetime.fromtimestamp(NOW.timestamp() + seconds, UTC)
    headers = {
        **case.headers,
        **case.scheme(1).sign("msg_1", at, case.body, url=Call().url or "", headers=case.headers),
    }
    late_for_us_only = name == "stripe" and seconds > 300  # the library looks into the past only

    for sent in (case.body, body):
        call = Call(sent, headers)
        if not (name == "twilio" and sent == body):  # how a form is read is between Twilio and the framework
            assert ours(case.scheme(1), call) == (takes[name](call) and not late_for_us_only)


@pytest.mark.parametrize("header", ["", "v1", "v1,a,b", "v1,A", "v1,ä"])
def test_what_crashes_the_library_of_the_specification_is_a_refusal(header: str, takes: Mapping[str, Takes]) -> None:
    """Standardwebhooks 1.1.0 raises ValueError, or binascii.Error, for four kinds of header: a 500 each."""
    call = CASES["standard"].call(1).but(webhook_signature=header)

    assert not takes["standard"](call)
    with pytest.raises(SignatureError):
        CASES["standard"].scheme(1).verify(call, NOW)


def test_a_body_that_is_no_text_is_as_good_as_any() -> None:
    """The library decodes it first, and raises UnicodeDecodeError."""
    case = CASES["standard"]
    body = b"\xff\xfe"

    assert case.scheme(1).verify(Call(body, case.scheme(1).sign("msg_1", NOW, body)), NOW)
