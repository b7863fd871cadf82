"""A room, played to a `FakeStream`: who enters is answered as XEP-0045 has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from convergekit.adapters.xmpp.config import XmppConfig
from convergekit.adapters.xmpp.rooms import Rooms
from convergekit.adapters.xmpp.stanzas.inbound import Reading
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.model import Event
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_stream import FakeStream

LOUNGE = "lounge@conference.example.org"
ALL = frozenset({NS.MUC, NS.MAM, NS.SID, NS.OCCUPANT_ID, "muc_nonanonymous"})
CLEAR = {"jid": "bot@example.org", "password": "secret-word", "nickname": "bot"}


class Muc:
    """A room service with one room.

    Attributes:
        occupants: Who is in, beside us.
        ours: Our nickname, or None while we are not in.
        refusal: The condition by which we are refused, with its type before it: "auth/forbidden"; "" for silence.
        features: What the room says it can do; None where it says nothing.
        fresh: Whether the room is made by our entering.
        joins: The presences by which we asked to enter.
        renames: What else we posted to it.
    """

    def __init__(self, stream: FakeStream, room: str = LOUNGE) -> None:
        self.stream, self.room = stream, room
        self.occupants: dict[str, str] = {"ann": "ann@example.org/phone"}
        self.ours: str | None = None
        self.refusal: str | None = None
        self.features: frozenset[str] | None = ALL
        self.affiliation = "member"
        self.fresh = False
        self.joins: list[Element] = []
        self.shown: list[Element] = []
        self._posted = stream.post
        stream.post = self.post  # type: ignore[method-assign]
        stream.answers[tag(NS.DISCO_INFO, "query")] = self.disco
        stream.answers[tag(NS.PING, "ping")] = self.ping

    def post(self, element: Element) -> None:
        self._posted(element)
        room, _, nickname = element.get("to", "").partition("/")
        if room != self.room or element.tag != tag(NS.CLIENT, "presence"):
            return
        if element.get("type") == "unavailable":
            if nickname == self.ours:
                self.say(nickname, type="unavailable", codes=("110",))
                self.ours = None
        elif element.find(tag(NS.MUC, "x")) is not None:
            self.joins.append(element)
            self.enter(nickname, element.get("id", ""))
        elif nickname != self.ours:
            self.rename(nickname, element.get("id", ""))
        else:
            self.shown.append(element)

    def enter(self, nickname: str, id: str) -> None:
        refusal = "cancel/conflict" if nickname in self.occupants else self.refusal
        if refusal is not None:
            if refusal:
                self.refuse(nickname, id, refusal)
            return
        for each, jid in self.occupants.items():
            self.say(each, jid=jid)
        self.ours = nickname
        self.say(nickname, affiliation=self.affiliation, codes=("110", "201") if self.fresh else ("110",))

    def rename(self, nickname: str, id: str) -> None:
        if nickname in self.occupants:
            return self.refuse(nickname, id, "cancel/conflict")
        old, self.ours = self.ours, nickname
        self.say(old or "", type="unavailable", codes=("303", "110"), nick=nickname)
        self.say(nickname, codes=("110",))

    def refuse(self, nickname: str, id: str, refusal: str) -> None:
        kind, _, condition = refusal.partition("/")
        self.stream.push(
            f"<presence from='{self.room}/{nickname}' type='error' id='{id}'><error type='{kind}'>"
            f"<{condition} xmlns='{NS.STANZAS}'/></error></presence>"
        )

    def say(
        self,
        nickname: str,
        *,
        type: str = "",
        codes: tuple[str, ...] = (),
        jid: str = "",
        nick: str = "",
        affiliation: str = "member",
        role: str = "participant",
        more: str = "",
        inside: str = "",
    ) -> None:
        """A presence of *nickname*; *more* stands in it, *inside* in its item."""
        said = "".join(f"<status code='{code}'/>" for code in codes)
        extra = "".join(f" {name}='{value}'" for name, value in (("jid", jid), ("nick", nick)) if value)
        kind = f" type='{type}'" if type else ""
        self.stream.push(
            f"<presence from='{self.room}/{nickname}'{kind}>{more}<x xmlns='{NS.MUC_USER}'>"
            f"<item affiliation='{affiliation}' role='{role}'{extra}>{inside}</item>{said}</x></presence>"
        )

    def disco(self, _: Element) -> object:
        if self.features is None:
            return StanzaError("cancel", "item-not-found")
        features = "".join(f"<feature var='{each}'/>" for each in self.features)
        return f"<query xmlns='{NS.DISCO_INFO}'>{features}</query>"

    def ping(self, asked: Element) -> object:
        return "" if asked.get("to") == f"{self.room}/{self.ours}" else StanzaError("cancel", "not-acceptable")

    def forget(self) -> None:
        """The service is restarted: nobody is told."""
        self.ours = None


class Desk:
    """Rooms over a fake stream, with a room to be in."""

    def __init__(self, *, random: Callable[[], float] = lambda: 1.0, context: FakeContext | None = None, **more: Any):
        self.context = context or FakeContext()
        self.stream = FakeStream(self.hear)
        self.muc = Muc(self.stream)
        self.entered: list[str] = []
        self.config = XmppConfig(**{**CLEAR, "timeout": 0.05, **more})
        self.rooms = Rooms(self.config, self.context, self.stream, entered=self.entered.append, random=random)
        self.readings: list[Reading] = []
        self.unread: list[Element] = []

    def hear(self, element: Element) -> None:
        reading = self.rooms.read(element, now=self.now)
        if reading is None:
            self.unread.append(element)
        else:
            self.readings.append(reading)

    @property
    def now(self) -> datetime:
        return self.context.clock.now()

    @property
    def events(self) -> list[Event]:
        """What is to be admitted."""
        return [event for each in self.readings for event in each.events]

    @property
    def notices(self) -> list[Event]:
        return [event for each in self.readings for event in each.notices]
