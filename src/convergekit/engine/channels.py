"""One channel at run time: entered, supervised and left in a task of its own.

Rules kept here:

- A channel that cannot be opened, or whose `listen` or `poll` fails, is *degraded* and tried again with exponential
  back-off, full jitter and a cap; others do not notice. While only its `listen` or `poll` fails, it goes on sending.
- An `AccountError` takes it *down* until a person acts: it is left, and probed slowly.
- Each entry makes a new adapter, so that nothing half-broken is used again.
- It is left once the sends under way have ended, within bounds: leaving makes no outcome unknown that need not be.
- Of several workers on one ledger, one hears it, and where the adapter is `exclusive` one enters it at all; the others
  are on *standby*.
- One that hangs on opening, or on leaving, is given up in time and tried again, and can be closed meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from random import Random
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus
from pydantic import BaseModel

from convergekit.abc import (
    Adapter,
    Clock,
    Listens,
    Outgoing,
    Polls,
    ReceivesWebhooks,
    RetryPolicy,
    Store,
    SupportsEdit,
    SupportsHandOver,
    SupportsReactions,
    SupportsReadMarkers,
    SupportsRetract,
)
from convergekit.errors import (
    AccountError,
    LeaseLostError,
    NotSentError,
    ThrottledError,
    UnsupportedContentError,
)
from convergekit.model import Capabilities, ConversationRef, Delivery, IdempotencyKind, Message, Operation

from .clock import within
from .context import EngineContext
from .options import ChannelOptions
from .outcomes import PATIENCE, Bug, Outcome, Terms
from .ownership import Ownership
from .pacing import Pace
from .strays import NO_STRAYS
from .supervision import RESTART, STABLE, Hearing, first_of, in_words, polling

__all__ = ["VERBS", "ChannelRuntime", "ChannelState"]

_PROBE: Final = RetryPolicy(schedule=(300.0,), jitter=0.2)
_PART_COMPANY: Final = 10.0
_OPENING: Final = 30.0
_LEAVING: Final = 10.0
VERBS: Final[Mapping[Operation, tuple[type[Any], str]]] = {
    Operation.EDIT: (SupportsEdit, "edit"),
    Operation.RETRACT: (SupportsRetract, "retract"),
    Operation.REACT: (SupportsReactions, "react"),
    Operation.READ: (SupportsReadMarkers, "mark_read"),
}


class ChannelState(StrEnum):
    """How a channel is."""

    OPENING = "opening"
    UP = "up"
    DEGRADED = "degraded"
    """It failed, and is tried again by itself."""
    STANDBY = "standby"
    """Another worker hears it, or holds it as a whole; this one takes over when that one dies."""
    DOWN = "down"
    """Its account cannot be used until a person acts; it is probed slowly."""
    CLOSED = "closed"


class ChannelRuntime:
    """One configured channel.

    Args:
        name: As the hub knows it.
        adapter_class: What connects it.
        config: Its settings.
        options: The engine's settings.
        context: What the adapter is lent.
        store: The ledger.
        holder: Who owns what this hub owns.
        owning: Seconds for which it is owned without a sign of life.
        clock: Time.
        random: For jitter.
        changed: Called after `state` has changed.
    """

    def __init__(
        self,
        name: str,
        adapter_class: type[Adapter[Any]],
        config: BaseModel,
        options: ChannelOptions,
        context: EngineContext,
        store: Store,
        holder: Callable[[], str],
        owning: float,
        clock: Clock,
        random: Random,
        changed: Callable[[ChannelRuntime], None],
    ) -> None:
        self.name = name
        self.adapter_class = adapter_class
        self.config = config
        self.options = options
        self.context = context
        self._phase = ChannelState.CLOSED
        self._reason: str | None = None
        self._hearings: list[Hearing] = []
        self._busy = 0
        self._unused = anyio.Event()
        self.next_try: datetime | None = None
        self.adapter: Adapter[Any] | None = None
        self.takes_in = True
        # Asked for each call, and too dear for that: an isinstance of a protocol looks up every name of it.
        self.receives_webhooks = issubclass(adapter_class, ReceivesWebhooks)
        self.schemes = adapter_class.schemes_for(config)
        self.calls_started = adapter_class.calls_started  # or that it does has been seen
        self._clock = clock
        self._random = random
        self._changed = changed
        self._log = context.log
        self.pace = Pace(options.rate, clock, store, name, holder)
        self.ownership = Ownership(store, clock, f"channel:{name}", holder, owning, self._log, self._tell)
        self._leave = anyio.Event()  # set: leave the adapter
        self._stop = anyio.Event()  # set: for good
        self._ended = anyio.Event()
        self._trouble: BaseException | None = None
        self._opened_at: float | None = None
        self._opening: anyio.CancelScope | None = None

    # What the outbox asks

    @property
    def state(self) -> ChannelState:
        """How it is; *degraded* also when it can send and does not hear."""
        if self.ownership.is_elsewhere:
            return ChannelState.STANDBY
        deaf = self.ownership.reason or any(hearing.reason for hearing in self._hearings)
        return ChannelState.DEGRADED if deaf and self._phase is ChannelState.UP else self._phase

    @property
    def reason(self) -> str | None:
        """Why it is not up, or None."""
        deaf = (hearing.reason for hearing in self._hearings if hearing.reason)
        return self.ownership.reason or self._reason or next(deaf, None)

    @property
    def is_serving(self) -> bool:
        """Whether sends may be handed to it now."""
        return self._phase is ChannelState.UP and self.adapter is not None and not self._leave.is_set()

    @property
    def is_down(self) -> bool:
        """Whether nothing goes out by it until a person acts."""
        return self._phase is ChannelState.DOWN

    @property
    def capabilities(self) -> Capabilities:
        """Its limits."""
        return (self.adapter or self._unopened).capabilities

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """The limits in one conversation."""
        adapter = self.adapter or self._unopened
        return adapter.capabilities if isinstance(adapter, type) else adapter.capabilities_for(conversation)

    def handing_over(self, conversation: ConversationRef, message: Message) -> tuple[ConversationRef, Message]:
        """See `SupportsHandOver`."""
        adapter: object = self.adapter or self._unopened
        if isinstance(adapter, type) or not isinstance(adapter, SupportsHandOver):
            raise UnsupportedContentError(f"{self.adapter_class.name} has no private conversations", channel=self.name)
        return adapter.hand_over(conversation, message)

    @cached_property
    def _unopened(self) -> Adapter[Any] | type[Adapter[Any]]:
        """What is asked for limits while no adapter is open: one that never will be, for limits depend on settings."""
        try:
            return self.adapter_class(self.config, self.context)
        except Exception as exc:  # whoever opens it will hear what is wrong
            self._log.debug("channel %s: its limits are those of its class: %s", self.name, type(exc).__name__)
            return self.adapter_class

    @property
    def send_timeout(self) -> float:
        """Seconds."""
        return self.adapter_class.send_timeout

    def room(self, taken: int) -> int:
        """How many more deliveries it takes now, when *taken* are under way."""
        return self.pace.limit(max(0, self.options.concurrency - taken)) if self.is_serving else 0

    async def perform(self, out: Outgoing) -> object:
        """Call the verb that *out* asks for."""
        adapter = self.adapter
        if adapter is None or not self.is_serving:
            raise NotSentError("the channel was closed just before", channel=self.name)
        self._busy += 1
        try:
            with NO_STRAYS:
                return await self._verb(adapter, out)
        finally:
            self._busy -= 1
            if not self._busy:
                self._unused.set()

    async def _verb(self, adapter: Adapter[Any], out: Outgoing) -> object:
        if out.operation is Operation.SEND:
            return await adapter.send(out)
        protocol, verb = VERBS[out.operation]
        if not isinstance(adapter, protocol):
            raise UnsupportedContentError(f"{adapter.name} cannot {out.operation.value}", channel=self.name)
        method: Callable[[Outgoing], Awaitable[object]] = getattr(adapter, verb)
        return await method(out)

    def noticed(self, outcome: Outcome) -> None:
        """Learn from an attempt: a throttled channel pauses, a refused account takes it down, a bug is named."""
        if isinstance(outcome, ThrottledError) and outcome.scope == "channel":
            self.pace.pause(min(outcome.retry_after, PATIENCE.total_seconds()))
        elif isinstance(outcome, AccountError):
            self._trouble = outcome
            self._leave.set()
            self._becomes(ChannelState.DOWN, outcome.reason)
        elif isinstance(outcome, Bug):
            self._log.error("a bug in adapter %s: %s", self.adapter_class.name, type(outcome.error).__name__)

    def terms(self, random: Random) -> Terms:
        """Under which terms its deliveries are tried again."""
        retry = self.adapter_class.retry
        hold = self.adapter_class.hold if self.options.hold is None else self.options.hold
        attempts = self.options.attempts or retry.limit
        return Terms(retry, attempts, hold, self._may_resend, random.random, self._patience)

    @cached_property
    def _patience(self) -> timedelta:
        """What a medium or a breaker has only put off is not given up before the attempts might have been used up."""
        return max(PATIENCE, timedelta(seconds=self.adapter_class.retry.span))

    def _may_resend(self, delivery: Delivery, at: datetime) -> bool:
        return self.options.on_uncertain == "resend" or self.knows_repeats(delivery, at)

    def knows_repeats(self, delivery: Delivery, at: datetime) -> bool:
        """Whether the medium recognises what is sent again at that moment, under the key of *delivery*."""
        idempotency = self.capabilities.idempotency
        if idempotency.kind is IdempotencyKind.NONE:
            return False
        if idempotency.window is None or delivery.first_attempt_at is None:
            return True
        return at < delivery.first_attempt_at + timedelta(seconds=idempotency.window)

    # Life

    def opens(self) -> None:
        """`run` is about to be started; from now on `closed` waits for its end."""
        self._phase = ChannelState.OPENING

    async def run(self, tried: Callable[[], None]) -> None:
        """Keep it open until `close`; call *tried* once the first try has ended, well or not."""
        try:
            await self._run(tried)
        finally:
            self._becomes(ChannelState.CLOSED, None)
            self._ended.set()
            tried()

    async def _run(self, tried: Callable[[], None]) -> None:
        failures = 0
        while not self._stop.is_set():
            self._trouble = self._opened_at = None
            try:
                if self.adapter_class.exclusive:
                    await self.ownership.during(lambda: self._entered(tried), tried)
                else:
                    await self._entered(tried)
            except Exception as error:
                self._trouble = first_of(error)
            if self._stop.is_set():
                break
            failures = 1 if self._was_stable() else failures + 1
            seconds = self._fails(failures)
            tried()
            await self._pause(seconds)

    def _was_stable(self) -> bool:
        return self._opened_at is not None and self._clock.monotonic() - self._opened_at >= STABLE

    def close(self) -> None:
        """Leave the adapter; `run` then returns."""
        self._stop.set()
        self._leave.set()
        self.ownership.give_up()
        if self._opening is not None:
            self._opening.cancel()

    async def closed(self) -> None:
        """Return once `run` has, or at once if it was never started."""
        if self._phase is not ChannelState.CLOSED:
            await self._ended.wait()

    async def _entered(self, tried: Callable[[], None]) -> None:
        self._leave = anyio.Event()
        if self._stop.is_set():
            return
        if self._phase is ChannelState.UP:
            self._phase = ChannelState.OPENING  # it had been ours before
        adapter = self.adapter_class(self.config, self.context)
        try:
            with anyio.move_on_after(_OPENING) as opening, NO_STRAYS:
                self._opening = opening
                async with adapter, anyio.create_task_group() as tasks:
                    opening.deadline, self._opening = math.inf, None
                    self.adapter = adapter
                    self._opened_at = self._clock.monotonic()
                    await self.pace.refresh()
                    self._becomes(ChannelState.UP, None)
                    tasks.start_soon(self._hear, adapter, tried)
                    tasks.start_soon(self.context.tidy)
                    try:
                        await self._leave.wait()
                    finally:
                        self._leave.set()  # also when we lose it: nothing is handed to it any more
                    await self._part_company()
                    opening.deadline = anyio.current_time() + _LEAVING
                    tasks.cancel_scope.cancel()
            if opening.cancelled_caught:
                self._given_up()
        finally:
            self.adapter, self._hearings, self._opening = None, [], None
            with anyio.move_on_after(5, shield=True):
                await self.context.aclose()

    def _given_up(self) -> None:
        if self._opened_at is not None:
            self._log.warning("channel %s did not close within %g s, and is left as it is", self.name, _LEAVING)
        elif not self._stop.is_set():
            raise NotSentError(f"it did not open within {_OPENING:g} s", channel=self.name)

    async def _hear(self, adapter: Adapter[Any], tried: Callable[[], None]) -> None:
        """Hear, if it is ours to hear; call *tried* once each way in is connected, or has failed for the first time."""
        ways_in = self._ways_in(adapter) if self.takes_in else []
        if ways_in and not self.adapter_class.exclusive:
            await self.ownership.during(lambda: self._heard(self._ways_in(adapter), tried), tried)
        else:
            await self._heard(ways_in, tried)

    async def _heard(self, hearings: list[Hearing], tried: Callable[[], None]) -> None:
        self._hearings = hearings
        try:
            async with anyio.create_task_group() as tasks:
                for hearing in hearings:
                    tasks.start_soon(self._supervise, hearing)
                for hearing in hearings:
                    await hearing.tried.wait()
                tried()
        except anyio.get_cancelled_exc_class():
            self._hearings = []  # another hears it: their troubles are none of ours
            raise

    def _ways_in(self, adapter: object) -> list[Hearing]:
        hearings: list[Hearing] = []

        def add(what: str, work: Callable[[TaskStatus[None]], Awaitable[None]]) -> None:
            hearings.append(Hearing(what, work, self._clock, self._random, self._log, self._tell))

        if isinstance(adapter, Listens):
            listen = adapter.listen
            add("listen", lambda status: listen(task_status=status))
        for feed in adapter.feeds if isinstance(adapter, Polls) else ():
            add(
                f"poll {feed}".strip(),
                lambda status, feed=feed: polling(adapter, feed, self.context, self._clock, task_status=status),  # type: ignore[misc]
            )
        return hearings

    async def _supervise(self, hearing: Hearing) -> None:
        trouble = await hearing.run()
        if isinstance(trouble, LeaseLostError):
            self.ownership.lost()
        elif trouble is not None:
            self.noticed(trouble)

    async def _part_company(self) -> None:
        """Let sends that are under way end, for a while: cut off, their outcome would be unknown."""
        with anyio.move_on_after(_PART_COMPANY):
            while self._busy:
                self._unused = anyio.Event()
                await self._unused.wait()

    def _fails(self, failures: int) -> float:
        """Say why it is not up; returns the seconds until the next try."""
        trouble = self._trouble
        if isinstance(trouble, AccountError):
            state, seconds = ChannelState.DOWN, _PROBE.delay(1, self._random.random)
        else:
            state, seconds = ChannelState.DEGRADED, RESTART.delay(failures, self._random.random)
        self.next_try = self._clock.now() + timedelta(seconds=seconds)
        reason = "it ended by itself" if trouble is None else in_words(trouble)
        self._log.warning("channel %s is %s: %s; next try in %.1f s", self.name, state.value, reason, seconds)
        self._becomes(state, reason)
        return seconds

    async def _pause(self, seconds: float) -> None:
        await within(self._clock, seconds, self._stop.wait)

    def _becomes(self, phase: ChannelState, reason: str | None) -> None:
        if (phase, reason) == (self._phase, self._reason):
            return
        self._phase, self._reason = phase, reason
        if phase in (ChannelState.UP, ChannelState.CLOSED):
            self.next_try = None
        self._tell()

    def _tell(self) -> None:
        self._changed(self)
