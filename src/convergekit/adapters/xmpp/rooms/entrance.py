"""Getting into a room (XEP-0045 §7.2): what it can do, a nickname that is free, its answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import anyio

from convergekit.abc import ChannelContext
from convergekit.errors import NotSentError, RejectedError

from .._asking import ask, post, refusal
from ..jids import shown
from ..stanzas.disco import disco_query, read_features
from ..stanzas.namespaces import NS
from ..stanzas.presence import Shown
from ..stanzas.room_form import form_submit
from ..stanzas.rooms import join_presence, nickname_presence
from ..stanzas.times import earlier, moment
from ..stream import StanzaError, Stream
from .room import Attempt, Room

__all__ = ["Entrance"]

_NICKNAMES: Final = 10
_PATIENCE: Final = 10


class Entrance:
    """Brings us into rooms, one try at a time.

    Args:
        context: What the engine lends.
        stream: Ours.
        timeout: Seconds for each answer.
        token: Gives another word at each call.

    Attributes:
        shown: What we show in rooms, and what we say about it.
    """

    def __init__(
        self, context: ChannelContext, stream: Stream, *, timeout: float, token: Callable[[], str], shown: Shown
    ) -> None:
        self._context, self._stream, self._timeout, self._token = context, stream, timeout, token
        self.shown: tuple[Shown, str | None] = (shown, None)

    async def learn(self, room: Room) -> None:
        """Ask what *room* can do. Who is not in may not be told; one that has no time now may have an archive."""
        try:
            room.features = read_features(await self._stream.request(disco_query(room.jid)))
        except (StanzaError, NotSentError) as error:
            self._context.log.debug("room %s does not say what it can do", shown(room.jid))
            if isinstance(error, StanzaError) and error.type != "wait":
                room.features = room.features or frozenset()

    async def enter(self, room: Room, *, opens: bool) -> bool:
        """Come into *room*; whether that has made it. Unless it *opens*, it is still locked then.

        Raises:
            RejectedError: It does not let us in.
            NotSentError: It could not be asked, or not now.
        """
        if room.features and NS.MUC not in room.features:  # to enter would be to show ourselves to somebody
            raise RejectedError("this is no room", channel=self._context.channel)
        made = await self.name(room, since=None if room.has_archive else await self._last_heard(room))
        if made and opens:
            opening = form_submit(room.jid, {})
            await ask(self._stream, opening, "the room cannot be opened", channel=self._context.channel)
        if made or not room.features:
            await self.learn(room)
        return made

    async def name(self, room: Room, *, since: datetime | None = None) -> bool:
        """Have the nickname that we want in *room*, or one with a number behind it; whether that has made the room.

        Args:
            room: Where we are in, or not yet.
            since: From when on it is to repeat what was said, where we are not.
        """
        number = 1
        while True:
            try:
                return await self._try(room, room.wanted if number == 1 else f"{room.wanted}-{number}", since)
            except StanzaError as error:
                number += 1
                if error.condition == "conflict" and number <= _NICKNAMES:
                    continue
                # A room that somebody is just setting up is not found by others (XEP-0045 §10.1).
                what, passing = "the room does not let us in", {"item-not-found"}
                raise refusal(error, what, channel=self._context.channel, passing=passing) from error

    async def _try(self, room: Room, nickname: str, since: datetime | None) -> bool:
        """Ask for *nickname*, and wait for the answer; whether the room was made by that."""
        room.attempt = attempt = Attempt(self._token(), before=room.nickname)
        shown, text = self.shown
        try:
            if room.joined:
                asked = nickname_presence(room.jid, nickname, id=attempt.id, shown=shown, text=text)
            else:
                asked = join_presence(
                    room.jid, nickname, id=attempt.id, password=room.password, since=since, shown=shown, text=text
                )
            post(self._stream, asked)
            await self._answer(attempt)
        finally:
            room.attempt = None
        if attempt.error is not None:
            raise attempt.error
        return attempt.made

    async def _answer(self, attempt: Attempt) -> None:
        """Wait for it; for a large room longer, as long as it goes on telling who is in it."""
        for _ in range(_PATIENCE):
            heard = attempt.heard
            with anyio.move_on_after(self._timeout):
                await attempt.answered.wait()
            if attempt.answered.is_set():
                return
            if attempt.heard == heard:
                break
        raise NotSentError("the room does not answer", channel=self._context.channel)

    async def _last_heard(self, room: Room) -> datetime | None:
        """Before the last message of the room was stored: without an archive it repeats what came after that."""
        cursor = await self._context.cursor(f"room:{room.jid}")
        at = moment(cursor.get("at")) if isinstance(cursor, dict) else None
        return None if at is None else earlier(at)
