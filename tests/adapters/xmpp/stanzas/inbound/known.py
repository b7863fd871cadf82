"""What a bot knows that is in one room: the facts that the tests of reading stand on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, fromstring

from convergekit.adapters.xmpp.identities import Identities, origin_id
from convergekit.adapters.xmpp.stanzas.inbound import Archived, Reading, read

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOT = "bot@example.org"
ANN = "ann@example.org"
ROOM = "tea@rooms.example.org"
#: One of ours, and of another message.
OURS = origin_id("order-42:0")
OURS_TOO = origin_id("order-43:0")


@dataclass
class Person:
    """Somebody in the room."""

    jid: str | None = None
    occupant_id: str | None = None
    stay: int = 1


@dataclass
class Room:
    """The room."""

    nickname: str = "bot"
    trusts_occupant_ids: bool = True
    people: dict[str, Person] = field(default_factory=dict)

    def occupant(self, nickname: str) -> Person | None:
        return self.people.get(nickname)


@dataclass
class Known:
    """The facts."""

    own: str = BOT
    full: str = f"{BOT}/desk"
    is_component: bool = False
    receipts: bool = True
    identities: Identities = field(default_factory=Identities)
    trusted: set[str] = field(default_factory=lambda: {BOT, ROOM})
    rooms: dict[str, Room] = field(default_factory=lambda: {ROOM: Room()})

    def trusts_ids(self, by: str) -> bool:
        return by in self.trusted

    def room(self, bare: str) -> Room | None:
        return self.rooms.get(bare)

    def read(self, xml: str | Element, *, archived: Archived | None = None) -> Reading:
        return read(stanza(xml) if isinstance(xml, str) else xml, self, now=NOW, archived=archived)


def stanza(xml: str) -> Element:
    """*xml*, which may leave its namespace out."""
    return fromstring(
        xml.replace("<message", '<message xmlns="jabber:client"', 1) if "jabber:client" not in xml else xml
    )


def chat(inside: str, *, sender: str = f"{ANN}/phone", id: str | None = "m1", type: str = "chat", to: str = BOT) -> str:
    """A message with *inside* in it."""
    said = "" if id is None else f' id="{id}"'
    return f'<message from="{sender}" to="{to}" type="{type}"{said}>{inside}</message>'


def groupchat(inside: str, *, nickname: str | None = "ann", id: str | None = "m1", room: str = ROOM) -> str:
    """The same in a room, by somebody or by the room itself."""
    return chat(inside, sender=room if nickname is None else f"{room}/{nickname}", id=id, type="groupchat")


def stamped(id: str, by: str = ROOM) -> str:
    """A stanza-id."""
    return f'<stanza-id xmlns="urn:xmpp:sid:0" by="{by}" id="{id}"/>'


def carbon(kind: str, message: str, *, sender: str = BOT, beside: str = "") -> str:
    """A copy of *message* for another device."""
    inner = message.replace("<message", '<message xmlns="jabber:client"', 1)
    return (
        f'<message xmlns="jabber:client" from="{sender}" to="{BOT}/desk" type="chat">'
        f'<{kind} xmlns="urn:xmpp:carbons:2"><forwarded xmlns="urn:xmpp:forward:0">{beside}{inner}</forwarded></{kind}>'
        "</message>"
    )
