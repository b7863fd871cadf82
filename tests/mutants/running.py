"""Mutants of life: how an adapter connects, listens, waits, and is left."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from convergekit.abc import Outgoing
from convergekit.adapters.loopback import LoopbackAdapter, translator
from convergekit.errors import AccountError, NotSentError, RejectedError
from convergekit.model import Receipt, Status
from tests.testing.adapter.subjects import LanternSubject, LoopbackSubject, PigeonSubject, example, pigeons

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter
Lantern: Any = example("lantern").LanternAdapter
IGNORED: Any = anyio.TASK_STATUS_IGNORED


# Listening


@breaks("says-when-connected", LoopbackSubject)
class SaysNothing(LoopbackAdapter):
    """Never says that it is connected."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        await super().listen()


@breaks("says-when-connected", LoopbackSubject)
class SaysTooEarly(LoopbackAdapter):
    """Says that it is connected before it has logged in."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        task_status.started()
        await super().listen()


@breaks("drop-raises", LoopbackSubject)
class ConnectsItself(LoopbackAdapter):
    """Connects again by itself, at once and for ever."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        while True:
            try:
                await super().listen(task_status=task_status)
            except NotSentError:
                await anyio.lowlevel.checkpoint()


@breaks("drop-raises", LanternSubject)
class KeepsKnocking(Lantern):
    """Connects again by itself after whatever has happened, as in many a tutorial."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        while True:
            try:
                await super().listen(task_status=task_status)
            except AccountError:
                raise
            except Exception:
                await anyio.sleep(0.01)


@breaks("drop-raises", LoopbackSubject)
class ReturnsOnDrop(LoopbackAdapter):
    """Takes a drop for the end of everything."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        try:
            await super().listen(task_status=task_status)
        except NotSentError:
            return


@breaks("drop-raises", LoopbackSubject)
class BlamesTheAccount(LoopbackAdapter):
    """Takes a drop for a refused account."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        try:
            await super().listen(task_status=task_status)
        except NotSentError as error:
            raise AccountError(error.reason) from error


@breaks("hears-again", LoopbackSubject)
class GoesDeaf(LoopbackAdapter):
    """Looks alive after a drop, and hears nothing."""

    is_used = False

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        if self.is_used:
            task_status.started()
            await anyio.sleep_forever()
        self.is_used = True
        await super().listen(task_status=task_status)


@breaks("hears-again", LoopbackSubject)
class ConnectsOnce(LoopbackAdapter):
    """Cannot listen a second time."""

    is_used = False

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        if self.is_used:
            raise RuntimeError("already connected")
        self.is_used = True
        await super().listen(task_status=task_status)


@breaks("refused-login-stops", LoopbackSubject)
class KnocksAgain(LoopbackAdapter):
    """Takes a refused login for a network that is away."""

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        if self.medium.refuses_login is not None:
            raise NotSentError("cannot connect")
        yield self


@breaks("refused-login-stops", LoopbackSubject)
class KnocksWhenDropped(LoopbackAdapter):
    """Takes a login that is refused after a drop for a network that is away."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        try:
            await super().listen(task_status=task_status)
        except AccountError as error:
            raise NotSentError(error.reason) from error


@breaks("cancellation-passes", PigeonSubject)
class SwallowsCancellation(Pigeon):
    """Swallows the cancellation of a send."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except anyio.get_cancelled_exc_class():
            return Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("cancellation-passes", LoopbackSubject)
class ListensForEver(LoopbackAdapter):
    """Catches everything around the connection, the cancellation too."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        try:
            await super().listen(task_status=task_status)
        except Exception:
            raise
        except BaseException:
            return


@breaks("cancellation-passes", LoopbackSubject)
class EditsAnyway(LoopbackAdapter):
    """Swallows the cancellation of everything but a send."""

    async def edit(self, out: Outgoing) -> Receipt:
        try:
            await anyio.lowlevel.checkpoint()
            return await self.send(out)
        except anyio.get_cancelled_exc_class():
            return Receipt(Status.ACCEPTED)

    retract = react = mark_read = edit


@breaks("cancellation-passes", PigeonSubject)
class OpensAnyway(Pigeon):
    """Goes on opening when that was cancelled."""

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        try:
            await anyio.lowlevel.checkpoint()
        except BaseException:
            self.context.log.debug("not so fast")
        yield self


@breaks("usable-after-cancel", PigeonSubject)
class KeepsTheLock(Pigeon):
    """Holds its lock for ever once a send was cut off."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.busy = anyio.Semaphore(1)

    async def send(self, out: Outgoing) -> Receipt:
        await self.busy.acquire()
        try:
            receipt: Receipt = await super().send(out)
        except Exception:
            self.busy.release()
            raise
        self.busy.release()
        return receipt


# Waiting


@breaks("silence-uncertain", PigeonSubject)
class GivesUpAsNotSent(Pigeon):
    """Calls not sent what was not answered in time."""

    async def send(self, out: Outgoing) -> Receipt:
        with anyio.move_on_after(10):
            receipt: Receipt = await super().send(out)
            return receipt
        raise NotSentError("no answer in time")


@breaks("silence-uncertain", LoopbackSubject)
class TakesSilenceForConsent(LoopbackAdapter):
    """Takes no answer for a good one."""

    async def send(self, out: Outgoing) -> Receipt:
        with anyio.move_on_after(30):
            return await super().send(out)
        return Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("silence-uncertain", LoopbackSubject)
class TakesSilenceForNo(LoopbackAdapter):
    """Takes no answer for a refusal."""

    async def send(self, out: Outgoing) -> Receipt:
        with anyio.move_on_after(30):
            return await super().send(out)
        raise RejectedError("no answer in time")


@breaks("does-not-block", PigeonSubject)
class Sleeps(Pigeon):
    """Sleeps with the whole event loop."""

    async def send(self, out: Outgoing) -> Receipt:
        time.sleep(0.001)  # noqa: ASYNC251
        receipt: Receipt = await super().send(out)
        return receipt


@breaks("does-not-block", LoopbackSubject)
class AsksBlocking(LoopbackAdapter):
    """Looks whether the server is there by a socket that blocks."""

    async def check(self) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
        return await super().check()


@breaks("does-not-block", LoopbackSubject)
class WaitsForAThread(LoopbackAdapter):
    """Does its translation in a thread, and waits for it with the whole event loop."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            events: list[Any] = []
            thread = threading.Thread(target=lambda: events.append(translator.to_event_or_invalid(said)))  # noqa: B023
            thread.start()
            thread.join()
            await self.context.admit(*events)
            self.medium.acknowledge()


# Leaving


@breaks("leaves-nothing", LoopbackSubject)
class LeavesATask(LoopbackAdapter):
    """Leaves a task behind."""

    backends = frozenset({"asyncio"})  # Trio has no task without a parent that waits for it

    async def send(self, out: Outgoing) -> Receipt:
        self.task = asyncio.ensure_future(asyncio.sleep(3600))
        return await super().send(out)


@breaks("leaves-nothing", LoopbackSubject)
class LeavesAThread(LoopbackAdapter):
    """Leaves a thread behind."""

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        async with super().__asynccontextmanager__():
            yield self


@breaks("leaves-nothing", LoopbackSubject)
class LeavesAConnection(LoopbackAdapter):
    """Leaves a connection behind."""

    open: list[Any] = []  # noqa: RUF012

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        self.open.append(await anyio.create_tcp_listener(local_host="127.0.0.1"))
        async with super().__asynccontextmanager__():
            yield self


@breaks("leaves-nothing", LanternSubject)
class LeavesTheLine(Lantern):
    """Keeps a connection to the tower that nobody closes."""

    lines: list[Any] = []  # noqa: RUF012

    async def send(self, out: Outgoing) -> Receipt:
        receipt: Receipt = await super().send(out)
        self.lines.append(await anyio.connect_tcp(self.config.host, self.config.port))
        return receipt


@breaks("leaves-nothing", LoopbackSubject)
class LeavesWhenCutOff(LoopbackAdapter):
    """Leaves a connection behind when it is cancelled while it opens."""

    open: list[Any] = []  # noqa: RUF012

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        self.open.append(listener)
        await anyio.lowlevel.checkpoint()
        async with listener, super().__asynccontextmanager__():
            yield self


@breaks("leaves-nothing", LoopbackSubject)
class WaitsForTheSend(LoopbackAdapter):
    """Cannot be left while it sends."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.busy = anyio.Lock()

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        async with super().__asynccontextmanager__():
            try:
                yield self
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(60):
                    await self.busy.acquire()

    async def send(self, out: Outgoing) -> Receipt:
        async with self.busy:
            return await super().send(out)
