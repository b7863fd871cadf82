"""A signed webhook through a real server on a real socket: the same server and the same client for both sides."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from statistics import median

import anyio
from anyio.abc import SocketStream

from ..measure import Effort, Goal, Line, Side, compare
from .serving import CPU_PATH, server
from .signed import CHANNEL, Signed

__all__ = ["run"]

CONNECTIONS = 16


async def run(effort: Effort) -> Iterator[Line]:
    """Calls a second of CPU time of the server, and by the clock on the wall."""
    items = effort.items(1600, at_least=64)
    with ExitStack() as stack:
        ports = {name: stack.enter_context(server(name)) for name in ("ours", "bare")}
        wall: dict[str, list[float]] = {name: [] for name in ports}
        rates = await compare({name: _side(port, items, wall[name]) for name, port in ports.items()}, effort.rounds)
    peer = f"a bare ASGI function that verifies, hypercorn {version('hypercorn')}"
    metric = "signed webhook over a socket"
    return iter(
        [
            Line.of(f"{metric} (calls a CPU second)", rates["ours"], peer, rates["bare"], Goal(">=", 0.5)),
            Line.of(f"{metric} (calls a second)", median(wall["ours"]), peer, median(wall["bare"]), Goal(">=", 0.5)),
        ]
    )


def _side(port: int, items: int, wall: list[float]) -> Side:
    signed = Signed()

    async def one_round() -> float:
        calls = [_on_the_wire(*signed()) for _ in range(items)]
        streams = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(CONNECTIONS)]
        cpu, clock = await _cpu_seconds(port), time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for number, stream in enumerate(streams):
                tasks.start_soon(_post_all, stream, calls[number::CONNECTIONS])
        wall.append(items / (time.perf_counter() - clock))
        return items / (await _cpu_seconds(port) - cpu)

    return one_round


def _on_the_wire(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    fields = b"".join(b"%b: %b\r\n" % field for field in headers)
    return b"POST /%b HTTP/1.1\r\n%b\r\n%b" % (CHANNEL.encode(), fields, body)


async def _post_all(stream: SocketStream, calls: Sequence[bytes]) -> None:
    async with stream:
        for call in calls:
            await stream.send(call)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):  # a 204 has no body
                answer += await stream.receive()
            if not answer.startswith(b"HTTP/1.1 204"):
                raise RuntimeError(f"a webhook was answered with {answer[:12]!r}")


async def _cpu_seconds(port: int) -> float:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(b"GET %b HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n" % CPU_PATH.encode())
        answer = b"".join([chunk async for chunk in stream])
    return float(answer.rpartition(b"\r\n\r\n")[2])
