"""Who asks whether we are who we should be is answered, and nobody can have anything signed that way."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from convergekit.errors import ConfigurationError
from convergekit.http.signatures import Challenge, Meta, Slack

from .kit import CASES, NOW, Call

TOKEN = "the-verify-token"
META = Meta("app-secret", verify_token=SecretStr(TOKEN))
ASKED = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}


def get(asked: dict[str, str]) -> Call:
    return Call(method="GET", query="&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items()))


def slack(document: object, **headers: str | None) -> Call:
    """A call that Slack would make with this document."""
    case = replace(CASES["slack"], body=json.dumps(document, separators=(",", ":")).encode())
    return case.call(1).but(**headers)


SLACK = CASES["slack"].scheme(1)
VERIFICATION = {
    "token": "x",
    "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
    "type": "url_verification",
}


def test_the_challenge_of_meta_is_given_back_as_plain_text() -> None:
    answer = META.challenge(get(ASKED), NOW)

    assert answer == Challenge(200, b"1158201444", {"content-type": "text/plain; charset=utf-8"})


def test_each_of_several_verify_tokens_counts() -> None:
    answer = Meta("app-secret", verify_token=["another", TOKEN]).challenge(get(ASKED), NOW)

    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"hub.verify_token": "another"},
        {"hub.verify_token": ""},
        {"hub.verify_token": TOKEN.upper()},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.challenge": ""},
        {"hub.challenge": "a b"},
        {"hub.challenge": "a\r\nset-cookie: b"},
        {"hub.challenge": "ä"},
        {"hub.challenge": "1" * 513},
    ],
)
def test_a_challenge_that_is_not_metas_is_refused_and_nothing_is_given_back(changed: dict[str, str]) -> None:
    answer = META.challenge(get(ASKED | changed), NOW)

    assert answer is not None
    assert answer.status == 403
    assert b"1158201444" not in answer.body


@given(st.text(max_size=80) | st.sampled_from(["", "hub.mode", "&" * 5000, "a=b&" * 5000, "%", "%ff", "=&=" * 200]))
def test_whatever_the_query_it_is_answered(query: str) -> None:
    answer = META.challenge(Call(method="GET", query=query), NOW)

    assert answer is not None
    assert answer.status == 403


def test_without_a_verify_token_meta_is_not_answered() -> None:
    assert Meta("app-secret").challenge(get(ASKED), NOW) is None
    with pytest.raises(ConfigurationError, match="empty"):
        Meta("app-secret", verify_token="")


def test_a_post_is_no_challenge_of_meta() -> None:
    assert META.challenge(replace(get(ASKED), method="POST"), NOW) is None


def test_the_challenge_of_slack_is_given_back_where_it_is_signed() -> None:
    answer = SLACK.challenge(slack(VERIFICATION), NOW)

    assert answer == Challenge(200, VERIFICATION["challenge"].encode(), {"content-type": "text/plain; charset=utf-8"})


def test_a_challenge_of_slack_that_is_not_signed_is_none() -> None:
    """So it goes to `verify`, which refuses it."""
    for header in (None, "", "v0=", "v0=" + "0" * 64):
        assert SLACK.challenge(slack(VERIFICATION, x_slack_signature=header), NOW) is None
    assert Slack([]).challenge(slack(VERIFICATION), NOW) is None


@pytest.mark.parametrize(
    "document",
    [
        {"type": "event_callback", "event": {"text": '"url_verification"'}},
        {"type": "event_callback", "event": {"type": "url_verification", "challenge": "x"}},
        {"type": "url_verification"},
        {"type": "url_verification", "challenge": 7},
        {"type": "url_verification", "challenge": "a b"},
        {"type": "url_verification", "challenge": "<script>" * 100},
        ["url_verification"],
        "url_verification",
    ],
)
def test_what_is_no_challenge_of_slack_is_an_event(document: object) -> None:
    assert SLACK.challenge(slack(document), NOW) is None


def test_a_number_that_nobody_can_write_is_no_challenge() -> None:
    case = replace(CASES["slack"], body=b'{"type":"url_verification","challenge":' + b"1" * 5000 + b"}")

    assert SLACK.challenge(case.call(1), NOW) is None


def test_other_schemes_have_no_challenge() -> None:
    for name, case in CASES.items():
        if name not in ("meta", "slack", "x"):
            assert case.scheme(1).challenge(get(ASKED | {"crc_token": "a" * 20}), NOW) is None
