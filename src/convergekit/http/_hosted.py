"""Requests over what the host hands in: a transport, or a whole client, of httpx or of its successor."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import anyio

from . import _library
from ._call import Call

__all__ = ["Hosted"]

_ours: ContextVar[bool] = ContextVar("convergekit_http", default=False)


class Hosted:
    """One of the two; the client counts where there are both.

    Args:
        transport: Of either library; or None.
        client: Likewise.
        connect_timeout: Seconds until there is a connection, for a transport that goes by it.
    """

    def __init__(self, transport: Any, client: Any, *, connect_timeout: float) -> None:
        self._transport, self._client = transport, client
        what, marker = (transport, "AsyncBaseTransport") if client is None else (client, "AsyncClient")
        self._library = _library.library_of(what, marker)
        self._timeouts = {"connect": connect_timeout, "pool": None, "read": None, "write": None}
        self._quiet = _Quiet(self._library)

    @asynccontextmanager
    async def exchange(self, call: Call) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The head of the answer goes into *call*; yields the stream of the body."""
        response = await (self._by_transport(call) if self._client is None else self._by_client(call))
        try:
            call.status, call.fields = response.status_code, response.headers.multi_items()
            yield aiter(response.stream)
        finally:
            with anyio.move_on_after(2, shield=True):
                await response.aclose()

    async def _by_transport(self, call: Call) -> Any:
        request = self._prepared(_library.library(self._library).Request, call)
        if not _library.tells_when_it_writes(self._transport):
            call.start()
        return await self._transport.handle_async_request(request)

    async def _by_client(self, call: Call) -> Any:
        request = self._prepared(self._client.build_request, call)
        call.start()
        with self._quiet:
            return await self._client.send(request, stream=True, follow_redirects=False)

    def _prepared(self, make: Callable[..., Any], call: Call) -> Any:
        extensions = {"timeout": self._timeouts, "trace": call.trace}
        url = _library.url_of(self._library, call.url)
        request = make(call.method, url, headers=call.headers, content=call.content, extensions=extensions)
        request.stream = _library.body_of(self._library)(call.content)
        return request


class _Quiet(logging.Filter):
    """Drops what a client library says about our own requests: it says their URLs, which may hold a token.

    Entered, it is on the library's logger; it lets pass what others log meanwhile.
    """

    def __init__(self, logger: str) -> None:
        super().__init__()
        self._logger, self._users = logging.getLogger(logger), 0

    def __enter__(self) -> None:
        self._users += 1
        self._logger.addFilter(self)  # which adds it once
        _ours.set(True)

    def __exit__(self, *exc: object) -> None:
        _ours.set(False)
        self._users -= 1
        if not self._users:
            self._logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        return not _ours.get()
