"""What the engine lends to an adapter: `ChannelContext`, made of the store and the intake."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from convergekit.abc import Admission, Clock, Cursor, State, Store
from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, Event

from .intake import Intake

if TYPE_CHECKING:
    from convergekit.http import Http

__all__ = ["EngineContext", "StoredState", "open_attachment"]

_CHUNK = 65_536


class StoredState:
    """Small durable values under one scope of the store."""

    def __init__(self, store: Store, scope: str) -> None:
        self._store = store
        self._scope = scope

    async def get(self, key: str) -> tuple[Any, int]:
        """See `State.get`."""
        return await self._store.get(self._scope, key)

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        """See `State.put`."""
        return await self._store.put(self._scope, key, value, version=version)


class EngineContext:
    """One channel's side of the engine; see `ChannelContext` for what each member promises."""

    def __init__(self, channel: str, store: Store, clock: Clock, intake: Intake, parts: Mapping[str, Any]) -> None:
        self.channel = channel
        self.clock = clock
        self.log = logging.getLogger(f"convergekit.channel.{channel}")
        self.parts = parts
        self.state: State = StoredState(store, f"channel:{channel}")
        self._store = store
        self._intake = intake
        self._http: Http | None = None

    @property
    def http(self) -> Http:
        """Made when it is first asked for, so that channels without HTTP load none of it."""
        if self._http is None:
            from convergekit.http import Http

            self._http = Http(
                channel=self.channel,
                clock=self.clock,
                transport=self.parts.get("transport"),
                client=self.parts.get("http_client"),
            )
        return self._http

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        """See `ChannelContext.admit`."""
        return await self._intake.admit(self.channel, events, cursor)

    async def cursor(self, feed: str = "") -> Any:
        """See `ChannelContext.cursor`."""
        return await self._store.cursor(self.channel, feed)

    def notify(self, event: Event) -> None:
        """See `ChannelContext.notify`."""
        self._intake.notify(self.channel, event)

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """See `ChannelContext.lock`."""
        return self._store.lock(f"{self.channel}/{name}")

    def open(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `ChannelContext.open`."""
        return open_attachment(attachment, self._store)

    async def read(self, attachment: Attachment, *, limit: int | None = None) -> bytes:
        """See `ChannelContext.read`."""
        content = bytearray()
        async with self.open(attachment) as chunks:
            async for chunk in chunks:
                content += chunk
                if limit is not None and len(content) > limit:
                    raise UnsupportedContentError(f"an attachment exceeds {limit} bytes", channel=self.channel)
        return bytes(content)

    async def aclose(self) -> None:
        """Close what the adapter may have used."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None


@asynccontextmanager
async def open_attachment(attachment: Attachment, store: Store) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The bytes of *attachment*, wherever they are. One with a `url` only has none here."""
    if attachment.claim is not None:
        async with store.open(attachment.claim) as chunks:
            yield chunks
    elif attachment.path is not None:
        async with await anyio.open_file(attachment.path, "rb") as file:
            yield _file_chunks(file)
    elif attachment.stream is not None:
        yield aiter(attachment.stream())
    elif attachment.data is not None:
        yield _data_chunks(attachment.data)
    else:
        raise UnsupportedContentError(f"the attachment {attachment.name!r} is only a URL; hand the URL on")


async def _file_chunks(file: anyio.AsyncFile[bytes]) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk


async def _data_chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
