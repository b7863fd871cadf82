"""The far side of an XMPP channel, for the contract and `convergekit verify`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree.ElementTree import fromstring

import httpx

from convergekit.model import Address, Status
from convergekit.testing.adapter import Cannot, Fault, Sample, Subject

from ..adapter import XmppAdapter
from ..stanzas.guard import is_legal
from ..stanzas.namespaces import NS, tag
from .reading import element, escape
from .samples import SAMPLES
from .server import XmppServer

__all__ = ["XmppSubject"]

_US: Final = "bot@example.org"
_PASSWORD: Final = "the-password-of-the-bot"
_NO_ANSWER: Final = "a server takes every message, and reports what becomes of it"
_SLOWS_DOWN: Final = "a server of XMPP slows us down by not reading, and says nothing"


class XmppSubject(Subject):
    """Plays a server of XMPP, and those who write to us over it.

    Attributes:
        server: For more than the contract asks: rooms, presence, what comes in as XML.
    """

    adapter = XmppAdapter
    to = "xmpp:ann@example.net"
    senders = ("xmpp:ann@example.net", "xmpp:bob@example.net")
    # What was read covers what was sent before: it is said first, while there is nothing.
    statuses: Mapping[str, Status | None] = {
        "displayed": Status.READ,
        "received": Status.DELIVERED,
        "service-unavailable": Status.FAILED,
        "remote-server-not-found": Status.FAILED,
    }
    samples: Sequence[Sample] = SAMPLES
    native: Mapping[str, Any] | None = {"xml": "<attention xmlns='urn:xmpp:attention:0'/>"}

    def __init__(self) -> None:
        self.now = lambda: datetime.now(UTC)
        self.server = XmppServer({_US: _PASSWORD}, now=lambda: self.now())

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """The server is there."""
        async with self.server.server.serving():
            self.settings = self._settings()
            self.dsn = f"xmpp://bot:{_PASSWORD}@example.org:{self.server.server.port}/?host=127.0.0.1&security=none"
            yield

    def _settings(self) -> dict[str, Any]:
        server = self.server.server
        return {"jid": _US, "password": _PASSWORD, "host": server.host, "port": server.port, "security": "none"}

    def parts(self) -> Mapping[str, Any]:
        """Where files are put."""
        return {"transport": httpx.MockTransport(self._store)}

    def _store(self, request: httpx.Request) -> httpx.Response:
        self.server.received.append(request.content)
        return httpx.Response(201)

    # What goes out

    def fault(self, fault: Fault) -> None:
        """Do *fault* with the next message."""
        if not self.server.fault(fault):
            raise Cannot(_NO_ANSWER if fault is Fault.REFUSED else _SLOWS_DOWN)

    def attempted(self) -> None:
        """Be there again."""
        self.server.server.come_back()

    def received(self) -> Sequence[bytes]:
        """What was said, and which files were put."""
        return tuple(self.server.received)

    def identity(self, message: bytes) -> object:
        """Its id."""
        return fromstring(message).get("id")

    def text_of(self, message: bytes) -> str:
        """Its body."""
        return fromstring(message).findtext(tag(NS.CLIENT, "body")) or ""

    # What comes in

    def message(self, *, id: str, sender: str, text: str) -> str:
        """A message from *sender*; where that is an occupant of a room, one to all in it."""
        jid = _jid(sender)
        if not all(map(is_legal, text + id)):
            raise Cannot("XML has no such characters")
        said = element("body", escape(text)) + element("origin-id", xmlns=NS.SID, id=id) + _delay()
        if self._is_in_room(jid):
            return element("message", said, type="groupchat", from_=jid, id=id)
        return element("message", said, type="chat", from_=f"{jid}/phone", to=_US, id=id)

    def presence(self, sender: str, show: str | None = None, type: str | None = None, text: str | None = None) -> str:
        """The presence of *sender*; with "subscribe" for *type*, that they ask for ours."""
        jid = _jid(sender) if type in ("subscribe", "subscribed") else f"{_jid(sender)}/phone"
        said = (element("show", show) if show else "") + (element("status", escape(text)) if text else "")
        return element("presence", said, from_=jid, to=_US, type=type)

    def report(self, *, id: str, word: str) -> str:
        """A receipt (XEP-0184), a marker (XEP-0333), or an error (RFC 6120 §8.3)."""
        kept = hashlib.sha256(f"{id} {word}".encode()).hexdigest()[:16]
        fields: dict[str, Any] = {"from_": f"{_jid(self.to)}/phone", "to": _US}
        if self.statuses.get(word) is Status.FAILED:
            error = element("error", element(word, xmlns=NS.STANZAS), type="cancel")
            return element("message", error, id=id, type="error", **fields)
        space = NS.RECEIPTS if word == "received" else NS.MARKERS
        return element("message", element(word, xmlns=space, id=id), id=kept, type="chat", **fields)

    def echo(self, *, id: str, text: str) -> str:
        """A carbon copy (XEP-0280) of what we sent ourselves, from another session."""
        said = element("body", escape(text)) + element("origin-id", xmlns=NS.SID, id=id)
        inner = element("message", said, xmlns=NS.CLIENT, type="chat", from_=f"{_US}/old", to=_jid(self.to), id=id)
        copy = element("sent", element("forwarded", inner, xmlns=NS.FORWARD), xmlns=NS.CARBONS)
        return element("message", copy, type="chat", from_=_US, to=_US)

    def nonsense(self) -> Sequence[str]:
        """What somebody may send that is well-formed, and no more."""
        ann = f"{_jid(self.to)}/phone"
        deep = "<a>" * 100 + "</a>" * 100
        return [
            element("message", element("body", "?"), from_="@", to=_US),
            element("message", element("x", deep, xmlns="urn:example"), from_=ann, to=_US),
            element("message", element("noticed", xmlns=NS.MARKERS), from_=ann, to=_US),
            element("message", element("body", "?"), from_=ann, to=_US, type="error"),
        ]

    async def push(self, said: Any) -> None:
        """Hand it to the server, which hands it to us."""
        await self.server.say(_US, said)

    def acknowledged(self) -> int:
        """What the server knows to be with us (XEP-0198)."""
        return self.server.accounts[_US].acknowledged

    async def drop(self) -> None:
        """Drop all connections."""
        self.server.server.drop()

    def refuse_login(self) -> None:
        """Refuse the password."""
        self.server.refuses_login = True

    def _is_in_room(self, jid: str) -> bool:
        return jid.partition("/")[0].endswith(f"@{self.server.rooms.domain}") and "/" in jid


def _jid(uri: str) -> str:
    return Address.parse(uri).value


def _delay() -> str:
    return element("delay", xmlns=NS.DELAY, from_="example.org", stamp="2025-12-01T00:00:00Z")
