"""The same hub behind blocking code: scripts, Django views, Celery tasks.

    with Hub.from_toml("convergekit.toml") as hub:
        hub.send("Your parcel is on its way.", to="sms:+4915112345678", key="order-42:shipped")

The asynchronous hub runs in an event loop of its own, in a thread of its own; every call waits for it there.
Any number of threads may share one hub. Handlers stay asynchronous, and run in that loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from anyio.from_thread import BlockingPortal, start_blocking_portal
from pydantic import BaseModel

from . import hub as _asynchronous
from ._dead_letters import DeadLetter
from ._handles import Target
from ._redelivery import Only, Redelivered, Redelivery
from .abc import Adapter, Direction, Erased, Found, Page
from .abc import Archive as _Archive
from .abc import Contacts as _Contacts
from .config import channel_settings
from .engine.channels import ChannelState
from .engine.options import ChannelOptions
from .errors import NotRunningError
from .hub import Content, HubHealth, Several, To
from .model import (
    Address,
    Attachment,
    ConsentChanged,
    Contact,
    ConversationKind,
    ConversationRef,
    Delivery,
    Dispatch,
    DispatchState,
    Event,
    MessageReceived,
    PresenceChanged,
    Status,
)
from .router import Plan, RouteLike

__all__ = ["Archive", "Channel", "Consents", "Contacts", "Conversation", "DeadLetters", "DispatchHandle", "Hub"]

T = TypeVar("T")


class DispatchHandle:
    """See `convergekit.DispatchHandle`; `wait`, `settled` and `cancel` block."""

    def __init__(self, hub: Hub, handle: _asynchronous.DispatchHandle) -> None:
        self._hub = hub
        self._handle = handle

    @property
    def dispatch(self) -> Dispatch:
        """The newest snapshot."""
        return self._handle.dispatch

    @property
    def id(self) -> str:
        """In the ledger."""
        return self._handle.id

    @property
    def key(self) -> str:
        """The caller's, or one of ours."""
        return self._handle.key

    @property
    def status(self) -> Status:
        """The strongest evidence so far."""
        return self._handle.status

    @property
    def state(self) -> DispatchState:
        """Where the plan stands."""
        return self._handle.state

    @property
    def reason(self) -> str | None:
        """Why it is not further than it is."""
        return self._handle.reason

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Its legs that nothing has superseded."""
        return self._handle.deliveries

    @property
    def next_attempt(self) -> datetime | None:
        """When the next attempt is due, or None when none is planned."""
        return self._handle.next_attempt

    @property
    def error(self) -> Exception | None:
        """Why the ledger will not try again although the goal is not reached."""
        return self._handle.error

    def wait(self, until: Status = Status.ACCEPTED, *, timeout: float | None = None) -> Status:
        """See `convergekit.DispatchHandle.wait`."""
        return self._hub._call(lambda: self._handle.wait(until, timeout=timeout))

    def settled(self, timeout: float | None) -> None:
        """See `convergekit.DispatchHandle.settled`."""
        self._hub._call(lambda: self._handle.settled(timeout))

    def cancel(self) -> bool:
        """See `convergekit.DispatchHandle.cancel`."""
        return self._hub._call(self._handle.cancel)

    def __repr__(self) -> str:
        return repr(self._handle)


class Channel:
    """See `convergekit.Channel`; every verb blocks."""

    def __init__(self, hub: Hub, channel: _asynchronous.Channel) -> None:
        self._hub = hub
        self._channel = channel

    @property
    def name(self) -> str:
        """As the configuration has it."""
        return self._channel.name

    @property
    def state(self) -> ChannelState:
        """How it is."""
        return self._channel.state

    @property
    def reason(self) -> str | None:
        """Why it is not up, or None."""
        return self._channel.reason

    @property
    def adapter(self) -> Adapter[Any] | None:
        """What connects it, while it is open; it lives in the hub's own thread."""
        return self._channel.adapter

    def create_room(self, name: str, **options: Any) -> ConversationRef:
        """See `convergekit.Channel.create_room`."""
        return self._hub._call(lambda: self._channel.create_room(name, **options))

    def join(self, room: ConversationRef | Address | str, *, nickname: str | None = None) -> ConversationRef:
        """See `convergekit.Channel.join`."""
        return self._hub._call(lambda: self._channel.join(room, nickname=nickname))

    def leave(self, room: ConversationRef | Address | str) -> None:
        """See `convergekit.Channel.leave`."""
        self._hub._call(lambda: self._channel.leave(room))

    def invite(self, room: ConversationRef | Address | str, who: Address | str, text: str | None = None) -> None:
        """See `convergekit.Channel.invite`."""
        self._hub._call(lambda: self._channel.invite(room, who, text))

    def members(self, room: ConversationRef | Address | str) -> Sequence[Address]:
        """See `convergekit.Channel.members`."""
        return self._hub._call(lambda: self._channel.members(room))

    def set_presence(self, presence: str, text: str | None = None) -> None:
        """See `convergekit.Channel.set_presence`."""
        self._hub._call(lambda: self._channel.set_presence(presence, text))

    def find(self, name: str) -> Address:
        """See `convergekit.Channel.find`."""
        return self._hub._call(lambda: self._channel.find(name))

    def enable(self, address: Address | str) -> bool:
        """See `convergekit.Channel.enable`."""
        return self._hub._call(lambda: self._channel.enable(address))

    def presence_of(self, who: Address | str) -> PresenceChanged:
        """See `convergekit.Channel.presence_of`."""
        return self._hub._call(lambda: self._channel.presence_of(who))

    def subscribe(self, who: Address | str, text: str | None = None) -> None:
        """See `convergekit.Channel.subscribe`."""
        self._hub._call(lambda: self._channel.subscribe(who, text))

    def unsubscribe(self, who: Address | str) -> None:
        """See `convergekit.Channel.unsubscribe`."""
        self._hub._call(lambda: self._channel.unsubscribe(who))

    def accept_subscription(self, who: Address | str) -> None:
        """See `convergekit.Channel.accept_subscription`."""
        self._hub._call(lambda: self._channel.accept_subscription(who))

    def refuse_subscription(self, who: Address | str) -> None:
        """See `convergekit.Channel.refuse_subscription`."""
        self._hub._call(lambda: self._channel.refuse_subscription(who))

    def history(
        self, where: ConversationRef | Address | str, *, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        """See `convergekit.Channel.history`."""
        return self._hub._call(lambda: self._channel.history(where, cursor=cursor, limit=limit))

    def __repr__(self) -> str:
        return repr(self._channel)


class Conversation:
    """See `convergekit.Conversation`; every verb blocks."""

    def __init__(self, hub: Hub, conversation: _asynchronous.Conversation) -> None:
        self._hub = hub
        self._conversation = conversation

    @property
    def ref(self) -> ConversationRef:
        """What can be stored, and given to `to=`."""
        return self._conversation.ref

    @property
    def channel(self) -> str:
        """Name of the channel."""
        return self._conversation.channel

    def reply(self, content: Content, *, key: str | None = None) -> DispatchHandle:
        """See `convergekit.Conversation.reply`."""
        return self._does(lambda: self._conversation.reply(content, key=key))

    def hand_over(self, content: Content, *, key: str | None = None) -> Conversation:
        """See `convergekit.Conversation.hand_over`."""
        return Conversation(self._hub, self._hub._call(lambda: self._conversation.hand_over(content, key=key)))

    def send(self, content: Content, *, key: str | None = None, timeout: float | None = 30.0) -> DispatchHandle:
        """See `convergekit.Conversation.send`."""
        return self._does(lambda: self._conversation.send(content, key=key, timeout=timeout))

    def edit(self, target: Target | DispatchHandle, content: Content, *, key: str | None = None) -> DispatchHandle:
        """See `convergekit.Conversation.edit`."""
        return self._does(lambda: self._conversation.edit(_target(target), content, key=key))

    def retract(self, target: Target | DispatchHandle, *, key: str | None = None) -> DispatchHandle:
        """See `convergekit.Conversation.retract`."""
        return self._does(lambda: self._conversation.retract(_target(target), key=key))

    def react(self, target: Target | DispatchHandle, *reactions: str, key: str | None = None) -> DispatchHandle:
        """See `convergekit.Conversation.react`."""
        return self._does(lambda: self._conversation.react(_target(target), *reactions, key=key))

    def mark_read(self, target: Target | DispatchHandle, *, key: str | None = None) -> DispatchHandle:
        """See `convergekit.Conversation.mark_read`."""
        return self._does(lambda: self._conversation.mark_read(_target(target), key=key))

    def typing(self, typing: bool = True) -> bool:
        """See `convergekit.Conversation.typing`."""
        return self._hub._call(lambda: self._conversation.typing(typing))

    def _does(self, verb: Callable[[], Awaitable[_asynchronous.DispatchHandle]]) -> DispatchHandle:
        return DispatchHandle(self._hub, self._hub._call(verb))

    def __repr__(self) -> str:
        return repr(self._conversation)


class DeadLetters:
    """See `convergekit.hub.DeadLetters`; every method blocks, and `for letter in hub.dead_letters` goes through all."""

    def __init__(self, hub: Hub, letters: _asynchronous.DeadLetters) -> None:
        self._hub = hub
        self._letters = letters

    def list(
        self,
        *,
        direction: Direction | None = None,
        state: Literal["dead", "unknown"] | None = None,
        channel: str | None = None,
        limit: int = 100,
        after: DeadLetter | None = None,
    ) -> Sequence[DeadLetter]:
        """See `convergekit.hub.DeadLetters.list`."""
        found = self._letters.list
        return self._hub._call(
            lambda: found(direction=direction, state=state, channel=channel, limit=limit, after=after)
        )

    def __iter__(self) -> Iterator[DeadLetter]:
        """All of them, page by page."""
        page = self.list()
        while page:
            yield from page
            page = self.list(after=page[-1])

    def get(self, id: str) -> DeadLetter | None:
        """See `convergekit.hub.DeadLetters.get`."""
        return self._hub._call(lambda: self._letters.get(id))

    def retry(self, id: str) -> bool:
        """See `convergekit.hub.DeadLetters.retry`."""
        return self._hub._call(lambda: self._letters.retry(id))

    def resend(self, id: str, content: Content | None = None) -> DispatchHandle:
        """See `convergekit.hub.DeadLetters.resend`."""
        return DispatchHandle(self._hub, self._hub._call(lambda: self._letters.resend(id, content)))

    def settle(self, id: str, *, sent: bool) -> bool:
        """See `convergekit.hub.DeadLetters.settle`."""
        return self._hub._call(lambda: self._letters.settle(id, sent=sent))

    def discard(self, id: str) -> bool:
        """See `convergekit.hub.DeadLetters.discard`."""
        return self._hub._call(lambda: self._letters.discard(id))


async def _next(found: AsyncIterator[T]) -> T | None:
    return await anext(found, None)


def _target(target: Target | DispatchHandle) -> Target:
    return target._handle if isinstance(target, DispatchHandle) else target


class Archive:
    """See `convergekit.abc.Archive`; every method blocks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def search(self, words: str = "", **query: Any) -> Page:
        """See `convergekit.abc.Archive.search`."""
        return self._hub._call(lambda: self._archive.search(words, **query))

    def export(self, words: str = "", **query: Any) -> Iterator[Found]:
        """See `convergekit.abc.Archive.export`: all of it, a page at a time as it is asked for."""
        after: str | None = None
        while True:
            page = self.search(words, **query, limit=500, after=after, oldest_first=True)
            yield from page.found
            after = page.next
            if after is None:
                return

    def erase(self, contact: _Contacts) -> Erased:
        """See `convergekit.abc.Archive.erase`."""
        return self._hub._call(lambda: self._archive.erase(contact))

    def retain(self, older_than: float | timedelta, *, channel: str | None = None) -> int:
        """See `convergekit.abc.Archive.retain`."""
        return self._hub._call(lambda: self._archive.retain(older_than, channel=channel))

    @property
    def _archive(self) -> _Archive:
        return self._hub._hub.archive


class Contacts:
    """See `convergekit.router.ContactBook`; every call blocks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def by_address(self, address: Address) -> Contact | None:
        """See `convergekit.router.ContactBook.by_address`."""
        return self._hub._call(lambda: self._hub._hub.contacts.by_address(address))

    def get(self, id: str) -> Contact | None:
        """See `convergekit.router.ContactBook.get`."""
        return self._hub._call(lambda: self._hub._hub.contacts.get(id))

    def put(self, contact: Contact) -> None:
        """See `convergekit.router.ContactBook.put`."""
        self._hub._call(lambda: self._hub._hub.contacts.put(contact))

    def remove(self, id: str) -> bool:
        """See `convergekit.router.ContactBook.remove`."""
        return self._hub._call(lambda: self._hub._hub.contacts.remove(id))


class Consents:
    """See `convergekit.router.ConsentStore`; every call blocks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def consents(self, address: Address, contact: Contact | None = None) -> Mapping[str | None, bool]:
        """See `convergekit.router.ConsentStore.consents`."""
        return self._hub._call(lambda: self._hub._hub.consents.consents(address, contact))

    def record(self, event: ConsentChanged) -> None:
        """See `convergekit.router.ConsentStore.record`."""
        self._hub._call(lambda: self._hub._hub.consents.record(event))


class Hub:
    """See `convergekit.Hub`. Enter it with a plain `with`.

    Args:
        backend: Event loop: "asyncio" or "trio".
        options: As for `convergekit.Hub`.
    """

    def __init__(self, *, backend: Literal["asyncio", "trio"] = "asyncio", **options: Any) -> None:
        self._adopt(_asynchronous.Hub(**options), backend)

    @classmethod
    def from_toml(cls, path: str | Path, *, backend: Literal["asyncio", "trio"] = "asyncio", **options: Any) -> Self:
        """See `convergekit.Hub.from_toml`."""
        hub = cls.__new__(cls)
        hub._adopt(_asynchronous.Hub.from_toml(path, **options), backend)
        return hub

    def _adopt(self, hub: _asynchronous.Hub, backend: Literal["asyncio", "trio"]) -> None:
        self._hub = hub
        self._backend: Literal["asyncio", "trio"] = backend
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self.dead_letters = DeadLetters(self, hub.dead_letters)
        self.on_message = hub.on_message
        self.on_event = hub.on_event
        self.on_unhandled = hub.on_unhandled
        self.middleware = hub.middleware
        self.include = hub.include
        self.archive = Archive(self)
        self.contacts = Contacts(self)
        self.consents = Consents(self)

    def __enter__(self) -> Self:
        """Start the event loop, and open the hub in it."""
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal(self._backend))
            stack.enter_context(self._portal.wrap_async_context_manager(self._hub))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Drain and close the hub, and end its event loop."""
        try:
            return self._stack.__exit__(kind, error, trace)
        finally:
            self._portal = None

    @overload
    def send(
        self,
        content: Content,
        *,
        to: To,
        via: RouteLike | None = ...,
        key: str | None = ...,
        timeout: float | None = ...,
    ) -> DispatchHandle: ...
    @overload
    def send(
        self,
        content: Content,
        *,
        to: Several,
        via: RouteLike | None = ...,
        key: str | None = ...,
        timeout: float | None = ...,
    ) -> list[DispatchHandle]: ...

    def send(
        self,
        content: Content,
        *,
        to: To | Several,
        via: RouteLike | None = None,
        key: str | None = None,
        timeout: float | None = 30.0,
    ) -> DispatchHandle | list[DispatchHandle]:
        """See `convergekit.Hub.send`."""
        found: Any = self._call(lambda: self._hub.send(content, to=to, via=via, key=key, timeout=timeout))
        return self._handles(found)  # type: ignore[no-any-return]

    @overload
    def submit(
        self, content: Content, *, to: To, via: RouteLike | None = ..., key: str | None = ..., connection: Any = ...
    ) -> DispatchHandle: ...
    @overload
    def submit(
        self,
        content: Content,
        *,
        to: Several,
        via: RouteLike | None = ...,
        key: str | None = ...,
        connection: Any = ...,
    ) -> list[DispatchHandle]: ...

    def submit(
        self,
        content: Content,
        *,
        to: To | Several,
        via: RouteLike | None = None,
        key: str | None = None,
        connection: Any = None,
    ) -> DispatchHandle | list[DispatchHandle]:
        """See `convergekit.Hub.submit`; *connection* is a plain Connection or Session."""
        found: Any = self._call(lambda: self._hub.submit(content, to=to, via=via, key=key, connection=connection))
        return self._handles(found)  # type: ignore[no-any-return]

    def dispatch(self, id: str) -> DispatchHandle | None:
        """See `convergekit.Hub.dispatch`."""
        found = self._call(lambda: self._hub.dispatch(id))
        return None if found is None else DispatchHandle(self, found)

    def dispatches(self, *, limit: int = 100, recipient: To | None = None) -> list[DispatchHandle]:
        """See `convergekit.Hub.dispatches`."""
        found = self._call(lambda: self._hub.dispatches(limit=limit, recipient=recipient))
        return [DispatchHandle(self, each) for each in found]

    @overload
    def redeliver(
        self, what: DispatchHandle | Delivery | str, *, expires_at: datetime | None = ...
    ) -> DispatchHandle: ...
    @overload
    def redeliver(
        self,
        *,
        channel: str,
        to: Address | str | None = ...,
        since: datetime | None = ...,
        until: datetime | None = ...,
        only: Only = ...,
        limit: int | None = ...,
        expires_at: datetime | None = ...,
        dry_run: bool = ...,
    ) -> Redelivered: ...

    def redeliver(
        self, what: DispatchHandle | Delivery | str | None = None, **options: Any
    ) -> DispatchHandle | Redelivered:
        """See `convergekit.Hub.redeliver`."""
        one = what._handle if isinstance(what, DispatchHandle) else what
        again: Any = self._hub.redeliver
        found: Any = self._call(lambda: again(one, **options))
        return found if isinstance(found, Redelivered) else DispatchHandle(self, found)

    def redeliveries(
        self,
        channel: str,
        *,
        to: Address | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        only: Only = "failed",
        limit: int | None = None,
        expires_at: datetime | None = None,
        dry_run: bool = False,
    ) -> Iterator[Redelivery[DispatchHandle]]:
        """See `convergekit.Hub.redeliveries`; each is done when it is asked for."""

        async def begun() -> AsyncIterator[Redelivery[_asynchronous.DispatchHandle]]:
            return self._hub.redeliveries(
                channel, to=to, since=since, until=until, only=only, limit=limit, expires_at=expires_at, dry_run=dry_run
            )

        found = self._call(begun)
        while (each := self._call(lambda: _next(found))) is not None:
            handle = None if each.handle is None else DispatchHandle(self, each.handle)
            yield Redelivery(each.dispatch, each.delivery, each.left, handle)

    def plan(self, content: Content, *, to: To | Several, via: RouteLike | None = None) -> Plan:
        """See `convergekit.Hub.plan`."""
        return self._call(lambda: self._hub.plan(content, to=to, via=via))

    def native(self, event: Event) -> Any:
        """See `convergekit.Hub.native`."""
        return self._call(lambda: self._hub.native(event))

    def fetch(self, attachment: Attachment) -> Attachment:
        """See `convergekit.Hub.fetch`."""
        return self._call(lambda: self._hub.fetch(attachment))

    def read(self, attachment: Attachment, *, limit: int | None = None) -> bytes:
        """See `convergekit.Hub.read`."""
        return self._call(lambda: self._hub.read(attachment, limit=limit))

    def conversation(
        self,
        where: ConversationRef | Address | str | MessageReceived,
        *,
        channel: str | None = None,
        kind: ConversationKind = ConversationKind.DIRECT,
        thread: str | None = None,
    ) -> Conversation:
        """See `convergekit.Hub.conversation`."""
        return Conversation(self, self._hub.conversation(where, channel=channel, kind=kind, thread=thread))

    def channel(self, name: str) -> Channel:
        """See `convergekit.Hub.channel`."""
        return Channel(self, self._hub.channel(name))

    @property
    def channels(self) -> Sequence[Channel]:
        """See `convergekit.Hub.channels`."""
        return [Channel(self, each) for each in self._hub.channels]

    def add_channel(
        self,
        name: str,
        config: Mapping[str, Any] | str | BaseModel,
        *,
        adapter: str | type[Adapter[Any]] | None = None,
        options: ChannelOptions | None = None,
        **parts: Any,
    ) -> Channel:
        """See `convergekit.Hub.add_channel`; before the hub is entered it is only made known."""
        if self._portal is None:
            settings = channel_settings(name, config, adapter=adapter, options=options)
            return Channel(self, self._hub._add(settings, parts))
        added = self._call(lambda: self._hub.add_channel(name, config, adapter=adapter, options=options, **parts))
        return Channel(self, added)

    def remove_channel(self, name: str) -> None:
        """See `convergekit.Hub.remove_channel`."""
        self._call(lambda: self._hub.remove_channel(name))

    def health(self) -> HubHealth:
        """See `convergekit.Hub.health`."""
        return self._hub.health()

    def _handles(self, found: Any) -> Any:
        if isinstance(found, list):
            return [DispatchHandle(self, handle) for handle in found]
        return DispatchHandle(self, found)

    def _call(self, function: Callable[[], Awaitable[T]]) -> T:
        if self._portal is None:
            raise NotRunningError("the hub is not open: use it inside `with hub`")
        return self._portal.call(function)
