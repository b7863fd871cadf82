"""What is said about rooms rather than in them: invitations, subjects, settings (XEP-0045, XEP-0249).

An invitation that a room passes on names who invites; nobody but the room says so, and anybody may pretend to be one.
So its sender is the room, and the inviter stands in the details.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from convergekit.errors import InvalidInputError
from convergekit.model import Address, CustomReceived, Event, InvitationReceived

from ...jids import address_of, bare, normalised
from ..namespaces import NS, tag
from ..texts import line
from .arrival import Arrival

__all__ = ["invited", "invited_by_room", "status", "subject"]

_MUC_USER: Final = tag(NS.MUC_USER, "x")
_INVITE: Final = tag(NS.MUC_USER, "invite")
_DECLINE: Final = tag(NS.MUC_USER, "decline")
_REASON: Final = tag(NS.MUC_USER, "reason")
_PASSWORD: Final = tag(NS.MUC_USER, "password")
_STATUS: Final = tag(NS.MUC_USER, "status")
_CONFERENCE: Final = tag(NS.CONFERENCE, "x")
_BODY: Final = tag(NS.CLIENT, "body")
_THREAD: Final = tag(NS.CLIENT, "thread")
_MOST_CODES: Final = 20


def invited_by_room(arrival: Arrival) -> Sequence[Event] | None:
    """A mediated invitation, or somebody's answer to ours (XEP-0045 §7.8.2)."""
    mark = arrival.stanza.first(_MUC_USER)
    if mark is None or arrival.is_group:
        return None
    if (invite := mark.find(_INVITE)) is not None:
        details = _known(inviter=normalised(invite.get("from")), password=line(mark.findtext(_PASSWORD)))
        room = address_of(bare(arrival.stanza.element.get("from") or ""))
        return (_invitation(arrival, room, invite.findtext(_REASON), details),)
    if (decline := mark.find(_DECLINE)) is not None:
        data = _known(who=normalised(decline.get("from")), reason=line(decline.findtext(_REASON)))
        return (CustomReceived(**arrival.fields("declined"), name="xmpp.declined", data=data),)
    return None


def invited(arrival: Arrival) -> Sequence[Event] | None:
    """An invitation from who invites (XEP-0249)."""
    conference = arrival.stanza.first(_CONFERENCE)
    if conference is None or arrival.is_group:
        return None
    try:
        room = address_of(bare(conference.get("jid") or ""))
    except InvalidInputError:
        return None
    details = _known(password=line(conference.get("password")), thread=line(conference.get("thread")))
    return (_invitation(arrival, room, conference.get("reason"), details),)


def subject(arrival: Arrival) -> Sequence[Event] | None:
    """What a room is about, from now on, or as we are told on coming in (XEP-0045 §8.1)."""
    stanza = arrival.stanza
    if not arrival.is_group or _BODY in stanza.children or _THREAD in stanza.children:
        return None
    text = next((text for _, text in stanza.subjects()), "")
    key = None
    if stanza.id is None and stanza.origin_id is None:
        # What is told whenever we come in is the same news.
        key = f"s:{arrival.sender.uri}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    fields = arrival.fields("subject", key=key)
    return (CustomReceived(**fields, name="xmpp.subject", data={"subject": text}),)


def status(arrival: Arrival) -> Sequence[Event] | None:
    """Settings of a room have changed (XEP-0045 §10.2.1): what the codes stand for is in its registry."""
    mark = arrival.stanza.first(_MUC_USER)
    if not arrival.is_group or arrival.nickname is not None or mark is None or _BODY in arrival.stanza.children:
        return None
    codes = [code for each in mark.findall(_STATUS)[:_MOST_CODES] if (code := line(each.get("code"), 10)) is not None]
    if not codes:
        return None
    return (CustomReceived(**arrival.fields("status"), name="xmpp.room", data={"codes": codes}),)


def _invitation(arrival: Arrival, room: Address, text: str | None, details: dict[str, Any]) -> Event:
    return InvitationReceived(**arrival.fields("invited", **details), room=room, text=text or None)


def _known(**said: str | None) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}
