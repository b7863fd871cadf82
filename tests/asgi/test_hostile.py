"""A hundred hostile callers at once, of every kind, and honest ones among them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from convergekit.http import StandardWebhooks
from tests.asgi.servers import SERVERS
from tests.asgi.test_mounts import SECRET
from tests.asgi.wire import Script, exchange, leaves, says, status_of, trickles

pytestmark = pytest.mark.anyio

POST = b"POST /shop HTTP/1.1\r\nhost: a\r\n"
LARGE = b"x" * (2**20 - 1)

#: What each does again and again, and how many of them there are.
HOSTILE: dict[str, tuple[int, Script]] = {
    "slow headers": (10, trickles(POST + b"x-a: ")),
    "slow bodies": (10, trickles(POST + b"content-length: 1000\r\n\r\n")),
    "silent": (10, says(POST + b"content-length: 1000\r\n\r\n")),
    "large, and then silent": (45, says(POST + b"content-length: 1048576\r\n\r\n" + LARGE)),
    "chunks without end": (
        10,
        says(POST + b"transfer-encoding: chunked\r\n\r\n", *[b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 18),
    ),
    "forged": (5, says(POST + b"connection: close\r\ncontent-length: 2\r\n\r\n{}")),
    "wrong lengths": (5, says(POST + b"content-length: -1\r\n\r\n")),
    "leaving": (5, leaves(POST + b"content-length: 1000\r\n\r\nx", reset=True)),
}
HONEST, CALLS = 4, 3
_MADE = count()


@pytest.fixture
def anyio_backend() -> str:
    """Of the callers, who are the same for every server."""
    return "asyncio"


def honest() -> Script:
    """A genuine call, whose body comes in pieces: it has to be waited for like the bodies of the others."""
    body = b'{"type": "message.created", "data": {"text": "hello", "sender": "mailto:ann@example.org"}}'
    scheme = StandardWebhooks([SecretStr(SECRET)])
    headers = scheme.sign(f"msg_{next(_MADE)}", datetime.now(UTC), body)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    head = POST + b"connection: close\r\n" + fields + b"content-length: %d\r\n\r\n" % len(body)
    return says(head, body[:30], body[30:60], body[60:])


@contextmanager
def standing(server: str) -> Generator[tuple[str, Callable[[], float]]]:
    """A server in a process of its own: its origin, and the most MiB that it has had in memory."""
    command = [sys.executable, "-m", "tests.asgi.standing", server]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None

        def most() -> float:
            status = Path(f"/proc/{running.pid}/status").read_text("ascii")
            return int(status.split("VmHWM:")[1].split()[0]) / 1024

        yield running.stdout.readline().strip(), most
    finally:
        running.terminate()
        assert running.wait(30) == 0
        running.stdout.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("server", SERVERS)
async def test_honest_calls_are_answered_and_memory_is_bounded(server: str) -> None:
    with standing(server) as (origin, most):
        for _ in range(5):  # whatever is loaded at the first call
            assert status_of(await exchange(origin, honest())) == 204
        before = most()
        heard: Counter[tuple[str, int | None]] = Counter()
        took: list[float] = []

        async def attack(kind: str, script: Script) -> None:
            while True:
                heard[kind, status_of(await exchange(origin, script))] += 1
                await anyio.sleep(0.05)  # or the callers take the machine, rather than the server

        async def ask() -> None:
            for _ in range(CALLS):
                begun = time.perf_counter()
                assert status_of(await exchange(origin, honest())) == 204
                took.append(time.perf_counter() - begun)

        async with anyio.create_task_group() as hostile:
            for kind, (number, script) in HOSTILE.items():
                for _ in range(number):
                    hostile.start_soon(attack, kind, script)
            async with anyio.create_task_group() as asking:
                for _ in range(HONEST):
                    asking.start_soon(ask)
            hostile.cancel_scope.cancel()
        assert status_of(await exchange(origin, honest())) == 204
        grown = most() - before
    assert len(took) == HONEST * CALLS
    assert max(took) < 20
    # Without the bound it is more than eighty; four are allowed for all, and the server's own buffers are beside them.
    assert grown < 65
    assert {status for _, status in heard} <= {None, 400, 401, 408, 413}


def test_there_are_a_hundred() -> None:
    assert sum(number for number, _ in HOSTILE.values()) == 100
