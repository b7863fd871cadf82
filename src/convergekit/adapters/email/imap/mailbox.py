"""An account and its folders: each is read over a connection of its own, since IDLE hears of one only."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from anyio import TASK_STATUS_IGNORED, create_task_group
from anyio.abc import TaskStatus

from convergekit.abc import ChannelContext, Health, RetryPolicy
from convergekit.errors import AccountError, ConfigurationError, DeliveryError
from convergekit.http import TokenProvider

from ..arrival import ToEvents
from ..config import ImapConfig
from ._errors import RefusedError
from .folder import FolderReader
from .session import connected

__all__ = ["Mailbox"]

#: When a folder is tried again while others are read.
_AGAIN: Final = RetryPolicy(base=1.0, cap=300.0)
_STABLE: Final = 60.0  # seconds after which a connection that breaks has been a good one


class Mailbox:
    """One account, read by IMAP.

    Args:
        config: The account.
        context: What the engine lends.
        to_events: Makes events of the bytes of a mail and what is known beside them; called in a thread for large ones.
        tokens: Where access tokens come from, in place of a password.
        max_size: Octets of the largest mail that is fetched; of a larger one there is the header.
        jitter: Random values in [0, 1).
    """

    def __init__(
        self,
        config: ImapConfig,
        context: ChannelContext,
        to_events: ToEvents,
        tokens: TokenProvider | None,
        max_size: int,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._context = context
        self._to_events = to_events
        self._tokens = tokens
        self._max_size = max_size
        self._jitter = jitter

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Admit what is in the folders and what comes into them, until cancelled.

        A connection that breaks ends this, for the engine to start it again. Of several folders, one that breaks is
        tried again by itself as long as another is read; a refused login ends all of them.

        Raises:
            NotSentError: The server is not there, has gone away, or makes no sense.
            AuthenticationError: It does not know us.
            ConfigurationError: There is no such folder, or the server does not prove who it is.
        """
        readers = [
            FolderReader(name, self._config, self._context, self._to_events, self._max_size)
            for name in self._config.folders
        ]
        if len(readers) == 1:
            await self._read(readers[0], task_status.started)
        else:
            await self._read_all(readers, task_status)

    async def probe(self) -> Health:
        """Whether the server lets us in, and has the folders."""
        folders = [*self._config.folders, *filter(None, [self._config.move_to])]
        missing = []
        try:
            async with connected(self._config, self._tokens, max_size=self._max_size) as session:
                for folder in folders:
                    try:
                        await session.look_at(folder)
                    except RefusedError as refused:
                        setting = "folders" if folder in self._config.folders else "move_to"
                        missing.append(f"{folder!r} of imap.{setting} cannot be opened: {refused.reason}")
        except (DeliveryError, ConfigurationError) as error:
            return Health(ok=False, detail=str(error))
        if missing:
            return Health(ok=False, detail="; ".join(missing))
        return Health(ok=True, detail=f"logged in to {self._config.host}, which has {', '.join(folders)}")

    async def _read(self, reader: FolderReader, started: Callable[[], None]) -> None:
        async with connected(self._config, self._tokens, max_size=self._max_size) as session:
            await reader.read(session, started)

    async def _read_all(self, readers: Sequence[FolderReader], task_status: TaskStatus[None]) -> None:
        """All of them, each by itself; all have to begin well."""
        alive: set[str] = set()
        async with create_task_group() as tasks:

            async def keep(reader: FolderReader, *, task_status: TaskStatus[None]) -> None:
                started: Callable[[], None] = task_status.started
                failures = 0
                while True:
                    begun: float | None = None

                    def note() -> None:
                        nonlocal begun, started
                        begun = self._context.clock.monotonic()
                        alive.add(reader.name)
                        started()
                        started = _nothing

                    try:
                        await self._read(reader, note)
                    except AccountError:
                        raise
                    except (DeliveryError, ConfigurationError) as error:
                        alive.discard(reader.name)
                        if not alive or started is not _nothing:
                            raise
                        good = begun is not None and self._context.clock.monotonic() - begun >= _STABLE
                        failures = 1 if good else failures + 1
                        self._context.log.warning("%r is not read now: %s", reader.name, error)
                    await self._context.clock.sleep(_AGAIN.delay(failures, self._jitter))

            for reader in readers:
                await tasks.start(keep, reader)
            task_status.started()


def _nothing() -> None:
    """Whoever waits has been told."""
