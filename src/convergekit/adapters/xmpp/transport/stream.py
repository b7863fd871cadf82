"""The stream of `..stream`, over slixmpp: sessions, one after the other, over one connection each.

Rules kept here:

- What is written in one turn of the event loop goes out at once, and behind it one request for an acknowledgement, if
  none is under way: `<r/>` (XEP-0198), or where there is no stream management a ping to the server, which answers
  in order (RFC 6120 §10.1). When the answer leaves something open, it is asked again.
- An acknowledgement that does not come in `ping_timeout` means a dead peer. While we do not read, none can come.
- A resumed session goes on counting where the server stands; of a fresh one everything is written that is not
  acknowledged. What a failed resume says of the server's count is believed.
- State changes where an element is read, not where somebody waits for it: what stands behind it may come with it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn
from xml.etree.ElementTree import Element, SubElement

import anyio

from convergekit.errors import ConfigurationError, DeliveryError, NotSentError

from ..config import XmppConfig
from ..jids import shown
from ..stanzas.namespaces import NS, tag
from ..stanzas.writing import to_bytes
from ..stream import Bound, StanzaError
from ..window import OCTETS, Window
from ._counts import Handled
from ._iqs import IQ, Answers, is_from_account, may_answer
from ._waiting import Deliveries, Requests, copied, heard

if TYPE_CHECKING:
    from ._wire import Wire

__all__ = ["XmppStream"]

_MESSAGE: Final = tag(NS.CLIENT, "message")
_PRESENCE: Final = tag(NS.CLIENT, "presence")
_NO_SESSION: Final = "there is no session with the server now; the channel sees to one by itself"
_HANDED_ON: Final = frozenset({_MESSAGE, _PRESENCE})
_BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
_SESSION: Final = "urn:ietf:params:xml:ns:xmpp-session"
_LIMITS: Final = "urn:xmpp:stream-limits:0"
_SM: Final = "urn:xmpp:sm:3"
_ASK: Final = f"<r xmlns='{_SM}'/>".encode()
_SLACK: Final = 1024  # servers count what they add, too
_LEAST: Final = 10_000  # RFC 6120 §13.12
_MUCH: Final = 16  # stanzas that are written at once
_GOODBYE: Final = 2.0
_LOOSE: Final = 1.0
_TRIES: Final = 3  # a server that cannot resume a session, and cannot say so either, is asked for another one

_log = logging.getLogger(__name__)


class XmppStream:
    """One account's stream; a `convergekit.adapters.xmpp.stream.Stream`.

    Args:
        config: The account's settings.
        incoming: Called with each message, presence, and roster push of our own account.
        features: The namespaces that we understand, for whoever asks (XEP-0030).
        resource: What names this connection where the settings do not; None for one that the server makes.
    """

    def __init__(
        self,
        config: XmppConfig,
        *,
        incoming: Callable[[Element], None],
        features: Sequence[str] = (),
        resource: str | None = None,
    ) -> None:
        self.bound: Bound | None = None
        self.limit = config.max_stanza - _SLACK
        self._config, self._incoming = config, incoming
        self._resource = config.resource or resource
        self._sender = config.jid if config.is_component else None
        self._answers = Answers(features, ("component", "generic") if config.is_component else ("client", "bot"))
        self._wire: Wire | None = None
        self._own = config.jid
        self._flowing = self._paused = self._closed = False
        # Stream management
        self._window = Window(config.window)
        self._handled = Handled()
        self._managed = self._counting = False
        self._session: str | None = None  # its id, by which it may be resumed
        self._tries = 0  # at resuming it
        self._negotiated: asyncio.Future[Element] | None = None
        # What is written next
        self._out: list[bytes] = []
        self._flush_due = False
        # Who waits for what
        self._requests = Requests()
        self._deliveries = Deliveries(
            self._window, config.timeout, has_session=lambda: self.bound is not None, why=self._why
        )
        self._asked: asyncio.TimerHandle | None = None  # runs while an acknowledgement is under way
        self._barrier: tuple[str, int] | None = None  # id of a ping, and what stands before it
        self._over: asyncio.Event | None = None

    # --- a session ------------------------------------------------------------------------------------------------

    async def open(self) -> Bound:
        """Connect and log in; one try. See `Stream.open`."""
        if self._closed:
            raise NotSentError("the stream is closed")
        await self._discard()
        self._handled.forget()
        try:
            with anyio.fail_after(self._config.timeout):
                self.bound = await self._begin(self._new_wire())
        except BaseException as exc:
            await self._discard()
            if isinstance(exc, TimeoutError):
                raise NotSentError(f"no session within {self._config.timeout:g} s (`timeout`)") from None
            raise
        self._over = asyncio.Event()
        if self._wire is None or self._wire.why is not None:  # it was lost just now
            self._over.set()
            self.bound = None
            self._gone()
        if self._paused:
            self._wire.pause()
        _log.debug("session %s: %s", "resumed" if self.bound.resumed else "begun", shown(self._own))
        return self.bound

    def _new_wire(self) -> Wire:
        try:
            from ._wire import Wire
        except ImportError as exc:
            raise ConfigurationError("xmpp needs slixmpp: pip install 'convergekit[xmpp]'") from exc
        wire: Wire = Wire(self._config, self._trust(), received=self._received, lost=lambda: self._lost(wire))
        self._wire = wire
        return wire

    def _trust(self) -> ssl.SSLContext:
        ca = self._config.ca
        if self._config.security == "none" or self._config.is_component:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is not used, and trusts nobody
        try:
            tls = ssl.create_default_context(cafile=ca)
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigurationError(f"ca: {ca} is no file of certificates in PEM") from exc
        if self._config.security == "tls":
            tls.set_alpn_protocols(["xmpp-client"])  # XEP-0368 §4
        return tls

    async def _begin(self, wire: Wire) -> Bound:
        """From the login to a session."""
        features = await wire.open()
        self._limit_to(features)
        managed = features.find(tag(_SM, "sm")) is not None
        if managed and self._session is not None and self._tries < _TRIES:
            self._tries += 1
            h = self._handled.tell()
            answer = await self._negotiate(
                Element(tag(_SM, "resume"), {"h": str(h), "previd": self._session}),
            )
            if answer.tag == tag(_SM, "resumed"):
                self._tries = 0
                return Bound(self._own, resumed=True)
        self._session, self._tries, self._managed, self._counting = None, 0, False, False
        self._own = self._config.jid if self._config.is_component else await self._bind(features)
        self._window.renewed()
        if managed:
            self._counting = True
            await self._negotiate(Element(tag(_SM, "enable"), {"resume": "true"}))
        if not self._managed:
            self._counting = False
        return Bound(self._own)

    def _limit_to(self, features: Element) -> None:
        said = features.findtext(f"{tag(_LIMITS, 'limits')}/{tag(_LIMITS, 'max-bytes')}") or ""
        allowed = int(said) if said.isdecimal() and len(said) < 12 else self._config.max_stanza
        self.limit = max(_LEAST, allowed) - _SLACK

    async def _bind(self, features: Element) -> str:
        """A resource of ours (RFC 6120 §7)."""
        iq = Element(IQ, {"type": "set"})
        bind = SubElement(iq, tag(_BIND, "bind"))
        if self._resource:
            SubElement(bind, tag(_BIND, "resource")).text = self._resource
        answer = await self._asked_at_login(iq)
        jid = answer.findtext(f"{tag(_BIND, 'bind')}/{tag(_BIND, 'jid')}")
        if not jid:
            raise NotSentError("the server has bound no resource")
        session = features.find(tag(_SESSION, "session"))  # RFC 3921 §3, which some still want
        if session is not None and session.find(tag(_SESSION, "optional")) is None:
            iq = Element(IQ, {"type": "set"})
            SubElement(iq, tag(_SESSION, "session"))
            await self._asked_at_login(iq)
        return jid

    async def _asked_at_login(self, iq: Element) -> Element:
        try:
            return await self._requests.answered(iq, self._config.timeout, write=self._write_iq)
        except StanzaError as exc:
            raise NotSentError(f"the server gives us no session: {exc}", code=exc.condition) from None

    async def _negotiate(self, element: Element) -> Element:
        self._negotiated = asyncio.get_running_loop().create_future()
        self._write(to_bytes(element))
        try:
            return await self._negotiated
        finally:
            heard(self._negotiated)

    @property
    def is_managed(self) -> bool:
        """Whether the server says what it has, and keeps what we have not (XEP-0198)."""
        return self._managed

    async def ended(self) -> NoReturn:
        """Wait until the session is over, and raise why. See `Stream.ended`."""
        if self._over is not None:
            await self._over.wait()
        self._gone()

    async def close(self) -> None:
        """Say goodbye, in bounded time. For good."""
        self._closed = True
        self._deliveries.give_up()
        wire = self._wire
        if wire is not None and self.bound is not None:
            wire.resume()  # the server's goodbye has to be read
            if not self._config.is_component:
                self._write_stanza(to_bytes(Element(_PRESENCE, {"type": "unavailable"})))
            if self._managed:
                self._handled.ask()
            self._flush()
            self._session = None
            wire.write(b"</stream:stream>")
            with anyio.move_on_after(_GOODBYE, shield=True):
                await wire.gone.wait()
        await self._discard()

    def abort(self) -> None:
        """Cut the connection: the peer is dead. `ended` raises then."""
        self._cut(f"the server has shown no sign of life for {self._config.ping_timeout:g} s (`ping_timeout`)")

    def _cut(self, reason: str) -> None:
        if self._wire is not None:
            self._wire.fail(NotSentError(reason))

    async def _discard(self) -> None:
        """Leave nothing of the connection that there is."""
        self._cut("the connection was given up")
        if (wire := self._wire) is not None:
            with anyio.move_on_after(_LOOSE, shield=True):
                await wire.gone.wait()

    def _lost(self, wire: Wire) -> None:
        """The connection is gone."""
        if wire is not self._wire:
            return
        self.bound, self._flowing, self._counting = None, False, False
        self._out.clear()
        self._handled.lost()
        self._answered()
        self._barrier = None
        why = wire.why or NotSentError("the connection was lost")
        self._requests.lost(why)
        if self._negotiated is not None and not self._negotiated.done():
            self._negotiated.set_exception(copied(why))
        self._deliveries.stop()
        if self._over is not None:
            self._over.set()

    def _why(self) -> DeliveryError | None:
        return self._wire.why if self._wire is not None else None

    def _gone(self) -> NoReturn:
        why = self._why()
        raise NotSentError(_NO_SESSION) if why is None else copied(why)

    # --- delivering -----------------------------------------------------------------------------------------------

    def flow(self) -> None:
        """From now on what is to be delivered is written. See `Stream.flow`."""
        if self.bound is None:
            return
        self._flowing = True
        self._deliveries.flow()
        self._pump()

    async def deliver(self, elements: Sequence[Element], *, started: Callable[[], None]) -> None:
        """Write *elements* and return once the server has acknowledged all of them. See `Stream.deliver`."""
        if self._closed:
            raise NotSentError("the stream is closed")
        if not elements:
            return
        stanzas = [to_bytes(each, sender=self._sender) for each in elements]
        await self._deliveries.acknowledged(stanzas, started=started, write=self._pump)

    def _pump(self) -> None:
        """Write what there is room for."""
        if self._flowing:
            self._out += self._window.write()
            self._flush_soon()

    def post(self, element: Element) -> None:
        """Write a stanza that nobody waits for. See `Stream.post`."""
        if self.bound is None or self._wire is None:
            raise NotSentError(_NO_SESSION)
        if self._wire.unwritten > OCTETS:
            raise NotSentError("the server does not read")
        if element.tag == _PRESENCE and element.get("type") is None:
            element = _with(element, self._answers.caps())
        self._write_stanza(to_bytes(element, sender=self._sender))

    # --- asking ---------------------------------------------------------------------------------------------------

    async def request(self, iq: Element, *, timeout: float | None = None) -> Element:
        """Ask. See `Stream.request`."""
        if self.bound is None:
            raise NotSentError(_NO_SESSION)
        timeout = self._config.timeout if timeout is None else timeout
        return await self._requests.answered(iq, timeout, write=self._write_iq)

    def _write_iq(self, iq: Element) -> None:
        self._write_stanza(to_bytes(iq, sender=self._sender))

    # --- reading --------------------------------------------------------------------------------------------------

    def handled(self, count: int) -> None:
        """*count* more of what `incoming` was given is safe. See `Stream.handled`."""
        self._handled.handled(count)
        if self._handled.owes:
            self._flush_soon()

    def pause(self) -> None:
        """Read nothing from the connection until `resume`."""
        self._paused = True
        if self.bound is not None and self._wire is not None:
            self._wire.pause()

    def resume(self) -> None:
        """Read on."""
        if not self._paused:
            return
        self._paused = False
        if self._wire is not None:
            self._wire.resume()
        if self._asked is not None:  # its answer could not come
            self._asked.cancel()
            self._asked = self._be_patient()

    def _received(self, element: Element) -> None:
        """An element came, after the login."""
        name = element.tag
        if name in _HANDED_ON:
            self._handled.given()
            self._incoming(element)
        elif name == IQ:
            self._iq(element)
        elif name.startswith(f"{{{_SM}}}"):
            self._managing(name[len(_SM) + 2 :], element)

    def _iq(self, iq: Element) -> None:
        kind = iq.get("type")
        if kind in ("result", "error"):
            self._handled.done()
            self._answer_came(iq)
        elif kind == "set" and len(iq) == 1 and iq[0].tag == tag(NS.ROSTER, "query"):
            self._roster_push(iq)
        else:
            self._handled.done()
            if kind in ("get", "set"):
                self._reply(self._answers.to(iq))

    def _answer_came(self, iq: Element) -> None:
        ident, sender = iq.get("id", ""), iq.get("from")
        if self._barrier is not None and self._barrier[0] == ident:
            if may_answer(self._config.domain, sender, self._own):
                position, self._barrier = self._barrier[1], None
                self._acknowledged(position)
            return
        self._requests.came(iq, self._own)

    def _roster_push(self, iq: Element) -> None:
        if is_from_account(iq.get("from"), self._own):
            self._handled.given()
            self._reply(self._answers.accepted(iq))
            self._incoming(iq)
        else:
            self._handled.done()
            self._reply(self._answers.refused(iq))

    def _reply(self, answer: Element) -> None:
        if self._wire is None or self._wire.unwritten > OCTETS:  # who asks and does not read gets nothing
            return
        stanza = to_bytes(answer, sender=self._sender)
        if len(stanza) <= self.limit:  # else who asks, by an id without end, would have the server end our stream
            self._write_stanza(stanza)

    # --- stream management ----------------------------------------------------------------------------------------

    def _managing(self, name: str, element: Element) -> None:
        if name == "a":
            self._acknowledged(_h(element))
        elif name == "r":
            self._handled.ask()
            self._flush_soon()
        elif self._negotiated is not None and not self._negotiated.done():
            if name == "enabled":
                self._managed = True
                self._session = element.get("id") if element.get("resume") in ("true", "1") else None
                self._handled.begin(resumed=False)
            elif name == "resumed":
                self._window.resumed(_h(element))
                self._managed = self._counting = True
                self._handled.begin(resumed=True)
            elif name == "failed":
                if self._session is not None and element.get("h") is not None:
                    self._window.acknowledge(_h(element))
            else:
                return
            self._negotiated.set_result(element)

    def _acknowledged(self, position: int) -> None:
        self._answered()
        try:
            self._window.acknowledge(position)
        except ValueError:
            self._cut("the server has acknowledged more than was written")
            return
        self._pump()

    def _answered(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
            self._asked = None

    def _be_patient(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._config.ping_timeout, self._impatient)

    def _impatient(self) -> None:
        if not self._paused:  # else `resume` asks for patience anew
            self.abort()

    # --- writing --------------------------------------------------------------------------------------------------

    def _write_stanza(self, stanza: bytes) -> None:
        """Something that is counted, and that nobody waits for."""
        if self._counting:
            self._window.count()
        self._write(stanza)

    def _write(self, data: bytes) -> None:
        self._out.append(data)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what has gathered, and what the counts ask for."""
        self._flush_due = False
        if self._wire is None or self._wire.why is not None:
            self._out.clear()
            return
        if self._handled.owes:
            self._out.append(f"<a xmlns='{_SM}' h='{self._handled.tell()}'/>".encode())
        if self._flowing and self._window.pending and self._asked is None:
            if self._managed:
                # In the midst of much: the server has something left to do while its answer makes room for more.
                self._out.insert(len(self._out) if len(self._out) < _MUCH else len(self._out) // 2, _ASK)
            else:
                self._out.append(self._ping())
            self._asked = self._be_patient()
        if self._out:
            self._wire.write(b"".join(self._out))
            self._out.clear()

    def _ping(self) -> bytes:
        """A question whose answer says that everything before it has been done.

        A component does not know the name of its server, and asks itself: the server passes that on in order, too.
        """
        ident = self._requests.new_id()
        self._barrier = ident, self._window.written
        iq = Element(IQ, {"type": "get", "id": ident, "to": self._config.domain})
        SubElement(iq, tag(NS.PING, "ping"))
        return to_bytes(iq, sender=self._sender)


def _h(element: Element) -> int:
    said = element.get("h", "")
    if not said.isdecimal() or len(said) > 10:
        raise ValueError("h is no number")
    return int(said)


def _with(element: Element, child: Element) -> Element:
    found = Element(element.tag, element.attrib)
    found.text = element.text
    found.extend((*element, child))
    return found
