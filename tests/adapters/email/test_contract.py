"""Every promise of an adapter, kept by the email channel: with a mailbox, and by mail that is handed over."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.adapters.email.subject import EmailSubject
from convergekit.testing import AdapterContract


class LmtpSubject(EmailSubject):
    """A mail server of one's own: what it was not answered 250 for stays in its queue, and comes again."""

    dsn = None

    def __init__(self) -> None:
        super().__init__()
        self._queue: deque[bytes] = deque()
        self._news = anyio.Event()
        self._taken = 0

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        folder = Path(tempfile.mkdtemp())
        try:
            async with super().opened(), anyio.create_task_group() as tasks:
                self.dsn = None
                self._path = folder / "lmtp"
                self.settings = {**self._settings(), "lmtp": {"path": str(self._path)}}
                del self.settings["imap"]
                tasks.start_soon(self._deliver)
                yield
                tasks.cancel_scope.cancel()
        finally:
            shutil.rmtree(folder)

    async def _deliver(self) -> None:
        while True:
            while not self._queue:
                self._news = anyio.Event()
                await self._news.wait()
            try:
                async with await anyio.connect_unix(self._path) as stream:
                    lines = BufferedByteReceiveStream(stream)
                    await lines.receive_until(b"\r\n", 4096)
                    if await self._hand_over(stream, lines, self._queue[0]):
                        self._queue.popleft()
                        self._taken += 1
                        continue
            except (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                pass
            await anyio.sleep(0.01)

    async def _hand_over(self, stream: Any, lines: BufferedByteReceiveStream, mail: bytes) -> bool:
        for command in (b"LHLO far.example", b"MAIL FROM:<ann@example.net>", b"RCPT TO:<support@example.org>", b"DATA"):
            await stream.send(command + b"\r\n")
            while (await lines.receive_until(b"\r\n", 4096))[3:4] == b"-":
                pass
        await stream.send(b"\r\n".join(mail.splitlines()).replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return (await lines.receive_until(b"\r\n", 4096)).startswith(b"250")

    async def push(self, said: Any) -> None:
        self._queue.append(said)
        self._news.set()

    def acknowledged(self) -> int:
        return self._taken

    async def drop(self) -> None:
        await super(EmailSubject, self).drop()

    def refuse_login(self) -> None:
        super(EmailSubject, self).refuse_login()


class TestByImap(AdapterContract):
    backends = ("asyncio",)

    @pytest.fixture
    def subject(self) -> EmailSubject:
        return EmailSubject()


class TestByLmtp(AdapterContract):
    backends = ("asyncio",)

    @pytest.fixture
    def subject(self) -> LmtpSubject:
        return LmtpSubject()
