"""A message becomes events: which of its children makes it which.

One walk over the children sorts them by tag; what is asked after that is looked up. Most messages have none of what
makes them something else than what somebody says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4
from xml.etree.ElementTree import Element

from convergekit.errors import InvalidInputError
from convergekit.model import CustomReceived, Event, MessageReceived, TypingChanged

from ...identities import is_ours
from ...jids import address_of, shown
from ...stream import CUT
from ..namespaces import NS, tag
from ..texts import identifier
from ..writing import to_text
from .arrival import Arrival, arrive
from .changes import correction, reactions, retraction, tombstone
from .content import content_of
from .errors import returned
from .facts import Archived, Facts, Reading
from .forwarded import copy_in, is_copy
from .reports import acknowledgement, arrived, read_up_to, reflected
from .rooms import invited, invited_by_room, status, subject
from .sent import sent
from .stanza import Stanza

__all__ = ["read"]

_Reader = Callable[[Arrival], Sequence[Event] | None]

#: What is said beside anything else.
_BESIDE: Final[Mapping[str, _Reader]] = {
    tag(NS.RECEIPTS, "received"): arrived,
    tag(NS.MARKERS, "displayed"): read_up_to,
    tag(NS.MARKERS, "acknowledged"): read_up_to,
    tag(NS.MARKERS, "received"): read_up_to,
    tag(NS.REACTIONS, "reactions"): reactions,
}
#: What a message is instead of something that somebody says; the first that finds itself in it.
_INSTEAD: Final[Mapping[str, _Reader]] = {
    tag(NS.RETRACTION, "retract"): retraction,
    tag(NS.FASTENING, "apply-to"): retraction,
    tag(NS.RETRACTION, "retracted"): tombstone,
    tag(NS.CORRECTION, "replace"): correction,
    tag(NS.MUC_USER, "x"): lambda arrival: invited_by_room(arrival) or status(arrival),
    tag(NS.CONFERENCE, "x"): invited,
    tag(NS.CLIENT, "subject"): subject,
}
_TYPING: Final[Mapping[str, bool]] = {
    tag(NS.CHAT_STATES, "composing"): True,
    **{tag(NS.CHAT_STATES, state): False for state in ("paused", "active", "inactive", "gone")},
}
_BODY: Final = tag(NS.CLIENT, "body")
_ORIGIN_ID: Final = tag(NS.SID, "origin-id")
_RESULT: Final = tag(NS.MAM, "result")
_CONTROLS: Final = (_RESULT, tag(NS.CARBONS, "received"), tag(NS.CARBONS, "sent"))
#: Of these namespaces nothing says anything by itself.
_QUIET: Final = frozenset(
    {
        *(NS.CLIENT, NS.CHAT_STATES, NS.HINTS, NS.SID, NS.DELAY, NS.NICK, NS.OCCUPANT_ID, NS.MUC_USER),
        *(NS.CARBONS, NS.MAM, NS.REACTIONS, NS.REPLY, NS.FALLBACK, NS.STYLING),
        *(NS.RETRACTION, "urn:xmpp:mam:tmp", "jabber:x:delay"),
    }
)
#: Nor do these; another word beside them would be a report that is not known yet.
_REPORTS: Final = frozenset(
    {
        *(tag(NS.RECEIPTS, name) for name in ("request", "received")),
        *(tag(NS.MARKERS, name) for name in ("markable", "received", "displayed", "acknowledged")),
    }
)
_MOST_PAYLOADS: Final = 20


def read(element: Element, facts: Facts, *, now: datetime, archived: Archived | None = None) -> Reading:
    """What *element*, a <message/> of jabber:client, says. Does not raise, whatever it is given.

    Args:
        element: As it came; of an archive's result, what was forwarded.
        facts: What is known around it; its `identities` learn of each message.
        now: When it came; an archive and a server that kept it say an earlier time.
        archived: Where it was found in an archive that we asked; None for what comes by itself.
    """
    native: str | None = None
    try:
        native = None if CUT in element.attrib else to_text(element)
        if native is None:
            return _unreadable(element, None, "it is too large, or nested too deep", now, archived)
        return _read(element, native, facts, now, archived)
    except InvalidInputError:
        return _unreadable(element, native, "its sender or its recipient is no JID", now, archived)
    except Exception as error:  # a fault of ours must not keep a stream from going on behind it
        return _unreadable(element, native, f"by a fault of ours: {type(error).__name__}", now, archived)


def _read(element: Element, native: str, facts: Facts, now: datetime, archived: Archived | None) -> Reading:
    stanza, refused = Stanza(element), None
    copy = None
    if any(name in stanza.children for name in _CONTROLS):
        copy = copy_in(stanza, facts) if archived is None else None
        if copy is None:
            what = "a copy for another device" if is_copy(stanza) else "a result of an archive"
            refused = f"{what}, from {shown(element.get('from'))}, who does not make such"
    if copy is not None:
        arrival = arrive(Stanza(copy.message), facts, now=now, archived=None, carbon=copy.carbon, stamped=copy.at)
    else:
        arrival = arrive(stanza, facts, now=now, archived=archived)
    arrival.native = native
    if archived is not None and not _speaks_for_itself(arrival, archived):
        return Reading(archived=archived, refused=f"{shown(archived.feed)} has a message of {shown(arrival.place)}")
    events = tuple(_events(arrival))
    reply = acknowledgement(arrival) if any(isinstance(event, MessageReceived) for event in events) else None
    return Reading(
        events=events,
        notices=() if events else tuple(_notices(arrival)),
        replies=() if reply is None else (reply,),
        archived=arrival.archived,
        refused=refused,
    )


def _speaks_for_itself(arrival: Arrival, archived: Archived) -> bool:
    """Whether what a room has in its archive was said in that room."""
    return not archived.feed or (arrival.is_group and archived.feed == f"room:{arrival.place}")


def _events(arrival: Arrival) -> Sequence[Event]:
    stanza = arrival.stanza
    if stanza.type == "error":
        return returned(arrival)
    if _is_by_a_stranger(arrival):
        return _other(arrival)
    if arrival.is_own:
        return _our_own(arrival)
    events: list[Event] = []
    for name, reader in _BESIDE.items():
        if name in stanza.children:
            events += reader(arrival) or ()
    for name, reader in _INSTEAD.items():
        if name in stanza.children and (found := reader(arrival)) is not None:
            return (*events, *found)
    events += _message(arrival, "said" if events else "")
    return events or _other(arrival)


def _is_by_a_stranger(arrival: Arrival) -> bool:
    """Whether it is said in a room that we are not in: anybody may pretend to be one, but to one's own archive."""
    is_of_room = arrival.found and arrival.archived is not None and bool(arrival.archived.feed)
    return arrival.is_group and arrival.room is None and not is_of_room


def _message(arrival: Arrival, suffix: str) -> Sequence[Event]:
    content = content_of(arrival)
    if content is None:
        return ()
    _learn(arrival, content.text)
    to = arrival.stanza.element.get("to") if arrival.facts.is_component else None
    received = MessageReceived(
        **arrival.fields(suffix, **content.details),
        **content.fields,
        message_id=arrival.message_id,
        visible_text=content.visible,
        to=(address_of(to),) if to else (),
    )
    return (received,)


def _our_own(arrival: Arrival) -> Sequence[Event]:
    """What we have said ourselves, on this device or on another."""
    if (content := content_of(arrival)) is not None:
        _learn(arrival, content.text)
    if arrival.is_group and is_ours(arrival.stanza.origin_id or arrival.stanza.id):
        return reflected(arrival)
    return sent(arrival)


def _learn(arrival: Arrival, text: str) -> None:
    """Tell `Identities` by which names it is known."""
    stanza, message_id = arrival.stanza, arrival.message_id
    if message_id is None:
        return
    # XEP-0308 names the id attribute; a room may have changed that, and then its sender knows the origin-id alone.
    for origin in dict.fromkeys((stanza.id, stanza.origin_id)):
        if origin is not None:
            arrival.facts.identities.learn(
                arrival.place,
                message_id,
                author=arrival.author,
                origin=origin,
                sender=arrival.sender.value,
                text=text,
            )


def _other(arrival: Arrival) -> Sequence[Event]:
    """What nothing here knows, kept for those who do."""
    children = arrival.stanza.children
    payloads = [name for name in children if name.rpartition("}")[0][1:] not in _QUIET and name not in _REPORTS]
    if not payloads and not (_is_by_a_stranger(arrival) and _BODY in children):
        return ()
    data = {"payloads": [shown(name) for name in payloads[:_MOST_PAYLOADS]]}
    return (CustomReceived(**arrival.fields("other"), name="xmpp.message", data=data),)


def _notices(arrival: Arrival) -> Sequence[Event]:
    """Somebody types, or has stopped to (XEP-0085)."""
    if arrival.is_own or arrival.is_late or arrival.stanza.type == "error" or arrival.is_automated:
        return ()
    typing = next((typing for name, typing in _TYPING.items() if name in arrival.stanza.children), None)
    if typing is None or _is_by_a_stranger(arrival):
        return ()
    return (TypingChanged(**arrival.fields(key=""), typing=typing),)


def _unreadable(element: Element, native: str | None, reason: str, now: datetime, archived: Archived | None) -> Reading:
    """What is certain of a message that cannot be read: that it came."""
    names: dict[str, Any] = {name: shown(value) for name in ("from", "to", "id") if (value := element.get(name))}
    origin = element.find(_ORIGIN_ID)
    id = (identifier(origin.get("id")) if origin is not None else None) or identifier(element.get("id"))
    scope = shown(element.get("from"))
    key = f"u:{scope} {id}" if id is not None else f"r:{uuid4().hex}"
    event = CustomReceived(
        key=key, at=now, automated=True, name="xmpp.unreadable", data=names | {"reason": reason}, native=native
    )
    return Reading(events=(event,), archived=archived)
