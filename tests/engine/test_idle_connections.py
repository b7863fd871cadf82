"""A channel holds no connection for ever that nobody uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

import anyio
import pytest

from convergekit import Hub
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.http import Http

pytestmark = pytest.mark.anyio


class Late(LoopbackAdapter):
    """Asks for HTTP some time after it was opened, if at all."""

    entered: list[Late]

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with super().__asynccontextmanager__():
            self.entered.append(self)
            yield self


async def test_who_uses_http_has_its_idle_connections_closed_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, let_go = anyio.Event(), anyio.Event()
    seen: list[Any] = []

    async def tidy(self: Http) -> None:
        seen.append(self)
        kept.set()
        try:
            await anyio.sleep_forever()
        finally:
            let_go.set()

    monkeypatch.setattr(Http, "tidy", tidy)
    Late.entered = []
    hub = Hub(store="memory:")
    await hub.add_channel("late", Late.Config(), adapter=Late)
    async with hub:
        await anyio.wait_all_tasks_blocked()
        assert seen == [], "nobody has asked for HTTP"
        http = Late.entered[0].context.http
        with anyio.fail_after(60):
            await kept.wait()
        assert seen == [http]
    assert let_go.is_set()
