"""What is done to an earlier message: it is corrected, taken back, reacted to (XEP-0308, 0424, 0425, 0444).

Rules kept here:

- Who did not write a message neither corrects it nor takes it back. Where its author is known, and is another, it is a
  `CustomReceived` "xmpp.forged" and nothing else. Where the message is from before this process has seen it, nobody can
  tell: the event is there, and its details say `unverified`.
- A room alone speaks for its moderators.
- The body beside a retraction or a reaction is for those who know neither, and is not said by anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from convergekit.model import CustomReceived, Event, MessageEdited, MessageRetracted, ReactionChanged

from ..namespaces import NS, tag
from ..texts import identifier, line
from . import authors
from .arrival import Arrival
from .content import content_of

__all__ = ["correction", "reactions", "retraction", "tombstone"]

_REPLACE: Final = tag(NS.CORRECTION, "replace")
_RETRACT: Final = tag(NS.RETRACTION, "retract")
_RETRACTED: Final = tag(NS.RETRACTION, "retracted")
_MODERATED: Final = tag(NS.MODERATION, "moderated")
_APPLY_TO: Final = tag(NS.FASTENING, "apply-to")
_RETRACT_0: Final = tag(NS.RETRACTION_0, "retract")
_MODERATED_0: Final = tag(NS.MODERATION_0, "moderated")
_REACTIONS: Final = tag(NS.REACTIONS, "reactions")
_REACTION: Final = tag(NS.REACTIONS, "reaction")
_MOST_REACTIONS: Final = 50
_LONGEST_REACTION: Final = 64
_LONGEST_REASON: Final = 1000


def correction(arrival: Arrival) -> Sequence[Event] | None:
    """Another text for an earlier message (XEP-0308)."""
    replace = arrival.stanza.first(_REPLACE)
    target = identifier(replace.get("id")) if replace is not None else None
    content = content_of(arrival)
    if target is None or content is None:
        return None
    named, is_theirs = _named(arrival, target)
    if is_theirs is False:
        return (_forged(arrival, "correction", target),)
    details = content.details | _doubt(is_theirs)
    return (MessageEdited(**arrival.fields(**details), **content.fields, target=named),)


def retraction(arrival: Arrival) -> Sequence[Event] | None:
    """An earlier message is taken back, by whoever wrote it, or by the room (XEP-0424, XEP-0425)."""
    target, retract, moderated = _retracted(arrival)
    if target is None or retract is None:
        return None
    if moderated is not None:
        if not arrival.is_group or arrival.nickname is not None:
            return (_forged(arrival, "moderation", target),)
        known = arrival.facts.identities.find(arrival.place, target)
        named = target if known is None else known.message_id
        return (MessageRetracted(**arrival.fields(**_moderation(retract, moderated)), target=named),)
    named, is_theirs = _named(arrival, target)
    if is_theirs is False:
        return (_forged(arrival, "retraction", target),)
    return (MessageRetracted(**arrival.fields(**_doubt(is_theirs)), target=named),)


def tombstone(arrival: Arrival) -> Sequence[Event] | None:
    """What an archive has in the place of a message that was taken back (XEP-0424 §5.2)."""
    retracted = arrival.stanza.first(_RETRACTED)
    if not arrival.found or retracted is None or arrival.message_id is None:
        return None  # nobody but an archive says so
    moderated = retracted.find(_MODERATED)
    details = {} if moderated is None else _moderation(retracted, moderated)
    return (MessageRetracted(**arrival.fields("retracted", **details), target=arrival.message_id),)


def reactions(arrival: Arrival) -> Sequence[Event] | None:
    """All that somebody thinks of a message (XEP-0444)."""
    found = arrival.stanza.first(_REACTIONS)
    target = identifier(found.get("id")) if found is not None else None
    if found is None or target is None:
        return None
    known = arrival.facts.identities.find(arrival.place, target)
    said = (identifier((each.text or "").strip()) for each in found.findall(_REACTION)[:_MOST_REACTIONS])
    shown = tuple(dict.fromkeys(each for each in said if each is not None and len(each) <= _LONGEST_REACTION))
    named = target if known is None else known.message_id
    return (ReactionChanged(**arrival.fields(), target=named, reactions=shown),)


def _named(arrival: Arrival, target: str) -> tuple[str, bool | None]:
    """What events call the message *target*, and whether it is of whoever says so; None where nobody can tell."""
    identities = arrival.facts.identities
    known = identities.find(arrival.place, target, author=arrival.author)
    if known is not None:
        return known.message_id, True
    known = identities.find(arrival.place, target)
    return (target, None) if known is None else (known.message_id, authors.is_same(known.author, arrival.author))


def _retracted(arrival: Arrival) -> tuple[str | None, Element | None, Element | None]:
    """Which message is taken back, the element that says so, and the one that says by which moderator."""
    stanza = arrival.stanza
    if (retract := stanza.first(_RETRACT)) is not None:
        return identifier(retract.get("id")), retract, retract.find(_MODERATED)
    if (applied := stanza.first(_APPLY_TO)) is not None:
        moderated = applied.find(_MODERATED_0)
        inside = applied if moderated is None else moderated
        if inside.find(_RETRACT_0) is not None:
            return identifier(applied.get("id")), inside, moderated
    return None, None, None


def _moderation(retract: Element, moderated: Element) -> dict[str, Any]:
    """By whom, and why, as the room has it."""
    reason = next((child.text for child in retract if child.tag.rpartition("}")[2] == "reason"), None)
    said = {"moderator": line(moderated.get("by")), "reason": line(reason, _LONGEST_REASON)}
    return {name: value for name, value in said.items() if value is not None}


def _doubt(is_theirs: bool | None) -> dict[str, Any]:
    return {"unverified": True} if is_theirs is None else {}


def _forged(arrival: Arrival, what: str, target: str) -> Event:
    return CustomReceived(**arrival.fields("forged"), name="xmpp.forged", data={"what": what, "target": target})
