"""An XMPP server on loopback, as far as the contract needs one to play the far side.

What it says is what slixmpp understands; how real ones behave is what the tests with Prosody and ejabberd are for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, fromstring

import anyio

from convergekit.testing.adapter import Fault, LoopbackServer

from ..stanzas.namespaces import NS, tag
from ..stanzas.times import moment
from .connection import Connection
from .reading import element, text_of
from .rooms import RoomService
from .services import Services
from .session import Account, Session

__all__ = ["XmppServer"]

_MESSAGE: Final = tag(NS.CLIENT, "message")
_DELAY: Final = tag(NS.DELAY, "delay")
_BODY: Final = tag(NS.CLIENT, "body")


class XmppServer:
    """A server of one domain; who has no account there is somebody elsewhere, and whatever they are sent is kept.

    Args:
        accounts: Passwords by bare JID.
        domain: Its own.
        now: Tells the time.
        base_url: Where files are put.

    Attributes:
        received: What messages clients have sent, as they came; and the files that were put.
        answers: What they have said about who may see whom: "subscribed", for one, and to whom.
        refuses_login: Whether credentials are refused.
    """

    def __init__(
        self,
        accounts: Mapping[str, str],
        *,
        domain: str = "example.org",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        base_url: str = "https://files.example/",
    ) -> None:
        self.server = LoopbackServer(lambda stream: Connection(self, stream).talk())
        self.domain, self.now, self.base_url = domain, now, base_url
        self.accounts = {jid: Account(jid, password) for jid, password in accounts.items()}
        self.rooms = RoomService(self, f"conference.{domain}")
        self.services = Services(self)
        self.received: list[bytes] = []
        self.answers: list[tuple[str, str]] = []
        self._news = anyio.Event()
        self.refuses_login = False
        self._refuses_once = False
        self._faults: deque[Fault] = deque()

    # --- what it is told to do ------------------------------------------------------------------------------------

    def fault(self, fault: Fault) -> bool:
        """Do *fault* with the next message; tells whether XMPP has a way to say it."""
        match fault:
            case Fault.UNREACHABLE:
                self.server.go_away()
                self.server.drop()
            case Fault.ACCOUNT:
                self._refuses_once = True
                self.server.drop()
            case (
                Fault.SERVER_ERROR
                | Fault.ERROR_PAGE
                | Fault.NONSENSE
                | Fault.EMPTY
                | Fault.ANSWER_LOST
                | Fault.RESET
                | Fault.SILENT
            ):
                self._faults.append(fault)
            case _:
                return False
        return True

    async def say(self, to: str, stanza: str) -> None:
        """Hand *stanza* to the account *to*, a bare JID, or to all in the room that it is from: at once, or as soon as
        it is there.

        Who is just reading an archive has first read it: what is in it would overtake what is not.
        """
        found, account = fromstring(element("stream", stanza, xmlns=NS.CLIENT))[0], self.accounts[to]
        room = self.rooms.rooms.get(_bare(found.get("from"))) if found.get("type") == "groupchat" else None
        await account.has_read("" if room is None or room.archive is None else room.jid)
        if room is None:
            self.deliver(found, account)
        else:
            self.rooms.say(room, found)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds, which is looked at whenever a client has said something."""
        while not condition():
            await self._news.wait()

    # --- what a connection asks for -------------------------------------------------------------------------------

    def password_of(self, username: str) -> str | None:
        """The password of a user, where there is one."""
        account = self.accounts.get(f"{username}@{self.domain}")
        return None if account is None else account.password

    def refuses(self) -> bool:
        """Whether this login is refused, whatever the password."""
        refuses, self._refuses_once = self.refuses_login or self._refuses_once, False
        return refuses

    def account(self, username: str) -> Account:
        """Of a user that there is."""
        return self.accounts[f"{username}@{self.domain}"]

    def begin(self, username: str, resource: str) -> Session:
        """A session; one of the same name, and those that were cut off, are over with that."""
        account = self.account(username)
        for each in list(account.sessions.values()):
            if each.resource == resource or each.line is None:
                self.end(each)
        return account.begin(resource)

    def end(self, session: Session) -> None:
        """*session* is over."""
        self.rooms.lose(session)
        session.end()

    def received_from(self, message: Element) -> Fault | None:
        """Keep *message*; what is to be done wrong with it."""
        self.received.append(text_of(message).encode())
        return self._faults.popleft() if self._faults else None

    def hear(self, stanza: Element, session: Session) -> None:
        """What a client says, once it is known who that is."""
        to = stanza.get("to")
        domain = (to or "").partition("/")[0].rpartition("@")[2]
        if stanza.tag == tag(NS.CLIENT, "iq"):
            self.services.answer(stanza, session)
        elif domain == self.rooms.domain:
            self.rooms.hear(stanza, session)
        elif stanza.tag == _MESSAGE:
            self._pass_on(stanza, session)
        else:
            self.services.presence(stanza, session)
        self.tell()

    def tell(self) -> None:
        """A client has said something: look at what is waited for."""
        self._news.set()
        self._news = anyio.Event()

    # --- messages -------------------------------------------------------------------------------------------------

    def deliver(self, stanza: Element, account: Account) -> None:
        """To an account; what says something is archived."""
        is_chat = stanza.tag == _MESSAGE and stanza.get("type") not in ("groupchat", "error")
        if is_chat and stanza.find(_BODY) is not None:
            id = account.archive.next_id()
            stanza.append(Element(tag(NS.SID, "stanza-id"), {"by": account.jid, "id": id}))
            account.archive.keep(text_of(stanza), at=self._said_at(stanza), peer=_bare(stanza.get("from")))
        account.say(text_of(stanza))

    def _said_at(self, stanza: Element) -> datetime:
        """When, as it says itself; else now."""
        delay = stanza.find(_DELAY)
        return (None if delay is None else moment(delay.get("stamp"))) or self.now()

    def _pass_on(self, message: Element, session: Session) -> None:
        to = _bare(message.get("to"))
        if message.find(_BODY) is not None:
            session.account.archive.keep(text_of(message), at=self.now(), peer=to)
        if to in self.accounts:
            self.deliver(message, self.accounts[to])


def _bare(jid: str | None) -> str:
    return (jid or "").partition("/")[0]
