"""The listener: who may come in, for how long, and how it ends."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import SocketAttribute, SocketStream, TaskGroup, TaskStatus

from convergekit.abc import ChannelContext
from convergekit.errors import ConfigurationError, LeaseLostError, place_of

from ..arrival import SLOW, Envelope, ToEvents
from ..config import LmtpConfig
from .grammar import Reply
from .recipients import Recipients
from .session import Session, Terms
from .wire import GONE, Wire

__all__ = ["LmtpListener"]

_MODE: Final = 0o660  # of the socket's file: its owner and group are the ones who may write to it
_LARGE_AT_ONCE: Final = 4
_GRACE: Final = 3.0
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
_BUSY: Final = Reply(421, "4.3.2", "Too many connections, come back later")
_CLOSING: Final = Reply(421, "4.3.2", "Closing, come back later")


class LmtpListener:
    """Takes mail from a mail server of one's own.

    Args:
        config: Where it listens, and for whom.
        context: What the engine lends.
        to_events: Reads a mail; called in a thread for large ones. None of them means that nothing has to be stored.
        max_size: Octets of one mail.
        grace: Seconds for which mails that are under way may go on when the channel closes.

    Attributes:
        port: Where it listens; while it does, the real one where the settings say 0.
    """

    def __init__(
        self,
        config: LmtpConfig,
        context: ChannelContext,
        to_events: ToEvents,
        max_size: int,
        *,
        grace: float = _GRACE,
    ) -> None:
        self.port = config.port
        self._config = config
        self._context = context
        self._to_events = to_events
        self._max_size = max_size
        self._grace = grace
        self._recipients = Recipients(config.recipients)
        self._own_path: Path | None = None
        self._sessions: dict[Session, anyio.CancelScope] = {}
        self._closing = False
        self._lost: LeaseLostError | None = None
        self._over = anyio.Event()

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; then mails that are under way are let finish, for a short time.

        Raises:
            ConfigurationError: It cannot listen there.
            LeaseLostError: Another process hears this channel now.
        """
        self._closing, self._lost, self._over = False, None, anyio.Event()
        terms = Terms(
            recipients=self._recipients,
            max_recipients=self._config.max_recipients,
            max_size=self._max_size,
            now=self._context.clock.now,
            take=self._take,
            large=anyio.Semaphore(_LARGE_AT_ONCE),
            log=self._context.log,
        )
        async with self._bound() as listeners, anyio.create_task_group() as tasks:
            for listener in listeners:
                tasks.start_soon(self._accept, listener, terms, tasks)
            try:
                task_status.started()
                await self._over.wait()
            finally:
                self._close()
                await self._unbind(listeners)
                tasks.cancel_scope.cancel()
        if self._lost is not None:
            raise self._lost

    # Coming and going

    @asynccontextmanager
    async def _bound(self) -> AsyncGenerator[Sequence[Any]]:
        path, host, port = self._config.path, self._config.host, self._config.port
        where = f"lmtp.path {path}" if path else f"lmtp.host and lmtp.port: {host}:{port}"
        try:
            if path is not None:
                await anyio.to_thread.run_sync(_make_room, path)
                listeners: Sequence[Any] = [await anyio.create_unix_listener(path, mode=_MODE)]
                self._own_path = path
            else:
                listeners = (await anyio.create_tcp_listener(local_host=host, local_port=port)).listeners
                self.port = listeners[0].extra(SocketAttribute.local_port)
        except OSError as error:
            raise ConfigurationError(f"cannot listen at {where} ({error.strerror or error})") from error
        try:
            yield listeners
        finally:
            await self._unbind(listeners)

    async def _unbind(self, listeners: Sequence[Any]) -> None:
        """Nobody comes in any more. Called again, it changes nothing."""
        path, self._own_path = self._own_path, None
        if path is not None:
            path.unlink(missing_ok=True)  # first: while we listen, nobody else makes one there
        with anyio.CancelScope(shield=True):
            for listener in listeners:
                await listener.aclose()

    async def _accept(self, listener: Any, terms: Terms, tasks: TaskGroup) -> None:
        while True:
            try:
                stream = await listener.accept()
            except anyio.ClosedResourceError:
                return
            except (OSError, anyio.BrokenResourceError) as error:
                cause = error if isinstance(error, OSError) else error.__cause__
                if not isinstance(cause, OSError) or cause.errno not in _FULL:
                    raise
                self._context.log.warning("LMTP: no connection can be taken (%s)", cause.strerror)
                await anyio.sleep(0.1)
            else:
                tasks.start_soon(self._serve, stream, terms)

    async def _serve(self, stream: SocketStream, terms: Terms) -> None:
        """One connection. Whatever happens on it is told here, and stops nobody else."""
        with anyio.CancelScope(shield=True):
            async with stream:
                wire = Wire(stream, self._config.timeout)
                try:
                    await self._talk(wire, terms)
                except GONE:
                    self._context.log.debug("LMTP: the other side went away")
                except Exception as error:
                    self._context.log.error("LMTP: %s at %s", type(error).__name__, place_of(error))

    async def _talk(self, wire: Wire, terms: Terms) -> None:
        if self._closing or len(self._sessions) >= self._config.max_connections:
            wire.say(_CLOSING if self._closing else _BUSY)
            with anyio.move_on_after(1):
                await wire.flush()
            return
        session = Session(wire, terms)
        with anyio.CancelScope() as scope:
            self._sessions[session] = scope
            try:
                await session.run()
            finally:
                del self._sessions[session]
        if scope.cancelled_caught:
            wire.say(_CLOSING)
            await wire.part()

    def _close(self) -> None:
        self._closing = True
        for session, scope in self._sessions.items():
            scope.deadline = anyio.current_time() + self._grace
            session.close()

    # Mail

    async def _take(self, raw: bytes, envelope: Envelope) -> None:
        """Store it. Whatever is raised, it is not stored, or is offered again and recognised."""
        with anyio.fail_after(self._config.timeout):
            if len(raw) > SLOW:
                events = await anyio.to_thread.run_sync(self._to_events, raw, envelope)
            else:
                events = self._to_events(raw, envelope)
            if not events:
                self._context.log.debug("LMTP: a mail of our own came back")
                return
            try:
                await self._context.admit(*events)
            except LeaseLostError as lost:
                self._lost = lost
                self._over.set()
                raise


def _make_room(path: Path) -> None:
    """Remove a socket's file that nobody listens at any more."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "there is a file that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        else:
            raise OSError(errno.EADDRINUSE, "another process listens there")
