"""One connection of a client: from the stream's header to a session, and then stanza by stanza (RFC 6120)."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError

import anyio
from anyio.abc import SocketStream

from convergekit.testing.adapter import Fault

from ..stanzas.namespaces import NS, tag
from .reading import Elements, element
from .scram import Scram
from .session import SM, Session

if TYPE_CHECKING:
    from .server import XmppServer

__all__ = ["Connection"]

_STREAM: Final = "http://etherx.jabber.org/streams"
_SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
_STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
_IQ: Final = tag(NS.CLIENT, "iq")
_MESSAGE: Final = tag(NS.CLIENT, "message")
#: What says nothing to anybody, and so is no message: a state, a receipt.
_SILENT: Final = (f"{{{NS.CHAT_STATES}}}", f"{{{NS.HINTS}}}", tag(NS.RECEIPTS, "received"))
_MECHANISMS: Final = element("mechanisms", "<mechanism>SCRAM-SHA-256</mechanism>", xmlns=_SASL)
_FEATURES: Final = element("bind", xmlns=_BIND) + element("sm", xmlns=SM)
#: What comes in place of the right acknowledgement.
_WRONG: Final = {Fault.NONSENSE: element("a", xmlns=SM, h="many"), Fault.EMPTY: element("a", xmlns=SM)}
#: What comes before the end.
_LAST_WORDS: Final = {
    Fault.SERVER_ERROR: "<stream:error>"
    + element("internal-server-error", xmlns=_STREAM_ERRORS)
    + "</stream:error></stream:stream>",
    Fault.ERROR_PAGE: "<html><head><title>502 Bad Gateway</title></head><body>Something went wrong.</body></html>",
    Fault.ANSWER_LOST: "",
}


class _EndError(Exception):
    """This connection is over."""


class Connection:
    """One client, while it is connected.

    Args:
        server: Whose client.
        stream: To it.
    """

    def __init__(self, server: XmppServer, stream: SocketStream) -> None:
        self._server, self._stream = server, stream
        self._elements = Elements()
        self._login = Scram(server.password_of)
        self._is_known = False
        self._session: Session | None = None
        self._wrong: str | None = None
        self._out, self._unwritten = anyio.create_memory_object_stream[str](float("inf"))

    def write(self, text: str) -> None:
        """See `Line`."""
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # it goes out on the next one
            self._out.send_nowait(text)

    async def talk(self) -> None:
        """Until one of us ends it."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write)
                try:
                    await self._read()
                except (_EndError, ParseError, anyio.EndOfStream):
                    pass
                finally:
                    self._cut()
        finally:
            self._cut()
            self._unwritten.close()

    def _cut(self) -> None:
        """The session goes on without a connection, where it can be resumed."""
        self._out.close()
        session, self._session = self._session, None
        if session is not None and session.line is self:
            session.line = None
            if not session.is_managed:
                self._server.end(session)

    async def _write(self) -> None:
        async for text in self._unwritten:
            await self._stream.send(text.encode())

    async def _read(self) -> None:
        while True:
            for found in self._elements.feed(await self._stream.receive()):
                await self._hear(found)
            if self._elements.ended:
                if self._session is not None:
                    self._server.end(self._session)
                self.write("</stream:stream>")
                return

    # --- from the header to a session -----------------------------------------------------------------------------

    async def _hear(self, found: Element) -> None:
        match found.tag:
            case "{http://etherx.jabber.org/streams}stream":
                self._greet()
            case "{urn:ietf:params:xml:ns:xmpp-sasl}auth":
                self.write(element("challenge", self._login.challenge(found.text), xmlns=_SASL))
            case "{urn:ietf:params:xml:ns:xmpp-sasl}response":
                self._log_in(found)
            case _ if not self._is_known:
                raise _EndError
            case _ if found.tag.startswith(f"{{{SM}}}"):
                self._manage(found)
            case _ if self._session is None:
                self._bind(found)
            case _:
                await self._stanza(found, self._session)

    def _greet(self) -> None:
        self.write(
            f"<?xml version='1.0'?><stream:stream xmlns='{NS.CLIENT}' xmlns:stream='{_STREAM}' version='1.0' "
            f"from='{self._server.domain}' id='{secrets.token_hex(8)}'>"
        )
        self.write(f"<stream:features>{_FEATURES if self._is_known else _MECHANISMS}</stream:features>")

    def _log_in(self, response: Element) -> None:
        proof = self._login.success(response.text)
        if proof is None or self._server.refuses():
            self.write(element("failure", "<not-authorized/>", xmlns=_SASL))
            return
        self.write(element("success", proof, xmlns=_SASL))
        self._is_known, self._elements = True, Elements()

    def _bind(self, iq: Element) -> None:
        """A resource (RFC 6120 §7)."""
        wanted = iq.find(f"{{{_BIND}}}bind")
        if iq.tag != _IQ or wanted is None:
            raise _EndError
        resource = wanted.findtext(f"{{{_BIND}}}resource") or secrets.token_hex(4)
        self._session = self._server.begin(self._login.username, resource)
        self._session.line = self
        bound = element("bind", element("jid", self._session.jid), xmlns=_BIND)
        self.write(element("iq", bound, type="result", id=iq.get("id")))

    def _manage(self, found: Element) -> None:
        """Stream management (XEP-0198)."""
        session = self._session
        match found.tag.rpartition("}")[2]:
            case "resume" if session is None:
                self._resume(found)
            case "enable" if session is not None:
                session.is_managed = True
                self.write(element("enabled", xmlns=SM, id=session.resource, resume="true"))
            case "r" if session is not None:
                right = element("a", xmlns=SM, h=str(session.heard))
                self.write(self._wrong or right)
            case "a" if session is not None:
                session.acknowledge(int(found.get("h", "")))
                self._server.tell()

    def _resume(self, found: Element) -> None:
        session = self._server.account(self._login.username).sessions.get(found.get("previd", ""))
        if session is None or not session.is_managed:
            self.write(element("failed", element("item-not-found", xmlns=NS.STANZAS), xmlns=SM))
            return
        self._session = session
        session.resume(self, int(found.get("h", "")))

    # --- and then -------------------------------------------------------------------------------------------------

    async def _stanza(self, found: Element, session: Session) -> None:
        session.heard += 1
        found.set("from", session.jid)
        says = found.tag == _MESSAGE and not all(each.tag.startswith(_SILENT) for each in found)
        fault = self._server.received_from(found) if says else None
        if fault is None:
            self._server.hear(found, session)
        else:
            await self._fail(fault, session)

    async def _fail(self, fault: Fault, session: Session) -> None:
        """It has it, and does not say so as it should."""
        if fault in _WRONG:
            self._wrong = _WRONG[fault]
        elif fault is Fault.SILENT:
            await anyio.sleep_forever()
        elif fault is Fault.RESET:
            self._cut()
            await self._server.server.reset(self._stream)
        else:
            if fault is Fault.SERVER_ERROR:
                self._server.end(session)
            self.write(_LAST_WORDS[fault])
            raise _EndError
