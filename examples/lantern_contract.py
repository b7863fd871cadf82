"""The tower of the lantern adapter, played on loopback, and what it is checked for: `pytest lantern_contract.py`."""

import json
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from lantern import LanternAdapter

from convergekit.testing import AdapterContract
from convergekit.testing.adapter import Cannot, Fault, LoopbackServer, Subject

TOKEN = "t0ken-of-the-tower"

#: What it answers, where it does not take a signal.
ANSWERS = {
    Fault.REFUSED: b'{"refused": "fog"}',
    Fault.ACCOUNT: b'{"closed": true}',
    Fault.THROTTLED: b'{"wait": 7}',
    Fault.SERVER_ERROR: b'{"broken": true}',
    Fault.NONSENSE: b"<html>",
    Fault.EMPTY: b"{}",
}


# [subject]
class LanternSubject(Subject):
    adapter = LanternAdapter
    to = "lantern:ann"
    senders = ("lantern:ann", "lantern:bob")

    def __init__(self) -> None:
        self._server = LoopbackServer(self._talk)
        self._faults: deque[Fault] = deque()
        self._received: list[bytes] = []
        self._unread: deque[dict[str, Any]] = deque()
        self._news = anyio.Event()
        self._acknowledged, self._refuses = 0, False

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        async with self._server.serving():
            self.settings = {"host": self._server.host, "port": self._server.port, "token": TOKEN}
            yield

    # [subject end]

    # [talk]
    async def _talk(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        hello = json.loads(await lines.receive_until(b"\n", 65_536))
        if hello["login"] != TOKEN or self._refuses:
            await stream.send(b'{"welcome": false}\n')
        else:
            await stream.send(b'{"welcome": true}\n')
            await (self._speak if hello.get("listen") else self._take)(stream, lines)

    async def _take(self, stream: SocketStream, lines: BufferedByteReceiveStream) -> None:
        self._received.append(await lines.receive_until(b"\n", 65_536))
        match fault := self._faults.popleft() if self._faults else None:
            case None:
                await stream.send(b'{"taken": "s%d"}\n' % len(self._received))
            case Fault.ANSWER_LOST:
                return
            case Fault.RESET:
                await self._server.reset(stream)
            case Fault.SILENT:
                await anyio.sleep_forever()
            case _:
                await stream.send(ANSWERS[fault] + b"\n")

    async def _speak(self, stream: SocketStream, lines: BufferedByteReceiveStream) -> None:
        """One after the other: what is not acknowledged comes again on the next connection."""
        while True:
            while not self._unread:
                self._news = anyio.Event()
                await self._news.wait()
            await stream.send(json.dumps(self._unread[0]).encode() + b"\n")
            await lines.receive_until(b"\n", 65_536)
            self._unread.popleft()
            self._acknowledged += 1

    # [talk end]

    # [out]
    def fault(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            self._server.go_away()
        elif fault in ANSWERS or fault in (Fault.ANSWER_LOST, Fault.RESET, Fault.SILENT):
            self._faults.append(fault)
        else:
            raise Cannot(f"the tower has no way to say {fault.value}")

    def attempted(self) -> None:
        self._server.come_back()

    def received(self) -> Sequence[bytes]:
        return tuple(self._received)

    # [out end]

    # [in]
    def message(self, *, id: str, sender: str, text: str) -> Mapping[str, Any]:
        return {"id": id, "from": sender.removeprefix("lantern:"), "text": text}

    def nonsense(self) -> Sequence[Any]:
        return [{"id": "x1"}, "fog", {"id": "x2", "from": "a\nb", "text": "?"}]

    async def push(self, said: Any) -> None:
        self._unread.append(said)
        self._news.set()

    def acknowledged(self) -> int:
        return self._acknowledged

    async def drop(self) -> None:
        self._server.drop()

    def refuse_login(self) -> None:
        self._refuses = True

    # [in end]


class TestLantern(AdapterContract):
    @pytest.fixture
    def subject(self) -> LanternSubject:
        return LanternSubject()
