"""Who says something, where, and when; which of the ids that it bears are to be believed, `trust` tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal

from convergekit.model import Address, ConversationKind, ConversationRef

from ...identities import is_ours
from ...jids import address_of, bare, split
from ..namespaces import NS, tag
from ..texts import line
from . import authors, trust
from .facts import Archived, Facts, RoomFacts
from .keys import key_of
from .stanza import Stanza

__all__ = ["Arrival", "Carbon", "arrive"]

Carbon = Literal["received", "sent"]

_MUC_USER: Final = tag(NS.MUC_USER, "x")
_NICK: Final = tag(NS.NICK, "nick")
_LONGEST_NAME: Final = 256


@dataclass(slots=True)
class Arrival:
    """A message, and what is certain about it.

    Args:
        stanza: It.
        facts: What is known around it.
        sender: Who says so; in a room the occupant, or the room itself.
        conversation: Where an answer goes.
        place: Bare JID of peer or room, of a private message in a room the occupant's: what `Identities` calls it.
        author: Whose it is; see `authors`.
        is_own: Whether it is from this account.
        is_group: Whether it was said in a room, to all.
        is_private: Whether an occupant of a room said it to us alone.
        at: When it was said.
        is_late: Whether it was kept somewhere meanwhile.
        key: What is known by it.
        carbon: Which kind of copy for another device it was.
        room: The room that it came through.
        nickname: Whose nickname there, or None for the room's own words.
        resource: From which device, where it came from no room.
        stanza_id: What the room, or our own server, calls it.
        occupant_id: The room's id of who said it.
        real_jid: Who that is, where the room shows it.
        archived: Where it stands in an archive.
        found: Whether it comes out of an archive.
        native: All of it as text.
    """

    stanza: Stanza
    facts: Facts
    sender: Address
    conversation: ConversationRef
    place: str
    author: str
    is_own: bool
    is_group: bool
    is_private: bool
    at: datetime
    is_late: bool
    key: str
    carbon: Carbon | None
    room: RoomFacts | None
    nickname: str | None
    resource: str | None
    stanza_id: str | None
    occupant_id: str | None
    real_jid: str | None
    archived: Archived | None
    found: bool
    native: str | None = None

    @property
    def message_id(self) -> str | None:
        """What replies, corrections and reactions call it: in a room the room's id, else its sender's."""
        if self.is_group and self.stanza_id is not None:
            return self.stanza_id
        return self.stanza.id or self.stanza.origin_id

    @property
    def is_automated(self) -> bool:
        """Whether no person says it: a server, a room, a headline (RFC 6121 §5.2.2)."""
        if self.is_group:
            return self.nickname is None
        return self.stanza.type == "headline" or "@" not in self.place

    def fields(self, suffix: str = "", *, key: str | None = None, **details: Any) -> dict[str, Any]:
        """What every event has of it.

        Args:
            suffix: Tells events of one stanza apart.
            key: Its own, where it is known by something else than by the stanza that brought it.
            **details: More of them.
        """
        if key is None:
            key = f"{self.key}:{suffix}" if suffix else self.key
        return {
            "key": key,
            "conversation": self.conversation,
            "sender": self.sender,
            "at": self.at,
            "automated": self.is_automated,
            "details": self._details() | details if details else self._details(),
            "native": self.native,
        }

    def _details(self) -> dict[str, Any]:
        """See `Xmpp`; what is as it mostly is, is left out."""
        stanza, origin_id, message_id = self.stanza, self.stanza.origin_id, self.message_id
        details: dict[str, Any] = {} if self.resource is None else {"resource": self.resource}
        if stanza.type != "chat":
            details["type"] = stanza.type
        if stanza.id != message_id and stanza.id is not None:
            details["id"] = stanza.id
        if origin_id is not None and origin_id not in (stanza.id, message_id):
            details["origin_id"] = origin_id
        if self.stanza_id is not None and self.stanza_id != message_id:
            details["stanza_id"] = self.stanza_id
        if self.occupant_id is not None:
            details["occupant_id"] = self.occupant_id
        if self.real_jid is not None:
            details["real_jid"] = self.real_jid
        if (nickname := self.nickname or _name(stanza)) is not None:
            details["nickname"] = nickname
        if self.carbon is not None:
            details["carbon"] = self.carbon
        if self.is_private:
            details["private"] = True
        if self.is_late:
            details["delayed"] = True
        return details


def arrive(
    stanza: Stanza,
    facts: Facts,
    *,
    now: datetime,
    archived: Archived | None,
    carbon: Carbon | None = None,
    stamped: datetime | None = None,
) -> Arrival:
    """What is certain about *stanza*.

    Args:
        stanza: A message.
        facts: What is known around it.
        now: When it came.
        archived: Where it was found in an archive that we asked.
        carbon: Which kind of copy it was.
        stamped: When our own server says that it was said.

    Raises:
        InvalidInputError: It is from nobody whom one could name.
    """
    # RFC 6120 §8.1.2.1: what our own server sends without a sender is our account's own.
    jid = stanza.element.get("from") or facts.own
    sender, resource = split(jid)
    room = facts.room(sender)
    is_group = stanza.type == "groupchat"
    is_private = not is_group and resource is not None and (room is not None or _is_private(stanza))
    is_occupant = is_private or (is_group and resource is not None)
    who = address_of(jid) if is_occupant else address_of(sender, _name(stanza))
    is_ours = not is_group and _is_ours(sender, facts)
    occupant = f"{sender}/{resource}"
    place = _peer(stanza, facts) if is_ours else occupant if is_private else sender
    stanza_id = trust.stanza_id(stanza, sender if is_group else None, facts, archived)
    kept = archived
    if kept is None and stanza_id is not None:
        kept = Archived(f"room:{sender}" if is_group else "", stanza_id)
    stamped = (archived.at if archived is not None else stamped) or trust.kept_since(stanza, facts, sender)
    is_late = stamped is not None or archived is not None
    present = room.occupant(resource) if room is not None and resource is not None and not is_late else None
    occupant_id = trust.occupant_id(stanza, room)
    arrival = Arrival(
        stanza=stanza,
        facts=facts,
        sender=who,
        # What a room sends back was said in it.
        conversation=_conversation(
            place,
            is_group or (stanza.type == "error" and room is not None and resource is None),
            None if is_group else _addressed(stanza, facts),
        ),
        place=place,
        author=authors.occupant(occupant, occupant_id, present) if is_occupant else sender,
        is_own=is_ours,
        is_group=is_group,
        is_private=is_private,
        at=min(stamped, now) if stamped is not None else now,
        is_late=is_late,
        key=key_of(stanza, _scope(stanza, facts, who, place if is_ours else None), kept),
        carbon=carbon,
        room=room,
        nickname=resource if is_occupant else None,
        resource=None if is_occupant else resource,
        stanza_id=stanza_id,
        occupant_id=occupant_id,
        real_jid=trust.real_jid(stanza, archived) if present is None else present.jid,
        archived=kept,
        found=archived is not None,
    )
    arrival.is_own = is_ours or (is_group and _is_our_occupant(arrival))
    return arrival


@lru_cache(maxsize=1024)
def _conversation(place: str, is_group: bool, addressed: str | None) -> ConversationRef:
    kind = ConversationKind.GROUP if is_group else ConversationKind.DIRECT
    return ConversationRef(address=address_of(place), kind=kind, thread=addressed)


def _addressed(stanza: Stanza, facts: Facts) -> str | None:
    """Of a component, who of its domain was written to: each has conversations of its own, and answers in its name."""
    if not facts.is_component or not (to := stanza.element.get("to")):
        return None
    return None if (whom := bare(to)) == facts.own else whom


def _is_ours(sender: str, facts: Facts) -> bool:
    return sender == facts.own or (facts.is_component and sender.endswith(f"@{facts.own}"))


def _peer(stanza: Stanza, facts: Facts) -> str:
    """To whom this account wrote: a bare JID, or that of an occupant."""
    to = stanza.element.get("to") or facts.own
    is_by_room = facts.room(bare(to)) is not None or _is_private(stanza)
    return address_of(to).value if is_by_room else bare(to)


def _is_private(stanza: Stanza) -> bool:
    """Whether it says of itself that it goes by way of a room (XEP-0045 §7.5)."""
    mark = stanza.first(_MUC_USER)
    return mark is not None and not len(mark)


def _scope(stanza: Stanza, facts: Facts, who: Address, peer: str | None) -> str:
    if peer is not None:
        return f"{who.uri}>{address_of(peer).uri}"
    if facts.is_component and (to := stanza.element.get("to")):
        return f"{who.uri}>{address_of(bare(to)).uri}"  # many are at our domain
    return who.uri


def _is_our_occupant(arrival: Arrival) -> bool:
    """Whether we, or another device of this account, said it in a room."""
    room, nickname, facts = arrival.room, arrival.nickname, arrival.facts
    if room is None or nickname is None:
        return False
    if arrival.real_jid is not None:
        return bare(arrival.real_jid) == facts.own
    ourselves = room.occupant(room.nickname)
    if arrival.occupant_id is not None and ourselves is not None and ourselves.occupant_id is not None:
        return arrival.occupant_id == ourselves.occupant_id
    if nickname != room.nickname:
        return False
    # What was said earlier, somebody else may have said who had this nickname then.
    return not arrival.is_late or is_ours(arrival.stanza.origin_id or arrival.stanza.id)


def _name(stanza: Stanza) -> str | None:
    """What they call themselves (XEP-0172): a decoration."""
    nick = stanza.first(_NICK)
    return None if nick is None else line(nick.text, _LONGEST_NAME)
