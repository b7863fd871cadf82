"""A service with rooms (XEP-0045) that remember what was said in them (XEP-0313).

Who writes from elsewhere is in a room by being named: they need not enter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element

from ..stanzas.namespaces import NS, tag
from .archive import Archive
from .reading import element, escape, text_of
from .services import Refused, error_of, features
from .session import Said, Session

if TYPE_CHECKING:
    from .server import XmppServer

__all__ = ["Room", "RoomService"]

_MESSAGE: Final = tag(NS.CLIENT, "message")
_BODY: Final = tag(NS.CLIENT, "body")
_ENTERS: Final = tag(NS.MUC, "x")
_OWNER: Final = tag(NS.MUC_OWNER, "query")
_ADMIN: Final = tag(NS.MUC_ADMIN, "query")
_SELF, _CREATED = "110", "201"


@dataclass(eq=False, slots=True)
class Room:
    """One room.

    Attributes:
        sessions: Clients that are in it, by nickname.
        others: Full JIDs by nickname of those that are in it from elsewhere.
        archive: What was said; None where it remembers nothing.
        subject: What it is about; None where it says nothing of that to who enters.
    """

    jid: str
    sessions: dict[str, Session] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    archive: Archive | None = field(default_factory=lambda: Archive("r"))
    subject: str | None = ""

    @property
    def occupants(self) -> Mapping[str, str]:
        """Full JIDs by nickname."""
        return {**self.others, **{nickname: session.jid for nickname, session in self.sessions.items()}}

    def transcript(self) -> list[str]:
        """What was said, "Ann: Hello" for one."""
        kept = [] if self.archive is None else self.archive.stanzas()
        return [f"{(said.get('from') or '').partition('/')[2]}: {said.findtext(_BODY)}" for said in kept]

    def nickname_of(self, session: Session) -> str | None:
        """What *session* is called in it; None where it is not in."""
        return next((nickname for nickname, each in self.sessions.items() if each is session), None)

    def shows(self, nickname: str, *codes: str, type: str | None = None, nick: str | None = None) -> str:
        """The presence of an occupant."""
        role, is_gone = ("none", True) if type else ("participant", False)
        affiliation = "owner" if nickname in self.sessions else "member"
        who = None if is_gone else self.occupants.get(nickname)
        item = element("item", affiliation=affiliation, role=role, jid=who, nick=nick)
        mark = element("x", item + "".join(element("status", code=code) for code in codes), xmlns=NS.MUC_USER)
        id = hashlib.sha256(f"{self.jid}/{nickname}".encode()).hexdigest()[:16]
        return element(
            "presence",
            mark + element("occupant-id", xmlns=NS.OCCUPANT_ID, id=id),
            from_=f"{self.jid}/{nickname}",
            type=type,
        )


class RoomService:
    """All rooms of a server.

    Args:
        server: Whose.
        domain: Of the rooms.
    """

    def __init__(self, server: XmppServer, domain: str) -> None:
        self._server = server
        self.domain = domain
        self.rooms: dict[str, Room] = {}

    def open(self, jid: str, **others: str) -> Room:
        """The room *jid*, with *others* in it: full JIDs by nickname."""
        room = self.rooms.setdefault(jid, Room(jid))
        for nickname, full in others.items():
            room.others[nickname] = full
            self._tell(room, room.shows(nickname))
        return room

    def say(self, room: Room, message: Element) -> None:
        """All in *room* hear *message*, from whoever stands in it."""
        if message.find(_BODY) is not None and room.archive is not None:
            mark = Element(tag(NS.SID, "stanza-id"), {"by": room.jid, "id": room.archive.next_id()})
            message.append(mark)
            room.archive.keep(text_of(message), at=self._server.now(), peer=room.jid)
        for session in room.sessions.values():
            session.say(Said(text_of(message), is_kept=True))

    def lose(self, session: Session) -> None:
        """*session* is over, and is in no room."""
        for room in self.rooms.values():
            if (nickname := room.nickname_of(session)) is not None:
                self._leave(room, nickname)

    # --- what clients say to rooms --------------------------------------------------------------------------------

    def hear(self, stanza: Element, session: Session) -> None:
        """A presence or a message to a room, or to somebody in it."""
        try:
            if stanza.tag == _MESSAGE:
                self._heard(stanza, session)
            else:
                self._shown(stanza, session)
        except Refused as refused:
            answer = {"type": "error", "from_": stanza.get("to"), "to": session.jid, "id": stanza.get("id")}
            session.say(Said(element(stanza.tag.rpartition("}")[2], error_of(refused), **answer)))

    def _heard(self, message: Element, session: Session) -> None:
        room, nickname = self._room(message.get("to", ""))
        ours = room.nickname_of(session)
        if ours is None:
            raise Refused("not-acceptable")
        message.set("from", f"{room.jid}/{ours}")
        if not nickname and message.get("type") == "groupchat":
            self.say(room, message)
        elif nickname in room.sessions:
            room.sessions[nickname].say(Said(text_of(message)))

    def _shown(self, presence: Element, session: Session) -> None:
        jid, _, wanted = presence.get("to", "").partition("/")
        room = self.rooms.get(jid)
        ours = None if room is None else room.nickname_of(session)
        if presence.get("type") == "unavailable":
            if room is not None and ours is not None:
                self._leave(room, ours)
        elif room is not None and wanted in room.occupants and wanted != ours:
            raise Refused("conflict")
        elif room is not None and ours is not None:
            self._rename(room, ours, wanted)
        elif presence.find(_ENTERS) is not None:
            self._enter(jid, wanted, session, is_new=room is None)

    def _enter(self, jid: str, nickname: str, session: Session, *, is_new: bool) -> None:
        room = self.open(jid)
        for each in room.occupants:
            session.say(Said(room.shows(each)))
        room.sessions[nickname] = session
        self._tell(room, room.shows(nickname), but=session)
        session.say(Said(room.shows(nickname, _SELF, *([_CREATED] if is_new else []))))
        if room.subject is not None:
            subject = element("subject", escape(room.subject))
            session.say(Said(element("message", subject, from_=room.jid, type="groupchat")))

    def _rename(self, room: Room, old: str, new: str) -> None:
        session = room.sessions[old]
        if old != new:
            self._tell(room, room.shows(old, "303", type="unavailable", nick=new), but=session)
            session.say(Said(room.shows(old, "303", _SELF, type="unavailable", nick=new)))
            room.sessions[new] = room.sessions.pop(old)
        self._tell(room, room.shows(new), but=session)
        session.say(Said(room.shows(new, _SELF)))

    def _leave(self, room: Room, nickname: str) -> None:
        session = room.sessions.pop(nickname)
        self._tell(room, room.shows(nickname, type="unavailable"))
        session.say(Said(room.shows(nickname, _SELF, type="unavailable")))

    def _tell(self, room: Room, text: str, but: Session | None = None) -> None:
        for session in room.sessions.values():
            if session is not but:
                session.say(Said(text))

    def _room(self, jid: str) -> tuple[Room, str]:
        bare, _, nickname = jid.partition("/")
        if (room := self.rooms.get(bare)) is None:
            raise Refused("item-not-found")
        return room, nickname

    # --- what clients ask -----------------------------------------------------------------------------------------

    def answer(self, asked: Element, to: str, session: Session) -> str:
        """The answer to an <iq/> to *to*: the service, a room, or somebody in one."""
        if to == self.domain:
            return self._of_service(asked)
        room, nickname = self._room(to)
        if asked.tag == tag(NS.PING, "ping"):  # XEP-0410
            if room.nickname_of(session) is None or nickname not in room.occupants:
                raise Refused("not-acceptable")
            return ""
        if asked.tag == tag(NS.DISCO_INFO, "query"):
            remembers = () if room.archive is None else (NS.MAM, NS.SID)
            known = (NS.MUC, NS.OCCUPANT_ID, "muc_nonanonymous", "muc_open", "muc_persistent")
            return features(*known, *remembers, identity=("conference", "text"))
        if asked.tag == tag(NS.MAM, "query") and room.archive is not None:
            return self._server.services.page(asked, room.archive, room.jid, session)
        if asked.tag == _OWNER:
            return "" if len(asked) else element("query", "", xmlns=NS.MUC_OWNER)
        if asked.tag == _ADMIN:
            return self._standings(room)
        raise Refused("service-unavailable")

    def _of_service(self, asked: Element) -> str:
        if asked.tag == tag(NS.DISCO_ITEMS, "query"):
            return element("query", "".join(element("item", jid=jid) for jid in self.rooms), xmlns=NS.DISCO_ITEMS)
        if asked.tag == tag(NS.DISCO_INFO, "query"):
            return features(NS.MUC, NS.DISCO_ITEMS, identity=("conference", "text"))
        if asked.tag == tag(NS.PING, "ping"):
            return ""
        raise Refused("service-unavailable")

    def _standings(self, room: Room) -> str:
        items = (
            element("item", jid=jid.partition("/")[0], affiliation="member", nick=nickname)
            for nickname, jid in room.occupants.items()
        )
        return element("query", "".join(items), xmlns=NS.MUC_ADMIN)
