"""One connection, from the first byte to the last: slixmpp finds the server, and does TLS and SASL.

Rules kept here, each for something that slixmpp does, or does not do, by itself:

- A connection is tried once, and has an object of its own: nothing of a former one can be left in it.
- TLS that was asked for is never done without. Between "proceed" and TLS nothing is read.
- SASL: what refuses the credentials ends the try, with other mechanisms it would only be refused again. What would
  keep us busy for minutes (a million rounds of a hash) is no login.
- No stanza reaches slixmpp's own handlers: they answer, subscribe, and log.
- Its loggers tell passwords and messages at DEBUG. They are cut off from all others, which `logging.basicConfig` does
  not undo.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import anyio
from slixmpp import ClientXMPP, InvalidJID
from slixmpp.util.sasl.client import saslprep
from slixmpp.util.stringprep_profiles import StringPrepError
from slixmpp.xmlstream.tostring import tostring

from convergekit.errors import AccountError, AuthenticationError, DeliveryError, NotSentError, place_of

from ..config import XmppConfig
from ..stanzas.namespaces import NS
from ._parser import STREAMS, StanzaParser
from ._refusals import cleaned, condition_of, refused_connection, refused_login, refused_stream

__all__ = ["COMPONENT", "Wire"]

COMPONENT: Final = "jabber:component:accept"

_SASL: Final = "{urn:ietf:params:xml:ns:xmpp-sasl}"
_TLS: Final = "{urn:ietf:params:xml:ns:xmpp-tls}"
_STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
_MOST_ROUNDS: Final = 1_000_000
_HANDSHAKE: Final = f"{{{NS.CLIENT}}}handshake"

log = logging.getLogger(__name__)


class Wire(ClientXMPP):
    """One connection.

    Args:
        config: The account's settings.
        tls: Whom we trust.
        received: Called with each element once we are logged in.
        lost: Called once, when the connection is gone; `why` says why.

    Attributes:
        why: Why it is over; None while it is not.
        gone: Set once nothing of it is left.
    """

    def __init__(
        self,
        config: XmppConfig,
        tls: ssl.SSLContext,
        *,
        received: Callable[[Element], None],
        lost: Callable[[], None],
    ) -> None:
        _silence()
        self._config, self._received, self._lost = config, received, lost
        self.why: DeliveryError | None = None
        self.gone = asyncio.Event()
        self._stanzas: StanzaParser | None = None
        self._greeted = self._logged_in = self._upgrading = self._proving = False
        self._sent = 0
        self._news = asyncio.Event()  # of `_features`, or `why`
        self._features: Element | None = None
        mechanisms = {
            "use_mechs": set(config.mechanisms),
            "unencrypted_scram": config.security == "none",  # for this machine only; PLAIN is not used even there
        }
        try:
            super().__init__(
                config.jid,
                config.password.get_secret_value(),
                plugin_config={"feature_mechanisms": mechanisms},
                ssl_context=tls,
                loop=asyncio.get_running_loop(),
            )
            saslprep(self.password)
        except InvalidJID:
            raise AccountError(f"`jid`: {cleaned(config.jid)} is none for this server") from None
        except StringPrepError:
            raise AuthenticationError("`password` has characters that no login may have (RFC 4013)") from None
        self.default_domain = config.domain
        self.default_port = 5223 if config.security == "tls" else 5222
        self.enable_direct_tls = config.security == "tls"
        self.enable_starttls = config.security == "starttls" and not config.is_component
        if config.is_component:
            self.stream_header = (
                f"<stream:stream xmlns='{COMPONENT}' xmlns:stream='{STREAMS}' to={quoteattr(config.jid)}>"
            )
        self.add_event_handler("ssl_invalid_chain", self._no_tls)
        self.add_event_handler("no_auth", self._no_mechanism)
        self.add_event_handler("failed_all_auth", self._no_login)

    # --- from nothing to a login ----------------------------------------------------------------------------------

    async def open(self) -> Element:
        """Connect and log in.

        Returns:
            The features that the server then offers; of a component an element without content.

        Raises:
            DeliveryError: It was refused, or did not come to it.
        """
        self.init_plugins()  # type: ignore[no-untyped-call]
        await self._connect()
        await self._news.wait()
        if self._features is None:
            raise self.why or NotSentError("no connection with the server")
        return self._features

    async def _connect(self) -> None:
        why: DeliveryError | None = None
        try:
            targets = await self._targets()
        except OSError as exc:
            raise refused_connection(exc, self._config) from None
        for host, port in targets:
            try:
                # Of several servers, or addresses of one, none may take all of the time.
                with anyio.fail_after(self._config.timeout / len(targets)):
                    await self.loop.create_connection(
                        lambda: self,
                        host,
                        port,
                        ssl=self.ssl_context if self.enable_direct_tls else None,
                        server_hostname=self._config.domain if self.enable_direct_tls else None,
                    )
            except (OSError, EOFError) as exc:
                why = why or refused_connection(exc, self._config)
            else:
                return
        raise why or NotSentError("no connection with the server")

    async def _targets(self) -> list[tuple[str, int]]:
        """Addresses of the server, and ports there, best first (RFC 6120 §3.2)."""
        if (address := self._config.address) is None:
            if records := await self.get_dns_records(self._config.domain):
                return list(dict.fromkeys((each[2], each[3]) for each in records))
            address = self._config.domain, self.default_port
        if _is_literal(address[0]):  # nobody has to be asked, which takes a thread
            return [address]
        found = await self.loop.getaddrinfo(*address, type=socket.SOCK_STREAM)
        return list(dict.fromkeys((str(each[4][0]), int(each[4][1])) for each in found))

    async def _handle_stream_features(self, features: Any) -> bool | None:
        offered = features["features"]
        if self.enable_starttls and "starttls" not in self.features and "starttls" not in offered:
            self.fail(AccountError('the server offers no STARTTLS, which `security` = "starttls" asks for'))
        elif "starttls" not in offered and "mechanisms" not in offered:
            self.fail(NotSentError("the server offers no login (SASL)"))
        else:
            await super()._handle_stream_features(features)
        return None

    def start_stream_handler(self, xml: Any) -> None:
        """The server's header has come."""
        super().start_stream_handler(xml)  # type: ignore[no-untyped-call]
        if self._config.is_component:  # XEP-0114 §3
            secret = self._config.password.get_secret_value()
            proof = hashlib.sha1(f"{xml.get('id', '')}{secret}".encode()).hexdigest()
            self.send_raw(f"<handshake>{proof}</handshake>")

    def _negotiate(self, element: Element) -> None:
        """Something came before we are logged in. What is not part of that is nothing to us yet."""
        tag = element.tag
        if tag == f"{{{STREAMS}}}features":
            if self.authenticated:
                self._ready(element)
            else:
                self._spawn_event(element)
        elif tag == f"{_TLS}proceed" and self.enable_starttls and not self._upgrading:
            self._upgrading, self._stanzas = True, None
            self._spawn_event(element)
        elif tag == f"{_SASL}challenge":
            self._answer_challenge(element)
        elif tag == f"{_SASL}success":
            self._prove(element)
            if not self.authenticated:
                self.fail(AuthenticationError("the server does not prove that it knows the password"))
        elif tag == f"{_SASL}failure":
            condition = condition_of(element)
            if condition == "invalid-mechanism":
                self._spawn_event(element)  # the next one
            else:
                self.fail(refused_login(condition, _text(element)))
        elif tag == f"{_TLS}failure":
            self.fail(NotSentError("the server cannot do TLS now"))
        elif tag == _HANDSHAKE and self._config.is_component:
            self._ready(element)

    def _ready(self, features: Element) -> None:
        self._features, self._logged_in = features, True
        self._news.set()

    def _answer_challenge(self, element: Element) -> None:
        sent = self._sent
        if _rounds(element.text) > _MOST_ROUNDS:
            self.fail(AccountError(f"the server wants the password hashed more than {_MOST_ROUNDS} times"))
            return
        mechanism: Any = self.plugin["feature_mechanisms"].mech
        if mechanism is not None and mechanism.name.startswith("SCRAM-"):
            mechanism.Hi = partial(_hashed, mechanism.hash().name)  # slixmpp's own takes twenty times as long
        self._prove(element)
        if self._sent == sent:
            self.fail(AuthenticationError("the server's part of the login makes no sense"))

    def _prove(self, element: Element) -> None:
        """Let slixmpp go on with SASL; whoever calls looks at whether it did."""
        self._proving = True
        with suppress(Exception):  # it takes apart what the server says, and may stumble over anything
            self._spawn_event(element)
        self._proving = False

    def _no_tls(self, exc: BaseException) -> None:
        self.fail(refused_connection(exc, self._config))

    def _no_mechanism(self, _: object) -> None:
        offered = ", ".join(
            sorted(cleaned(str(each))[:30] for each in self.plugin["feature_mechanisms"].mech_list)[:12]
        )
        self.fail(AuthenticationError(f"`mechanisms`: the server offers none of them, but {offered or 'none at all'}"))

    def _no_login(self, _: object) -> None:
        if self.plugin["feature_mechanisms"].attempted_mechs:
            self.fail(refused_login("not-authorized"))

    # --- reading and writing --------------------------------------------------------------------------------------

    def init_parser(self) -> None:
        """A stream begins, on a new connection or after SASL."""
        names: Mapping[str, str] = {COMPONENT: NS.CLIENT} if self._config.is_component else {}
        self._stanzas, self._greeted = StanzaParser(4 * self._config.max_stanza, namespaces=names), False

    def connection_made(self, transport: Any, send_event: bool = True) -> None:
        """There is a connection, or TLS over it."""
        self.transport = transport
        self.socket = transport.get_extra_info("ssl_object") or transport.get_extra_info("socket")
        self._upgrading = False
        if self.why is not None:
            transport.abort()
            return
        self.init_parser()
        self.send_raw(self.stream_header)

    def data_received(self, data: bytes | str) -> None:
        """Bytes came."""
        parser = self._stanzas
        if parser is None or self.why is not None:
            return
        elements = parser.feed(data if isinstance(data, bytes) else data.encode())
        try:
            if parser.header is not None and not self._greeted:
                self._greeted = True
                self.start_stream_handler(parser.header)
            for element in elements:
                self._element(element)
                if self._stanzas is not parser or self.why is not None:
                    return  # what came behind it is of no stream
        except Exception as exc:  # of ours, or of slixmpp's
            log.error("an element of a stream cannot be handled: %s at %s", type(exc).__name__, place_of(exc))
            self.fail(NotSentError(f"an element of the stream cannot be handled ({type(exc).__name__})"))
            return
        if parser.violation:
            self.write(
                f"<stream:error><{parser.violation} xmlns='{_STREAM_ERRORS}'/></stream:error></stream:stream>".encode()
            )
            self.fail(NotSentError(f"what the server sends is no XMPP ({parser.violation})"))
        elif parser.ended:
            self.fail(NotSentError("the server has ended the stream"))

    def _element(self, element: Element) -> None:
        if element.tag == f"{{{STREAMS}}}error":
            self.fail(refused_stream(element, self._config))
        elif self._logged_in:
            self._received(element)
        else:
            self._negotiate(element)

    def write(self, data: bytes) -> None:
        """Write *data*, if there is somebody to write to."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    @property
    def unwritten(self) -> int:
        """Octets that the peer has not taken yet."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def send(self, data: Any, use_filters: bool = True) -> None:
        """What slixmpp says: parts of TLS and SASL."""
        self.send_raw(data if isinstance(data, str) else tostring(data.xml, self.default_ns, self, top_level=True))

    def send_raw(self, data: str | bytes) -> None:
        """Write without a word to the log."""
        self._sent += 1
        self.write(data if isinstance(data, bytes) else data.encode())

    def pause(self) -> None:
        """Read nothing."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    # --- the end --------------------------------------------------------------------------------------------------

    def fail(self, why: DeliveryError) -> None:
        """It is over; the first reason is the one."""
        if self.why is not None:
            return
        self.why = why
        self.cancel_connection_attempt()
        if self.transport is None:
            self.connection_lost(None)
            return
        self.transport.abort()
        if self._upgrading:  # then nobody tells us that the transport is gone
            self.loop.call_soon(self.connection_lost, None)

    def connection_lost(self, exception: BaseException | None) -> None:
        """The connection is gone."""
        self.why = self.why or (
            refused_connection(exception, self._config)
            if exception is not None
            else NotSentError("the server has closed the connection")
        )
        self.transport = self.socket = self._stanzas = None
        self._news.set()
        if not self.gone.is_set():
            self.gone.set()
            self._lost()

    def eof_received(self) -> None:
        """The server says no more; the connection is closed then."""

    def disconnect(self, *_: Any, **__: Any) -> Any:
        """That is how slixmpp gives up."""
        if not self._proving:
            self.fail(NotSentError("the login has failed on the way"))

    def exception(self, exception: BaseException) -> None:
        """Something in slixmpp has failed."""
        self.fail(NotSentError(f"the login has failed ({type(exception).__name__})"))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _silence() -> None:
    """Let nobody hear slixmpp's loggers, whatever their level."""
    logger = logging.getLogger("slixmpp")
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _hashed(algorithm: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    """RFC 5802 §2.2: Hi."""
    return hashlib.pbkdf2_hmac(algorithm, password, salt, rounds)


def _rounds(challenge: str | None) -> int:
    """How often SCRAM is to hash the password (RFC 5802 §5.1); 0 where it does not say."""
    try:
        said = re.search(rb"(?:^|,)i=(\d{1,12})", base64.b64decode(challenge or ""))
    except ValueError:
        return 0
    return int(said[1]) if said else 0


def _text(element: Element) -> str | None:
    return next((each.text for each in element if each.tag.endswith("}text")), None)
