"""The far side of a medium over HTTP, ready: its author says only what it answers when all is well."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import httpx
from anyio.lowlevel import checkpoint

from ._subject import Fault, Subject

if TYPE_CHECKING:
    from ._http_server import HttpServer

__all__ = ["HttpSubject"]

_PAGE = b"<!doctype html><title>Oops</title><p>Something went wrong.</p>"


class HttpSubject(Subject):
    """A subject whose medium is called over HTTP: `context.http`, or a client of the adapter's own over
    `context.parts["transport"]`; or any client, where there is a server.

    Attributes:
        on_loopback: Whether the far side is a real server on loopback. Its `url` is known only once it is open, so the
            settings are then told by `settings_at`.
        url: Where the far side is, to be used in `settings`.
    """

    on_loopback: ClassVar[bool] = False
    url: str = "https://far.example"

    def __init__(self) -> None:
        self._faults: deque[Fault] = deque()
        self._faults_of_polls: deque[Fault] = deque()
        self._received: list[bytes] = []
        self._transport = _FarSide(self)
        self._server: HttpServer | None = None

    @abstractmethod
    def accept(self, request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        """What the medium answers to *request*, whose content is read, when all is well; a coroutine where another
        server has to be asked.
        """

    def settings_at(self, url: str) -> Mapping[str, Any]:
        """The settings of an adapter whose medium is at *url*."""
        return self.settings

    def carries(self, request: httpx.Request) -> bool:
        """Whether *request* hands a message over; others (a token, a poll) meet no fault."""
        return request.method in {"POST", "PUT", "PATCH", "DELETE"}

    def answer(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        """What the medium answers with *fault*; to be overridden where it says such things in its own way."""
        match fault:
            case Fault.REFUSED:
                return httpx.Response(400, json={"error": "refused"})
            case Fault.ACCOUNT:
                return httpx.Response(401, json={"error": "who are you"})
            case Fault.THROTTLED:
                return httpx.Response(429, headers={"retry-after": "7"})
            case Fault.THROTTLED_DATE:
                then = format_datetime(self.now() + timedelta(seconds=7), usegmt=True)
                return httpx.Response(429, headers={"retry-after": then})
            case Fault.THROTTLED_UNSAID:
                return httpx.Response(429)
            case Fault.SERVER_ERROR:
                return httpx.Response(500, json={"error": "internal"})
            case Fault.ERROR_PAGE:
                return httpx.Response(502, headers={"content-type": "text/html"}, content=_PAGE)
            case Fault.NONSENSE:
                return httpx.Response(200, headers={"content-type": "text/html"}, content=_PAGE)
            case _:
                return httpx.Response(200)

    # What `Subject` asks for

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """See `Subject.opened`: starts the server, where there is to be one."""
        if not self.on_loopback:
            yield
            return
        from ._http_server import HttpServer

        self._server = HttpServer(self.respond)
        async with self._server.serving():
            self.url = self._server.url
            self.settings = self.settings_at(self.url)
            yield

    def parts(self) -> Mapping[str, Any]:
        """The transport, where there is no server."""
        return {} if self.on_loopback else {"transport": self._transport}

    def fault(self, fault: Fault) -> None:
        """See `Subject.fault`."""
        self._play(fault, self._faults)

    def fail_poll(self, fault: Fault) -> None:
        """See `Subject.fail_poll`: whatever hands no message over meets it."""
        self._play(fault, self._faults_of_polls)

    def _play(self, fault: Fault, faults: deque[Fault]) -> None:
        if fault is Fault.UNREACHABLE and self._server is not None:
            self._server.go_away()
        else:
            faults.append(fault)

    def attempted(self) -> None:
        """See `Subject.attempted`."""
        if self._server is not None:
            self._server.come_back()

    def received(self) -> Sequence[bytes]:
        """See `Subject.received`: URL, headers and body."""
        return tuple(self._received)

    async def drop(self) -> None:
        """See `Subject.drop`: closes the connections that there are, where there is a server."""
        if self._server is None:
            await super().drop()
        else:
            self._server.drop()

    async def respond(self, request: httpx.Request) -> httpx.Response:
        """One request, all the way."""
        await checkpoint()
        await request.aread()
        carries = self.carries(request)
        faults = self._faults if carries else self._faults_of_polls
        fault = faults.popleft() if faults else None
        if fault is Fault.UNREACHABLE:
            raise httpx.ConnectError("refused")
        if carries:
            self._received.append(_written(request))
        await checkpoint()
        if fault is not None:
            return await self.meet(fault, request)
        found = self.accept(request)
        return found if isinstance(found, httpx.Response) else await found

    async def meet(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        """What becomes of a *request* that has come, and meets *fault*; raises what httpx does if nothing answers."""
        match fault:
            case Fault.ANSWER_LOST:
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            case Fault.RESET:
                raise httpx.ReadError("reset")
            case Fault.SILENT:
                await anyio.sleep_forever()
        return self.answer(fault, request)


class _FarSide(httpx.AsyncBaseTransport):
    def __init__(self, subject: HttpSubject) -> None:
        self._subject = subject

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._subject.respond(request)
        except httpx.TransportError:
            raise
        except Exception as error:
            self._subject.trouble = error
            raise


def _written(request: httpx.Request) -> bytes:
    head = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
    return f"{request.method} {request.url}\r\n".encode() + head + b"\r\n" + request.content
