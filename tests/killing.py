"""Workers that are killed: a process from outside, and what all of them do inside.

A worker tells what it knows in lines of JSON, its notes, and whoever kills it waits for what they say.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Final

import anyio
from sqlalchemy import text

from convergekit import Hub, MessageReceived, Transaction

__all__ = ["Worker", "free_port", "handled", "handles", "tell"]

_ROOT: Final = Path(__file__).parents[1]
_TABLE: Final = "CREATE TABLE IF NOT EXISTS handled (said TEXT)"
_HANDLED: Final = text("INSERT INTO handled VALUES (:said)")


class Worker:
    """A process.

    Args:
        module: What it runs.
        arguments: Its own.
        terms: The last one, as JSON.
        log: Gets what it says to the standard error.
    """

    def __init__(self, module: str, *arguments: str, terms: dict[str, Any], log: Path) -> None:
        self._name, self._log = " ".join((module, *arguments)), log
        with log.open("ab") as errors:
            command = [sys.executable, "-m", module, *arguments, json.dumps(terms)]
            self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        self._notes: dict[str, Any] = {}
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # the last one may be cut off
                    self._notes.update(json.loads(line))

    def note(self, name: str) -> int:
        """A number that it has told last; -1 before it has."""
        return int(self._notes.get(name, -1))

    async def opened(self) -> None:
        """Return once its channel is there."""
        await self.until(lambda: self.note("open") > 0, 60)

    async def done(self, seconds: float) -> None:
        """Return once nothing is left to be done, by a note that was written after this was asked."""
        for _ in range(2):  # the next one may be on its way already
            self._notes.pop("left", None)
            await self.until(lambda: self.note("left") == 0, seconds)

    async def until(self, what: Callable[[], bool], seconds: float) -> None:
        """Return once it is so."""
        end = time.monotonic() + seconds
        while not what():
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._name} has ended by itself: {self._log.read_text()[-2000:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"{self._name} is stuck: {self._notes}; {self._log.read_text()[-2000:]}")
            await anyio.sleep(0.05)

    def kill(self) -> None:
        """Now, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)


def free_port() -> int:
    """One on loopback, for a server that is to come back at the same."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def handled(ledger: Path) -> list[str]:
    """What was said in the messages that were handled, in order, by whoever `handles` them."""
    with closing(sqlite3.connect(ledger)) as database:
        return [said for (said,) in database.execute("SELECT said FROM handled ORDER BY rowid")]


# Inside of the worker


def tell(**what: Any) -> None:
    """Write a note."""
    print(json.dumps(what), flush=True)


def handles(hub: Hub, ledger: str, chance: Random) -> None:
    """Messages are handled: each is written to *ledger* with what the hub says of it, after a moment."""
    with closing(sqlite3.connect(ledger, timeout=30)) as database:
        database.execute(_TABLE)

    @hub.on_message
    async def handle(message: MessageReceived, transaction: Transaction) -> None:
        await anyio.sleep(chance.random() * 0.02)
        said = message.text or ""
        transaction.add(lambda connection: connection.execute(_HANDLED, {"said": said}))
