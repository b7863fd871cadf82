"""Lifetime and wiring."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Self

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from convergekit.abc import Adapter, ChannelContext, Cursor, Health, Outgoing
from convergekit.errors import (
    DeliveryError,
    NotSentError,
    StoreError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import (
    Address,
    Capabilities,
    ConversationKind,
    ConversationRef,
    Event,
    GapDetected,
    Receipt,
    Status,
)

from . import translator
from .config import IrcConfig
from .inbox import Inbox
from .transport import Session
from .wire import Line, command, is_room

__all__ = ["IrcAdapter"]

_REST: Final = 5.0
_ROOMS: Final = "rooms"


# [class]
class IrcAdapter(Adapter[IrcConfig]):
    """Connects one account on one IRC network.

    Args:
        config: The account.
        context: What the engine lends.
    """

    name = "irc"
    schemes = frozenset({"irc"})
    Config = IrcConfig
    capabilities = Capabilities(text=translator.text_limit(nick=33))
    exclusive = True  # a nickname is on one connection
    # [class end]

    def __init__(self, config: IrcConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        self._nick_bytes = len(config.nick.encode()) + 3  # underscores, while it is taken
        self.capabilities = Capabilities(text=translator.text_limit(self._nick_bytes))
        self._inbox = Inbox()
        self._connecting = anyio.Lock()
        self._session: Session | None = None
        self._heard: Session | None = None
        self._rests_until = 0.0
        self._tasks: TaskGroup

    # [life]
    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """A place for the task that serves the connection. It is made when it is needed."""
        async with anyio.create_task_group() as self._tasks:
            yield self
            self._tasks.cancel_scope.cancel()

    # [life end]

    # [capabilities]
    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """A shorter name leaves more room for text."""
        limit = translator.text_limit(self._nick_bytes, len(conversation.address.value.encode()))
        return self.capabilities.model_copy(update={"text": limit})

    # [capabilities end]

    # [send]
    async def send(self, out: Outgoing) -> Receipt:
        """Say it line by line; return once the server has read each, and has refused none."""
        lines = translator.to_lines(out, "" if self._session is None else self._session.source)
        session = await self._session_to_send_on()
        for said, line in enumerate(lines):
            try:
                answers = await session.ask(line, out.started)
            except NotSentError as exc:
                if said:
                    raise UncertainError(f"{exc.reason}, after {said} lines") from exc
                raise
            if (refused := translator.refusal(answers, said=said)) is not None:
                raise refused
        return Receipt(Status.ACCEPTED)

    # [send end]

    # [listen]
    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Admit what is said, in order, until the connection is lost."""
        self._inbox.is_heard = True
        session = await self._connected()
        await self._tell_of_gap(session)
        task_status.started()
        while batch := await self._inbox.next(lambda: session.lost is not None):
            await self._admit(*(translator.to_event(each.line, key=each.key, nick=each.nick) for each in batch))
            self._inbox.taken(len(batch))
        raise NotSentError(session.lost or "the connection was lost")

    # [listen end]

    # [admit]
    async def _admit(self, *events: Event | None) -> None:
        """Store what has a key, with the time up to which nothing is missing; pass on what has none."""
        stored = [event for event in events if event is not None and event.key]
        if stored:
            await self.context.admit(*stored, cursor=Cursor(self.context.clock.now().isoformat()))
        for event in events:
            if event is not None and not event.key:
                self.context.notify(event)

    async def _tell_of_gap(self, session: Session) -> None:
        """IRC keeps nothing for those who are away: say so, after each time that we were."""
        if session is self._heard:
            return
        since = await self.context.cursor()
        if since is not None:
            now = self.context.clock.now()
            reason = "we were not connected, and IRC keeps nothing"
            gap = GapDetected(key=f"gap:{session.id}", since=datetime.fromisoformat(since), until=now, reason=reason)
            await self._admit(gap)
        self._heard = session

    # [admit end]

    # [check]
    async def check(self) -> Health:
        """Whether the server lets us in, and answers."""
        try:
            session = await self._connected()
            await session.ask()
        except DeliveryError as exc:
            return Health(ok=False, detail=exc.reason)
        host, port = self.config.where
        return Health(ok=True, detail=f"connected to {host}:{port} as {session.nick}")

    # [check end]

    # Rooms

    # [rooms]
    async def join(self, room: Address, *, nickname: str | None = None) -> ConversationRef:
        """Enter, now and after each time that the connection was lost.

        Raises:
            RejectedError: We are not let in.
        """
        if nickname is not None and nickname != self.config.nick:
            raise UnsupportedContentError("on IRC a nickname is the same in all rooms")
        name = translator.to_room(room)
        await self._done(command("JOIN", name))
        await self._remember(name, True)
        return ConversationRef(channel=self.context.channel, address=room, kind=ConversationKind.GROUP)

    async def leave(self, room: Address) -> None:
        """Leave; a room of the settings is entered again with the next connection, and others are not."""
        name = translator.to_room(room)
        await self._remember(name, False)
        await self._done(command("PART", name), fine=("403", "442"))  # we are not there

    async def invite(self, room: Address, who: Address, text: str | None = None) -> None:
        """Invite somebody; IRC has no words for it, so *text* is said to them before."""
        nick, name = translator.to_target(who), translator.to_room(room)
        if text:
            await self._done(command("PRIVMSG", nick, text))
        await self._done(command("INVITE", nick, name), fine=("443",))  # they are there

    async def members(self, room: Address) -> Sequence[Address]:
        """Who is in it; nobody, where we are not told."""
        answers = await self._done(command("NAMES", translator.to_room(room)))
        names = (name for line in answers if line.command == "353" for name in line.params[-1].split())
        return tuple(translator.to_address(name.lstrip("~&@%+").partition("!")[0]) for name in names)

    async def create_room(self, name: str, **options: Any) -> ConversationRef:
        """A room is there as soon as somebody enters it."""
        if options:
            raise UnsupportedContentError(f"a room of IRC is made without {', '.join(sorted(options))}")
        return await self.join(Address.build("irc", name if is_room(name) else f"#{name}"))

    # [rooms end]

    async def _done(self, line: bytes, *, fine: Sequence[str] = ()) -> Sequence[Line]:
        session = await self._session_to_send_on()
        answers = await session.ask(line)
        refused = translator.refusal([answer for answer in answers if answer.command not in fine], said=0)
        if refused is not None:
            raise refused
        return answers

    async def _remember(self, room: str, joined: bool) -> None:
        """The rooms that we were told to be in, beside those of the settings; they outlive the process."""
        while True:
            rooms, version = await self.context.state.get(_ROOMS)
            others = [each for each in rooms or () if each != room]
            if await self.context.state.put(_ROOMS, [*others, room] if joined else others, version=version):
                return

    # The connection

    # [session]
    async def _session_to_send_on(self) -> Session:
        """The connection; a new one only where nobody listens, for else the engine says when it is time for one."""
        async with self._connecting:
            if self._session is not None and self._session.lost is None:
                return self._session
            # Waiting for a connection is no attempt, or an outage of some hours would use up those of every message.
            if self._inbox.is_heard:
                raise ThrottledError("not connected", retry_after=_REST)
            left = self._rests_until - self.context.clock.monotonic()
            if left > 0:  # many messages wait; one of them tries
                raise ThrottledError("not connected", retry_after=left)
            try:
                return await self._open()
            except NotSentError:
                self._rests_until = self.context.clock.monotonic() + _REST
                raise

    async def _connected(self) -> Session:
        async with self._connecting:
            if self._session is not None and self._session.lost is None:
                return self._session
            return await self._open()

    async def _open(self) -> Session:
        """Connect, log in, and enter the rooms that we are to be in."""
        session = Session(self.config, self.context.clock, self._inbox)
        await self._tasks.start(session.run)
        try:
            await self._enter_rooms(session)
        except (UncertainError, StoreError) as exc:
            session.lose("the rooms could not be entered")
            raise NotSentError("connected, and lost again before we were in our rooms") from exc
        except BaseException:
            session.lose("it was given up while it was made")
            raise
        self._session = session
        return session

    async def _enter_rooms(self, session: Session) -> None:
        rooms, _ = await self.context.state.get(_ROOMS)
        for room in dict.fromkeys([*self.config.rooms, *(rooms or ())]):
            refused = translator.refusal(await session.ask(command("JOIN", room)), said=0)
            if refused is not None:
                self.context.log.warning("room %a: %s [%s]", room, refused.reason, refused.code)

    # [session end]
