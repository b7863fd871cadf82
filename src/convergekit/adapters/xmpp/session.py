"""One session after the other: connected, known to the server, caught up, and heard until it ends.

Rules kept here:

- What is read before the session is set up is read all the same: whoever stops reading hears no answers either.
- What the server does not offer is done without, and said; what it does not answer is not waited for for long.
- A room is entered before what waits for it is written.
- All that fails is let out: the engine begins again. What is not safe by then comes again, resent or archived.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus

from convergekit.abc import ChannelContext
from convergekit.errors import AccountError, LeaseLostError, NotRunningError, NotSentError

from .archives import Archives, CatchUp, Place, Places
from .config import XmppConfig
from .identities import Identities
from .inflow import OWN, Inflow, feed_of, room_feed, room_of
from .intake import Incoming, Intake
from .keepalive import keep_alive
from .rooms import Rooms
from .roster import Roster
from .stanzas.inbound import Reading, read
from .stanzas.namespaces import NS, tag
from .stream import Bound, StanzaError, Stream
from .surroundings import Surroundings

__all__ = ["BATCH", "Session"]

BATCH: Final = 64  # stanzas that are admitted together
_AGAIN: Final = 60.0  # seconds until an archive is asked again that had no time
_LOOK: Final = 600.0  # seconds between looks at our archive
_BODY: Final = tag(NS.CLIENT, "body")
_MESSAGE: Final = tag(NS.CLIENT, "message")
_PRESENCE: Final = tag(NS.CLIENT, "presence")


class Session:
    """Hears by one stream, over any number of connections; `listen` is one of them.

    Args:
        config: The channel's settings.
        context: What the engine lends.
        stream: Whose `incoming` is *inflow*.
        inflow: What was read and is not stored yet.
        rooms: Those that we are in.
        roster: Those that we know.
        identities: What names which message.

    Attributes:
        facts: What is known around us.
        archives: To be asked for history.
        has_archive: Whether there is one of ours; None while that is not known.
        intake: Makes events of stanzas.
    """

    def __init__(
        self,
        config: XmppConfig,
        context: ChannelContext,
        stream: Stream,
        inflow: Inflow,
        *,
        rooms: Rooms,
        roster: Roster,
        identities: Identities,
    ) -> None:
        self._config, self._context, self._stream, self._inflow = config, context, stream, inflow
        self._rooms, self._roster = rooms, roster
        self.facts = Surroundings(config, identities, rooms.room)
        self.archives = Archives(stream, lambda: self.facts.own)
        self.intake = Intake(context, self._translate, stream.post)
        self._places = Places()
        self._catch_up = CatchUp(self.archives, inflow, self.intake, context, self._places, config.page)
        self._tasks: TaskGroup | None = None
        self._catching: set[str] = set()
        self._has_carbons = False
        self.has_archive: bool | None = None
        inflow.attach(stream)
        inflow.clock = context.clock.monotonic
        inflow.divert = self.archives.take
        inflow.is_archived = self._is_archived
        rooms.entering = self._entering
        rooms.entered = self._entered

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Connect, and admit what comes in until cancelled or the session is over.

        Raises:
            AccountError: A person has to act.
            NotSentError: The connection could not be made, or was lost.
            StoreError: The ledger failed; nothing of what it did not take is acknowledged.
        """
        if self._stream.bound is not None:
            self._stream.abort()  # whoever was here before has left in the middle
        self._places.clear()
        self._inflow.clear()
        self._inflow.hold(OWN)
        try:
            bound = await self._stream.open()
            try:
                await self._hear(bound, task_status)
            except ExceptionGroup as group:
                raise _decisive(group) from None
        except Exception:
            if self._stream.bound is not None:
                self._stream.abort()
            raise
        finally:
            self._tasks = None
            self._inflow.clear()

    async def _hear(self, bound: Bound, task_status: TaskStatus[None]) -> None:
        self.facts.begin(bound)
        self._catching.clear()
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._stream.ended)
            self._tasks.start_soon(self._read)
            await self._prepare(bound)
            self._stream.flow()
            self._tasks.start_soon(self._rooms.keep)
            self._tasks.start_soon(self._roster.keep)
            self._tasks.start_soon(keep_alive, self._stream, self._inflow, self._context, self._config)
            self._tasks.start_soon(self._look_regularly)
            task_status.started()

    # --- setting up -----------------------------------------------------------------------------------------------

    async def _prepare(self, bound: Bound) -> None:
        self.has_archive = not self._config.is_component and await self._introduce(bound)
        if self.has_archive:
            await self._catch_up.begin(OWN)
        # Who shows no presence gets no messages (RFC 6121 §8.5). What is archived until then comes no other way, so
        # that the archive is looked through afterwards.
        await self._roster.begin(resumed=bound.resumed)
        if self.has_archive:
            self._start(OWN)
        else:
            self._inflow.release(OWN)
        await self._rooms.rejoin(resumed=bound.resumed)
        for room in self._rooms.joined:
            feed = room_feed(room.jid)
            if feed not in self._catching and not self._places.is_live(feed):  # we have stayed in it
                self._entered(room.jid)

    async def _introduce(self, bound: Bound) -> bool:
        """Let the server know what we want, and ourselves what it can do; whether we have an archive."""
        features: set[str] = set()

        async def ask() -> None:
            features.update(await self.facts.features(self._stream, self.facts.own))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            if not (bound.resumed and self._has_carbons):
                tasks.start_soon(self._enable_carbons)
        # One that does not say is asked: what was said while we were away would wait until the session after this.
        if NS.MAM in features or not self.facts.knows(self.facts.own):
            return True
        self._lacks("archive", "what is said while we are away is lost, but for what the server keeps by itself")
        return False

    async def _enable_carbons(self) -> None:
        iq = Element(tag(NS.CLIENT, "iq"), {"type": "set"})
        SubElement(iq, tag(NS.CARBONS, "enable"))
        try:
            await self._stream.request(iq)
            self._has_carbons = True
        except (StanzaError, NotSentError):
            self._has_carbons = False
            self._lacks("carbons", "what other devices of the account say and hear is not seen here")

    def _lacks(self, what: str, meaning: str) -> None:
        self._context.log.info("the server has no %s: %s", what, meaning)

    @contextmanager
    def _entering(self, room: str) -> Generator[None]:
        """What *room* says as soon as we are in waits for what was said before."""
        feed = room_feed(room)
        self._places.stop(feed)
        self._inflow.hold(feed)
        try:
            yield
        finally:
            if feed not in self._catching:
                self._inflow.release(feed)

    def _entered(self, room: str) -> None:
        """We have come into *room*."""
        feed, found = room_feed(room), self._rooms.room(room)
        if found is not None and (found.has_archive or found.features is None):  # it has, or may have
            self._start(feed)
        else:
            self._places.go_live(feed)

    def _start(self, feed: str) -> None:
        """Catch up with *feed*; where that is going on, once more at its end."""
        if feed in self._catching:
            self._inflow.missed.add(feed)
        elif self._tasks is not None:
            self._catching.add(feed)
            self._tasks.start_soon(self._catch, feed)

    async def _catch(self, feed: str) -> None:
        while True:
            if feed == OWN:
                await self.facts.features(self._stream, self.facts.own)  # where it has not said yet
            try:
                done = await self._catch_up.run(feed)
            except NotRunningError:
                return
            finally:
                self._catching.discard(feed)
            if not done:
                await self._context.clock.sleep(_AGAIN)
            if done or feed in self._catching or self._places.is_live(feed):
                return
            self._catching.add(feed)

    async def _look_regularly(self) -> None:
        """Pass over what we have said ourselves: who mostly sends would find all of it there after the next loss.

        And who shows no presence hears only by this.
        """
        while True:
            await self._context.clock.sleep(_LOOK)
            if self.has_archive:
                self._start(OWN)

    # --- hearing --------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Hear, for as long as the hub takes something in; what it still sends is to have its session."""
        try:
            await self._read_on()
        except NotRunningError:
            self._inflow.close()

    async def _read_on(self) -> None:
        """Have what comes stored, and then let the server forget it."""
        inflow, places = self._inflow, self._places
        while True:
            items = await inflow.take(BATCH)
            stanzas = [Incoming(item.element) for item in items]
            readings = self.intake.read(stanzas)
            for stanza, reading in zip(stanzas, readings, strict=True):
                self._move(stanza.element, reading)
            await self.intake.admit(stanzas, readings, places.next())
            inflow.done(items)
            while inflow.is_empty and (cursor := places.next()) is not None:
                await self._context.admit(cursor=cursor)

    def _move(self, element: Element, reading: Reading) -> None:
        """Where this brings us in its archive, once it is admitted."""
        now = self._context.clock.now()
        if (found := reading.archived) is not None:
            self._places.move(found.feed, Place(found.id, found.at or now))
        elif (feed := feed_of(element)) and self._is_kept_by_time(feed):
            self._places.move(feed, Place(None, now))

    def _is_kept_by_time(self, feed: str) -> bool:
        """Whether this is a room that has no archive: it repeats what came after a time."""
        room = self._rooms.room(room_of(feed) or "")
        return room is not None and room.features is not None and not room.has_archive

    def _translate(self, stanza: Incoming) -> Reading:
        element, now = stanza.element, self._context.clock.now()
        if element.tag == _MESSAGE:
            if element.get("type") == "error" and stanza.archived is None:
                self._rooms.doubt(element.get("from", ""))
            return read(element, self.facts, now=now, archived=stanza.archived)
        if element.tag == _PRESENCE and (found := self._rooms.read(element, now=now)) is not None:
            return found
        return self._roster.read(element, now=now)

    def _is_archived(self, message: Element) -> bool:
        if next(message.iter(_BODY), None) is None:  # reading a report makes use of it, and nobody need keep it
            return False
        return any(each.archived is not None for each in self.intake.read([Incoming(message)]))


def _decisive(group: ExceptionGroup[Exception]) -> Exception:
    """Of what went wrong together, what a person should be told; that the connection is lost, only if that is all."""
    return min(_leaves(group), key=_rank)


def _rank(error: Exception) -> int:
    if isinstance(error, AccountError | LeaseLostError):
        return 0
    return 2 if isinstance(error, NotSentError) else 1


def _leaves(error: Exception) -> list[Exception]:
    if not isinstance(error, ExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in _leaves(each)]
