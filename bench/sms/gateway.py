"""A gateway that takes all it is given, in a process of its own on loopback: `python -m bench.sms.gateway`.

It reads no more than where a request ends, so that next to nothing of what is measured is its own.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["gateway", "serve"]

_ANSWER = b'{"data":{"id":"403171a6-6a3e-4a6f-9d1b-5f7b2f0e6f9a","parts":1,"to":[{"status":"queued"}]}}'


@contextmanager
def gateway(module: str = "bench.sms.gateway") -> Generator[int]:
    """Start one, yield its port, and stop it. Another *module* that calls `serve` answers something else."""
    started = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        yield int(started.stdout.readline())
    finally:
        started.terminate()
        started.wait(10)


class _Connection(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            _, found, length = head.partition(b"\r\ncontent-length:")
            whole = end + 4 + (int(length.partition(b"\r\n")[0]) if found else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            assert self._transport is not None
            self._transport.write(self._answer)


def serve(body: bytes, *fields: str, status: str = "200 OK") -> None:
    """Answer all that comes with *body*, and say the port first."""
    lines = (f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *fields)
    asyncio.run(_serve("\r\n".join((*lines, "", "")).encode() + body))


async def _serve(answer: bytes) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    serve(_ANSWER)
