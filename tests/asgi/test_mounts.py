"""Mounted in each framework and served by each server, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.abc import Request
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.asgi import compose
from convergekit.http import StandardWebhooks
from tests.asgi.hosts import HOSTS, MOUNTED
from tests.asgi.servers import SERVERS, backend_of, serving

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + "A" * 44


@pytest.fixture
def anyio_backend(server: str) -> str:
    """Each server's own."""
    return backend_of(server)


class Noting(WebhookAdapter):
    """Notes what a genuine call asked for."""

    seen: Sequence[Request] = ()

    async def verify(self, request: Request) -> None:
        await super().verify(request)
        self.seen = [*self.seen, request]


class Site:
    """A hub with one channel, "shop", and its callers."""

    def __init__(self) -> None:
        self.hub, self.texts = Hub(store=MemoryStore()), list[str]()
        self._scheme = StandardWebhooks([SecretStr(SECRET)])

        @self.hub.on_message
        async def note(message: MessageReceived) -> None:
            self.texts.append(message.text or "")

    async def open(self) -> None:
        await self.hub.add_channel("shop", {"secrets": [SECRET]}, adapter=Noting)

    @property
    def request(self) -> Request:
        """The last that was genuine."""
        adapter: Any = self.hub.channel("shop").adapter
        return adapter.seen[-1]  # type: ignore[no-any-return]

    async def call(self, client: httpx.AsyncClient, path: str, text: str = "hello") -> httpx.Response:
        data = {"text": text, "sender": "mailto:ann@example.org"}
        body = json.dumps({"type": "message.created", "data": data}).encode()
        headers = self._scheme.sign(f"msg_{text}", datetime.now(UTC), body)
        return await client.post(path, content=body, headers=headers)


def client_of(origin: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30)


@pytest.mark.parametrize(("host", "server"), HOSTS)
async def test_mounted_it_takes_what_is_for_it_and_the_host_keeps_the_rest(host: str, server: str) -> None:
    site = Site()
    await site.open()
    # The hub is entered beside the server, and not by it: few hosts pass lifespan on.
    async with serving(server, MOUNTED[host](site.hub.asgi())) as origin, client_of(origin) as client:
        early = await site.call(client, "/hooks/shop")
        assert (early.status_code, early.headers["retry-after"]) == (503, "5")
        async with site.hub:
            assert (await site.call(client, "/hooks/shop", "plain")).status_code == 204
            assert (await site.call(client, "/hooks/shop/", "slash")).status_code == 204
            assert site.request.path == ""
            assert (await site.call(client, "/hooks/shop/a/b%20c?x=1&y=%20", "below")).status_code == 204
            assert (site.request.path, site.request.query) == ("/a/b c", "x=1&y=%20")
            forged = await client.post("/hooks/shop", content=b"{}")
            assert forged.status_code == 401
            assert (await site.call(client, "/hooks/other")).status_code == 404
            bare = await client.post("/hooks", content=b"{}")
            assert bare.status_code == (307 if host in {"starlette", "fastapi"} else 404)
            assert "a page" in (await client.get("/page")).text
            await site.hub.idle()
        late = await site.call(client, "/hooks/shop")
        assert (late.status_code, late.headers["retry-after"]) == (503, "5")
    assert sorted(site.texts) == ["below", "plain", "slash"]


@pytest.mark.parametrize("root_path", ["", "/api"])
@pytest.mark.parametrize("server", SERVERS)
async def test_it_stands_by_itself_also_below_a_path_of_the_servers(server: str, root_path: str) -> None:
    """Uvicorn puts `root_path` before the path that was asked for; Hypercorn only tells of it."""
    site = Site()
    await site.open()
    app = site.hub.asgi(health=True, public_url="https://example.org/api")
    async with site.hub, serving(server, app, root_path=root_path) as origin, client_of(origin) as client:
        assert (await site.call(client, "/shop/a?b=c")).status_code == 204
        assert (site.request.path, site.request.query) == ("/a", "b=c")
        assert site.request.url == "https://example.org/api/shop/a?b=c"
        assert (await client.get("/-/ready")).text == "ready"


async def only_http(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("only HTTP")  # as Django does


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "mounted"])
@pytest.mark.parametrize("server", SERVERS)
async def test_the_hub_may_live_as_long_as_the_server(server: str, alone: bool) -> None:
    site = Site()
    await site.open()
    hooks = site.hub.asgi()
    app = compose(hooks, lifespan=site.hub) if alone else compose(only_http, {"/hooks": hooks}, lifespan=site.hub)
    async with serving(server, app) as origin, client_of(origin) as client:
        assert (await site.call(client, "/shop" if alone else "/hooks/shop")).status_code == 204
        assert site.hub.health().ready
    assert not site.hub.health().ready
    assert site.texts == ["hello"], "what was taken was handled before the server stopped"
