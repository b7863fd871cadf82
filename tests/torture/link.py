"""Lines of JSON over one socket; either end may ask the other, and says when (both are on one machine).

A question leaves at once, in the very step in which it is asked: between an engine's last look at its lease and the
first byte there is no await of ours in which a process could be stopped for long.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import Any

import anyio

__all__ = ["Link", "LostError", "RefusedError"]

#: Answers a question: with a value, or with something that is awaited for one.
Answers = Callable[["Link", str, dict[str, Any]], Any]


class LostError(Exception):
    """The other end is gone; whether it has done what it was asked for is not known."""


class RefusedError(Exception):
    """The other end answered with an error: (name of its class, its text)."""


class Link:
    """One end.

    Args:
        connection: Connected.
        answers: Called with each question of the other end, which awaits nothing else meanwhile.

    Attributes:
        asked_at: When the other end asked what is just being answered.
    """

    def __init__(self, connection: socket.socket, answers: Answers) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._answers = answers
        self._numbers = count(1)
        self._waiting: dict[int, tuple[anyio.Event, list[Any]]] = {}
        self.lost = anyio.Event()
        self.name = ""
        self.asked_at = 0.0

    async def run(self) -> None:
        """Read until the other end is gone."""
        try:
            async with anyio.create_task_group() as tasks:
                rest = b""
                while True:
                    await anyio.wait_readable(self._connection)
                    try:
                        received = self._connection.recv(1 << 18)
                    except ConnectionError:
                        received = b""
                    if not received:
                        tasks.cancel_scope.cancel()
                        break
                    *lines, rest = (rest + received).split(b"\n")
                    for line in lines:
                        self._read(json.loads(line), tasks.start_soon)
        finally:
            self.close()

    def close(self) -> None:
        """Hang up."""
        self.lost.set()
        for event, _ in self._waiting.values():
            event.set()
        self._connection.close()

    async def ask(self, what: str, /, **more: Any) -> Any:
        """Ask, and wait for the answer."""
        number = next(self._numbers)
        event, answer = self._waiting[number] = (anyio.Event(), [])
        try:
            self._write({"ask": what, "id": number, "at": monotonic(), **more})
            await event.wait()
        finally:
            del self._waiting[number]
        if not answer:
            raise LostError(what)
        if isinstance(answer[0], dict) and "error" in answer[0]:
            raise RefusedError(*answer[0]["error"])
        return answer[0]

    def tell(self, what: str, /, **more: Any) -> None:
        """Ask, and wait for nothing; also when the other end is gone."""
        with suppress(LostError):
            self._write({"ask": what, "id": 0, "at": monotonic(), **more})

    def _read(self, line: dict[str, Any], start: Callable[..., Any]) -> None:
        if "ask" not in line:
            waiting = self._waiting.get(line["id"])
            if waiting is not None:
                waiting[1].append(line["answer"])
                waiting[0].set()
            return
        what, number, self.asked_at = line.pop("ask"), line.pop("id"), line.pop("at")
        answer = self._answers(self, what, line)
        if isinstance(answer, Awaitable):
            start(self._later, number, answer)
        elif number:
            self._answer(number, answer)

    async def _later(self, number: int, answer: Awaitable[Any]) -> None:
        try:
            value = await answer
        except Exception as error:
            value = {"error": [type(error).__name__, str(error)[:500]]}
        if number:
            self._answer(number, value)

    def _answer(self, number: int, value: Any) -> None:
        with suppress(LostError):  # who asked is gone, and asks somebody else
            self._write({"id": number, "answer": value})

    def _write(self, line: dict[str, Any]) -> None:
        if self.lost.is_set():
            raise LostError(str(line.get("ask")))
        try:
            self._connection.sendall(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise LostError(str(line.get("ask"))) from error
