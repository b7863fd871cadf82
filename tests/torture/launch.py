"""Workers are started: in processes that can be killed, or in the driver's own loop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final, Protocol

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.abc import Store
from convergekit.engine.clock import SystemClock

from .worker import Terms, work

__all__ = ["InProcess", "Launcher", "Processes"]

_ROOT: Final = Path(__file__).parents[2]


class Launcher(Protocol):
    """Starts workers over one store."""

    url: str

    async def start(self, terms: Terms) -> int:
        """Start one; returns the id of its process."""
        ...

    def store(self) -> Store:
        """The store, to look at it when nobody works on it any more."""
        ...


class InProcess:
    """Workers in the driver's own loop, over one store; they cannot be killed.

    Args:
        store: What they share.
        tasks: Where they run.
    """

    url = ""

    def __init__(self, store: Store, tasks: TaskGroup) -> None:
        self._store = store
        self._tasks = tasks

    async def start(self, terms: Terms) -> int:
        """See `Launcher`."""
        self._tasks.start_soon(work, terms, self._store)
        return 0

    def store(self) -> Store:
        """See `Launcher`."""
        return self._store


class Processes:
    """Workers in processes of their own, forked from one that has imported everything.

    Args:
        nursery: That process.
        url: The store's.
    """

    def __init__(self, nursery: Process, url: str) -> None:
        assert nursery.stdout is not None
        self.url = url
        self._nursery = nursery
        self._said = BufferedByteReceiveStream(nursery.stdout)

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, log: Path) -> AsyncGenerator[Processes]:
        """Start the nursery; what workers log goes to the file *log*."""
        command = [sys.executable, "-m", "tests.torture.worker"]
        with log.open("ab") as stderr:
            async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=stderr, cwd=_ROOT) as nursery:
                processes = cls(nursery, url)
                assert await processes._line() == "ready"
                if not url.startswith("sqlite"):  # a file is made by whoever comes first, a database by `db upgrade`
                    async with processes.store().opened(SystemClock()):
                        pass
                yield processes
                assert nursery.stdin is not None
                await nursery.stdin.aclose()

    async def start(self, terms: Terms) -> int:
        """See `Launcher`."""
        assert self._nursery.stdin is not None
        await self._nursery.stdin.send(json.dumps(asdict(terms)).encode() + b"\n")
        return int(await self._line())

    def store(self) -> Store:
        """See `Launcher`."""
        from convergekit.stores.sql import SqlStore

        return SqlStore(self.url, create=True)

    async def _line(self) -> str:
        return (await self._said.receive_until(b"\n", 100)).decode()
