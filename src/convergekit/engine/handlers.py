"""The way in, behind admission: one claimed event, handed to its handler.

Rules kept here:

- An event is *done* when its handler has finished, and a returned reply is submitted in that same transaction.
- A send inside a handler that has no key gets one from (event key, handler, what it is, how many of that to this
  recipient), so that a second run finds what the first one sent, in whatever order it sends to several. Where it says
  the same things to one recipient in another order, it is stopped (`Running.check`).
- What a handler submits is `automatic`: a program speaks.
- A run whose lease is lost is cancelled: it may have begun elsewhere, and what it does is not to happen twice at once.
- A handler that fails is tried again with back-off, then its event goes to the dead letters. A run that never came
  to its end is counted by itself, or an event that takes the process down would do so for ever; but with more patience,
  for most of those that a crash interrupts are innocent.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from datetime import timedelta
from random import Random
from typing import Final

from convergekit.abc import Clock, Entry, Lease, RetryPolicy, Store, Write
from convergekit.errors import (
    ConfigurationError,
    DeliveryError,
    KeyConflictError,
    LeaseLostError,
    RejectedError,
    StoreError,
    place_of,
)
from convergekit.model import (
    ConsentChanged,
    DeadLettered,
    Dispatch,
    Event,
    MediaOffered,
    Message,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
    shared_id,
)
from convergekit.router import Dispatcher, Handling, Scope, recipient_key

from .clock import Patience
from .lanes import give_back
from .ledger import Ledger
from .media import MEDIA_RETRY
from .strays import NO_STRAYS

__all__ = ["CRASH_RETRY", "HANDLER_RETRY", "Handlers", "Running", "running"]

_log = logging.getLogger(__name__)
HANDLER_RETRY: Final = RetryPolicy(base=1.0, factor=4.0, cap=300.0, attempts=6)
#: After a run that did not come to its end: at once after the first, then in four hours.
CRASH_RETRY: Final = RetryPolicy(base=1.0, factor=4.0, cap=3600.0, attempts=12)
_HOLD: Final = 60.0

#: What is being handled in this task, so that a send inside a handler knows whose it is.
_running: ContextVar[Running | None] = ContextVar("convergekit.running", default=None)


class Running:
    """One run of the handlers of one event.

    Args:
        handling: What is handled.
        ephemeral: Whether there will be no second run, and so nothing that has to be found again: no keys.
    """

    __slots__ = ("_instead", "_ordinals", "event", "handling", "is_ephemeral", "is_over")

    def __init__(self, handling: Handling, *, ephemeral: bool = False) -> None:
        self.handling = handling
        self.is_ephemeral = ephemeral
        self.event: Event = handling.event
        self.is_over = False
        self._ordinals: dict[tuple[str, str, str], int] = {}
        self._instead: set[tuple[str, str]] = set()

    def next_key(self, what: str, recipient: str) -> str:
        """The key of the next thing of this kind that goes to *recipient* in this run; the same in the next run."""
        handler = self.handling.handler
        count = (handler, what, recipient)
        ordinal = self._ordinals[count] = self._ordinals.get(count, 0) + 1
        return f"{self.event.channel}|{self.event.key}|{handler}|{what}|{ordinal}"

    def note(self, wanted: Sequence[Dispatch], stored: Sequence[Dispatch]) -> None:
        """Remember what an earlier run has said in the place of something that this one says."""
        for each, found in zip(wanted, stored, strict=True):
            if each.origin is not None and each.fingerprint != found.fingerprint:
                self._instead.add((found.recipient, found.fingerprint))

    def check(self, wanted: Sequence[Dispatch]) -> None:
        """Stop a run that now says what it has found in the place of something else: it sends in another order.

        Raises:
            KeyConflictError: One of *wanted* has been sent already, and what it would have been taken for has not.
        """
        if any(each.origin is not None and (each.recipient, each.fingerprint) in self._instead for each in wanted):
            raise KeyConflictError(
                f"this run of {self.handling.handler} sends the same things in another order than the run before it, "
                "so what has gone out cannot be told from what has not; give each send a key of its own"
            )


def running() -> Running | None:
    """The run that this task is part of; None outside a handler, and in a task that has outlived its handler."""
    current = _running.get()
    return None if current is None or current.is_over else current


class Handlers:
    """Serves inbound lanes.

    Args:
        store: The ledger.
        ledger: Where dispatches change.
        clock: Time.
        random: For jitter.
        dispatcher: Gives the compiled router.
        scope: What handlers are given.
        answer: Makes the dispatches of a reply to an event.
        counted: Told which of the dispatches that were made are stored.
        consent: Records a change of consent.
        fetch: Fetches what a `MediaOffered` is about.
        retry: When a failed handler is tried again.

    Attributes:
        ended: Called when a run has ended, with what it failed with or None; for tests, which wait for it.
        unhandled: Called with what no handler took; for tests, which say so.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        clock: Clock,
        random: Random,
        dispatcher: Callable[[], Dispatcher],
        scope: Scope,
        answer: Callable[[Event, str | Message, str | None], Awaitable[Sequence[Dispatch]]],
        counted: Callable[[Sequence[Dispatch], Sequence[Dispatch]], Awaitable[None]],
        consent: Callable[[ConsentChanged], Awaitable[None]],
        fetch: Callable[[MediaOffered], Awaitable[None]],
        retry: RetryPolicy = HANDLER_RETRY,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._dispatcher = dispatcher
        self._scope = scope
        self._answer = answer
        self._counted = counted
        self._consent = consent
        self._fetch = fetch
        self._retry = retry
        self.ended: Callable[[Event, Exception | None], None] = lambda event, error: None
        self.unhandled: Callable[[Event], None] = lambda event: None
        self._without: set[str] = set()  # channels of which it has been told

    async def serve(self, lease: Lease) -> None:
        """Handle the head of the lane, and end the lease. Never raises but for cancellation."""
        entry = lease.entry
        if entry is None:
            raise StoreError("a lease of an inbound lane has no entry")
        if lease.recovered:
            await self._crashed(lease, entry)
            return
        try:
            replies, writes = await self._handle(lease, entry.event)
            stored = await self._finished(lease, replies, writes)
            if stored:
                self._ledger.stored(stored)
                await self._counted(replies, stored)
            self.ended(entry.event, None)
        except LeaseLostError:
            _log.warning("the lease of event %s ended before it was done; it is handled again", entry.id)
        except StoreError:
            _log.exception("the ledger failed while event %s was handled", entry.id)
        except Exception as error:
            self.ended(entry.event, error)
            await self._failed(lease, entry, error)
        except BaseException:
            await give_back(self._store, lease)
            raise

    async def _finished(self, lease: Lease, replies: Sequence[Dispatch], writes: Sequence[Write]) -> Sequence[Dispatch]:
        """Store that it is done. A ledger that is away is waited for while the lane is ours, or it would run twice."""
        patience, ours_until = Patience(self._clock, "storing what handlers have done"), lease.until
        while True:
            try:
                return await self._store.finish(lease, dispatches=replies, writes=writes)
            except LeaseLostError:
                raise
            except StoreError as error:
                if self._clock.now() >= ours_until:
                    raise
                await patience.wait(error)

    async def notice(self, event: Event) -> None:
        """Handle an ephemeral event: once, whatever comes of it."""
        try:
            replies, writes = await self._dispatched(event, ephemeral=True)
            if writes:
                raise ConfigurationError("an ephemeral event is not in the ledger: there is no transaction to write in")
            if replies:
                await self._counted(replies, await self._ledger.submit(replies))
            self.ended(event, None)
        except Exception as error:
            self.ended(event, error)
            what = (event.type, event.channel, type(error).__name__, place_of(error))
            _log.error("a handler failed on an ephemeral %s of %s: %s at %s", *what)

    async def _handle(self, lease: Lease, event: Event) -> tuple[Sequence[Dispatch], Sequence[Write]]:
        if isinstance(event, MediaOffered):
            await self._fetch(event)
            return (), ()
        if not isinstance(event, MessageReceived) or event.reply_to is not None:
            await self._react(event)
            if lease.until <= self._clock.now():  # this process stood still, and another may be handling it
                raise LeaseLostError(f"the lease of event {event.key} ended before it was handled")
        return await self._dispatched(event)

    async def _dispatched(self, event: Event, *, ephemeral: bool = False) -> tuple[Sequence[Dispatch], Sequence[Write]]:
        handling = Handling(event, self._scope)
        run = Running(handling, ephemeral=ephemeral)
        token = _running.set(run)
        try:
            with NO_STRAYS:
                handled = await self._dispatcher().dispatch(handling)
            if handled.handler is None:
                self._nobody_took(event)
            if handled.reply is None:
                return (), handling.writes
            key = None
            if not run.is_ephemeral and event.conversation is not None:
                key = run.next_key("reply", recipient_key(event.conversation))
            return await self._answer(event, handled.reply, key), handling.writes
        finally:
            run.is_over = True
            _running.reset(token)

    def _nobody_took(self, event: Event) -> None:
        self.unhandled(event)
        if isinstance(event, MessageReceived) and event.channel not in self._without:
            self._without.add(event.channel)
            _log.warning(
                "channel %s: no handler took message %s; it is in the archive, and the next ones are not told of",
                event.channel,
                event.key,
            )

    async def _react(self, event: Event) -> None:
        """What the engine itself does about an event. Doing it twice does no harm."""
        match event:
            case ReceiptReceived():
                await self._ledger.receive(event.channel, event.receipt)
            case ConsentChanged():
                await self._consent(event)
            case MessageReceived(reply_to=str() as target, automated=False, sender=sender):
                ids = (target,) if sender is None else (shared_id(target, sender), target)
                found = await self._store.find(event.channel, ids=ids)
                if found is not None:
                    answered = Receipt(Status.ANSWERED, delivery=found[1], occurred_at=event.at)
                    await self._ledger.receive(event.channel, answered)

    async def _failed(self, lease: Lease, entry: Entry, error: Exception) -> None:
        event = entry.event
        # The router's note says which handler; anybody else's may hold anything.
        notes = (note for note in getattr(error, "__notes__", ()) if note.startswith("in handler "))
        reason = " ".join((type(error).__name__, *notes))
        if isinstance(event, MediaOffered) and isinstance(error, DeliveryError):
            _log.warning("an attachment of event %s was not fetched: %s", event.target, error)
            reason = f"{type(error).__name__}: {error}"
        else:
            _log.error("handling event %s of %s failed: %s at %s", event.key, event.channel, reason, place_of(error))
        # Media are tried for longer: one may be down for hours.
        retry, failures = MEDIA_RETRY if isinstance(event, MediaOffered) else self._retry, entry.attempts + 1
        is_final = isinstance(event, MediaOffered) and isinstance(error, RejectedError)
        gives_up = is_final or failures >= retry.limit
        await self._put_back(lease, entry, reason, None if gives_up else retry.delay(failures, self._random.random))

    async def _crashed(self, lease: Lease, entry: Entry) -> None:
        """Whoever handled it has gone, maybe by its doing: it is begun again ever later, and so comes to be alone."""
        crashes = entry.crashes + 1
        if crashes >= CRASH_RETRY.limit:
            await self._put_back(lease, entry, f"whoever handled it went away, {crashes} times", None)
        else:
            after = CRASH_RETRY.delay(crashes - 1, self._random.random) if crashes > 1 else 0.0
            await self._put_back(lease, entry, "whoever handled it went away", after)

    async def _put_back(self, lease: Lease, entry: Entry, reason: str, after: float | None) -> None:
        """Have it handled again *after* so many seconds; None gives it up."""
        event = entry.event
        try:
            if after is None:
                await self._store.bury(lease, reason=reason, events=self._dead_letter(entry, reason))
                return
            due = self._clock.now() + timedelta(seconds=after)
            hold = 0.0 if isinstance(event, MediaOffered) else _HOLD  # media wait for each other in no order
            await self._store.postpone(lease, due=due, hold=hold, reason=reason)
        except LeaseLostError:
            _log.warning("the lease of event %s ended before its failure was stored", event.key)
        except StoreError:
            _log.exception("the ledger failed; event %s is handled again when its lease ends", event.key)

    def _dead_letter(self, entry: Entry, reason: str) -> Sequence[Event]:
        event, identity = entry.event, entry.id
        if isinstance(event, DeadLettered) or not self._dispatcher().handles(DeadLettered):
            return ()
        return (
            DeadLettered(
                key=f"dead:{identity}",
                channel=event.channel,
                conversation=event.conversation,
                lane=f"dead:{identity}",
                direction="in",
                id=identity,
                reason=reason,
            ),
        )
