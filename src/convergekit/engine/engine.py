"""The engine: everything that moves, in one task group."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any, Final, Literal, Self
from uuid import uuid4

import anyio
import sniffio
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup
from pydantic import BaseModel

from convergekit.abc import Adapter, Clock, Store
from convergekit.errors import ConfigurationError, NotRunningError, StoreError
from convergekit.model import ChannelChanged, ConsentChanged, Delivery, Dispatch, Event, Message
from convergekit.router import Dispatcher, Scope

from .channels import ChannelRuntime
from .clock import Alarm, Patience, within
from .context import EngineContext
from .detour import detour
from .handlers import Handlers
from .intake import Intake
from .lanes import LEASE_SECONDS, LanePool
from .ledger import Change, Ledger
from .media import Media, check_media
from .options import ChannelOptions
from .outbox import Outbox
from .ownership import OWNING
from .retention import Keeper, Retention

__all__ = ["Engine"]

_log = logging.getLogger(__name__)
_OPENING: Final = 35.0  # a little more than a channel gives itself
_NOTICES: Final = 8  # ephemeral events handled at the same time
_CLOSING: Final = 5.0
_GIVING_BACK: Final = 2.0
_PACES: Final = 1.0  # between two looks at what pauses others have been asked for
_FLOOR: Final = 5.0  # between two looks at a shared ledger, whether or not it says that it has changed


class Engine(AsyncContextManagerMixin):
    """Moves messages while it is entered. A `Hub` is its face.

    Args:
        store: The ledger.
        clock: Time.
        random: For jitter.
        dispatcher: Gives the compiled router.
        scope: What handlers are given.
        answer: Makes the dispatches of a handler's reply.
        counted: Told which of the dispatches that were made are stored.
        consent: Records a change of consent.
        recheck: Asks the gates again just before the first attempt.
        role: "all"; "send" to take nothing in and to handle nothing; "submit" to open the store only.
        handlers: Events handled at the same time.
        sends: Deliveries under way at the same time, over all channels.
        drain: Seconds that closing waits for work that is due.
        lease: Seconds after which work of a process that has died is taken over.
        retention: How long content is kept; None for good.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        random: Random,
        dispatcher: Callable[[], Dispatcher],
        scope: Scope,
        answer: Callable[[Event, str | Message, str | None], Awaitable[Sequence[Dispatch]]],
        counted: Callable[[Sequence[Dispatch], Sequence[Dispatch]], Awaitable[None]],
        consent: Callable[[ConsentChanged], Awaitable[None]],
        recheck: Callable[[Dispatch, Delivery], Awaitable[Change | None]],
        role: Literal["all", "send", "submit"] = "all",
        handlers: int = 64,
        sends: int = 64,
        drain: float = 10.0,
        lease: float = LEASE_SECONDS,
        retention: Retention | None = None,
    ) -> None:
        self.store = store
        self.is_shared: bool = getattr(store, "is_shared", True)  # one that does not say may well be
        self.channels: dict[str, ChannelRuntime] = {}
        self._clock = clock
        self._random = random
        self._dispatcher = dispatcher
        self._role = role
        self.only_submits = role == "submit"
        self._lease = lease
        self._owning = min(OWNING, lease)
        self._holder = ""
        self._drain = drain
        self._handling = handlers
        self._drain_until = math.inf
        self._draining: anyio.CancelScope | None = (
            None  # a scope belongs to an event loop, and a hub may be made before
        )
        self._tasks: TaskGroup | None = None
        self._noticed = anyio.Event()
        self.media = Media(store, clock, self.channels.get, self._wake_inbox)
        self.intake = Intake(
            store,
            admitted=self._wake_inbox,
            noticed=lambda: self._noticed.set(),
            offered=self.media.offered,
        )
        self.ledger = Ledger(
            store,
            clock,
            wanted=self._wanted,
            placed=self._wake_outbox,
            woken=self._wake_inbox,
            timed=lambda moment: self._timer.set(moment),
            is_down=self._is_down,
        )
        self.handlers = Handlers(
            store, self.ledger, clock, random, dispatcher, scope, answer, counted, consent, self.media.serve
        )
        outbox = Outbox(
            store, self.ledger, clock, random, self.channels.get, recheck, lambda: self.outbox_pool.resting()
        )
        self.inbox_pool = LanePool(
            store,
            clock,
            "in",
            self.handlers.serve,
            size=handlers,
            lease=lease,
            slots=self._heard,
            cancels=True,
        )
        self.outbox_pool = LanePool(
            store, clock, "out", outbox.serve, size=sends, lease=lease, slots=self._slots, next_slot=self._next_slot
        )
        self._retention = retention or Retention()
        self._timer = Alarm(clock, lambda: self._timer_rang.set())
        self._timer_rang = anyio.Event()

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Open the store, then everything that moves; leave in order: intake, lanes, outbox, channels, store."""
        if not self.only_submits:
            for runtime in self.channels.values():
                _check_loop(runtime.name, runtime.adapter_class)
        self._holder = uuid4().hex  # not before: a process may have been forked since we were made
        async with self.store.opened(self._clock), self._telling():
            trouble: BaseException | None = None
            async with self._following() if self.only_submits else self._moving():
                try:
                    yield self
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:
                    trouble = error  # raised below: the caller's own error is not to come out as a group
                # An error of the host's is no reason to cut off a send, whose outcome would be unknown.
                if trouble is None or isinstance(trouble, Exception):
                    await self.drain()
            if trouble is not None:
                raise trouble

    @asynccontextmanager
    async def _telling(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.ledger.close()

    @asynccontextmanager
    async def _following(self) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _moving(self) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as self._tasks:
            try:
                async with anyio.create_task_group() as pools:
                    # What no handler takes is done: who only sends is not to do that to what others are to handle.
                    for pool in (self.outbox_pool,) if self._role == "send" else (self.inbox_pool, self.outbox_pool):
                        pools.start_soon(pool.run)
                    for work in (self._timer.run, self._keep_time, self._follow, *[self._notice] * _NOTICES):
                        pools.start_soon(work)
                    keeper = Keeper(self.store, self._clock, self._retention, lambda: self._holder)
                    pools.start_soon(keeper.run)
                    await self._open_all()
                    try:
                        yield
                    finally:
                        self.intake.is_open = False
                        pools.cancel_scope.cancel()
            finally:
                await self._close_all()

    # Channels

    def add(
        self,
        name: str,
        adapter_class: type[Adapter[Any]],
        config: BaseModel,
        options: ChannelOptions,
        parts: Mapping[str, Any],
    ) -> ChannelRuntime:
        """Make a channel known. While the engine runs, `open` opens it."""
        if name in self.channels:
            raise ConfigurationError(f"there is a channel {name!r} already; remove it first, or give another name")
        if self._tasks is not None:
            _check_loop(name, adapter_class)
        check_media(name, adapter_class, options)
        if adapter_class.send_timeout >= self._lease and not self.only_submits:
            # Where leases cannot be renewed, another worker would take over what is still being sent.
            raise ConfigurationError(
                f"channel {name!r}: a send of {adapter_class.name} may take {adapter_class.send_timeout:g} s, and a "
                f"lease ends after {self._lease:g} s; Hub(lease=...) has to be longer"
            )
        context = EngineContext(name, self.store, self._clock, self.intake, parts)
        runtime = ChannelRuntime(
            name,
            adapter_class,
            config,
            options,
            context,
            self.store,
            lambda: self._holder,
            self._owning,
            self._clock,
            self._random,
            self._channel_changed,
        )
        runtime.takes_in = self._role == "all"
        self.channels[name] = runtime
        return runtime

    async def open(self, runtime: ChannelRuntime) -> None:
        """Open one channel; returns after its first try, well or not. Does nothing before the engine is entered."""
        if self._tasks is not None:
            tried = anyio.Event()
            runtime.opens()
            self._tasks.start_soon(runtime.run, tried.set)
            with anyio.move_on_after(_OPENING):  # one that never says that it is connected goes on without us
                await tried.wait()

    async def remove(self, name: str) -> None:
        """Close one channel and forget it. What is queued for it stays in the store."""
        runtime = self.channels.get(name)
        if runtime is None:
            raise ConfigurationError(f"there is no channel {name!r}; there are {sorted(self.channels)}")
        runtime.close()
        await runtime.closed()
        self.channels.pop(name, None)  # somebody else may have removed it meanwhile

    async def _open_all(self) -> None:
        async with anyio.create_task_group() as opening:
            for runtime in list(self.channels.values()):
                opening.start_soon(self.open, runtime)

    async def _close_all(self) -> None:
        # Shielded and bounded: channels part in good order, and a dead peer cannot hold us.
        with anyio.move_on_after(max(self._drain, _CLOSING), shield=True):
            for pool in (self.inbox_pool, self.outbox_pool):
                with anyio.move_on_after(_GIVING_BACK):  # a ledger that hangs leaves time to close the channels
                    await pool.aclose()
            for runtime in self.channels.values():
                runtime.close()
            for runtime in self.channels.values():
                await runtime.closed()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            self._tasks = None

    def _is_down(self, channel: str) -> bool:
        runtime = self.channels.get(channel)
        return runtime is not None and runtime.is_down

    def _channel_changed(self, runtime: ChannelRuntime) -> None:
        self._wake_inbox()
        self._wake_outbox()
        self.ledger.channels_changed()
        if runtime.is_down and self._tasks is not None and not self.only_submits:
            self._tasks.start_soon(detour, runtime, self.store, self.ledger, self._lease)
        if self._tasks is None or not self.intake.is_open or not self._wanted(ChannelChanged):
            return  # nobody is there to be told
        changed = ChannelChanged(
            key=f"channel:{self._clock.now().isoformat()}:{runtime.state.value}:{self._random.getrandbits(32):08x}",
            lane="channel",
            state=runtime.state.value,
            reason=runtime.reason,
        )
        self._tasks.start_soon(self._announce, runtime.name, changed)

    async def _announce(self, channel: str, event: Event) -> None:
        try:
            await self.intake.admit(channel, [event])
        except (NotRunningError, StoreError) as error:
            _log.warning("channel %s: %s was not stored: %s", channel, event.type, error)

    # Work

    async def idle(self) -> None:
        """Return once nothing is left that could be done now. What waits for a time does not count."""
        while True:
            await self.intake.idle()  # what an adapter is just handing over is work, too
            await self.inbox_pool.idle()
            await self.outbox_pool.idle()
            if self.intake.is_idle and self.inbox_pool.is_idle and self.outbox_pool.is_idle:
                return

    async def drain(self, *, hurry: bool = False) -> None:
        """Take nothing in any more; finish what is due, within the time that is allowed for it, which is given once.

        Args:
            hurry: From now on no time is allowed any more.
        """
        self.intake.is_open = False
        now = anyio.current_time()
        self._drain_until = now if hurry else min(self._drain_until, now + self._drain)
        if self._draining is not None:
            self._draining.deadline = self._drain_until
        with anyio.CancelScope(deadline=self._drain_until) as self._draining:
            await self.idle()

    def _wake_inbox(self) -> None:
        self.inbox_pool.wake()

    def _wake_outbox(self) -> None:
        self.outbox_pool.wake()

    def _wanted(self, kind: type[Event]) -> bool:
        return self._dispatcher().handles(kind)

    def _heard(self, taken: Mapping[str, int]) -> Mapping[str, int]:
        """What came in on a channel that this hub does not know is for others, who can answer it."""
        return dict.fromkeys(self.channels, self._handling)

    def _slots(self, taken: Mapping[str, int]) -> Mapping[str, int]:
        rooms = ((name, channel.room(taken.get(name, 0))) for name, channel in self.channels.items())
        return {name: room for name, room in rooms if room}

    def _next_slot(self) -> datetime | None:
        moments = (channel.pace.claims_at() for channel in self.channels.values())
        return min((moment for moment in moments if moment is not None), default=None)

    async def _keep_time(self) -> None:
        patience = Patience(self._clock, "looking at timers")
        while True:
            self._timer_rang = anyio.Event()
            try:
                self._timer.set(await self.ledger.wake())
                patience.over()
            except StoreError as error:
                await patience.wait(error)
                continue
            await self._timer_rang.wait()

    async def _follow(self) -> None:
        """Look again when another process may have changed the ledger, and now and then in any case."""
        if not self.is_shared:
            return
        patience = Patience(self._clock, "following what other workers do")
        paced = 0.0
        while True:
            try:
                await within(self._clock, _FLOOR, self.store.changed)
                self._look()
                await self.ledger.refresh()
                if self._clock.monotonic() - paced >= _PACES:
                    paced = self._clock.monotonic()
                    for channel in [each for each in self.channels.values() if each.is_serving]:
                        await channel.pace.refresh()
                patience.over()
            except StoreError as error:
                await patience.wait(error)

    def _look(self) -> None:
        self._wake_inbox()
        self._wake_outbox()
        self._timer_rang.set()
        for channel in self.channels.values():
            channel.ownership.look()

    async def _notice(self) -> None:
        while True:
            while (event := self.intake.next_notice()) is not None:
                await self.handlers.notice(event)
            if self._noticed.is_set():
                self._noticed = anyio.Event()
            await self._noticed.wait()


def _check_loop(name: str, adapter: type[Adapter[Any]]) -> None:
    """Raises `ConfigurationError` where *adapter* does not run on this event loop."""
    loop = sniffio.current_async_library()
    if loop not in adapter.backends:
        others = " or ".join(f'"{each}"' for each in sorted(adapter.backends))
        raise ConfigurationError(
            f"channel {name!r}: the adapter {adapter.name!r} does not run on {loop}: anyio.run(..., backend={others})"
        )
