"""What the hub and its handles do to send: one place that knows whose handler is running, and which key that gives."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import anyio

from ._handles import Content, DispatchHandle, Target, about, as_message
from .abc import Clock, SupportsTyping
from .engine.channels import ChannelState
from .engine.drafts import Origin
from .engine.engine import Engine
from .engine.facts import Facts, Granted
from .engine.handlers import running
from .engine.planner import Planner
from .errors import ConfigurationError, InvalidInputError
from .model import (
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Event,
    Message,
    MessageReceived,
    Operation,
)
from .router import Recipient, RouteLike, recipient_key

__all__ = ["Sending"]

_log = logging.getLogger(__name__)
_KEY: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,8192}")


class Sending:
    """The hub's outgoing half; what `_handles.Side` asks for.

    Args:
        engine: Moves what is submitted.
        planner: Makes dispatches.
        facts: Count the automatic ones.
        clock: Time.
        check_open: Raises `NotRunningError` where the hub is not open.
    """

    def __init__(
        self, engine: Engine, planner: Planner, facts: Facts, clock: Clock, check_open: Callable[[], None]
    ) -> None:
        self.clock = clock
        self._engine = engine
        self._planner = planner
        self._facts = facts
        self._check_open = check_open

    async def submit(
        self,
        content: Content,
        recipients: Sequence[Recipient],
        *,
        via: RouteLike | None = None,
        key: str | None = None,
        answers: Event | None = None,
        connection: Any = None,
    ) -> list[DispatchHandle]:
        """Store one dispatch for each of *recipients*; *answers* is the event that they answer, outside its handler."""
        self._check_open()
        keys, derived = _keyed(key, recipients)
        message, origin = as_message(content), self.origin(answers)
        if connection is not None:
            made = await self._planner.dispatches(message, recipients, via, keys, origin, derived=derived)
            # Nothing is counted for the loop guard: the host has the write lock, and may yet roll back.
            if (run := running()) is not None:
                run.check(made)
            posted = await self._engine.store.post(connection, made)
            if run is not None:
                run.note(made, posted)
            return [DispatchHandle(self, self._engine.ledger.watch(dispatch)) for dispatch in posted]
        # Of most people nothing is known. To ask first costs more than all the rest, so the store is told what was
        # taken for granted, and stores nothing where it does not hold: then it is asked.
        granted = Granted()
        made = await self._planner.dispatches(message, recipients, via, keys, origin, derived=derived, granted=granted)
        handles = await self._stored(made, granted)
        if made and not handles:
            made = await self._planner.dispatches(made[0].message, recipients, via, keys, origin, derived=derived)
            handles = await self._stored(made)
        return handles

    async def answers(self, event: Event, reply: Content, key: str | None) -> list[Dispatch]:
        """The dispatches of what a handler of *event* returned; not stored yet."""
        if event.conversation is None:
            raise ConfigurationError(f"a handler of {event.type} returned a reply, but the event has no conversation")
        message = self.answering(event, reply)
        keys, origin = None if key is None else [key], Origin(event, automatic=True)
        return await self._planner.dispatches(
            message, [event.conversation], None, keys, origin, derived=keys is not None
        )

    def origin(self, answers: Event | None = None) -> Origin | None:
        """In whose handler this task is, and what is answered."""
        run = running()
        if run is None:
            return None if answers is None else Origin(answers, automatic=False)
        return Origin(run.event, automatic=True)

    def answering(self, event: Event | None, content: Content) -> Message:
        """*content* as an answer to *event*: names its message, thread and subject, unless it does so itself."""
        message = as_message(content)
        if not isinstance(event, MessageReceived):
            return message
        update: dict[str, Any] = {}
        if message.reply_to is None and event.message_id is not None:
            update["reply_to"] = event.message_id
        if message.thread is None and event.thread is not None:
            update["thread"] = event.thread
        if event.references and not message.references:
            update["references"] = event.references
        if message.subject is None and event.subject is not None:
            bare = event.subject
            update["subject"] = bare if bare[:3].lower() == "re:" else f"Re: {bare}"
        return message.model_copy(update=update) if update else message

    def handing_over(self, ref: ConversationRef, message: Message) -> tuple[ConversationRef, Message]:
        """Where a public conversation goes on in private, and *message* as an invitation; the channel may be down."""
        runtime = self._engine.channels.get(ref.channel)
        if runtime is None:
            raise ConfigurationError(f"there is no channel {ref.channel!r}; there are {sorted(self._engine.channels)}")
        private, invitation = runtime.handing_over(ref, message)
        return private.model_copy(update={"channel": ref.channel}), invitation

    async def operate(
        self, ref: ConversationRef, operation: Operation, target: Target, content: Message, key: str | None
    ) -> DispatchHandle:
        """Submit an edit, a retraction, a reaction or a read marker."""
        self._check_open()
        delivery, ids = about(target)
        keys, derived = _keyed(key, [ref], f"{operation.value} {delivery or ids}")
        dispatch = await self._planner.operation(
            ref, operation, content, delivery, ids, None if keys is None else keys[0], self.origin(), derived=derived
        )
        return (await self._stored([dispatch]))[0]

    async def show_typing(self, ref: ConversationRef, typing: bool) -> bool:
        """Show that we type; tells whether the channel could."""
        runtime = self._engine.channels.get(ref.channel)
        adapter: object = None if runtime is None else runtime.adapter
        if not isinstance(adapter, SupportsTyping):
            return False
        try:
            with anyio.fail_after(5):
                await adapter.typing(ref, typing)
        except Exception as error:
            _log.info("channel %s: typing failed with %s", ref.channel, type(error).__name__)
            return False
        return True

    async def cancel_dispatch(self, dispatch: str) -> bool:
        """Send nothing of it any more; tells whether there was anything to stop."""
        return await self._engine.ledger.update(dispatch, _cancelled) is not None

    def waits_for(self, channel: str) -> str | None:
        """Why nothing can be handed to *channel* now, or None."""
        runtime = self._engine.channels.get(channel)
        if runtime is None:
            return f"no worker has the channel {channel!r} open"
        if runtime.is_serving:
            return None
        if self._engine.only_submits:
            return f"{channel} is closed here, and waits for a worker on the same ledger"
        return f"{channel} is {runtime.state.value}" + (f": {runtime.reason}" if runtime.reason else "")

    def is_elsewhere(self, channel: str) -> bool:
        """Whether another process is to hand over what is sent on *channel*, and its answer is worth waiting for."""
        if not self._engine.is_shared:
            return False
        runtime = self._engine.channels.get(channel)
        return self._engine.only_submits or (runtime is not None and runtime.state is ChannelState.STANDBY)

    async def _stored(
        self, dispatches: Sequence[Dispatch], granted: Sequence[tuple[str, str]] = ()
    ) -> list[DispatchHandle]:
        """Store them; empty where what was taken for *granted* does not hold."""
        run = running()
        if run is not None:
            run.check(dispatches)
        # Watched from before they are stored: another worker may be quicker than we are.
        watches = [self._engine.ledger.watch(dispatch) for dispatch in dispatches]
        stored = await self._engine.ledger.submit(dispatches, unless=granted)
        if not stored:
            return []
        if run is not None:
            run.note(dispatches, stored)
        await self._facts.counted(dispatches, stored)
        # Each of ours has its watch already, which may have seen more of it by now.
        of_ours = {watch.dispatch.id: watch for watch in watches}
        found = [of_ours.get(dispatch.id) or self._engine.ledger.watch(dispatch) for dispatch in stored]
        return [DispatchHandle(self, watch) for watch in found]


def _keyed(key: str | None, recipients: Sequence[Recipient], what: str = "send") -> tuple[Sequence[str] | None, bool]:
    """The key to use for each of *recipients*, and whether they were made from the event that is being handled."""
    run = running()
    if key is not None and not isinstance(key, str):
        raise InvalidInputError(f"key= is text, not {type(key).__name__}: key=str(...), the same each time")
    if key is not None and not _KEY.fullmatch(key):
        # Above all not an empty one: taken for none, it would send twice what was to be sent once.
        raise InvalidInputError("a key is one line of 1 to 8192 characters; to send without one, leave it out")
    if key is not None:
        return [key] * len(recipients), False
    if run is None or run.is_ephemeral:
        return None, False
    return [run.next_key(what, recipient_key(recipient)) for recipient in recipients], True


def _cancelled(dispatch: Dispatch) -> Dispatch | None:
    reason = "cancelled by the caller"
    stopped = {"state": DeliveryState.CANCELLED, "reason": reason}
    deliveries = tuple(
        each.model_copy(update=stopped) if _is_stoppable(each, dispatch) else each for each in dispatch.deliveries
    )
    if dispatch.state.is_final:  # but what is repeated although it has arrived can be stopped, and has arrived
        return None if deliveries == dispatch.deliveries else dispatch.model_copy(update={"deliveries": deliveries})
    return dispatch.model_copy(update={"deliveries": deliveries, "state": DispatchState.CANCELLED, "reason": reason})


def _is_stoppable(delivery: Delivery, dispatch: Dispatch) -> bool:
    if delivery.unknown or delivery.state not in (DeliveryState.WAITING, DeliveryState.QUEUED):
        return False
    return delivery.supersedes is not None or not dispatch.state.is_final
