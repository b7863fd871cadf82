"""The way out: one claimed delivery, handed to its adapter part by part.

Marks, in this order: leased; *sending*, durable, just before I/O; the outcome. A lease that ends before *sending*
goes back as it was. One that ends after it is unknown to whoever comes next, and so is one whose holder was cancelled
in between. A holder that finds its lease ended before the first byte sends nothing, and says so while nobody has come.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from convergekit.abc import (
    Clock,
    Lease,
    Outgoing,
    Reconciliation,
    Store,
    SupportsReconcile,
)
from convergekit.errors import (
    DeliveryError,
    LeaseLostError,
    NotSentError,
    StoreError,
    ThrottledError,
    UncertainError,
    place_of,
)
from convergekit.model import (
    Delivery,
    DeliveryState,
    Dispatch,
    Failure,
    FailureKind,
    Operation,
    Receipt,
    Status,
)

from .blobs import native_of
from .clock import Patience
from .lanes import give_back
from .ledger import Change, Ledger, on_delivery
from .outcomes import Bug, Outcome, Unanswered, apply, expired, marked, with_receipt
from .strays import NO_STRAYS

if TYPE_CHECKING:
    from .channels import ChannelRuntime

__all__ = ["Outbox"]

_log = logging.getLogger(__name__)
_CLEANUP: Final = 5.0
_STORING: Final = 10.0
_WAIT_FOR_ORIGINAL: Final = 30.0


class _Channels(Protocol):
    """Finds an open channel."""

    def __call__(self, name: str, /) -> ChannelRuntime | None: ...


class Outbox:
    """Serves outbound lanes.

    Args:
        store: The ledger.
        ledger: Where dispatches change.
        clock: Time.
        random: For jitter.
        channels: Finds an open channel.
        recheck: Asks the gates again, just before the first attempt; returns what is to be done instead, or None.
        resting: Entered while we wait for a time.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        clock: Clock,
        random: Random,
        channels: _Channels,
        recheck: Callable[[Dispatch, Delivery], Awaitable[Change | None]],
        resting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._channels = channels
        self._recheck = recheck
        self._resting = resting

    async def serve(self, lease: Lease) -> None:
        """Do what the head of the lane needs, and end the lease. Never raises but for cancellation."""
        try:
            await self._serve(lease)
        except LeaseLostError:
            _log.warning("the lease of delivery %s ended before its outcome was stored", lease.delivery)
        except StoreError:
            # The marks are in the ledger: when the lease ends, whoever comes next knows what is known.
            _log.exception("the ledger failed while delivery %s was served", lease.delivery)
        except Exception:
            _log.exception(
                "delivery %s: a bug in the engine; it is looked at again when its lease ends", lease.delivery
            )
        except BaseException:
            await give_back(self._store, lease)  # what is marked is marked
            raise

    async def _serve(self, lease: Lease) -> None:
        dispatch = lease.dispatch
        if dispatch is None:
            raise StoreError("a lease of an outbound lane has no dispatch")
        delivery = dispatch.by_id(lease.delivery)
        channel = self._channels(delivery.channel)
        if channel is None:  # closed between the claim and now
            await self._store.release(lease)
            return
        ready: Delivery | None = delivery
        if delivery.state is DeliveryState.SENDING:
            ready = await self._abandoned(lease, channel, dispatch, delivery)
        elif (instead := await self._blocked(dispatch, delivery)) is not None:
            await self._ledger.update(dispatch, instead, lease=lease, release=True)
            return
        while ready is not None:
            ready = await self._hand_over(lease, channel, lease.dispatch or dispatch, ready)

    async def _abandoned(
        self, lease: Lease, channel: ChannelRuntime, dispatch: Dispatch, delivery: Delivery
    ) -> Delivery | None:
        """The *sending* mark stands there, and nobody is sending: an earlier holder went away in between."""
        error = UncertainError("whoever was sending it went away before the answer", channel=delivery.channel)
        return await self._settle(lease, channel, dispatch, delivery.id, delivery.sending or 0, error)

    async def _blocked(self, dispatch: Dispatch, delivery: Delivery) -> Change | None:
        """What is to be done instead of sending, or None."""
        now = self._clock.now()
        if delivery.expires_at is not None and delivery.expires_at <= now:
            return on_delivery(delivery.id, lambda current: expired(current, now))
        if delivery.about is not None:
            return await self._about(delivery, delivery.about)
        if delivery.operation is Operation.SEND and not delivery.history:
            return await self._recheck(dispatch, delivery)
        return None

    async def _about(self, delivery: Delivery, about: str) -> Change | None:
        """An edit goes after its original: it waits for it, or ends with it."""
        original = await self._original(delivery.channel, about)
        if original is not None and original.report.ids:
            return None
        now = self._clock.now()
        if original is None or original.state in (DeliveryState.CANCELLED, DeliveryState.DEAD, DeliveryState.CLOSED):
            gone = Receipt(
                Status.FAILED,
                received_at=now,
                failure=Failure(kind=FailureKind.INVALID_MESSAGE, text="the message that it is about was never sent"),
            )
            return on_delivery(delivery.id, lambda current: with_receipt(current, gone))
        later = max(original.due, now + timedelta(seconds=_WAIT_FOR_ORIGINAL))
        update = {"due": later, "hold_until": now, "reason": "waits for the message that it is about"}
        return on_delivery(delivery.id, lambda current: current.model_copy(update=update))

    async def _original(self, channel: str, about: str) -> Delivery | None:
        found = await self._store.find(channel, delivery=about)
        dispatch = None if found is None else await self._store.load(found[0])
        return None if dispatch is None else next(each for each in dispatch.deliveries if each.id == about)

    async def _hand_over(
        self, lease: Lease, channel: ChannelRuntime, dispatch: Dispatch, delivery: Delivery
    ) -> Delivery | None:
        """Send the next part. Returns the delivery as it then is, or None when the lane was given back."""
        index = delivery.next_part
        if index is None:
            done = on_delivery(delivery.id, lambda current: current.model_copy(update={"state": DeliveryState.CLOSED}))
            await self._ledger.update(dispatch, done, lease=lease, release=True)
            return None
        if not await self._has_turn(channel) or not channel.is_serving:
            if not (channel.is_down and await self._ledger.pass_on(lease)):
                await self._store.release(lease)  # it keeps its place, and any worker that has a turn may have it
            return None
        if lease.until <= self._clock.now():
            raise LeaseLostError(f"the lease of {delivery.id} was not renewed in time")

        def mark(current: Delivery) -> Delivery | None:
            return marked(current, index, self._clock.now()) if current.state is DeliveryState.QUEUED else None

        sending = await self._ledger.update(dispatch, on_delivery(delivery.id, mark), lease=lease)
        if sending is None:  # cancelled meanwhile, or a report said that it had arrived
            await self._store.release(lease)
            return None
        outcome = await self._attempt(lease, channel, sending, sending.by_id(delivery.id), index)
        return await self._settle(lease, channel, sending, delivery.id, index, outcome)

    async def _has_turn(self, channel: ChannelRuntime) -> bool:
        turn = await channel.pace.take()
        if turn is None:
            return False
        seconds = (turn - self._clock.now()).total_seconds()
        if seconds > 0:
            with self._resting():
                await self._clock.sleep(seconds)
        return not channel.pace.is_paused

    async def _attempt(
        self, lease: Lease, channel: ChannelRuntime, dispatch: Dispatch, delivery: Delivery, index: int
    ) -> Outcome:
        started = False

        def on_start() -> None:
            nonlocal started
            started = channel.calls_started = True

        try:
            try:
                out = await self._outgoing(channel, dispatch, delivery, index, on_start)
            except StoreError as error:
                return NotSentError(f"what it refers to cannot be read: {error}", channel=delivery.channel)
            await channel.pace.leave()
            # Or this process stood still, and another may be asking what became of it.
            if lease.until <= self._clock.now():
                return NotSentError("the lease had ended before the first byte left", channel=delivery.channel)
            with anyio.move_on_after(channel.send_timeout):
                receipt = await channel.perform(out)
                if isinstance(receipt, Receipt):
                    return receipt
                return UncertainError(f"the adapter returned {type(receipt).__name__} in place of a Receipt")
            if channel.calls_started and not started:
                return NotSentError(f"nothing had left us after {channel.send_timeout:g} s")
            return UncertainError(f"no answer within {channel.send_timeout:g} s")
        except DeliveryError as error:
            return error
        except StoreError as error:  # of what the adapter is lent: its state, a lock
            if channel.calls_started and not started:
                return NotSentError(f"nothing had left us: {error}", channel=delivery.channel)
            return UncertainError(f"it may have left us: {error}", channel=delivery.channel)
        except Exception as error:
            _log.error(
                "channel %s: the adapter raised %s at %s", delivery.channel, type(error).__name__, place_of(error)
            )
            if channel.calls_started and not started:
                return Bug(error)
            return UncertainError(f"the adapter raised {type(error).__name__}", channel=delivery.channel)
        except BaseException:
            # Cancelled: the hub closes. What may have left us is unknown; what has not is as it was.
            with anyio.move_on_after(_CLEANUP, shield=True):
                try:
                    await self._interrupted(lease, channel, dispatch, delivery, index, started)
                except StoreError as error:  # it must not stand in for the cancellation; the mark stands, and tells
                    _log.warning("what became of delivery %s was not stored: %s", delivery.id, error)
            raise

    async def _interrupted(
        self, lease: Lease, channel: ChannelRuntime, dispatch: Dispatch, delivery: Delivery, index: int, started: bool
    ) -> None:
        if started or not channel.calls_started:
            error = UncertainError("the hub was closed before the answer", channel=delivery.channel)
            await self._settle(lease, channel, dispatch, delivery.id, index, error, reconcile=False)
            await self._store.release(lease)
            return
        back = {"state": DeliveryState.QUEUED, "sending": None}
        unmark = on_delivery(delivery.id, lambda current: current.model_copy(update=back))
        await self._ledger.update(dispatch, unmark, lease=lease, release=True)

    async def _settle(
        self,
        lease: Lease,
        channel: ChannelRuntime,
        dispatch: Dispatch,
        delivery: str,
        index: int,
        outcome: Outcome,
        *,
        reconcile: bool = True,
    ) -> Delivery | None:
        """Store *outcome*. Returns the delivery if it has a next part to send, else None: the lane is given back."""
        if isinstance(outcome, UncertainError):
            outcome = await self._reconciled(channel, dispatch, delivery, index, outcome, ask=reconcile)
        channel.noticed(outcome)
        now = self._clock.now()
        terms = channel.terms(self._random)

        def change(current: Delivery) -> Delivery | None:
            if current.state is not DeliveryState.SENDING:
                return None
            return apply(current, index, outcome, now, terms)

        more = isinstance(outcome, Receipt) and dispatch.by_id(delivery).next_part_after(index) is not None
        saved = await self._stored(lease, dispatch, on_delivery(delivery, change), release=not more, patient=reconcile)
        await channel.pace.tell()
        if not more:
            return None
        if saved is None:  # somebody else has settled it
            await self._store.release(lease)
            return None
        settled = saved.by_id(delivery)
        if settled.state is not DeliveryState.QUEUED:
            await self._store.release(lease)
            return None
        lease.dispatch = saved
        return settled

    async def _stored(
        self, lease: Lease, dispatch: Dispatch, change: Change, *, release: bool, patient: bool
    ) -> Dispatch | None:
        """Store an outcome; if *patient*, wait for a ledger that is away for as long as nobody else has the lane."""
        patience, ours_until = Patience(self._clock, f"storing an outcome of {dispatch.id}"), lease.until
        while True:
            trouble = StoreError(f"the outcome was not stored within {_STORING:g} s")
            try:
                # Shielded: what is known now must not be forgotten because the hub closes. Bounded: a ledger may hang.
                with anyio.move_on_after(_STORING, shield=True):
                    return await self._ledger.update(dispatch, change, lease=lease, release=release)
            except LeaseLostError:
                raise
            except StoreError as error:
                trouble = error
            if not patient or self._clock.now() >= ours_until:
                raise trouble
            await patience.wait(trouble)

    async def _reconciled(
        self,
        channel: ChannelRuntime,
        dispatch: Dispatch,
        delivery: str,
        index: int,
        error: UncertainError,
        *,
        ask: bool,
    ) -> Outcome:
        adapter: object = channel.adapter
        if not issubclass(channel.adapter_class, SupportsReconcile):
            return error
        if not ask or not isinstance(adapter, SupportsReconcile):  # nobody is there to ask it now
            return Unanswered(error)
        try:
            out = await self._outgoing(channel, dispatch, dispatch.by_id(delivery), index, lambda: None)
            with anyio.fail_after(channel.send_timeout), NO_STRAYS:
                answer = await adapter.reconcile(out)
        except ThrottledError as later:
            return Unanswered(error, later.retry_after)
        except Exception as trouble:
            _log.warning("channel %s: reconciling failed with %s", channel.name, type(trouble).__name__)
            return Unanswered(error)
        if isinstance(answer, Receipt):
            return answer
        if answer is Reconciliation.NOT_TAKEN:
            return NotSentError(f"it was not taken after all ({error.reason})", channel=channel.name)
        return error

    async def _outgoing(
        self,
        channel: ChannelRuntime,
        dispatch: Dispatch,
        delivery: Delivery,
        index: int,
        started: Callable[[], None],
    ) -> Outgoing:
        target = delivery.target
        if delivery.about is not None:
            original = await self._original(delivery.channel, delivery.about)
            if original is not None:
                # Nothing of what was said is to be left behind; any other operation is about the part of its number.
                is_whole = delivery.operation is Operation.RETRACT
                ids = original.report.ids if is_whole else original.report.part(index).ids or original.report.ids
                target = tuple(sorted(ids))
        tries = [attempt for attempt in delivery.history if attempt.part == index]
        return Outgoing(
            to=delivery.address,
            part=delivery.parts[index],
            key=delivery.key if len(delivery.parts) == 1 else f"{delivery.key}-{index + 1}",
            delivery=delivery.id,
            index=index,
            count=len(delivery.parts),
            attempt=len(tries) + 1,
            maybe_sent=index in delivery.unknown,
            message=dispatch.message,
            conversation=delivery.conversation,
            operation=delivery.operation,
            earlier=tuple(sorted(dispatch.before(delivery, index))),
            first_attempt_at=delivery.first_attempt_at,
            target=target,
            native=await native_of(dispatch.message.native.get(channel.adapter_class.name), self._store),
            automatic=dispatch.automatic,
            group=dispatch.group,
            started=started,
        )
