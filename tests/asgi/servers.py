"""Servers on a socket of this machine, in a task of the test's own loop."""

from __future__ import annotations

import importlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

__all__ = ["SERVERS", "backend_of", "serving"]

#: Each with the event loop that it runs on.
SERVERS = {"uvicorn": "asyncio", "hypercorn-asyncio": "asyncio", "hypercorn-trio": "trio"}


def backend_of(server: str) -> str:
    return SERVERS[server]


@asynccontextmanager
async def serving(server: str, app: Any, *, root_path: str = "", idle: int = 5) -> AsyncGenerator[str]:
    """Serve *app*, and hang up on who says nothing for *idle* seconds; yields the origin."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)  # callers wait from here on
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    running = _uvicorn if server == "uvicorn" else _hypercorn
    async with running(server, app, listener, root_path, idle):
        yield origin


@asynccontextmanager
async def _hypercorn(server: str, app: Any, listener: socket.socket, root_path: str, idle: int) -> AsyncGenerator[None]:
    from hypercorn.config import Config

    serve = importlib.import_module(server.replace("-", ".")).serve
    config, stop = Config(), anyio.Event()
    config.bind, config.root_path = [f"fd://{listener.detach()}"], root_path
    config.errorlog = config.accesslog = None
    config.graceful_timeout, config.keep_alive_timeout = 0.5, idle
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve(app, config, shutdown_trigger=stop.wait))
        try:
            yield
        finally:
            stop.set()


@asynccontextmanager
async def _uvicorn(server: str, app: Any, listener: socket.socket, root_path: str, idle: int) -> AsyncGenerator[None]:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None]:  # they are pytest's
            yield

    config = uvicorn.Config(
        app, log_config=None, root_path=root_path, timeout_keep_alive=idle, timeout_graceful_shutdown=1
    )
    running = Server(config)
    with listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: running.serve([listener]))
            try:
                yield
            finally:
                running.should_exit = True
