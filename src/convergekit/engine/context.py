"""What the engine lends to an adapter: `ChannelContext`, made of the store and the intake."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import anyio

from convergekit.abc import Admission, Clock, Cursor, State, Store
from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, Event

from .blobs import open_attachment
from .intake import Intake
from .locks import Locks
from .ownership import current_fence

if TYPE_CHECKING:
    from convergekit.http import Http

__all__ = ["EngineContext", "StoredState"]


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
        self._locks = Locks(store, clock, self.log)
        self._http: Http | None = None
        self._has_http = anyio.Event()

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
            self._has_http.set()
        return self._http

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        """See `ChannelContext.admit`."""
        return await self._intake.admit(self.channel, events, cursor, fence=current_fence())

    async def cursor(self, feed: str = "") -> Any:
        """See `ChannelContext.cursor`."""
        return await self._store.cursor(self.channel, feed)

    def notify(self, event: Event) -> None:
        """See `ChannelContext.notify`."""
        self._intake.notify(self.channel, event)

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """See `ChannelContext.lock`."""
        return self._locks.held(f"{self.channel}/{name}")

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

    async def tidy(self) -> None:
        """Close connections of `http` that nobody uses any more, until cancelled."""
        await self._has_http.wait()
        await self.http.tidy()

    async def aclose(self) -> None:
        """Close what the adapter may have used."""
        if self._http is not None:
            await self._http.aclose()
            self._http, self._has_http = None, anyio.Event()
