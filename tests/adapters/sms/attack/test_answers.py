"""What a gateway answers that means us harm, or has gone mad."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from convergekit.adapters.sms import profiles
from convergekit.adapters.sms.answer import Answers
from convergekit.adapters.sms.config import SmsConfig
from convergekit.errors import DeliveryError
from convergekit.http import HttpAnswer
from tests.adapters.sms.gateway_kit import channel, out

SECRET = "s3cret-of-the-account"
FULL = 65_536  # bytes of an answer that are read


def config(name: str) -> SmsConfig:
    settings = profiles.load(name).settings
    account = {
        key: each.default or ("http://127.0.0.1:1" if key == "url" else SECRET) for key, each in settings.items()
    }
    return channel(name, account)


LONG = [
    b" " * FULL,
    b"Success" + b" " * FULL,
    b"Error" + b" " * FULL,
    b"a " * (FULL // 2),
    b'{"messages":[{"status":"1","error-text":"' + b"wait " * 12_000 + b'"}]}',
    b'{"messages":[{"status":"1","error-text":"wait [' + b"9" * 60_000 + b'"}]}',
]


@pytest.mark.parametrize("body", LONG, ids=range(len(LONG)))
@pytest.mark.parametrize("name", ["jasmin", "kannel", "vonage"])
def test_a_pattern_does_not_go_round_and_round(name: str, body: bytes) -> None:
    answers, began = Answers(config(name).loaded), process_time()
    with pytest.raises(DeliveryError):
        answers.receipt(HttpAnswer(200, {}, body), out(), "alerts")
    assert process_time() - began < 1


def failure(name: str, body: Any, status: int = 400) -> DeliveryError:
    answers = Answers(config(name).loaded, secrets=[SECRET])
    with pytest.raises(DeliveryError) as caught:
        answers.receipt(HttpAnswer(status, {}, body), out("Your code is 123456, tell nobody"), "alerts")
    return caught.value


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("twilio", b'{"code": "%s", "message": "no"}'),
        ("telnyx", b'{"errors": [{"code": "%s", "detail": "no"}]}'),
        ("africastalking", b'{"SMSMessageData": {"Message": "%s", "Recipients": []}}'),
        ("sinch", b'{"code": "%s", "text": "no"}'),
    ],
)
@pytest.mark.parametrize("said", [SECRET, "Your code is 123456, tell nobody", f"key {SECRET}"])
def test_what_it_repeats_is_not_a_code(name: str, body: bytes, said: str) -> None:
    error = failure(name, body % said.encode())
    assert SECRET not in f"{error!r} {error} {error.code}"
    assert "123456" not in f"{error!r} {error} {error.code}"


def test_a_secret_is_known_as_a_url_has_it() -> None:
    """An error page of a proxy may show what was asked for."""
    answers = Answers(config("kannel").loaded, secrets=["pass/word=& 1"])
    for said in (b"GET /cgi-bin/sendsms?password=pass%2Fword%3D%26%201", b"?password=pass%2Fword%3D%26+1"):
        with pytest.raises(DeliveryError) as caught:
            answers.receipt(HttpAnswer(502, {}, said), out(), "alerts")
        assert "word" not in str(caught.value).replace("password=", "")
