"""Every promise of an adapter, kept by the xmpp channel: with a person, and in rooms."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from convergekit.adapters.xmpp.subject import XmppSubject
from convergekit.adapters.xmpp.subject.reading import element, escape
from convergekit.model import Status
from convergekit.testing import AdapterContract
from convergekit.testing.adapter import Sample

LOUNGE, LOBBY = "lounge@conference.example.org", "lobby@conference.example.org"


class RoomSubject(XmppSubject):
    """Two rooms that we are in, and in each somebody else.

    They have no archives: what looks through one stores where it stands, which the checks would take for a message.
    """

    to = f"xmpp:{LOUNGE}"
    senders = (f"xmpp:{LOUNGE}/Ann", f"xmpp:{LOBBY}/Bob")
    statuses: Mapping[str, Status | None] = {}
    samples: Sequence[Sample] = ()
    cannot: Mapping[str, str] = {
        "receipts-reachable": "a room shows by itself what was said in it, and nobody has to report it",
        **dict.fromkeys(("started-before-first-byte", "verbs-work"), "what a room has not shown yet cannot be named"),
    }

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        for jid, name in ((LOUNGE, "Ann"), (LOBBY, "Bob")):
            room = self.server.rooms.open(jid, **{name: f"{name.lower()}@example.net/phone"})
            room.subject = room.archive = None  # a subject is an event, too, and nothing that was said
        async with super().opened():
            self.settings = {**self.settings, "nickname": "bot", "rooms": [{"room": LOUNGE}, {"room": LOBBY}]}
            self.dsn = None
            yield

    def echo(self, *, id: str, text: str) -> str:
        return element("message", element("body", escape(text)), type="groupchat", from_=f"{LOUNGE}/bot", id=id)


class TestWithAPerson(AdapterContract):
    backends = ("asyncio",)

    @pytest.fixture
    def subject(self) -> XmppSubject:
        return XmppSubject()


class TestInRooms(AdapterContract):
    backends = ("asyncio",)

    @pytest.fixture
    def subject(self) -> RoomSubject:
        return RoomSubject()
