"""An app under hypercorn, in a process of its own on loopback: `python -m bench.webhook.serving ours|bare|sink`."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
from hypercorn.asyncio import serve
from hypercorn.config import Config

from .signed import App, bare, ours

__all__ = ["CPU_PATH", "server"]

CPU_PATH = "/-/cpu-seconds"


@contextmanager
def server(kind: str) -> Generator[int]:
    """Start one, yield its port, and stop it."""
    started = subprocess.Popen([sys.executable, "-m", "bench.webhook.serving", kind], stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        yield int(started.stdout.readline())
    finally:
        started.terminate()
        started.wait(10)


async def _sink(scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _app(kind: str) -> AsyncGenerator[App]:
    if kind == "ours":
        async with ours() as side:
            yield side.app
    else:
        yield {"bare": bare, "sink": _sink}[kind]


async def _main(kind: str) -> None:
    config = Config()
    config.loglevel = "ERROR"
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        config.bind = [f"fd://{os.dup(listening.fileno())}"]
        async with _app(kind) as app:

            async def counted(scope: Any, receive: Any, send: Any) -> None:
                if scope.get("path") != CPU_PATH:
                    return await app(scope, receive, send)
                body = repr(time.process_time()).encode()
                fields = [(b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 200, "headers": fields})
                await send({"type": "http.response.body", "body": body})

            gc.collect()
            gc.freeze()  # as `compare` does, and any server that wants to be quick
            print(listening.getsockname()[1], flush=True)
            await serve(counted, config, shutdown_trigger=_terminated)


async def _terminated() -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            return


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1])
