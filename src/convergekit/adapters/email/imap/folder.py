"""The life of one folder: look, fetch, admit, settle, wait.

Rules kept here:

- What a mail says is read with BODY.PEEK: nothing is changed by looking.
- A mail is marked, moved or removed after `admit` has returned, and never before. What `admit` was told travels in the
  cursor (`Place.unsettled`), so that after a crash between the two, settling is done again; doing it twice changes
  nothing.
- Settling that the server refuses is told in the log, and mail goes on coming in: an archive folder that is missing
  must not keep a customer from being heard.
- A mail that cannot be had, though others can, or cannot be read does not stand in the way of them; it is told of by
  an event of its own.
- A server that tells of news again and again, and has none, is looked at less and less often.
- The bytes of one mail, or of a few that are small together, are in memory at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import checkpoint

from convergekit.abc import ChannelContext, Cursor
from convergekit.errors import ConfigurationError, InvalidInputError, place_of
from convergekit.model import CustomReceived, Event

from ..arrival import SLOW, Envelope, ToEvents
from ..config import ImapConfig
from ._errors import RefusedError
from ._fetched import Fetched
from .cursor import Place
from .session import Session

__all__ = ["FolderReader"]

_ASKED: Final = 200  # UIDs in one command
_BATCH: Final = 50  # mails in one admission ...
_BYTES: Final = 4 * 1024 * 1024  # ... and their octets
_SMALL: Final = 64 * 1024  # octets of a mail whose size does not matter
_AT_ONCE: Final = 8  # mails that are read without a pause for others
_TRIED: Final = 3  # other mails, before the server is taken for what is broken; and times to settle what is left
_IDLE_LOOKS: Final = 3  # at a folder in which nothing is, though the server says so
_SOON: Final = 1.0  # seconds; who has news more often than that should have some
_ANY_SIZE: Final = 2**32 - 1  # RFC 3501 §9: no number is larger

#: What `admit` raises of an event; what it raises of the ledger is another matter.
_NOT_THE_LEDGERS: Final = (InvalidInputError, TypeError, ValueError, ArithmeticError, RecursionError)

#: Refusals that say nothing about the mail that was asked for (RFC 5530).
_NOT_ITS_FAULT: Final = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "EXPIRED", "PRIVACYREQUIRED"})


class _Size(NamedTuple):
    """How large one mail is.

    Args:
        uid: Of the mail.
        octets: At most.
    """

    uid: int
    octets: int


class _Offer(NamedTuple):
    """What one mail becomes.

    Args:
        uid: Of the mail.
        events: To be admitted.
        settles: Whether it is then marked, moved or removed.
        is_read: Whether the events say what the mail says, and not only that it is there.
    """

    uid: int
    events: Sequence[Event]
    settles: bool = True
    is_read: bool = True


class FolderReader:
    """Reads one folder.

    Args:
        name: Of the folder.
        config: The account.
        context: What the engine lends.
        to_events: Makes events of a mail.
        max_size: Octets of the largest mail that is fetched; of a larger one there is the header.
    """

    def __init__(
        self, name: str, config: ImapConfig, context: ChannelContext, to_events: ToEvents, max_size: int
    ) -> None:
        self.name = name
        self._config = config
        self._context = context
        self._to_events = to_events
        self._max_size = max_size
        self._limiter = CapacityLimiter(1)

    async def read(self, session: Session, started: Callable[[], None]) -> None:
        """Admit what is in the folder and what comes into it, until cancelled or the connection ends."""
        place = await self._enter(session)
        started()
        await self._settle(session, place.unsettled)
        clock, in_vain = self._context.clock, 0
        while True:
            before, place = place, await self._look(session, place)
            begun = clock.monotonic()
            await session.wait(clock)
            in_vain = in_vain + 1 if place == before and clock.monotonic() - begun < _SOON else 0
            if in_vain > _IDLE_LOOKS:
                await clock.sleep(min(2.0 ** min(in_vain - _IDLE_LOOKS, 10), self._config.poll_interval))

    async def _enter(self, session: Session) -> Place:
        """Go into the folder; where to go on."""
        try:
            folder = await session.enter(self.name, read_only=self._config.after == "nothing")
            if self._config.move_to is not None:
                await session.look_at(self._config.move_to)
        except RefusedError as refused:
            if refused.code in _NOT_ITS_FAULT:
                raise
            raise ConfigurationError(self._why(refused)) from None
        place = Place.from_value(await self._context.cursor(self.name))
        if place is None:
            # Stored at once: what is read by others while we are away is new to us all the same.
            place = Place.at_first(folder.uidvalidity, folder.last, self._config.first, self._context.clock.now())
            await self._context.admit(cursor=Cursor(place.to_value(), feed=self.name))
        return place.under(folder.uidvalidity, folder.last)

    def _why(self, refused: RefusedError) -> str:
        if refused.code == "READ-ONLY":
            return f'imap.folders: {self.name!r} is read-only, which needs imap.after = "nothing"'
        where = f"{self.name!r} of imap.folders" + (
            f", or {self._config.move_to!r} of imap.move_to," if self._config.move_to else ""
        )
        return f"imap: {where} cannot be opened: {refused.reason}; look whether it exists, and is spelt so"

    # --- looking ----------------------------------------------------------------------------------------------------

    async def _look(self, session: Session, place: Place) -> Place:
        """Take in all that is new; returns where that has brought us."""
        for _ in range(_IDLE_LOOKS):
            while uids := place.new(await session.look(place.criteria)):
                for start in range(0, len(uids), _ASKED):
                    place = await self._take(session, place, uids[start : start + _ASKED])
                if not session.has_news:
                    return place
            if not session.has_news:
                break
        return place

    async def _take(self, session: Session, place: Place, uids: Sequence[int]) -> Place:
        """Admit and settle *uids*; those that are gone meanwhile somebody else has taken."""
        for batch in _batches(await self._sizes(session, uids), self._max_size):
            offers = await self._offers(session, place, batch, uids)
            place = await self._admit(session, place, offers, batch[-1].uid)
        return place.past(uids[-1], ())

    async def _admit(self, session: Session, place: Place, offers: Sequence[_Offer], last: int) -> Place:
        """Have *offers* stored, and settled; returns the place behind *last*."""
        settled = [each.uid for each in offers if each.settles and self._config.after != "nothing"]
        events = [event for each in offers for event in each.events]
        reached = place.past(last, settled)
        try:
            await self._context.admit(*events, cursor=Cursor(reached.to_value(), feed=self.name))
        except _NOT_THE_LEDGERS as error:
            # What it cannot hold, it will not hold next time either, and must not stand in the way of the others.
            if len(offers) == 1 and offers[0].is_read:
                reason = f"{type(error).__name__} at {place_of(error)}"
                return await self._admit(session, place, [self._unreadable(place, last, reason)], last)
            if len(offers) < 2:
                raise
            for each in offers:
                place = await self._admit(session, place, [each], each.uid)
            return place.past(last, ())
        await self._settle(session, reached.unsettled)
        return reached

    async def _sizes(self, session: Session, uids: Sequence[int]) -> Sequence[_Size]:
        """Of those of *uids* that are there, in order: exact where it matters, since each answer costs."""
        sizes: dict[int, int]
        try:
            sizes = dict.fromkeys(await session.small(uids, _SMALL), _SMALL)
            if more := [uid for uid in uids if uid not in sizes]:
                sizes |= {each.uid: each.size or self._max_size for each in await session.sizes(more)}
                sizes |= dict.fromkeys(await _kept_back(session, more, sizes), self._max_size)
        except RefusedError as refused:
            if refused.code in _NOT_ITS_FAULT:
                raise
            sizes = dict.fromkeys(uids, self._max_size)  # it is the fault of one of them, and not of all
        return [_Size(uid, sizes[uid]) for uid in uids if uid in sizes]

    async def _offers(
        self, session: Session, place: Place, batch: Sequence[_Size], among: Sequence[int]
    ) -> list[_Offer]:
        """What the mails of *batch* become; a part of one only where it stands alone, and is too large."""
        uids, octets = [each.uid for each in batch], sum(each.octets for each in batch)
        is_partial = octets > self._max_size and len(batch) == 1
        try:
            mails = await self._mails(session, uids, octets, is_partial=is_partial)
        except RefusedError as refused:
            if refused.code in _NOT_ITS_FAULT:
                raise
            if len(batch) > 1:
                return [offer for each in batch for offer in await self._offers(session, place, [each], among)]
            if refused.code == "EXPUNGEISSUED":  # RFC 5530: it was there when we looked
                return []
            if not await _gives_any(session, [uid for uid in among if uid != uids[0]]):
                raise  # the trouble is the server's, or may be; it is asked again
            return [self._unreadable(place, uids[0], refused.reason)]
        offers = []
        for number, each in enumerate(batch):
            if number % _AT_ONCE == 0:
                await checkpoint()
            if each.uid in mails:
                offers.append(await self._offer(place, mails[each.uid], each.octets if is_partial else None))
        return offers

    async def _mails(
        self, session: Session, uids: Sequence[int], octets: int, *, is_partial: bool
    ) -> dict[int, Fetched]:
        """What the server gives of those of *uids* that are there; raises `RefusedError` where it leaves one out."""
        found = await (session.header(uids[0]) if is_partial else session.bodies(uids, octets))
        # Of some the server only tells the flags, unasked; of one that is going just now it may say NIL.
        mails = {each.uid: each for each in found if each.content is not None}
        if await _kept_back(session, uids, mails):
            raise RefusedError("the server has it, and gives nothing of it")
        return mails

    async def _offer(self, place: Place, mail: Fetched, whole: int | None) -> _Offer:
        """What *mail* becomes; *whole* is its size where we have a part of it."""
        content = mail.content or b""
        envelope = Envelope(
            folder=self.name,
            uid=mail.uid,
            received_at=mail.received_at,
            size=whole or len(content),
            is_partial=whole is not None,
        )
        try:
            events = await self._translated(content, envelope)
        except Exception as error:
            return self._unreadable(place, mail.uid, f"{type(error).__name__} at {place_of(error)}", content)
        # What we have no more than the header of is not ours to delete.
        return _Offer(mail.uid, events, settles=whole is None or self._config.after != "delete")

    async def _translated(self, content: bytes, envelope: Envelope) -> Sequence[Event]:
        if len(content) > SLOW:
            call = partial(self._to_events, content, envelope)
            return await to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)
        return self._to_events(content, envelope)

    def _unreadable(self, place: Place, uid: int, reason: str, content: bytes | None = None) -> _Offer:
        """It is kept as it is, here and in the folder, for a person to look at."""
        self._context.log.error("mail %d of %r cannot be read: %s", uid, self.name, reason)
        which = hashlib.sha256(content).hexdigest() if content else f"{self.name}:{place.uidvalidity}:{uid}"
        event = CustomReceived(
            key=f"unreadable:{which}",
            name="mail.unreadable",
            automated=True,
            data={"folder": self.name, "uid": uid, "reason": reason},
            native=content,
        )
        return _Offer(uid, [event], settles=False, is_read=False)

    # --- settling ---------------------------------------------------------------------------------------------------

    async def _settle(self, session: Session, uids: Sequence[int]) -> None:
        """Do with *uids* what is to be done with mail that is safe."""
        reason = ""
        for _ in range(_TRIED):
            if not uids:
                return
            try:
                return await self._done_with(session, uids)
            except RefusedError as refused:
                reason = refused.reason
                if refused.code != "EXPUNGEISSUED":
                    break
            uids = await session.small(uids, _ANY_SIZE)  # somebody took one of them away; the others are there
        self._context.log.warning(
            "imap.after = %r was refused for %d mails in %r: %s", self._config.after, len(uids), self.name, reason
        )

    async def _done_with(self, session: Session, uids: Sequence[int]) -> None:
        config = self._config
        if config.after == "seen":
            await session.mark(uids, r"\Seen")
        elif config.after == "flag":
            await session.mark(uids, config.keyword)
        elif config.move_to is not None:
            await session.move(uids, config.move_to)
        elif config.after == "delete":
            await session.remove(uids)


async def _kept_back(session: Session, uids: Sequence[int], given: Container[int]) -> Sequence[int]:
    """Those of *uids* that were not *given*, and are there all the same."""
    missing = [uid for uid in uids if uid not in given]
    return sorted(set(await session.small(missing, _ANY_SIZE)).intersection(missing)) if missing else ()


async def _gives_any(session: Session, uids: Sequence[int]) -> bool:
    """Whether the server gives anything of some of *uids*."""
    for uid in uids[-_TRIED:]:
        try:
            if await session.header(uid):
                return True
        except RefusedError:
            pass
    return False


def _batches(mails: Sequence[_Size], max_size: int) -> Iterator[Sequence[_Size]]:
    """What is fetched and admitted together; what is too large alone."""
    batch: list[_Size] = []
    octets = 0
    for mail in mails:
        total = octets + mail.octets
        if batch and (len(batch) == _BATCH or total > _BYTES or max(octets, mail.octets) > max_size):
            yield batch
            batch, total = [], mail.octets
        batch.append(mail)
        octets = total
    if batch:
        yield batch
