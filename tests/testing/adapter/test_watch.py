"""What holds up the event loop is seen, whatever name it goes by; what the loops do themselves is not."""

from __future__ import annotations

import queue
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from time import sleep as rest

import anyio
import anyio.to_thread
import pytest

from convergekit.testing.adapter._watch import FAR_SIDE, watching

pytestmark = pytest.mark.anyio


def _connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def _join() -> None:
    thread = threading.Thread(target=rest, args=(0,))
    thread.start()
    thread.join()


def _result() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(rest, 0).result()


def _get() -> None:
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    waiting.put(1)
    waiting.get()


BLOCKING: list[tuple[Callable[[], object], str]] = [
    (lambda: rest(0), "sleeps"),
    (_connect, "blocks in connect of a socket"),
    (lambda: socket.getaddrinfo("localhost", 80), "looks up a name"),
    (lambda: subprocess.run(["true"], check=True), "waits for a process"),
    (_join, "waits for a thread"),
    (_result, "waits for a thread"),
    (_get, "waits for a thread"),
    (lambda: sqlite3.connect(":memory:").execute("SELECT 1"), "waits for a database"),
]


@pytest.mark.parametrize(("call", "what"), BLOCKING)
async def test_a_call_that_blocks_is_seen_with_its_place(call: Callable[[], object], what: str) -> None:
    with watching() as watched:
        call()
    assert any(each.startswith(f"{what} at {__file__}:") for each in watched.blocking)


async def test_what_is_done_as_it_should_be_is_no_finding(tmp_path: Path) -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, _echo)
        port = listener.extra(anyio.abc.SocketAttribute.local_address)[1]
        with watching() as watched:
            await anyio.to_thread.run_sync(rest, 0)
            await anyio.run_process(["true"])
            await anyio.Path(tmp_path / "note").write_text("x")
            async with await anyio.connect_tcp("localhost", port) as stream:
                await stream.send(b"x")
                await stream.receive()
        tasks.cancel_scope.cancel()
    assert list(watched.blocking) == []


async def _echo(stream: anyio.abc.SocketStream) -> None:
    async with stream:
        await stream.send(await stream.receive())


async def test_what_a_module_does_when_it_is_imported_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trio asks another process for the name of a library: once, and not whenever a message is sent."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_to_import", raising=False)
    with watching() as watched:
        import_module("slow_to_import")
    assert list(watched.blocking) == []


async def test_open_sockets_are_known_and_those_of_the_far_side_are_not_looked_at() -> None:
    async def far_side() -> None:
        FAR_SIDE.set(True)
        rest(0)  # noqa: ASYNC251
        async with await anyio.create_tcp_listener(local_host="127.0.0.1"):
            pass

    with watching() as watched:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(far_side)
        assert (list(watched.blocking), watched.sockets) == ([], [])
        async with await anyio.create_tcp_listener(local_host="127.0.0.1"):
            assert [each.fileno() != -1 for each in watched.sockets] == [True]
    assert [each.fileno() for each in watched.sockets] == [-1]
