"""Rooms (XEP-0045) on the wire: entering and leaving, who is in, who may do what. Pure; reading never raises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from convergekit.errors import InvalidInputError

from ..jids import address_of, bare, jid_of, normalised, split
from ..stream import StanzaError
from .errors import stanza_error
from .namespaces import NS, tag
from .presence import Presence, Shown, presence, read_presence
from .texts import line
from .times import stamp

__all__ = [
    "Code",
    "RoomPresence",
    "Standing",
    "affiliations_query",
    "direct_invitation",
    "join_presence",
    "leave_presence",
    "mediated_invitation",
    "moderated_retraction",
    "moderation",
    "nickname_presence",
    "read_room_presence",
    "read_standings",
    "self_ping",
]


class Code:
    """Status codes of XEP-0045 §15.6.2 and XEP-0410 that decide something."""

    SELF: Final = "110"
    CREATED: Final = "201"
    BANNED: Final = "301"
    RENAMED: Final = "303"
    KICKED: Final = "307"
    AFFILIATION: Final = "321"
    MEMBERS_ONLY: Final = "322"
    SHUT_DOWN: Final = "332"
    FAILED: Final = "333"


_ITEM: Final = tag(NS.MUC_USER, "item")
_AFFILIATIONS: Final = frozenset({"owner", "admin", "member", "none", "outcast"})
_ROLES: Final = frozenset({"moderator", "participant", "visitor", "none"})
_LONGEST: Final = (
    1000  # characters of what a room tells about somebody; their nicknames and JIDs are bounded by RFC 7622
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody's place in a room.

    Args:
        affiliation: "owner", "admin", "member", "none" or "outcast"; "" where it is not said.
        role: "moderator", "participant", "visitor" or "none"; "" where it is not said.
        jid: Their full or bare JID, normalised, where the room shows it.
        nickname: The new one of somebody who changes it; in a list that of whoever is in.
    """

    affiliation: str = ""
    role: str = ""
    jid: str | None = None
    nickname: str | None = None


@dataclass(frozen=True, slots=True)
class RoomPresence:
    """What a <presence/> from an occupant, or from a room, says.

    Args:
        room: Bare JID, normalised.
        nickname: Of the occupant; None where the room itself speaks.
        presence: What they show; "offline" where they have gone.
        codes: Status codes.
        standing: Their place.
        occupant_id: As it is said (XEP-0421), be it true or not.
        actor: Nickname of who has removed them, or None.
        reason: Why they were removed, in words.
        moved_to: Of a room that is destroyed: where to go, or None.
        destroyed: Whether the room is no more.
        error: Of a presence of type "error"; else None.
        id: Of the stanza.
    """

    room: str
    nickname: str | None
    presence: Presence
    codes: frozenset[str]
    standing: Standing
    occupant_id: str | None = None
    actor: str | None = None
    reason: str | None = None
    moved_to: str | None = None
    destroyed: bool = False
    error: StanzaError | None = None
    id: str | None = None


def read_room_presence(element: Element) -> RoomPresence | None:
    """What *element*, a <presence/>, says of a room; None where its sender is no JID."""
    try:
        room, nickname = split(element.get("from", ""))
    except InvalidInputError:
        return None
    user = element.find(tag(NS.MUC_USER, "x"))
    if user is None:
        user = Element("x")
    item = user.find(_ITEM)
    destroyed = user.find(tag(NS.MUC_USER, "destroy"))
    source = destroyed if destroyed is not None else item
    actor = None if item is None else item.find(tag(NS.MUC_USER, "actor"))
    return RoomPresence(
        room,
        nickname,
        read_presence(element),
        frozenset(status.get("code", "") for status in user.findall(tag(NS.MUC_USER, "status"))[:20]),
        Standing() if item is None else _standing(item),
        occupant_id=_occupant_id(element),
        actor=None if actor is None else line(actor.get("nick") or actor.get("jid"), _LONGEST),
        reason=None if source is None else line(source.findtext(tag(NS.MUC_USER, "reason")), _LONGEST),
        moved_to=None if destroyed is None else _bare(destroyed.get("jid")),
        destroyed=destroyed is not None,
        error=stanza_error(element) if element.get("type") == "error" else None,
        id=element.get("id"),
    )


def _standing(item: Element) -> Standing:
    affiliation, role = item.get("affiliation", ""), item.get("role", "")
    return Standing(
        affiliation if affiliation in _AFFILIATIONS else "",
        role if role in _ROLES else "",
        normalised(item.get("jid")),
        _nickname(item.get("nick")),
    )


def _occupant_id(element: Element) -> str | None:
    found = element.find(tag(NS.OCCUPANT_ID, "occupant-id"))
    id = None if found is None else found.get("id")
    return id if id and len(id) <= _LONGEST and id.isprintable() else None


def _bare(text: str | None) -> str | None:
    return None if (jid := normalised(text)) is None else bare(jid)


def _nickname(text: str | None) -> str | None:
    """As the room will write it behind its slash: normalised like there; None where it can be no resource."""
    try:
        return split(f"room.invalid/{text}")[1] if text else None
    except InvalidInputError:
        return None


# --- in and out -------------------------------------------------------------------------------------------------------


def join_presence(
    room: str,
    nickname: str,
    *,
    id: str,
    password: str | None = None,
    since: datetime | None = None,
    shown: Shown = "available",
    text: str | None = None,
) -> Element:
    """Enter *room* (§7.2).

    Args:
        room: Its bare JID.
        nickname: Ours in it.
        id: What the answer names.
        password: Where it asks for one.
        since: From when on the room is to repeat what was said; None for nothing of it.
        shown: What we show there.
        text: What we say about it.
    """
    element = nickname_presence(room, nickname, id=id, shown=shown, text=text)
    muc = SubElement(element, tag(NS.MUC, "x"))
    wanted = {"maxstanzas": "0"} if since is None else {"since": stamp(since)}
    SubElement(muc, tag(NS.MUC, "history"), wanted)
    if password is not None:
        SubElement(muc, tag(NS.MUC, "password")).text = password
    return element


def nickname_presence(
    room: str, nickname: str, *, id: str, shown: Shown = "available", text: str | None = None
) -> Element:
    """Take another nickname in *room*, where we are (§7.6); or show something else there."""
    element = presence(shown, text, to=_wire(f"{room}/{nickname}"))
    element.set("id", id)
    return element


def leave_presence(room: str, nickname: str) -> Element:
    """Leave *room* (§7.14)."""
    return presence("offline", to=_wire(f"{room}/{nickname}"))


def self_ping(room: str, nickname: str) -> Element:
    """Ask whether we are in *room* (XEP-0410)."""
    iq = _iq("get", _wire(f"{room}/{nickname}"))
    SubElement(iq, tag(NS.PING, "ping"))
    return iq


# --- who may be in, and do what ---------------------------------------------------------------------------------------


def direct_invitation(room: str, who: str, *, id: str, text: str | None = None, password: str | None = None) -> Element:
    """Invite *who* by a message of our own (XEP-0249)."""
    message = Element(tag(NS.CLIENT, "message"), {"to": _wire(who), "id": id})
    said = {"jid": _wire(room), "reason": text, "password": password}
    SubElement(message, tag(NS.CONFERENCE, "x"), {name: value for name, value in said.items() if value})
    return message


def mediated_invitation(room: str, who: str, *, id: str, text: str | None = None) -> Element:
    """Have *room* invite *who*, and let them in where only members may be (XEP-0045 §7.8.2)."""
    message = Element(tag(NS.CLIENT, "message"), {"to": _wire(room), "id": id})
    invite = SubElement(SubElement(message, tag(NS.MUC_USER, "x")), tag(NS.MUC_USER, "invite"), {"to": _wire(who)})
    if text:
        SubElement(invite, tag(NS.MUC_USER, "reason")).text = text
    return message


def affiliations_query(room: str, affiliation: str) -> Element:
    """Ask for everybody of *affiliation* in *room* (§9.5, §9.8)."""
    iq = _iq("get", room)
    SubElement(SubElement(iq, tag(NS.MUC_ADMIN, "query")), tag(NS.MUC_ADMIN, "item"), {"affiliation": affiliation})
    return iq


def read_standings(iq: Element) -> Iterator[Standing]:
    """Whom the answer to `affiliations_query` lists."""
    for item in iq.iterfind(f"{tag(NS.MUC_ADMIN, 'query')}/{tag(NS.MUC_ADMIN, 'item')}"):
        yield _standing(item)


def moderation(
    room: str,
    *,
    nickname: str | None = None,
    jid: str | None = None,
    role: str | None = None,
    affiliation: str | None = None,
    reason: str | None = None,
) -> Element:
    """Change somebody's role, which goes by nickname, or affiliation, which goes by bare JID (§8, §9, §10)."""
    iq = _iq("set", room)
    said = {"nick": nickname, "jid": jid, "role": role, "affiliation": affiliation}
    given = {name: value for name, value in said.items() if value is not None}
    item = SubElement(SubElement(iq, tag(NS.MUC_ADMIN, "query")), tag(NS.MUC_ADMIN, "item"), given)
    if reason:
        SubElement(item, tag(NS.MUC_ADMIN, "reason")).text = reason
    return iq


def moderated_retraction(room: str, stanza_id: str, reason: str | None = None, *, is_old: bool = False) -> Element:
    """Have *room* take back somebody's message (XEP-0425); *is_old* is how that was said until 2022."""
    iq = _iq("set", room)
    moderation, retraction = (NS.MODERATION_0, NS.RETRACTION_0) if is_old else (NS.MODERATION, NS.RETRACTION)
    if is_old:
        applied = SubElement(iq, tag(NS.FASTENING, "apply-to"), {"id": stanza_id})
        moderate = SubElement(applied, tag(moderation, "moderate"))
    else:
        moderate = SubElement(iq, tag(moderation, "moderate"), {"id": stanza_id})
    SubElement(moderate, tag(retraction, "retract"))
    if reason:
        SubElement(moderate, tag(moderation, "reason")).text = reason
    return iq


def _iq(kind: str, to: str) -> Element:
    return Element(tag(NS.CLIENT, "iq"), {"type": kind, "to": _wire(to)})


def _wire(jid: str) -> str:
    return jid_of(address_of(jid))
