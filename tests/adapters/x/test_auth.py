"""Who signs a request, and with what."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from convergekit.adapters.x import XConfig
from convergekit.adapters.x.auth import Auth
from convergekit.adapters.x.oauth1 import Signer
from convergekit.errors import AuthenticationError
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

OAUTH1 = {
    "consumer_key": "app-key",
    "consumer_secret": "app-secret",
    "access_token": "7-account",
    "access_token_secret": "account-secret",
}
URL = "https://api.x.com/2/tweets"


def config(**more: Any) -> XConfig:
    return XConfig.model_validate(more)


class Tokens:
    """`/2/oauth2/token` of X: each refresh token is good once."""

    def __init__(self) -> None:
        self.good, self.forms, self.basic = "refresh-0", list[dict[str, str]](), list[str | None]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://api.x.com/2/oauth2/token"
        form = dict(parse_qsl(request.content.decode()))
        self.forms.append(form)
        self.basic.append(request.headers.get("authorization"))
        if form["refresh_token"] != self.good:
            return httpx.Response(400, json={"error": "invalid_request"})
        self.good = f"refresh-{len(self.forms)}"
        token = {"access_token": f"access-{len(self.forms)}", "refresh_token": self.good, "expires_in": 7200}
        # Another scope than was asked for is no reason to throw the token away.
        return httpx.Response(200, json={**token, "token_type": "bearer", "scope": "tweet.read"})

    def context(self, **parts: Any) -> FakeContext:
        return FakeContext(transport=httpx.MockTransport(self), parts=parts)


async def test_the_account_signs_by_a_token_that_is_had_once() -> None:
    tokens = Tokens()
    auth = Auth(config(oauth2={"client_id": "app", "refresh_token": "refresh-0"}), tokens.context())
    for _ in range(2):
        assert await auth.authorization("POST", URL, identity="user") == "Bearer access-1"
    assert tokens.forms == [{"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "app"}]
    assert tokens.basic == [None], "a public client has no secret to say"
    assert auth.can_renew("user")


async def test_a_confidential_client_says_its_secret_in_the_header() -> None:
    tokens = Tokens()
    oauth2 = {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-0"}
    await Auth(config(oauth2=oauth2), tokens.context()).authorization("POST", URL, identity="user")
    assert tokens.basic == [f"Basic {base64.b64encode(b'app:app-secret').decode()}"]
    assert "client_secret" not in tokens.forms[0]


async def test_a_refused_token_is_changed_for_another() -> None:
    tokens = Tokens()
    context = tokens.context()
    auth = Auth(config(oauth2={"client_id": "app", "refresh_token": "refresh-0"}), context)
    await auth.authorization("POST", URL, identity="user")
    context.clock.advance(60)
    assert await auth.authorization("POST", URL, identity="user", fresh=True) == "Bearer access-2"


class Vault:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def load(self, key: str) -> Any:
        return self.kept.get(key)

    async def save(self, key: str, tokens: Mapping[str, Any]) -> None:
        self.kept[key] = dict(tokens)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None]:
        yield


async def test_the_host_may_keep_the_tokens() -> None:
    vault = Vault()
    settings = config(oauth2={"client_id": "app", "refresh_token": "refresh-0"})
    await Auth(settings, Tokens().context(token_store=vault)).authorization("POST", URL, identity="user")
    assert [each["refresh_token"] for each in vault.kept.values()] == ["refresh-1"]


async def test_or_it_signs_by_oauth_1() -> None:
    context = FakeContext()
    auth = Auth(config(oauth1=OAUTH1), context, nonce=lambda: "once")
    signer = Signer(*OAUTH1.values())
    expected = signer.authorization(
        "GET", URL, [("ids", "1%2C2")], nonce="once", timestamp=int(context.clock.now().timestamp())
    )
    assert await auth.authorization("GET", URL, [("ids", "1%2C2")], identity="user") == expected
    assert not auth.can_renew("user"), "there is no other token to be had"


async def test_no_two_requests_have_the_same_nonce() -> None:
    auth = Auth(config(oauth1=OAUTH1), FakeContext())
    assert len({await auth.authorization("GET", URL, identity="user") for _ in range(3)}) == 3


async def test_the_app_signs_by_its_own_token() -> None:
    auth = Auth(config(oauth1=OAUTH1, bearer_token="app-token"), FakeContext())
    assert await auth.authorization("GET", URL, identity="app") == "Bearer app-token"
    assert not auth.can_renew("app")


async def test_without_one_the_error_names_the_setting() -> None:
    with pytest.raises(AuthenticationError, match="bearer_token is not set"):
        await Auth(config(oauth1=OAUTH1), FakeContext()).authorization("GET", URL, identity="app")


async def test_each_way_of_signing_says_what_a_person_does_where_it_is_refused() -> None:
    tokens = Tokens()
    oauth2 = Auth(config(oauth2={"client_id": "app", "refresh_token": "refresh-0"}), tokens.context())
    oauth1 = Auth(config(oauth1=OAUTH1), tokens.context())
    assert "refresh token that it brings into oauth2" in oauth2.way_out("user")
    assert "oauth1 has to have the keys in X' developer console" in oauth1.way_out("user")
    assert "bearer_token" in oauth1.way_out("app")
