"""An ASGI app on a socket of this machine."""

import logging
import socket
import sys
from io import StringIO
from typing import Any

import anyio
import httpx
import pytest

from convergekit.cli._console import Console
from convergekit.cli._serving import refusals_told, serving
from convergekit.errors import ConfigurationError


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})
        return
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def test_it_is_there_inside_and_gone_after(anyio_backend_name: str) -> None:
    async with serving(app, backend=anyio_backend_name) as url, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).text == "hello"
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_it_ends_in_good_order_when_cancelled(anyio_backend_name: str) -> None:
    with anyio.CancelScope() as scope:
        async with serving(app, backend=anyio_backend_name):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_port_that_is_taken_is_named(anyio_backend_name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
            async with serving(app, backend=anyio_backend_name, port=port):
                raise AssertionError


async def test_without_a_server_it_says_what_to_install(
    anyio_backend_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hypercorn", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'convergekit\[serve\]'"):
        async with serving(app, backend=anyio_backend_name):
            raise AssertionError


def test_refusals_are_told_once_a_second_on_one_line() -> None:
    log, said = logging.getLogger("convergekit.asgi"), StringIO()
    level = log.level

    def refuse(at: float, why: str, level: int = logging.INFO) -> None:
        record = log.makeRecord(log.name, level, "", 0, "hook: %s", (why,), None)
        record.created = at
        log.handle(record)

    with refusals_told(Console(StringIO(), said, as_json=False)):
        assert log.isEnabledFor(logging.INFO)
        for at in (100.0, 100.5, 100.9, 101.5):
            refuse(at, f"at {at}\x1b[2J\nand more")
        refuse(200.0, "as every warning", logging.WARNING)
    refuse(300.0, "nobody listens")
    assert said.getvalue().splitlines() == [
        "convergekit: hook: at 100.0?[2J",
        "convergekit: hook: at 101.5?[2J (and 2 before it)",
    ]
    assert log.level == level
