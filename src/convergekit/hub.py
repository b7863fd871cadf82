"""The hub: what a host application holds."""

from __future__ import annotations

import logging
import random as _random
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, overload

import anyio
from anyio import AsyncContextManagerMixin
from pydantic import BaseModel

from ._channel import Channel
from ._dead_letters import DeadLetter, DeadLetters
from ._handles import Content, Conversation, DispatchHandle, as_message
from ._recipients import Several, To, as_recipient, recipients
from ._redelivery import Only, Redelivered, Redelivering, Redelivery, Selection
from ._sending import Sending
from .abc import Adapter, Archive, Clock, ReceivesWebhooks, Store
from .config import ChannelSettings, channel_settings, load
from .engine.blobs import native_of
from .engine.channels import ChannelState
from .engine.clock import Ids, SystemClock
from .engine.engine import Engine
from .engine.facts import Facts
from .engine.lanes import LEASE_SECONDS
from .engine.options import ChannelOptions
from .engine.parts import check_parts
from .engine.planner import Planner
from .engine.rechecking import Rechecking
from .engine.redelivering import Left
from .engine.retention import Retention
from .errors import ConfigurationError, InvalidInputError, NotRunningError, UnsupportedContentError
from .model import (
    Address,
    Attachment,
    Contact,
    ConversationKind,
    ConversationRef,
    Delivery,
    Dispatch,
    Event,
    MessageReceived,
)
from .router import (
    STANDARD,
    ConsentStore,
    ContactBook,
    ContactResolver,
    Gate,
    Plan,
    RouteLike,
    Router,
    recipient_key,
)
from .stores.named import DEFAULT_URL, store_at

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from .asgi import Receiver, WebhookApp

__all__ = [
    "Channel",
    "ChannelHealth",
    "Content",
    "Conversation",
    "DeadLetter",
    "DeadLetters",
    "DispatchHandle",
    "Hub",
    "HubHealth",
    "Left",
    "Redelivered",
    "Redelivery",
    "Several",
    "To",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How one channel is.

    Args:
        state: "up", "standby", "degraded", "down", "opening" or "closed".
        reason: Why, or None.
        adapter: Name of its adapter.
    """

    state: str
    reason: str | None
    adapter: str


@dataclass(frozen=True, slots=True)
class HubHealth:
    """How the hub is.

    Args:
        ok: Whether the hub is open and every channel that it is to open is up, or on standby.
        channels: Each channel by name.
        ready: Whether the hub is open and takes in what comes, on the channels that are up; from the moment at which
            each was tried to be opened, until the hub begins to drain.
    """

    ok: bool
    channels: Mapping[str, ChannelHealth]
    ready: bool


class Hub(AsyncContextManagerMixin):
    """Sends and receives over any medium, through one interface. Enter it once, with `async with`.

    Inside, every method may be called from any number of tasks.

    Args:
        store: The ledger: a `Store`, or its URL: "sqlite:///FILE", "postgresql://USER@HOST/DATABASE", or "memory:",
            which ends with the process. Without one it is SQLite in `convergekit.db`, in the current folder. Nothing
            is opened before the hub is entered.
        router: Handlers; the hub's own decorators add to it.
        role: "all"; "send" for channels that only send, so that nothing is taken in; or "submit" to open the store
            only: a web process beside workers.
        gates: Asked before each leg goes; the default asks time to live, consent, the loop guard and `not_before`.
        contacts: Who is behind an address; the default keeps contacts in the store.
        consents: What people agreed to; the default keeps it in the store.
        clock: Time.
        random: Chance: jitter and ids.
        handlers: Events handled at the same time.
        sends: Deliveries under way at the same time, over all channels.
        drain: Seconds that leaving waits for work that is due.
        lease: Seconds after which the work of a process that has died is taken over by another. Longer than the
            `send_timeout` of each channel, or that channel is refused; and long enough to outlast a pause of the whole
            process.
        retention: How long content is kept, by age and channel; None for good.
    """

    __convergekit_inject__: ClassVar[str] = "hub"

    def __init__(
        self,
        *,
        store: Store | str | URL = DEFAULT_URL,
        router: Router | None = None,
        role: Literal["all", "send", "submit"] = "all",
        gates: Sequence[Gate] | None = None,
        contacts: ContactResolver | None = None,
        consents: ConsentStore | None = None,
        clock: Clock | None = None,
        random: _random.Random | None = None,
        handlers: int = 64,
        sends: int = 64,
        drain: float = 10.0,
        lease: float = LEASE_SECONDS,
        retention: Retention | None = None,
    ) -> None:
        self.store: Store = store_at(store)
        self.router = Router() if router is None else router
        self.clock: Clock = SystemClock() if clock is None else clock
        self._role = role
        # Of the host's own making, and kept where a test's hub stands in for this one.
        self._asked: dict[str, Any] = {"gates": gates, "contacts": contacts, "consents": consents}
        chance = random or _random.Random()
        self._own_chance = chance if random is None else None
        self._ids = Ids(self.clock, chance)
        self._open = self._entered = self._opened = False
        self._thread = 0
        all_gates = STANDARD if gates is None else tuple(gates)
        facts = Facts(self.store, self.clock, all_gates, contacts=contacts, consents=consents)
        self._engine = Engine(
            store=self.store,
            clock=self.clock,
            random=chance,
            dispatcher=self.router.compiled,
            scope=_Scope(self),
            answer=lambda event, reply, key: self._sending.answers(event, reply, key),
            counted=facts.counted,
            consent=facts.consents.record,
            recheck=lambda dispatch, delivery: rechecking.recheck(dispatch, delivery),
            role=role,
            handlers=handlers,
            sends=sends,
            drain=drain,
            lease=lease,
            retention=retention,
        )
        self._planner = Planner(self.store, self.clock, self._ids, self._engine.channels, facts, all_gates)
        rechecking = Rechecking(self._planner, facts, self.clock, all_gates, self._engine.ledger.submit)
        self._sending = Sending(self._engine, self._planner, facts, self.clock, self._check_open)
        self.dead_letters = DeadLetters(self._engine, self._sending, self._ids, all_gates, self._check_open)
        self._redelivering = Redelivering(self._engine, self._sending, self._ids, self._check_open)
        self.contacts = ContactBook(facts.contacts)
        self.consents = facts.consents
        # The same decorators as on a router, so that a small application needs no other object.
        self.on_message = self.router.on_message
        self.on_event = self.router.on_event
        self.on_unhandled = self.router.on_unhandled
        self.middleware = self.router.middleware
        self.include = self.router.include

    @classmethod
    def from_toml(
        cls, path: str | Path, *, parts: Mapping[str, Mapping[str, Any]] | None = None, **options: Any
    ) -> Self:
        """A hub with the channels and the store of a configuration file; *options* as for `Hub`, and they win.

        Args:
            path: The file.
            parts: By channel, what `add_channel` takes beside the settings: a token store, an HTTP `transport` ...
            options: As for `Hub`.

        Raises:
            ConfigurationError: With every problem of the file; or *parts* are wrong, or for a channel it does not have.
            TypeError: A part is of another kind.
        """
        settings, parts = load(path), parts or {}
        if strangers := sorted(parts.keys() - settings.channels.keys()):
            raise ConfigurationError(
                f"parts: there is no channel {strangers[0]!r}; there are {sorted(settings.channels)}"
            )
        for name, each in parts.items():
            check_parts(name, each)
        if "store" not in options:
            options["store"] = settings.store.make()
        options.setdefault("retention", settings.store.retention)
        hub = cls(**options)
        for channel in settings.channels.values():
            hub._add(channel, parts.get(channel.name, {}))
        return hub

    # Life

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Open the store, the channels and outbound work; leaving drains, then closes in order."""
        if self._entered:
            raise ConfigurationError("a hub is entered once; make another one, with the same store if you like")
        self._entered = True
        if self._own_chance is not None:
            self._own_chance.seed()  # a process may have been forked since: its children are not to make the same ids
        try:
            # From here on, not only once every channel has opened: handlers of what is in the ledger run before that.
            self._open, self._thread = True, get_ident()
            async with self._engine:
                self._opened = True
                yield self
        finally:
            self._open = False  # and not before: while it drains, handlers send

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM, then drain. A second signal does not wait any longer."""
        self._check_open()
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for received in signals:
                _log.info("%s: draining", signal.Signals(received).name)
                break
            async with anyio.create_task_group() as tasks:

                async def hurry() -> None:
                    async for _ in signals:
                        await self._engine.drain(hurry=True)

                tasks.start_soon(hurry)
                await self._engine.drain()
                tasks.cancel_scope.cancel()

    async def idle(self) -> None:
        """Return once nothing is left that could be done now; what waits for a time does not count. For tests."""
        await self._engine.idle()

    @property
    def archive(self) -> Archive:
        """Everything that was said on every channel: to be searched, exported, and in time forgotten."""
        self._check_open()
        return self.store.archive

    def health(self) -> HubHealth:
        """How every channel is, and why."""
        channels = {
            name: ChannelHealth(runtime.state.value, runtime.reason, runtime.adapter_class.name)
            for name, runtime in self._engine.channels.items()
        }
        well = (ChannelState.UP.value, ChannelState.STANDBY.value)
        all_up = all(each.state in well for each in channels.values())
        ready = self._opened and self._engine.intake.is_open
        return HubHealth(self._open and (all_up or self._role == "submit"), channels, ready)

    # Channels

    async def add_channel(
        self,
        name: str,
        config: Mapping[str, Any] | str | BaseModel,
        *,
        adapter: str | type[Adapter[Any]] | None = None,
        options: ChannelOptions | None = None,
        **parts: Any,
    ) -> Channel:
        """Add a channel, and open it if the hub is open; others do not notice.

        Args:
            name: As the host calls it.
            config: A table as in TOML, a DSN, or an adapter's own `Config`.
            adapter: Its name or class, where *config* does not tell.
            options: The engine's settings; those of a table stand in the table.
            parts: What the adapter may ask for beside its settings: a token provider, an HTTP `transport` ...

        Raises:
            ConfigurationError: The settings or the name of a part are wrong, or the name is taken.
            TypeError: A `transport` or an `http_client` is none.
        """
        check_parts(name, parts)
        channel = self._add(channel_settings(name, config, adapter=adapter, options=options), parts)
        await self._engine.open(channel._runtime)
        return channel

    async def remove_channel(self, name: str) -> None:
        """Close a channel and forget it; what is queued for it stays in the ledger."""
        await self._engine.remove(name)

    def channel(self, name: str) -> Channel:
        """The handle on one channel; raises `ConfigurationError` where there is none."""
        runtime = self._engine.channels.get(name)
        if runtime is None:
            raise ConfigurationError(f"there is no channel {name!r}; there are {sorted(self._engine.channels)}")
        return Channel(runtime)

    @property
    def channels(self) -> Sequence[Channel]:
        """Every channel."""
        return [Channel(runtime) for runtime in self._engine.channels.values()]

    def _add(self, settings: ChannelSettings, parts: Mapping[str, Any]) -> Channel:
        return Channel(self._engine.add(settings.name, settings.adapter, settings.config, settings.options, parts))

    # Sending

    @overload
    async def send(
        self,
        content: Content,
        *,
        to: To,
        via: RouteLike | None = ...,
        key: str | None = ...,
        timeout: float | None = ...,
    ) -> DispatchHandle: ...
    @overload
    async def send(
        self,
        content: Content,
        *,
        to: Several,
        via: RouteLike | None = ...,
        key: str | None = ...,
        timeout: float | None = ...,
    ) -> list[DispatchHandle]: ...

    async def send(
        self,
        content: Content,
        *,
        to: To | Several,
        via: RouteLike | None = None,
        key: str | None = None,
        timeout: float | None = 30.0,
    ) -> DispatchHandle | list[DispatchHandle]:
        """Submit, and wait until each leg is accepted, refused or unknown, or has to wait for something.

        A leg that is still to be tried comes back as QUEUED, with the reason and the time of the next attempt.
        Cancelling stops the waiting, not the message.

        Args:
            content: Text, or a `Message`.
            to: To whom; several get one dispatch each, unseen by each other.
            via: Which way; without one, the only channel that serves the address.
            key: Unique with the recipient, for good: submitted again it finds what is there.
            timeout: Seconds to wait at most, or None.

        Raises:
            DeliveryError: To one recipient: the ledger will not try again, or does not know (`UncertainError`).
                For several, look at each handle's `error`.
            ConfigurationError: No way leads there.
            KeyConflictError: The key was used for other content.
            InvalidInputError: The text, or the address, makes no sense.
            UnsupportedContentError: The channel cannot carry it, or there is nothing to say.
        """
        handles = await self._sending.submit(content, recipients(to), via=via, key=key)
        if not isinstance(to, list | tuple):
            return await handles[0].sent(timeout)
        async with anyio.create_task_group() as waiting:
            for handle in handles:
                waiting.start_soon(handle.settled, timeout)
        return handles

    @overload
    async def submit(
        self, content: Content, *, to: To, via: RouteLike | None = ..., key: str | None = ..., connection: Any = ...
    ) -> DispatchHandle: ...
    @overload
    async def submit(
        self,
        content: Content,
        *,
        to: Several,
        via: RouteLike | None = ...,
        key: str | None = ...,
        connection: Any = ...,
    ) -> list[DispatchHandle]: ...

    async def submit(
        self,
        content: Content,
        *,
        to: To | Several,
        via: RouteLike | None = None,
        key: str | None = None,
        connection: Any = None,
    ) -> DispatchHandle | list[DispatchHandle]:
        """Return when the message is safe in the ledger; arguments and errors as for `send`.

        Args:
            content: Text, or a `Message`.
            to: To whom.
            via: Which way.
            key: Unique with the recipient, for good.
            connection: Of the host's own transaction, to the same database as the ledger's: a Connection, Session,
                AsyncConnection or AsyncSession of SQLAlchemy. The message is then safe when the host has committed,
                and never was there when it rolls back; until then nothing is sent, and there is nothing to cancel.
        """
        handles = await self._sending.submit(content, recipients(to), via=via, key=key, connection=connection)
        return handles if isinstance(to, list | tuple) else handles[0]

    async def dispatch(self, id: str) -> DispatchHandle | None:
        """The handle on what was submitted before, maybe by another process; None where the ledger has no such id.

        Args:
            id: `DispatchHandle.id`, as a host has stored it, or the `dispatch` of a `DeliveryError`; or the id of one
                of its deliveries on a channel that is known here, as a thin webhook tells it.
        """
        self._check_open()
        found = await self._redelivering.find(id)
        return None if found is None else self._handle(found)

    async def dispatches(self, *, limit: int = 100, recipient: To | None = None) -> list[DispatchHandle]:
        """What was submitted, the newest first; `state` tells what is still to be done.

        Args:
            limit: How many at most, from 1 on.
            recipient: Only what went to this one: what was given to `to=`.

        Raises:
            InvalidInputError: The limit is less than 1, or the address makes no sense.
        """
        self._check_open()
        if limit < 1:
            raise InvalidInputError(f"limit has to be 1 or more, not {limit}")
        key = None if recipient is None else recipient_key(as_recipient(recipient))
        return [self._handle(each) for each in await self.store.dispatches(limit=limit, recipient=key)]

    @overload
    async def redeliver(
        self, what: DispatchHandle | Delivery | str, *, expires_at: datetime | None = ...
    ) -> DispatchHandle: ...
    @overload
    async def redeliver(
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

    async def redeliver(
        self,
        what: DispatchHandle | Delivery | str | None = None,
        *,
        expires_at: datetime | None = None,
        **selection: Any,
    ) -> DispatchHandle | Redelivered:
        """Send again from the ledger what failed, or what the receiver has lost.

        Where the medium recognises a repeat (`capabilities.idempotency`; webhooks do), it goes with the same key, and
        may have been taken before. Elsewhere only what failed goes, its missing parts, with a new key.
        It is safe to ask twice, in several processes at once, and once more after an interruption.

        Args:
            what: A message, or one delivery of it: a handle, or its id. Of a message goes what failed and is needed, or
                all of it where nothing failed. Without it, all that the rest chooses, as for `redeliveries`.
            expires_at: Until when it may be sent now; needed for what has expired.
            selection: As for `redeliveries`.

        Returns:
            Of one message its handle; else how many go again, and why the others do not.

        Raises:
            InvalidInputError: Nothing of *what* goes again, and why; or an argument makes no sense.
            ConfigurationError: The channel is not known here, so nobody can say whether its medium recognises a repeat.
        """
        if (what is None) == ("channel" not in selection):
            raise InvalidInputError("redeliver() takes one message, or channel=")
        if what is not None:
            if selection:
                raise InvalidInputError(f"for one message there is no {next(iter(selection))}=")
            return await self._redelivering.one(what, expires_at)
        return await self._redelivering.many(Selection(**selection, expires_at=expires_at))

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
    ) -> AsyncIterator[Redelivery[DispatchHandle]]:
        """`redeliver` in bulk, one after another as it is gone through: the oldest first, a page in memory at a time.

        Args:
            channel: What went out by this one.
            to: Only what went to this address.
            since: Only what was made from then on: submitted, or sent again.
            until: Only what was made before. Without it, before now; who goes on after an interruption, and wants
                `only="all"`, says the same as the first time, or what went again since goes once more.
            only: "failed" for what came to no good end: given up, refused, expired, unknown. "all" also for what was
                taken.
            limit: How many go again at most.
            expires_at: As for `redeliver`.
            dry_run: Only say what would be done.

        Raises:
            ConfigurationError: There is no such channel.
            InvalidInputError: An argument makes no sense.
        """
        return self._redelivering.each(
            Selection(channel, to, since, until, only, limit, expires_at=expires_at, dry_run=dry_run)
        )

    def _handle(self, dispatch: Dispatch) -> DispatchHandle:
        return DispatchHandle(self._sending, self._engine.ledger.watch(dispatch))

    async def plan(self, content: Content, *, to: To | Several, via: RouteLike | None = None) -> Plan:
        """What `send` would do, and why: each leg, gate and degradation. Nothing is sent or stored."""
        self._check_open()
        return await self._planner.plan(as_message(content), recipients(to), via, self._sending.origin())

    def conversation(
        self,
        where: ConversationRef | Address | str | MessageReceived,
        *,
        channel: str | None = None,
        kind: ConversationKind = ConversationKind.DIRECT,
        thread: str | None = None,
    ) -> Conversation:
        """The handle on a conversation: of an event, a stored reference, or an address on a channel.

        Args:
            where: An address needs the rest to be told apart; the others know it.
            channel: Name; without it, the only channel that serves the address.
            kind: PUBLIC for posts.
            thread: The medium's thread.
        """
        if isinstance(where, Event):
            if where.conversation is None:
                raise ConfigurationError(f"the event {where.key} has no conversation")
            return Conversation(self._sending, where.conversation, where)
        if isinstance(where, ConversationRef):
            return Conversation(self._sending, where)
        address = where if isinstance(where, Address) else Address.parse(where)
        name = channel or self._planner.channel_for(address)
        return Conversation(self._sending, ConversationRef(channel=name, address=address, kind=kind, thread=thread))

    # Content

    async def native(self, event: Event) -> Any:
        """The untouched original of *event*, also where it is so large that the store keeps it apart.

        Raises:
            StoreError: It is gone.
        """
        self._check_open()
        return await native_of(event.native, self.store)

    async def fetch(self, attachment: Attachment) -> Attachment:
        """*attachment* with its content in the store; what the medium serves by URL is fetched now, if it was not yet.

        Raises:
            NotSentError: It cannot be had now.
            AccountError: The medium does not give it to us.
            RejectedError: It is gone for good, or (`UnsupportedContentError`) larger than the channel's `fetch_media`,
                or that channel does not fetch.
        """
        self._check_open()
        return await self._engine.media.fetched(attachment)

    @asynccontextmanager
    async def open(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The bytes of *attachment*, wherever they are, in chunks of at most 64 KiB; errors as for `fetch`.

        Raises:
            StoreError: They are gone.
        """
        self._check_open()
        async with self._engine.media.open(attachment) as chunks:
            yield chunks

    async def read(self, attachment: Attachment, *, limit: int | None = None) -> bytes:
        """All bytes of *attachment*; more than *limit* raise `UnsupportedContentError`. Else as `open`."""
        content = bytearray()
        async with self.open(attachment) as chunks:
            async for chunk in chunks:
                content += chunk
                if limit is not None and len(content) > limit:
                    name = attachment.name or "without a name"
                    raise UnsupportedContentError(f"the attachment {name} has more than the {limit} bytes of limit=")
        return bytes(content)

    # What the engine asks for

    def receiver(self, channel: str) -> Receiver | None:
        """The door for webhooks of one channel: what `asgi.WebhookApp` asks for. None where there is no such door.

        Raises:
            NotRunningError: The hub, or the channel, takes nothing in now.
        """
        self._check_open()
        runtime = self._engine.channels.get(channel)
        if runtime is None or not runtime.receives_webhooks or not runtime.takes_in:
            return None
        if runtime.adapter is None or not self._engine.intake.is_open:
            raise NotRunningError(f"channel {channel} takes nothing in now")
        return _Door(cast(ReceivesWebhooks, runtime.adapter), runtime.context.admit)

    def asgi(self, **options: Any) -> WebhookApp:
        """The ASGI app that receives for every channel, to be mounted or served; *options* as for `WebhookApp`."""
        from .asgi import WebhookApp

        return WebhookApp(self, **options)

    def _check_open(self) -> None:
        if not self._open:
            raise NotRunningError("the hub is not open: use it inside `async with hub`")
        if get_ident() != self._thread:
            # Events of another loop would be set from here: waiters are missed, and Trio fails in the midst of a send.
            raise ConfigurationError(
                "this hub lives in the event loop of another thread; call it by anyio.from_thread there, "
                "or use convergekit.sync.Hub, which any number of threads may share"
            )


class _Scope:
    """What handlers are given."""

    __slots__ = ("hub",)

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def conversation(self, event: Event) -> Conversation | None:
        return None if event.conversation is None else Conversation(self.hub._sending, event.conversation, event)

    def channel(self, event: Event) -> Channel | None:
        runtime = self.hub._engine.channels.get(event.channel)
        return None if runtime is None else Channel(runtime)

    async def contact(self, event: Event) -> Contact | None:
        return None if event.sender is None else await self.hub.contacts.by_address(event.sender)


@dataclass(frozen=True, slots=True)
class _Door:
    """See `asgi.Receiver`."""

    adapter: ReceivesWebhooks
    admit: Callable[..., Any]
