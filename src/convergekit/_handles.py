"""The hub's handles on a dispatch and on a conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

import anyio
from pydantic import ValidationError

from .abc import Clock
from .engine.ledger import Watch
from .errors import (
    DeliveryError,
    InvalidInputError,
    NotPermittedError,
    NotRunningError,
    NotSentError,
    RejectedError,
    SuppressedError,
    UncertainError,
    UnsupportedContentError,
)
from .model import (
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Event,
    FailureKind,
    Message,
    MessageReceived,
    Operation,
    Status,
)
from .router import Recipient, RouteLike

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Content", "Conversation", "DispatchHandle", "Side", "Target", "about", "as_message"]


#: What can be sent.
Content = str | Message


class Side(Protocol):
    """What the handles ask of their hub."""

    @property
    def clock(self) -> Clock: ...
    def answering(self, event: Event | None, content: Content) -> Message: ...
    def handing_over(self, ref: ConversationRef, message: Message) -> tuple[ConversationRef, Message]: ...
    async def submit(
        self,
        content: Content,
        recipients: Sequence[Recipient],
        *,
        via: RouteLike | None = ...,
        key: str | None = ...,
        answers: Event | None = ...,
    ) -> list[DispatchHandle]: ...
    async def operate(
        self, ref: ConversationRef, operation: Operation, target: Target, content: Message, key: str | None
    ) -> DispatchHandle: ...
    async def show_typing(self, ref: ConversationRef, typing: bool) -> bool: ...
    async def cancel_dispatch(self, dispatch: str) -> bool: ...
    def waits_for(self, channel: str) -> str | None: ...
    def is_elsewhere(self, channel: str) -> bool: ...


class DispatchHandle:
    """What became of one message to one recipient; always up to date while the hub is open."""

    def __init__(self, hub: Side, watch: Watch) -> None:
        self._hub = hub
        self._watch = watch

    @property
    def dispatch(self) -> Dispatch:
        """The newest snapshot."""
        return self._watch.dispatch

    @property
    def id(self) -> str:
        """In the ledger."""
        return self.dispatch.id

    @property
    def key(self) -> str:
        """The caller's, or one of ours."""
        return self.dispatch.key

    @property
    def status(self) -> Status:
        """The strongest evidence so far."""
        return self.dispatch.status

    @property
    def state(self) -> DispatchState:
        """Where the plan stands."""
        return self.dispatch.state

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Its legs that nothing has superseded."""
        return self.dispatch.current

    @property
    def reason(self) -> str | None:
        """Why it is not further than it is: of the dispatch, of a leg, or of the channel that a leg waits for."""
        if self.dispatch.reason is not None:
            return self.dispatch.reason
        for delivery in self.deliveries:
            if delivery.state is not DeliveryState.QUEUED:
                continue
            waits = self._hub.waits_for(delivery.channel)
            if waits is not None or delivery.reason is not None:
                return waits or delivery.reason
        return next((delivery.why for delivery in self.deliveries if delivery.why), None)

    @property
    def next_attempt(self) -> datetime | None:
        """When the next attempt is due, or None when none is planned."""
        return min((each.due for each in self.deliveries if each.state is DeliveryState.QUEUED), default=None)

    @property
    def error(self) -> DeliveryError | None:
        """Why the ledger will not try again although the goal is not reached; None while it may, or when it is."""
        dispatch = self.dispatch
        if dispatch.state is DispatchState.SUPPRESSED:
            return SuppressedError(dispatch.reason or "suppressed by a gate", dispatch=dispatch.id)
        for delivery in self.deliveries:
            if delivery.state is DeliveryState.UNKNOWN and dispatch.taken_before(delivery) is None:
                return self._uncertain(delivery)
        if dispatch.state is DispatchState.CANCELLED and _reached(dispatch):
            return None  # it had been on its way already
        if dispatch.state in (DispatchState.EXHAUSTED, DispatchState.EXPIRED, DispatchState.CANCELLED):
            return self._refused(dispatch)
        return None

    @property
    def _failed_later(self) -> DeliveryError | None:
        """A failure that was reported after the goal had been reached: nothing stronger is to be waited for."""
        return self._refused(self.dispatch) if self.state.is_final and self.status is Status.FAILED else None

    async def wait(self, until: Status = Status.ACCEPTED, *, timeout: float | None = None) -> Status:
        """Wait for the medium.

        Args:
            until: Return once the status is this or stronger, and not FAILED.
            timeout: Seconds, or None for as long as it takes.

        Raises:
            DeliveryError: The ledger will not try again; the error says why.
            TimeoutError: The status was not reached in time; it says how far it is, and why. The message goes on its
                way all the same.
            NotRunningError: The hub was closed. Whoever opens the same store goes on.
        """
        with anyio.move_on_after(timeout):
            return await self._reached(until)
        why = f" ({self.reason})" if self.reason else ""
        raise TimeoutError(f"waited {timeout} s for {until}; dispatch {self.id} is {self.status}{why}")

    async def _reached(self, until: Status) -> Status:
        while True:
            status = self.status
            if status >= until and status is not Status.FAILED:
                return status
            error = self.error or self._failed_later
            if error is not None:
                raise error
            await self._watch.changed()

    async def cancel(self) -> bool:
        """Send nothing of it any more; what has gone out has gone out. Tells whether anything was stopped."""
        return await self._hub.cancel_dispatch(self.dispatch.id)

    async def sent(self, timeout: float | None) -> DispatchHandle:
        """Wait as `Hub.send` does, and raise as it does."""
        await self.settled(timeout)
        if self.error is not None:
            raise self.error
        return self

    async def settled(self, timeout: float | None) -> None:
        """Return once each leg is accepted, refused or unknown, or has to wait for something; or after *timeout*."""
        with anyio.move_on_after(timeout), suppress(NotRunningError):
            while not self._is_settled:
                await self._watch.changed()

    @property
    def _is_settled(self) -> bool:
        # Of what has ended, only what a person has had repeated is still to be waited for.
        waited = [each for each in self.deliveries if each.supersedes or not self.state.is_final]
        return all(self._rests(delivery) for delivery in waited)

    def _rests(self, delivery: Delivery) -> bool:
        if delivery.state is DeliveryState.SENDING:
            return False
        if delivery.state is not DeliveryState.QUEUED:
            return True
        if delivery.due > self._hub.clock.now():
            return True
        return self._hub.waits_for(delivery.channel) is not None and not self._hub.is_elsewhere(delivery.channel)

    def _uncertain(self, delivery: Delivery) -> UncertainError:
        reason = delivery.reason or "the answer was lost"
        code = delivery.history[-1].code if delivery.history else None
        return UncertainError(reason, channel=delivery.channel, code=code, dispatch=self.id)

    def _refused(self, dispatch: Dispatch) -> DeliveryError:
        failed = [delivery for delivery in self.deliveries if delivery.status is Status.FAILED]
        if not failed:
            channel = self.deliveries[-1].channel if self.deliveries else "?"
            return RejectedError(dispatch.reason or dispatch.state.value, channel=channel, dispatch=dispatch.id)
        last = failed[-1]
        failure = last.failed_by
        kind = failure.kind if failure is not None else None
        error = _ERRORS.get(kind, RejectedError) if last.state is not DeliveryState.DEAD else NotSentError
        text = (failure.text if failure is not None else None) or last.reason or "refused"
        told = error(text, channel=last.channel, code=failure.code if failure else None, dispatch=dispatch.id)
        if isinstance(told, RejectedError):
            told.kind = kind
        if isinstance(told, NotPermittedError) and failure is not None:
            told.alternative = failure.alternative
        return told

    def __repr__(self) -> str:
        return f"<DispatchHandle {self.id} {self.status} {self.state.value}>"


def _reached(dispatch: Dispatch) -> bool:
    """Whether everything that was planned has been taken."""
    return dispatch.status >= Status.ACCEPTED and dispatch.status is not Status.FAILED


_ERRORS: Final[dict[FailureKind | None, Callable[..., DeliveryError]]] = {
    FailureKind.CONTENT: UnsupportedContentError,
    FailureKind.NOT_PERMITTED: NotPermittedError,
}


#: What an edit, a retraction, a reaction or a read marker is about: what was sent, what came in, or the medium's id.
Target = DispatchHandle | Delivery | MessageReceived | str


def as_message(content: Content) -> Message:
    """*content*, as a message; raises `InvalidInputError`, which never shows it."""
    if isinstance(content, Message):
        return content
    if not isinstance(content, str):
        raise TypeError(f"what is sent is text or a Message, not {type(content).__name__}")
    try:
        return Message(content)
    except ValidationError as exc:
        raise InvalidInputError(f"this text cannot be sent: {exc.errors()[0]['msg']}") from None


def about(target: Target) -> tuple[str | None, tuple[str, ...]]:
    """(our delivery, the medium's ids) of what an operation is about."""
    match target:
        case DispatchHandle():
            return target.deliveries[0].id, ()
        case Delivery():
            return target.id, ()
        case MessageReceived(message_id=str() as identity):
            return None, (identity,)
        case str():
            return None, (target,)
    raise TypeError(
        "an operation is about a DispatchHandle, a Delivery, a MessageReceived that has a message_id, "
        f"or the medium's own id, not {type(target).__name__}"
    )


class Conversation:
    """The hub's handle on one conversation.

    Inside a handler `reply` and the other verbs submit: they return once the message is safe in the ledger. To wait
    for the medium, ask for it: `await (await conversation.reply("...")).wait()`, or use `send`, which waits.
    """

    __convergekit_inject__: ClassVar[str] = "conversation"

    def __init__(self, hub: Side, ref: ConversationRef, event: Event | None = None) -> None:
        self._hub = hub
        self.ref = ref
        self._event = event

    @property
    def channel(self) -> str:
        """Name of the channel."""
        return self.ref.channel

    async def reply(self, content: Content, *, key: str | None = None) -> DispatchHandle:
        """Answer the message that this conversation was got with, in its thread; submits."""
        message = self._hub.answering(self._event, content)
        (handle,) = await self._hub.submit(message, [self.ref], key=key, answers=self._event)
        return handle

    async def hand_over(self, content: Content, *, key: str | None = None) -> Conversation:
        """Answer where all can read, with the way into a private conversation with the same person; returns that.

        What they write there comes with their address, which is the same in both.

        Args:
            content: The public invitation; the medium's link is added to it.
            key: As for `reply`.

        Raises:
            UnsupportedContentError: The medium knows no such way, or the conversation is private already.
        """
        private, invitation = self._hub.handing_over(self.ref, self._hub.answering(self._event, content))
        await self._hub.submit(invitation, [self.ref], key=key, answers=self._event)
        return Conversation(self._hub, private)

    async def send(self, content: Content, *, key: str | None = None, timeout: float | None = 30.0) -> DispatchHandle:
        """Say something here, and wait as `Hub.send` does."""
        (handle,) = await self._hub.submit(content, [self.ref], key=key)
        return await handle.sent(timeout)

    async def edit(self, target: Target, content: Content, *, key: str | None = None) -> DispatchHandle:
        """Replace what was sent; it goes out after its original."""
        return await self._hub.operate(self.ref, Operation.EDIT, target, as_message(content), key)

    async def retract(self, target: Target, *, key: str | None = None) -> DispatchHandle:
        """Take back what was sent."""
        return await self._hub.operate(self.ref, Operation.RETRACT, target, Message(), key)

    async def react(self, target: Target, *reactions: str, key: str | None = None) -> DispatchHandle:
        """Set our reactions; none takes them back."""
        return await self._hub.operate(self.ref, Operation.REACT, target, Message(" ".join(reactions)), key)

    async def mark_read(self, target: Target, *, key: str | None = None) -> DispatchHandle:
        """Tell the other side how far we have read."""
        return await self._hub.operate(self.ref, Operation.READ, target, Message(), key)

    async def typing(self, typing: bool = True) -> bool:
        """Show that we type; tells whether the channel could. Never fails."""
        return await self._hub.show_typing(self.ref, typing)

    def __repr__(self) -> str:
        return f"<Conversation {self.ref.key} on {self.ref.channel}>"
