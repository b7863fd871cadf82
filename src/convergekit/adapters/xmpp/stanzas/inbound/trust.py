"""Which of what a message bears is to be believed: ids and times that a server says, or that anybody may have written.

Rules kept here:

- A stanza-id counts from our own server and from the room, where they say that they remove forged ones (XEP-0359 §5),
  and only if there is one: a server that leaves a forged one in place adds its own to it.
- An occupant id counts from a room that says that it makes them (XEP-0421 §4).
- A time counts from those who can have kept the message: our own server, and the room (XEP-0203 §6).
- A room speaks for itself alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from convergekit.errors import InvalidInputError

from ...jids import normalised, split
from ..namespaces import NS, tag
from ..texts import identifier
from ..times import moment
from .facts import Archived, Facts, RoomFacts
from .stanza import Stanza

__all__ = ["kept_since", "occupant_id", "real_jid", "stanza_id"]

_MUC_USER: Final = tag(NS.MUC_USER, "x")
_ITEM: Final = tag(NS.MUC_USER, "item")
_STANZA_ID: Final = tag(NS.SID, "stanza-id")
_OCCUPANT_ID: Final = tag(NS.OCCUPANT_ID, "occupant-id")
_DELAY: Final = tag(NS.DELAY, "delay")
_BODY: Final = tag(NS.CLIENT, "body")
_STORED: Final = frozenset({"chat", "normal"})
#: Without them a server has no reason not to archive what has a body (XEP-0334).
_NOT_STORED: Final = (tag(NS.HINTS, "no-store"), tag(NS.HINTS, "no-permanent-store"))


def stanza_id(stanza: Stanza, room: str | None, facts: Facts, archived: Archived | None) -> str | None:
    """What *room*, or else our own server, calls it in its archive (XEP-0359)."""
    by = room or facts.own
    if not facts.trusts_ids(by):
        return None
    if archived is not None:
        return archived.id
    if room is None and not _is_kept(stanza):
        return None  # what is not archived gets no id, and keeps one that is forged
    found = [each for each in stanza.all(_STANZA_ID) if _is(each.get("by"), by)]
    return identifier(found[0].get("id")) if len(found) == 1 else None


def _is_kept(stanza: Stanza) -> bool:
    """Whether a server has no reason not to archive *stanza* (XEP-0313 §5.1.1)."""
    return (
        stanza.type in _STORED and _BODY in stanza.children and not any(hint in stanza.children for hint in _NOT_STORED)
    )


def kept_since(stanza: Stanza, facts: Facts, sender: str) -> datetime | None:
    """When it was said, where somebody kept it who says so."""
    keepers = {facts.own, facts.own.rpartition("@")[2]}
    if stanza.type == "groupchat":
        keepers.add(sender)
    stamps = (moment(each.get("stamp")) for each in stanza.all(_DELAY) if _is(each.get("from"), *keepers))
    return min((at for at in stamps if at is not None), default=None)


def occupant_id(stanza: Stanza, room: RoomFacts | None) -> str | None:
    """What *room* calls who said it, under whatever nickname (XEP-0421)."""
    found = stanza.all(_OCCUPANT_ID)
    if room is None or not room.trusts_occupant_ids or len(found) != 1:
        return None
    return identifier(found[0].get("id"))


def real_jid(stanza: Stanza, archived: Archived | None) -> str | None:
    """Of an occupant, as a room's archive shows it; live, a sender could have written it (XEP-0313 §5.1.2)."""
    marks = stanza.all(_MUC_USER)
    if archived is None or not archived.feed or len(marks) != 1 or (item := marks[0].find(_ITEM)) is None:
        return None
    return normalised(item.get("jid"))


def _is(jid: str | None, *bares: str) -> bool:
    """Whether *jid* is one of *bares*: these themselves, and not a resource of theirs."""
    if not jid:
        return False
    try:
        bare, resource = split(jid)
    except InvalidInputError:
        return False
    return resource is None and bare in bares
