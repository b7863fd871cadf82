"""Which access tokens a mailbox logs in with; how they are had is tested with `convergekit.http`."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from convergekit.adapters.email.config import OAuthConfig
from convergekit.adapters.email.oauth import to_provider
from convergekit.http import RefreshingTokens
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

CONFIG = OAuthConfig(
    token_url="https://id.example.org/token",
    client_id="client",
    client_secret="client-secret",
    refresh_token="first-refresh",
    scope="mail offline",
)


async def test_what_the_host_gives_comes_first() -> None:
    async def given(*, fresh: bool = False) -> str:
        return "given"

    context = FakeContext()
    assert to_provider(CONFIG, context, given) is given
    assert isinstance(to_provider(CONFIG, context), RefreshingTokens)
    assert to_provider(None, context) is None


class Vault:
    """A host's own store of tokens."""

    def __init__(self) -> None:
        self.kept: Any = None

    async def load(self, key: str) -> Any:
        return self.kept

    async def save(self, key: str, tokens: Mapping[str, Any]) -> None:
        self.kept = dict(tokens)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None]:
        yield


async def test_the_settings_say_as_whom_and_the_host_where_they_are_kept() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == CONFIG.token_url
        assert {name: value for name, (value,) in parse_qs(request.content.decode()).items()} == {
            "grant_type": "refresh_token",
            "refresh_token": "first-refresh",
            "client_id": "client",
            "client_secret": "client-secret",
            "scope": "mail offline",
        }
        return httpx.Response(200, content=json.dumps({"access_token": "access-1"}))

    vault = Vault()
    tokens = to_provider(CONFIG, FakeContext(transport=httpx.MockTransport(answer), parts={"token_store": vault}))
    assert tokens is not None
    assert await tokens() == vault.kept["access_token"] == "access-1"
