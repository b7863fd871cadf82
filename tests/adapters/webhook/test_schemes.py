"""The schemes by which a channel signs and verifies: by settings, or the host's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from convergekit import Hub, MemoryStore
from convergekit.adapters.webhook import WebhookConfig
from convergekit.adapters.webhook.signature import Scheme
from convergekit.errors import AuthenticationError, ConfigurationError, SignatureError
from convergekit.http.signatures import SCHEMES, Challenge, Incoming, Verified
from convergekit.testing import FakeContext, outgoing
from tests.adapters.webhook.kit import HOME, NEW, START, adapter_over, channel, received
from tests.asgi_kit import call
from tests.http.signatures.kit import CASES, Case

pytestmark = pytest.mark.anyio

PUBLIC = "https://example.org"  # with the channel and the path it is the URL that the cases sign
RULES = ({"text": "body.data.text"},)
all_of_them = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def settings(case: Case, *numbers: int) -> dict[str, Any]:
    options = {"name": case.name, **case.options}
    return {"scheme": options, "secrets": tuple(SecretStr(case.secret(number)) for number in numbers)}


def accepts(requests: list[httpx.Request]) -> Any:
    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    return handler


@all_of_them
async def test_what_is_genuine_is_read_and_what_is_not_is_401(case: Case) -> None:
    genuine = case.call(1, at=START)
    path = f"/hooks{genuine.path or '/alerts'}"
    said = settings(case, 2, 1)
    said["inbound_secrets"] = said["secrets"]  # a private key proves nothing unless it is said to
    async with channel(public_url=PUBLIC, messages=RULES, call_id="digest", **said) as (app, context):
        good = await call(app, path, genuine.body, headers=dict(genuine.headers))
        forged = case.call(3, at=START)
        path = f"/hooks{forged.path or '/alerts'}"
        bad = await call(app, path, forged.body, headers=dict(forged.headers))

    assert (good.status, bad.status) == (204, 401)
    assert len(context.admitted) == 1


@all_of_them
async def test_what_is_sent_is_signed_and_has_its_id_whatever_the_scheme(case: Case) -> None:
    requests: list[httpx.Request] = []
    adapter = adapter_over(accepts(requests), **settings(case, 1))
    if case.name in ("mailgun", "twilio"):
        with pytest.raises(AuthenticationError, match=r"nothing can be signed: .*inside the document|.*bodySHA256"):
            await adapter.send(outgoing(HOME))
        return
    await adapter.send(outgoing(HOME))

    assert requests[0].headers["webhook-id"] == "dispatch1/0"
    if case.name != "secret-path":  # the address itself is the secret
        assert case.scheme(1).verify(received(requests[0]), START)


async def test_each_way_may_have_its_own_scheme() -> None:
    requests: list[httpx.Request] = []
    github, stripe = CASES["github"], CASES["stripe"]
    adapter = adapter_over(
        accepts(requests),
        scheme="github",
        inbound_scheme="stripe",
        secrets=(SecretStr(github.secret(1)),),
        inbound_secrets=(SecretStr(stripe.secret(2)),),
    )
    await adapter.send(outgoing(HOME))

    assert github.scheme(1).verify(received(requests[0]), START).id == "dispatch1/0"
    async with channel(**settings(github, 1), inbound_scheme="stripe") as (app, _):
        call_ = stripe.call(1, at=START).but(webhook_id="msg_1")
        assert (await call(app, body=call_.body, headers=dict(call_.headers))).status == 204


async def test_a_call_whose_scheme_knows_no_id_has_to_say_one() -> None:
    case = CASES["slack"]
    async with channel(**settings(case, 1)) as (app, context):
        genuine = case.call(1, at=START)
        without = await call(app, body=genuine.body, headers=dict(genuine.headers))
        with_one = await call(app, body=genuine.body, headers=dict(genuine.but(webhook_id="evt_7").headers))

    assert (without.status, with_one.status) == (400, 204)
    assert [event.key for event in context.admitted] == ["evt_7"]


async def test_the_window_is_the_schemes_unless_the_settings_say_one() -> None:
    case = CASES["sendgrid"]
    genuine = case.call(1, at=START - timedelta(hours=2)).but(webhook_id="1")
    for tolerance, status in ((None, 204), (600, 401)):
        async with channel(tolerance=tolerance, **settings(case, 1)) as (app, _):
            assert (await call(app, body=genuine.body, headers=dict(genuine.headers))).status == status


async def test_challenges_are_answered() -> None:
    meta = {"scheme": {"name": "meta", "verify_token": "the-token"}, "secrets": ("app-secret",)}
    asked = b"hub.mode=subscribe&hub.verify_token=the-token&hub.challenge=42"
    async with channel(**meta) as (app, _):
        answers = [await call(app, method="GET", query_string=each) for each in (asked, asked + b"x", b"")]
        answers.append(await call(app, method="GET", query_string=asked.replace(b"the-token", b"x")))
    assert [(each.status, each.body == b"42") for each in answers] == [
        (200, True),
        (200, False),
        (403, False),
        (403, False),
    ]
    assert answers[0].headers["content-type"] == "text/plain; charset=utf-8"

    async with channel(scheme="x", secrets=("consumer-secret",)) as (app, _):
        answer = await call(app, body=b"", method="GET", query_string=b"crc_token=aaaaaaaaaaaaaaaaaaaa")
        assert json.loads(answer.body)["response_token"].startswith("sha256=")

    case = CASES["slack"]
    body = b'{"type":"url_verification","challenge":"abc"}'
    signed = case.scheme(1).sign("1", START, body)
    async with channel(**settings(case, 1)) as (app, _):
        assert (await call(app, body=body, headers=dict(signed))).body == b"abc"
        assert (await call(app, body=body, headers={**signed, "x-slack-signature": "v0=x"})).status == 401
        assert (await call(app, method="GET")).status == 405


class Reversed:
    """A scheme of a host: the body backwards, in a header."""

    def sign(self, id: str, at: datetime, body: bytes, **_: Any) -> dict[str, str]:
        return {"x-backwards": body[::-1].hex(), "x-id": id}

    def verify(self, request: Incoming, now: datetime) -> Verified:
        if request.headers.get("x-backwards") != request.body[::-1].hex():
            raise SignatureError("not backwards")
        return Verified(request.headers.get("x-id"))

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        return Challenge(200, b"here I am") if request.method == "GET" else None


async def test_a_host_hands_its_own_scheme_over() -> None:
    requests: list[httpx.Request] = []
    transport = httpx.MockTransport(accepts(requests))
    async with Hub(store=MemoryStore()) as hub:
        await hub.add_channel(
            "shop", {"adapter": "webhook", "url": HOME, "scheme": "own"}, scheme=Reversed(), transport=transport
        )
        await hub.send("hello", to=HOME)
        request = requests[0]
        answers = [
            await call(hub.asgi(), "/shop", request.content, headers=dict(request.headers)),
            await call(hub.asgi(), "/shop", request.content + b" ", headers=dict(request.headers)),
            await call(hub.asgi(), "/shop", method="GET"),
        ]

    assert [answer.status for answer in answers] == [204, 401, 200]
    assert answers[2].body == b"here I am"


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ({"scheme": "own"}, {}),
        ({"scheme": "own"}, {"scheme": "github"}),
        ({"scheme": "own"}, {"scheme": Reversed}),  # the class of one
        ({"secrets": (NEW,)}, {"scheme": Reversed()}),
        ({"secrets": (NEW,)}, {"inbound_scheme": Reversed()}),
        ({"secrets": (NEW,), "inbound_scheme": "own"}, {}),
        ({"scheme": "own", "secrets": (NEW,)}, {"inbound_scheme": Reversed()}),
    ],
)
def test_a_scheme_of_ones_own_is_said_and_handed_over(said: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    from convergekit.adapters.webhook import WebhookAdapter

    with pytest.raises(ConfigurationError, match="scheme"):
        WebhookAdapter(WebhookConfig(**said), FakeContext(parts=parts))


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({}, "secrets is empty"),
        ({"scheme": "github"}, "secrets is empty"),
        ({"scheme": "none"}, "is no scheme; there are"),
        ({"scheme": "githup", "secrets": ("TOKEN",)}, "is no scheme; there are"),
        ({"scheme": "own", "inbound_scheme": "github"}, "secrets is empty"),
        ({"scheme": "standard", "secrets": ("TOKEN",)}, "whsec_"),
        ({"scheme": "hmac", "secrets": ("TOKEN",)}, "header is missing"),
        ({"scheme": {"name": "hmac", "header": "x", "digest": "md5"}, "secrets": ("TOKEN",)}, "digest"),
        ({"scheme": {"name": "github", "header": "x"}, "secrets": ("TOKEN",)}, "header is no option"),
        ({"scheme": {"name": "hmac", "haeder": "x"}, "secrets": ("TOKEN",)}, "haeder"),
        ({"scheme": {"name": "basic", "username": "a:TOKEN"}, "secrets": ("TOKEN",)}, "colon"),
        ({"scheme": "github", "tolerance": 60, "secrets": ("TOKEN",)}, "tolerance is no option"),
        ({"scheme": "github", "secrets": ("TOKEN", "")}, "empty"),
        ({"scheme": "secret-path", "secrets": ("TOKEN",)}, "16 characters"),
    ],
)
def test_an_unsigned_door_and_what_does_not_fit_are_refused_at_the_start(said: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text) as caught:
        WebhookConfig(**said)
    assert "TOKEN" not in str(caught.value)


def test_every_option_of_every_scheme_can_be_set() -> None:
    """`random` is for tests; the secrets are settings of the channel."""
    import inspect

    options = {
        name
        for scheme in SCHEMES.values()
        for name, parameter in inspect.signature(scheme).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert options - {"random"} == set(Scheme.model_fields) - {"name"}


def test_no_secret_among_the_options_is_shown() -> None:
    said = WebhookConfig(scheme=Scheme(name="meta", verify_token=SecretStr("TOKEN")), secrets=(SecretStr("SECRET"),))

    assert "TOKEN" not in repr(said) + said.model_dump_json()
    assert "SECRET" not in repr(said)


def test_what_is_wrong_in_a_table_is_told_once_and_by_its_place() -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookConfig.model_validate({"scheme": {"name": "hmac", "haeder": "x"}, "secrets": "SECRET"})

    assert [error["loc"] for error in caught.value.errors()] == [("scheme", "haeder")]


def test_the_setting_is_named_whose_scheme_does_not_fit() -> None:
    for setting in ("scheme", "inbound_scheme"):
        said: dict[str, Any] = {"scheme": "github", setting: "githup"}
        with pytest.raises(ValidationError, match=rf"error, {setting}: 'githup' is no scheme"):
            WebhookConfig(secrets=(SecretStr("SECRET"),), **said)
