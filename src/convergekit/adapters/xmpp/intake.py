"""From a stanza to the ledger: read, admitted, and then told of.

Nothing that somebody sends keeps what others send from being heard: what cannot be read, or what the ledger cannot
hold, becomes an event that says so. What the ledger itself has to say is let out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from convergekit.abc import Admission, ChannelContext, Cursor
from convergekit.errors import InvalidInputError, NotSentError, place_of
from convergekit.model import CustomReceived, Event

from . import jids
from .stanzas.inbound import Archived, Reading

__all__ = ["Incoming", "Intake", "Translate"]

#: What `admit` raises of an event; what it raises of the ledger is another matter.
_NOT_THE_LEDGERS: Final = (InvalidInputError, TypeError, ValueError, ArithmeticError, RecursionError)


class Incoming(NamedTuple):
    """What is to be read.

    Args:
        element: As it came, or as the archive has it.
        archived: Where it was found in an archive that was asked; None for what came by itself.
    """

    element: Element
    archived: Archived | None = None


Translate = Callable[[Incoming], Reading]


class Intake:
    """Where everything comes in.

    Args:
        context: What the engine lends.
        translate: Says what a stanza means.
        post: Sends what nobody waits for.
    """

    def __init__(self, context: ChannelContext, translate: Translate, post: Callable[[Element], None]) -> None:
        self._context = context
        self._translate = translate
        self._post = post

    def read(self, stanzas: Sequence[Incoming]) -> list[Reading]:
        """What each of *stanzas* says."""
        return [self._read(each) for each in stanzas]

    async def admit(
        self, stanzas: Sequence[Incoming], readings: Sequence[Reading], cursor: Cursor | None = None, *more: Event
    ) -> None:
        """Have *readings* stored, and *more* before them; then do what they ask for."""
        events = [*more, *(event for each in readings for event in each.events)]
        if events or cursor is not None:
            try:
                admitted = await self._context.admit(*events, cursor=cursor)
            except _NOT_THE_LEDGERS as error:
                await self._one_by_one(stanzas, readings, cursor, more, error)
                return
        else:
            admitted = ()
        answers = iter(admitted[len(more) :])
        for stanza, reading in zip(stanzas, readings, strict=True):
            new = [next(answers) is Admission.NEW for _ in reading.events]
            self._tell(reading, replies=stanza.archived is None or any(new))

    def _tell(self, reading: Reading, *, replies: bool) -> None:
        if reading.refused is not None:
            self._context.log.info("not believed: %s", reading.refused)
        for notice in reading.notices:
            self._context.notify(notice)
        for reply in reading.replies if replies else ():  # who was told before need not be told at each catching up
            with suppress(NotSentError):
                self._post(reply)

    async def _one_by_one(
        self,
        stanzas: Sequence[Incoming],
        readings: Sequence[Reading],
        cursor: Cursor | None,
        more: Sequence[Event],
        error: Exception,
    ) -> None:
        """What the ledger cannot hold must not stand in the way of the others, nor of the place."""
        if len(stanzas) == 1 and not more and cursor is None:
            self._say(stanzas[0], error)
            await self._context.admit(*_unreadable(stanzas[0], error).events)
            return
        for event in more:
            await self._context.admit(event)
        for stanza, reading in zip(stanzas, readings, strict=True):
            await self.admit([stanza], [reading])
        if cursor is not None:
            await self._context.admit(cursor=cursor)

    def _read(self, stanza: Incoming) -> Reading:
        try:
            return self._translate(stanza)
        except Exception as error:
            self._say(stanza, error)
            return _unreadable(stanza, error)

    def _say(self, stanza: Incoming, error: Exception) -> None:
        sender = jids.shown(stanza.element.get("from"))
        kind, place = type(error).__name__, place_of(error)
        self._context.log.error("a stanza from %s cannot be read: %s at %s", sender, kind, place)


def _unreadable(stanza: Incoming, error: Exception) -> Reading:
    """That there is something; who sent it may look what it was."""
    element = stanza.element
    sender, id = element.get("from", ""), element.get("id", "")
    # The same when it comes again, which what has no id may do as another one.
    which = repr((sender, id or secrets.token_hex(8)))
    event = CustomReceived(
        key=f"unreadable:{hashlib.sha256(which.encode('utf-8', 'surrogatepass')).hexdigest()}",
        name="xmpp.unreadable",
        automated=True,
        data={
            "from": jids.shown(sender),
            "id": jids.shown(id),
            "reason": f"{type(error).__name__} at {place_of(error)}",
        },
    )
    return Reading(events=(event,))
