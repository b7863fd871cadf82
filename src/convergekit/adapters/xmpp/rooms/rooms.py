"""The rooms that we are in: going in, staying in, coming back (XEP-0045, XEP-0410).

Rules kept here:

- Those of the settings are entered whenever a session begins; those that the host has joined as well, and they are
  kept in the channel's state, so that they outlive this process.
- A nickname that is taken, be it by the ghost of an earlier connection of ours, has a number added.
- Who refuses us for good, or puts us out, is not asked again until the host wants it. What merely fails is tried again
  with back-off, and no room that fails keeps the session from going on.
- A room does not tell everybody that it has forgotten them, so it is asked.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from itertools import count
from random import random as chance
from typing import Final
from xml.etree.ElementTree import Element

import anyio
from anyio.abc import TaskGroup

from convergekit.abc import ChannelContext, RetryPolicy
from convergekit.errors import DeliveryError, InvalidInputError, NotSentError, RejectedError
from convergekit.model import Address, ConversationRef, PresenceChanged

from .._asking import post
from .._kept import changed, kept
from ..config import XmppConfig
from ..jids import address_of, bare, shown, split
from ..stanzas.inbound import Reading
from ..stanzas.namespaces import NS, tag
from ..stanzas.presence import Shown
from ..stanzas.rooms import (
    leave_presence,
    nickname_presence,
    read_room_presence,
    self_ping,
)
from ..stream import StanzaError, Stream
from .entrance import Entrance
from .room import Attempt, Membership, Room

__all__ = ["Rooms"]

_STATE: Final = "rooms"
_BACK_OFF: Final = RetryPolicy(base=2.0, cap=300.0)
_AT_ONCE: Final = 10
#: Answers to a ping of ourselves that say that we are in (XEP-0410 §3.2): it came through, to one who does not answer.
_IS_IN: Final = frozenset({"service-unavailable", "feature-not-implemented"})
#: ... and that say nothing either way.
_UNREACHABLE: Final = frozenset({"remote-server-not-found", "remote-server-timeout"})


class Rooms:
    """The rooms of one channel, over however many sessions.

    Args:
        config: The channel's settings.
        context: What the engine lends.
        stream: Ours.
        entered: Called with a room's bare JID each time that we have come in, so that its archive is looked through.
        random: Gives values in [0, 1).
        token: Gives another word at each call.

    Attributes:
        entering: Called with a room's bare JID; holds what is said in it while we come in.
    """

    def __init__(
        self,
        config: XmppConfig,
        context: ChannelContext,
        stream: Stream,
        *,
        entered: Callable[[str], None] = lambda room: None,
        random: Callable[[], float] = chance,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._config, self._context, self._stream = config, context, stream
        self.entered = entered
        self.entering: Callable[[str], AbstractContextManager[object]] = nullcontext
        self._random, self._token = random, token
        self._own = address_of(config.jid)
        self._stays = count(1)
        self._rooms: dict[str, Room] = {}
        self._entrance = Entrance(context, stream, timeout=config.timeout, token=token, shown=_at_first(config))
        self._slots = anyio.Semaphore(_AT_ONCE)
        self._news = anyio.Event()
        for each in config.rooms:
            password = None if each.password is None else each.password.get_secret_value()
            self._rooms[each.room] = self._made(each.room, each.nickname, password, configured=True)

    # --- what others ask ------------------------------------------------------------------------------------------

    def room(self, jid: str) -> Room | None:
        """The room *jid*, bare and normalised, where we are in it or are about to be."""
        room = self._rooms.get(jid)
        return None if room is None or room.staying_out else room

    @property
    def joined(self) -> tuple[Room, ...]:
        """Those that we are in now."""
        return tuple(room for room in self._rooms.values() if room.joined)

    def presence_of(self, occupant: Address) -> PresenceChanged | None:
        """Whether somebody in a room of ours is there; None where *occupant* is in none."""
        jid, _, nickname = occupant.value.partition("/")
        if not nickname or (room := self.room(jid)) is None:
            return None
        found = room.occupant(nickname)
        shown = "offline" if found is None else found.shown
        return PresenceChanged(conversation=room.conversation, sender=occupant, presence=shown)

    async def members(self, room: Address) -> tuple[Address, ...]:
        """Who is in *room* now, by their nicknames; at most `OCCUPANTS`.

        Raises:
            RejectedError: We are not in it.
        """
        found = self.inside(room)
        return tuple(found.address(nickname) for nickname in found.occupants)

    def inside(self, room: Address) -> Room:
        """The room, where we are in it; else raises `RejectedError`, or `NotSentError` where we are on the way."""
        found = self.room(bare(room.value))
        if found is None:
            raise RejectedError("we are not in this room: join it first", channel=self._channel)
        if not found.joined:
            raise NotSentError("we are not back in this room yet", channel=self._channel)
        return found

    # --- what comes in --------------------------------------------------------------------------------------------

    def read(self, element: Element, *, now: datetime) -> Reading | None:
        """What *element*, a <presence/>, changes; None where it is from no room."""
        if "subscri" in element.get("type", ""):
            return None
        said = read_room_presence(element)
        room = self._rooms.get(said.room) if said is not None else None
        if said is None or room is None:
            # One that we have left has still something to say.
            return None if element.find(tag(NS.MUC_USER, "x")) is None else Reading()
        reading = room.observe(said, now)
        if room.is_lost or room.doubted or reading.events:
            self._tell()
        return reading

    def doubt(self, jid: str) -> None:
        """*jid* has refused what we said; if that is a room, and not somebody in it, see whether we are still in."""
        with suppress(InvalidInputError):
            found, nickname = split(jid)
            room = self._rooms.get(found)
            if room is not None and room.joined and nickname is None:
                room.doubted = True
                self._tell()

    # --- going in and out -----------------------------------------------------------------------------------------

    async def join(self, room: Address, *, nickname: str | None = None, password: str | None = None) -> ConversationRef:
        """Enter *room*, and come back to it until `leave`. Joining twice is joining once.

        Args:
            room: Its address; what stands behind a slash in it is the nickname, where none is named.
            nickname: Ours in it; None for the one that we had, or the channel's.
            password: Where it asks for one; it is kept with the channel's state.

        Raises:
            InvalidInputError: This can be no room.
            RejectedError: It is none, or it does not let us in.
            NotSentError: It could not be asked, or not now.
        """
        jid, named = split(room.value)
        if "@" not in jid:
            raise InvalidInputError("the address of a room is like xmpp:support@conference.example.org")
        found, _ = await self.enter(jid, nickname=nickname or named, password=password)
        return found.conversation

    async def enter(
        self, jid: str, *, nickname: str | None = None, password: str | None = None, opens: bool = True
    ) -> tuple[Room, bool]:
        """The room *jid*, once we are in, and whether that has made it; unless it *opens*, it is still locked then."""
        is_new = jid not in self._rooms
        room = self._rooms.setdefault(jid, self._made(jid, nickname, password))
        async with room.entering:
            if room.joined and nickname in (None, room.nickname):
                return room, False
            self._rooms[jid] = room
            before = room.wanted, room.password, room.staying_out
            room.wanted, room.password = nickname or room.wanted, password or room.password
            room.staying_out = False
            try:
                made = await self._enter(room, opens=opens)
                await self.remember(room)
            except BaseException:
                room.wanted, room.password, room.staying_out = before
                if is_new:
                    with suppress(DeliveryError):  # it may have let us in all the same
                        post(self._stream, leave_presence(jid, room.nickname))
                    self.drop(room)
                self._tell()
                raise
        return room, made

    async def leave(self, room: Address) -> None:
        """Leave *room*, and do not come back. Leaving twice is leaving once.

        One of the settings is entered again when the channel is opened anew.
        """
        found = self._rooms.get(bare(room.value))
        await self._forget(bare(room.value))
        if found is None:
            return
        found.staying_out = True
        found.fail(NotSentError("we leave this room", channel=self._channel))  # who is about to enter gives up
        async with found.entering:
            found.staying_out = True
            found.attempt = attempt = Attempt(self._token(), before=found.nickname)
            with suppress(NotSentError):  # without a session we are not in
                post(self._stream, leave_presence(found.jid, found.nickname))
                with anyio.move_on_after(self._config.timeout if found.joined else 0):
                    await attempt.answered.wait()  # set by `Room.lost`
            found.attempt = None
            self.drop(found)

    def drop(self, room: Room) -> None:
        """Want *room* no more, in this process."""
        room.staying_out = True
        room.lost()
        if not room.configured and self._rooms.get(room.jid) is room:
            del self._rooms[room.jid]

    async def show(self, presence: Shown, text: str | None = None) -> None:
        """Show *presence* in all rooms. Who is "offline" to everybody else stays in them, and is away.

        Told after everybody else.
        """
        self._entrance.shown = there, _ = ("away" if presence == "offline" else presence, text)
        if presence == "offline":  # with which the server has taken us out of all of them (RFC 6121 §4.5.2)
            return await self.rejoin()
        for room in self.joined if self._stream.bound is not None else ():
            stanza = nickname_presence(room.jid, room.nickname, id=self._token(), shown=there, text=text)
            post(self._stream, stanza)

    async def remember(self, room: Room) -> None:
        """Come back to *room* in another process, too. Those of the settings are in the settings."""
        if not room.configured:
            values = {"nickname": room.wanted, "password": room.password}
            entry = {name: value for name, value in values.items() if value is not None}
            await changed(self._context.state, _STATE, lambda table: table.update({room.jid: entry}))

    async def _forget(self, jid: str) -> None:
        await changed(self._context.state, _STATE, lambda table: table.pop(jid, None) and None)

    async def recall(self) -> None:
        """Know the rooms that the host has joined, in this process or in one before it: what is said there waits."""
        for jid, entry in (await kept(self._context.state, _STATE)).items():
            if jid not in self._rooms:
                self._rooms[jid] = self._made(jid, entry.get("nickname"), entry.get("password"))

    def _made(self, jid: str, nickname: str | None, password: str | None, *, configured: bool = False) -> Room:
        return Room(
            jid,
            own=self._own,
            wanted=nickname or self._config.our_nickname,
            password=password,
            configured=configured,
            stays=lambda: next(self._stays),
            token=self._token,
        )

    async def learn(self, room: Room) -> None:
        """Ask again what *room* can do."""
        await self._entrance.learn(room)

    async def _enter(self, room: Room, *, opens: bool = True) -> bool:
        """Come in, or have another nickname; whether the room was made by that."""
        if room.joined:
            return await self._entrance.name(room)
        await self._entrance.learn(room)
        with self.entering(room.jid):
            made = await self._entrance.enter(room, opens=opens)
            self.entered(room.jid)
        return made

    # --- staying --------------------------------------------------------------------------------------------------

    async def rejoin(self, *, resumed: bool = False) -> None:
        """Be in all rooms again, when a session has begun; in bounded time: what takes longer is left to `keep`.

        What comes in has to be given to `read` meanwhile.

        Args:
            resumed: Whether it is the session from before the connection was lost. The rooms are asked then.
        """
        await self.recall()
        if not resumed:
            for room in self._rooms.values():
                room.lost()
        with anyio.move_on_after(self._config.timeout):
            async with anyio.create_task_group() as tasks:
                for room in [each for each in self._rooms.values() if not each.staying_out]:
                    tasks.start_soon(self._look, room)

    async def keep(self) -> None:
        """Stay in them for as long as the session lasts; run it beside the session, until it is cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._look_regularly)
                while True:
                    news = self._news
                    for room in tuple(self._rooms.values()):
                        await self._care_for(room, tasks)
                    await news.wait()
        finally:
            for room in self._rooms.values():
                room.fail(NotSentError("the session is over", channel=self._channel))

    async def _care_for(self, room: Room, tasks: TaskGroup) -> None:
        if room.entering.locked():
            return  # whoever holds it tells when it is done
        if room.staying_out and not room.joined and not room.configured:
            self.drop(room)
            await self._forget(room.jid)
        elif room.is_lost and not room.coming_back:
            room.coming_back = True
            tasks.start_soon(self._come_back, room)
        elif room.doubted:
            room.doubted = False
            tasks.start_soon(self._look, room)

    async def _look_regularly(self) -> None:
        while True:
            await self._context.clock.sleep(self._config.room_ping_interval)
            async with anyio.create_task_group() as tasks:
                for room in self.joined:
                    tasks.start_soon(self._look, room)

    async def _look(self, room: Room) -> None:
        """Come back where we are not in."""
        async with self._slots:
            if room.joined and not await self._is_in(room):
                self._context.log.info("room %s has lost us", shown(room.jid))
                room.lost()
            if room.is_lost:
                await self._return(room)

    async def _is_in(self, room: Room) -> bool:
        """Whether we are in *room*, which it says itself (XEP-0410 §3); also where nobody can say."""
        try:
            await self._stream.request(self_ping(room.jid, room.nickname))
        except StanzaError as error:
            return error.condition in _IS_IN | _UNREACHABLE
        except NotSentError:
            return True
        return True

    async def _come_back(self, room: Room) -> None:
        try:
            for attempt in count(1):
                await self._context.clock.sleep(_BACK_OFF.delay(attempt, self._random))
                async with self._slots:
                    if not room.is_lost or await self._return(room):
                        return
        finally:
            room.coming_back = False
            self._tell()

    async def _return(self, room: Room) -> bool:
        """Try to come back into *room*; whether that is settled."""
        async with room.entering:
            if not room.is_lost:
                return True
            try:
                await self._enter(room)
            except RejectedError as error:
                if not room.staying_out and not (error.code or "").endswith("/conflict"):
                    await self._refused(room, error)
                return room.staying_out
            except DeliveryError as error:
                self._context.log.info("not back in room %s: %s", shown(room.jid), error.reason)
            return room.joined

    async def _refused(self, room: Room, error: RejectedError) -> None:
        """It does not let us in, and would not the next time: the host is told, and it is asked no more."""
        self._context.log.warning("room %s does not let us in any more [%s]", shown(room.jid), error.code)
        membership: Membership = "banned" if (error.code or "").endswith("/forbidden") else "removed"
        event = room.removed(membership, self._context.clock.now(), code=error.code)
        try:
            await self._context.admit(event)
        except BaseException:
            room.staying_out = False
            raise
        self._tell()

    def _tell(self) -> None:
        """Have `keep` look at all rooms."""
        self._news.set()
        self._news = anyio.Event()

    @property
    def _channel(self) -> str:
        return self._context.channel


def _at_first(config: XmppConfig) -> Shown:
    """Who is invisible to everybody else is seen in a room, for there is no other way to be in it."""
    return "available" if config.presence == "invisible" else config.presence
