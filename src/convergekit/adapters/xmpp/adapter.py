"""The xmpp channel: lifetime and wiring; what is done stands in the modules beside it."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Final, Self

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from convergekit.abc import Adapter, ChannelContext, Health, Outgoing, RetryPolicy
from convergekit.errors import ConfigurationError, NotRunningError
from convergekit.model import (
    Address,
    Attachment,
    AttachmentLimit,
    Capabilities,
    ConversationKind,
    ConversationRef,
    Event,
    Idempotency,
    IdempotencyKind,
    Markup,
    PresenceChanged,
    Receipt,
    Status,
    TextLimit,
)

from .archives import History
from .checking import check
from .config import XmppConfig
from .files import Files
from .holder import Holder
from .identities import Identities
from .inflow import Inflow
from .rooms import Affiliation, Role, RoomAdmin, Rooms
from .roster import Roster
from .sending import Sender
from .session import Session
from .stanzas.namespaces import NS
from .stream import Stream

__all__ = ["XmppAdapter"]

_RESOURCE: Final = "resource"
_QUEUED: Final = 8 * 1024 * 1024  # octets that were read and are not stored, at most
_AROUND: Final = 4096  # octets that stand around a text in a stanza, at most
_EVERYWHERE: Final = frozenset({Status.ACCEPTED, Status.FAILED, Status.ANSWERED})
#: What others are told that we understand (XEP-0030).
_FEATURES: Final = (
    NS.CHAT_STATES,
    NS.CONFERENCE,
    NS.CORRECTION,
    NS.FALLBACK,
    NS.MARKERS,
    NS.MODERATION,
    NS.MUC,
    NS.OOB,
    NS.REACTIONS,
    NS.RECEIPTS,
    NS.REPLY,
    NS.RETRACTION,
    NS.SID,
    NS.STYLING,
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What there is while the channel is open."""

    stream: Stream
    holder: Holder
    sender: Sender
    files: Files
    rooms: Rooms
    admin: RoomAdmin
    roster: Roster
    history: History


class XmppAdapter(Adapter[XmppConfig]):
    """Sends and hears over one XML stream; after a loss it goes on where it stood.

    Args:
        config: The account.
        context: What the engine lends.
    """

    name = "xmpp"
    schemes = frozenset({"xmpp"})
    backends = frozenset({"asyncio"})  # as slixmpp
    Config = XmppConfig
    capabilities = Capabilities(
        text=TextLimit(max=262_144 - _AROUND, unit="byte", overflow="refuse"),
        markup=Markup(format="styling"),
        attachments=AttachmentLimit(count=10, size=100_000_000),
        threads=True,
        replies=True,
        receipts=_EVERYWHERE | {Status.RELAYED, Status.DELIVERED, Status.READ},
        idempotency=Idempotency(kind=IdempotencyKind.NATURAL),
        client_chosen_ids=True,
        typing_period=25.0,
    )
    # A server that is restarted is back within minutes, and order in a conversation is worth waiting for.
    retry: ClassVar[RetryPolicy] = RetryPolicy(base=1.0, cap=60.0, attempts=2000)
    hold: ClassVar[float] = 3600.0
    exclusive: ClassVar[bool] = True
    calls_started: ClassVar[bool] = True

    def __init__(self, config: XmppConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        if importlib.util.find_spec("slixmpp") is None:
            raise ConfigurationError("the xmpp channel needs an extra: pip install 'convergekit[xmpp]'")
        self.capabilities = self.capabilities.model_copy(
            update={
                "text": TextLimit(max=config.max_stanza - _AROUND, unit="byte", overflow="refuse"),
                "attachments": AttachmentLimit(count=10, size=config.max_file),
            }
        )
        # Everybody in a room would report; what comes back from the room itself is that it has passed it on.
        self._in_rooms = self.capabilities.model_copy(update={"receipts": _EVERYWHERE | {Status.RELAYED}})
        self._in_person = self.capabilities.model_copy(
            update={"receipts": _EVERYWHERE | {Status.DELIVERED, Status.READ}}
        )
        self._parts: _Parts | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Nothing is connected yet: `listen` does it, or who sends where nobody listens."""
        from .transport import XmppStream  # here: importing an adapter is to be cheap

        inflow = Inflow(stanzas=self.config.queue, octets=_QUEUED)
        features = [each for each in _FEATURES if self.config.receipts or each is not NS.RECEIPTS]
        stream = XmppStream(self.config, incoming=inflow, features=features, resource=await self._resource())
        identities = Identities()
        rooms = Rooms(self.config, self.context, stream)
        await rooms.recall()  # before anything is sent: to all in a room, or to a person, is told by whether it is one
        admin = RoomAdmin(self.config, self.context, stream, rooms)
        roster = Roster(self.config, self.context, stream)
        session = Session(self.config, self.context, stream, inflow, rooms=rooms, roster=roster, identities=identities)
        history = History(
            session.archives, session.intake, has_own=lambda: session.has_archive, channel=self.context.channel
        )
        async with anyio.create_task_group() as tasks:
            files = Files(stream, self.config, self.context, tasks)
            sender = Sender(self.config, stream, rooms, files, identities, moderate=admin.retract)
            holder = Holder(session.listen, tasks, self.context)
            self._parts = _Parts(stream, holder, sender, files, rooms, admin, roster, history)
            try:
                yield self
            finally:
                self._parts = None
                tasks.cancel_scope.cancel()
                with anyio.move_on_after(5, shield=True):
                    await stream.close()

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """In a room nobody confirms that it arrived or was read."""
        if self._parts is not None and self._parts.sender.is_room(conversation):
            return self._in_rooms
        return self._in_rooms if conversation.kind is ConversationKind.GROUP else self._in_person

    # --- messages -------------------------------------------------------------------------------------------------

    async def send(self, out: Outgoing) -> Receipt:
        """Hand *out* to the server; return once it has acknowledged it."""
        return await self._hand_over(out, lambda sender: sender.send)

    async def edit(self, out: Outgoing) -> Receipt:
        """Correct what we said (XEP-0308)."""
        return await self._hand_over(out, lambda sender: sender.edit)

    async def retract(self, out: Outgoing) -> Receipt:
        """Take back what we said (XEP-0424); as a moderator of a room what somebody said (XEP-0425)."""
        return await self._hand_over(out, lambda sender: sender.retract)

    async def react(self, out: Outgoing) -> Receipt:
        """Set our reactions (XEP-0444)."""
        return await self._hand_over(out, lambda sender: sender.react)

    async def mark_read(self, out: Outgoing) -> Receipt:
        """Say how far we have read (XEP-0333)."""
        return await self._hand_over(out, lambda sender: sender.mark_read)

    async def typing(self, conversation: ConversationRef, typing: bool) -> None:
        """Show that we type, or no more (XEP-0085)."""
        (await self._connected()).sender.typing(conversation, typing)

    async def upload(self, attachment: Attachment, conversation: ConversationRef) -> str:
        """Put *attachment* where whoever has the URL can get it (XEP-0363)."""
        return await (await self._connected()).files.upload(attachment)

    # --- in -------------------------------------------------------------------------------------------------------

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect, and admit what comes in, until cancelled or the session is over."""
        await self._open.holder.listen(task_status=task_status)

    async def history(
        self, conversation: ConversationRef, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        """What the server, or the room, keeps of *conversation* (XEP-0313); see `History.before`."""
        parts = await self._connected()
        is_room = parts.sender.is_room(conversation)
        return await parts.history.before(conversation, cursor, limit, is_room=is_room)

    async def check(self) -> Health:
        """Whether the account is let in, and what its server offers."""
        return await check(self.config, is_connected=self._parts is not None and self._parts.stream.bound is not None)

    # --- rooms ----------------------------------------------------------------------------------------------------

    async def create_room(self, name: str, **options: Any) -> ConversationRef:
        """Make a room and be in it, or set up one that is ours; see `RoomAdmin.create`."""
        return (await (await self._connected()).admin.create(name, **options)).conversation

    async def join(self, room: Address, *, nickname: str | None = None, password: str | None = None) -> ConversationRef:
        """Enter *room*, and come back to it after every loss, until `leave`."""
        return await (await self._connected()).rooms.join(room, nickname=nickname, password=password)

    async def leave(self, room: Address) -> None:
        """Leave *room*."""
        await self._open.rooms.leave(room)

    async def invite(self, room: Address, who: Address, text: str | None = None) -> None:
        """Invite *who* to *room*."""
        await (await self._connected()).admin.invite(room, who, text)

    async def members(self, room: Address) -> Sequence[Address]:
        """Who is in *room* now."""
        return await self._open.rooms.members(room)

    async def affiliations(self, room: Address, affiliation: Affiliation) -> Sequence[Address]:
        """Everybody of *affiliation* in *room*, there or not; see `RoomAdmin.affiliations`."""
        return await (await self._connected()).admin.affiliations(room, affiliation)

    async def moderate(
        self,
        room: Address,
        who: Address,
        *,
        role: Role | None = None,
        affiliation: Affiliation | None = None,
        reason: str | None = None,
    ) -> None:
        """Change what *who* may do in *room*; see `RoomAdmin.moderate`."""
        parts = await self._connected()
        await parts.admin.moderate(room, who, role=role, affiliation=affiliation, reason=reason)

    # --- presence -------------------------------------------------------------------------------------------------

    async def set_presence(self, presence: str, text: str | None = None) -> None:
        """Show *presence* to all who see us, and in all rooms; also after every loss."""
        parts = await self._connected()
        shown = await parts.roster.set_presence(presence, text)
        await parts.rooms.show(shown, text)

    async def presence_of(self, who: Address) -> PresenceChanged:
        """What is known of whether *who* is there: somebody who lets us see it, or an occupant of a room of ours."""
        return self._open.rooms.presence_of(who) or self._open.roster.presence_of(who)

    async def subscribe(self, who: Address, text: str | None = None) -> None:
        """Ask *who* to let us see whether they are there."""
        await (await self._connected()).roster.subscribe(who, text)

    async def unsubscribe(self, who: Address) -> None:
        """See it no more."""
        await (await self._connected()).roster.unsubscribe(who)

    async def accept_subscription(self, who: Address) -> None:
        """Let *who* see whether we are there."""
        await (await self._connected()).roster.accept_subscription(who)

    async def refuse_subscription(self, who: Address) -> None:
        """Do not let *who* see it, or no more."""
        await (await self._connected()).roster.refuse_subscription(who)

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> _Parts:
        if self._parts is None:
            raise NotRunningError("the xmpp channel is not open")
        return self._parts

    async def _connected(self) -> _Parts:
        """With a session, or with somebody who makes one."""
        parts = self._open
        await parts.holder.ready()
        return parts

    async def _hand_over(
        self, out: Outgoing, verb: Callable[[Sender], Callable[[Outgoing], Awaitable[Receipt]]]
    ) -> Receipt:
        parts, begun = self._open, False

        def started() -> None:
            nonlocal begun
            begun = True
            out.started()

        hand_over = partial(verb(parts.sender), replace(out, started=started))
        return await parts.holder.during(hand_over, is_begun=lambda: begun)

    async def _resource(self) -> str | None:
        """What names this connection among others of the account; the same for good, so that no ghost is left."""
        if self.config.is_component or self.config.resource is not None:
            return self.config.resource
        kept, version = await self.context.state.get(_RESOURCE)
        while not isinstance(kept, str):
            await self.context.state.put(_RESOURCE, f"convergekit-{secrets.token_hex(4)}", version=version)
            kept, version = await self.context.state.get(_RESOURCE)
        return kept
