"""Somebody at the other end: a client, or a component, that says what it is told and notes what it hears.

It is made of no library for XMPP, so that it shares no mistake with what it judges, and so that it may say what no
library would: what is forged, what is broken, and half of it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Final, Self, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser, tostring
from xml.sax.saxutils import escape, quoteattr

import anyio
from anyio.abc import ByteStream, TaskGroup

from .servers import Account, XmppServer

__all__ = ["Peer", "StreamError", "body"]

_STREAM: Final = "{http://etherx.jabber.org/streams}"
_SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
_MAM: Final = "urn:xmpp:mam:2"

Wanted = str | Callable[[Element], object]


class StreamError(ConnectionError):
    """The server has refused us, or has ended the stream with an error; it is written as it was told."""


class Peer:
    """Somebody connected, from `async with` to its end.

    Without stream management, unless it is asked for with `send`: what is under way when the line is cut is lost, as
    with the plainest of clients.

    Args:
        server: Where; a relay to its `tls_port` (of a component: `component_port`) may stand before it, see *port*.
        account: Who; None for the server's component.
        resource: Which of their devices.
        port: Where to connect to, on the server's host; its own port by default.
        present: Whether it says at once that it is there: who is not gets nothing sent.
        bind: Whether it takes its resource; else it has only logged in, and may resume another stream.

    Attributes:
        bare, jid: The address, and with the resource.
        received: Every stanza that has come, oldest first.
        features: What the server offers to one who has logged in; of a component, nothing.
        error: What the server has ended the stream with; None while it has not.
    """

    def __init__(
        self,
        server: XmppServer,
        account: Account | None,
        resource: str = "peer",
        *,
        port: int | None = None,
        present: bool = True,
        bind: bool = True,
    ) -> None:
        self.server, self.account, self.resource = server, account, resource
        self.bare = server.component if account is None else account.jid
        self.jid = self.bare if account is None else f"{self.bare}/{resource}"
        self.received: list[Element] = []
        self.features = Element(f"{_STREAM}features")
        self.error: Element | None = None
        self._port, self._present, self._bind = port, present and bind, bind
        self._stack = AsyncExitStack()
        self._line: ByteStream | None = None
        self._ended = False
        self._news = anyio.Event()

    # --- being there ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(group.cancel_scope.cancel)
            await self.open(group)
            stack.push_async_callback(self.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def open(self, group: TaskGroup) -> None:
        """Connect, and hear in *group*; `async with` does this and `close`.

        Raises:
            StreamError: The server does not want us.
        """
        stream = _Elements()
        with anyio.fail_after(10):
            self._line = await self._connected()
            try:
                await (self._log_in(stream) if self.account else self._shake_hands(stream))
            except BaseException:
                await anyio.aclose_forcefully(self._line)
                raise
        self._ended = False
        group.start_soon(self._listen, stream)
        if self.account and self._present:
            await self.send("<presence/>")

    async def close(self) -> None:
        """Say good-bye, and go."""
        if not self._ended:
            with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError), anyio.move_on_after(1):
                await self.send("</stream:stream>")
        await self.drop()

    async def drop(self) -> None:
        """Go away without a word, as somebody does who has lost the network."""
        self._ended = True
        assert self._line is not None
        await anyio.aclose_forcefully(self._line)

    async def _connected(self) -> ByteStream:
        if self.account is None:
            return await anyio.connect_tcp(self.server.host, self._port or self.server.component_port)
        return await anyio.connect_tcp(
            self.server.host,
            self._port or self.server.tls_port,
            ssl_context=self.server.ssl_context(),
            tls_hostname=self.server.domain,
            tls_standard_compatible=False,
        )

    async def _log_in(self, stream: _Elements) -> None:
        assert self.account is not None
        await self._open("jabber:client", self.server.domain)
        await self._next(stream)  # its features
        plain = base64.b64encode(f"\0{self.account.user}\0{self.account.password}".encode()).decode()
        await self.send(f"<auth xmlns='{_SASL}' mechanism='PLAIN'>{plain}</auth>")
        if (answer := await self._next(stream)).tag != f"{{{_SASL}}}success":
            raise StreamError(tostring(answer, "unicode"))
        stream.begin()
        await self._open("jabber:client", self.server.domain)
        self.features = await self._next(stream)
        if self._bind:
            await self._take_resource(stream)

    async def _take_resource(self, stream: _Elements) -> None:
        resource = f"<resource>{escape(self.resource)}</resource>"
        await self.send(f"<iq type='set' id='bind'><bind xmlns='{_BIND}'>{resource}</bind></iq>")
        answer = await self._next(stream)
        if (jid := answer.findtext(f".//{{{_BIND}}}jid")) is None:
            raise StreamError(tostring(answer, "unicode"))
        self.jid = jid

    async def _shake_hands(self, stream: _Elements) -> None:
        await self._open("jabber:component:accept", self.bare)
        while stream.id is None:
            await self._read(stream)
        proof = hashlib.sha1(f"{stream.id}{self.server.component_secret}".encode()).hexdigest()
        await self.send(f"<handshake>{proof}</handshake>")
        if not (answer := await self._next(stream)).tag.endswith("handshake"):
            raise StreamError(tostring(answer, "unicode"))

    async def _open(self, namespace: str, to: str) -> None:
        await self.send(
            f"<?xml version='1.0'?><stream:stream to={quoteattr(to)} version='1.0' xml:lang='en'"
            f" xmlns='{namespace}' xmlns:stream='http://etherx.jabber.org/streams'>"
        )

    # --- hearing --------------------------------------------------------------------------------------------------

    async def _next(self, stream: _Elements) -> Element:
        while not stream.heard:
            await self._read(stream)
        return stream.heard.pop(0)

    async def _read(self, stream: _Elements) -> None:
        assert self._line is not None
        stream.feed(await self._line.receive())

    async def _listen(self, stream: _Elements) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ParseError):
            while not stream.ended:
                if stream.heard:
                    self._hear(stream.heard)
                    stream.heard = []
                await self._read(stream)
        self._hear(stream.heard)
        self._ended = True
        self._news.set()

    def _hear(self, elements: list[Element]) -> None:
        for element in elements:
            if element.tag == f"{_STREAM}error":
                self.error = element
            else:
                self.received.append(element)
        self._news.set()
        self._news = anyio.Event()

    @property
    def connected(self) -> bool:
        """Whether the stream is still there."""
        return not self._ended

    async def until(self, wanted: Wanted, *, seconds: float = 10.0, after: int = 0) -> Element:
        """The first stanza that is *wanted*, of those that have come and those that will.

        Args:
            wanted: What has to be true of it; or the text of its body.
            seconds: How long to wait.
            after: How many of `received` are not looked at.

        Raises:
            TimeoutError: It has not come; what has come is said.
        """
        is_wanted = (lambda stanza: body(stanza) == wanted) if isinstance(wanted, str) else wanted
        with anyio.move_on_after(seconds):
            while True:
                news = self._news
                for stanza in self.received[after:]:
                    if is_wanted(stanza):
                        return stanza
                after = len(self.received)
                if self._ended:
                    break
                await news.wait()
        told = "\n".join(tostring(each, "unicode") for each in self.received[-20:])
        why = "the stream has ended" if self._ended else f"not within {seconds} s"
        raise TimeoutError(f"{self.jid}: {why}; the last it has heard:\n{told}")

    async def ended(self, *, seconds: float = 10.0) -> Element | None:
        """What the server has ended the stream with, once it has; None where it has said nothing."""
        with anyio.fail_after(seconds):
            while not self._ended:
                await self._news.wait()
        return self.error

    def messages(self) -> list[Element]:
        """The messages with a body that have come, oldest first."""
        return [each for each in self.received if body(each) is not None]

    # --- saying ---------------------------------------------------------------------------------------------------

    async def send(self, xml: str | bytes) -> None:
        """Write *xml* as it is, be it well-formed or not."""
        assert self._line is not None
        await self._line.send(xml.encode() if isinstance(xml, str) else xml)

    async def say(self, to: str, text: str, more: str = "", *, kind: str = "chat", id: str | None = None) -> str:
        """Send a message; *more* is XML that stands beside its body. Returns its id."""
        id = id or secrets.token_hex(8)
        sender = f" from='{self.bare}'" if self.account is None else ""
        head = f"<message to={quoteattr(to)} type='{kind}' id={quoteattr(id)}{sender}>"
        await self.send(f"{head}<body>{escape(text)}</body>{more}</message>")
        return id

    async def ask(self, payload: str, *, to: str = "", kind: str = "get", seconds: float = 10.0) -> Element:
        """The answer, be it a result or an error, to an IQ with *payload*; by default the own account is asked."""
        id = secrets.token_hex(8)
        target = f" to={quoteattr(to)}" if to else ""
        sender = f" from='{self.bare}'" if self.account is None else ""
        after = len(self.received)
        await self.send(f"<iq type='{kind}' id='{id}'{target}{sender}>{payload}</iq>")
        return await self.until(
            lambda each: each.get("id") == id and each.get("type") in ("result", "error"), seconds=seconds, after=after
        )

    async def synced(self) -> None:
        """Wait until the server has done all that it was told before: it answers in order."""
        await self.ask("<ping xmlns='urn:xmpp:ping'/>", to=self.server.domain)

    async def carbons(self) -> None:
        """Hear what the account's other devices say and hear (XEP-0280)."""
        answer = await self.ask("<enable xmlns='urn:xmpp:carbons:2'/>", kind="set")
        assert answer.get("type") == "result", tostring(answer, "unicode")

    async def join(self, room: str, nick: str, *, history: int = 0) -> Element:
        """Enter *room* (XEP-0045); where there is none, it is made, and opened with the server's settings.

        Returns:
            Our own presence there, or the refusal.
        """
        after = len(self.received)
        muc = f"<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='{history}'/></x>"
        await self.send(f"<presence to={quoteattr(f'{room}/{nick}')}>{muc}</presence>")
        answer = await self.until(lambda each: _is_own(each, room), after=after)
        if "201" in _codes(answer):  # nobody else may enter before its settings have been sent
            await self.configure(room)
        return answer

    async def configure(self, room: str, **settings: str) -> None:
        """Set what is called muc#roomconfig_*; the rest stays."""
        fields = "".join(
            f"<field var='muc#roomconfig_{name}'><value>{escape(value)}</value></field>"
            for name, value in settings.items()
        )
        answer = await self.ask(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"
            f"<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>{fields}"
            "</x></query>",
            to=room,
            kind="set",
        )
        assert answer.get("type") == "result", tostring(answer, "unicode")

    async def subscribe(self, to: str) -> None:
        """Ask *to* for their presence."""
        await self.send(f"<presence type='subscribe' to={quoteattr(to)}/>")

    async def archived(self, of: str = "", *, fields: str = "", page: int = 50) -> list[Element]:
        """What is in an archive (XEP-0313), all pages of it, oldest first: `result` elements.

        Args:
            of: The room; by default the own account.
            fields: More XML of the form.
            page: How many are asked for at once.
        """
        found: list[Element] = []
        after: str | None = ""
        while after is not None:
            begin = len(self.received)
            place = f"<after>{escape(after)}</after>" if after else ""
            answer = await self.ask(
                f"<query xmlns='{_MAM}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>"
                f"<value>{_MAM}</value></field>{fields}</x>"
                f"<set xmlns='http://jabber.org/protocol/rsm'><max>{page}</max>{place}</set></query>",
                to=of,
                kind="set",
            )
            fin = answer.find(f"{{{_MAM}}}fin")
            assert fin is not None, tostring(answer, "unicode")
            results = (each.find(f"{{{_MAM}}}result") for each in self.received[begin:])
            found += [each for each in results if each is not None]
            last = fin.findtext(".//{http://jabber.org/protocol/rsm}last")
            after = None if fin.get("complete") == "true" else last
        return found


class _Elements:
    """What comes in on one stream: the elements below its root.

    Attributes:
        heard: Those that nobody has taken yet.
        id: What the server calls the stream; None before it has.
        ended: Whether it has ended it.
    """

    def __init__(self) -> None:
        self.heard: list[Element] = []
        self.begin()

    def begin(self) -> None:
        """Forget all: a new stream begins."""
        self._parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        self._depth = 0
        self._root: Element | None = None
        self.id: str | None = None
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._parser.feed(data)
        for event, element in cast("Iterator[tuple[str, Element]]", self._parser.read_events()):
            if event == "start":
                if self._root is None:
                    self._root, self.id = element, element.get("id")
                self._depth += 1
                continue
            self._depth -= 1
            if self._depth == 1:
                self.heard.append(element)
                assert self._root is not None
                self._root.clear()
            elif self._depth == 0:
                self.ended = True


def body(stanza: Element) -> str | None:
    """The text of a message; None where there is none."""
    return next((each.text or "" for each in stanza if each.tag.endswith("}body")), None)


def _codes(stanza: Element) -> set[str | None]:
    return {each.get("code") for each in stanza.iter("{http://jabber.org/protocol/muc#user}status")}


def _is_own(stanza: Element, room: str) -> bool:
    """Whether it says what has become of our entering *room*."""
    if stanza.get("from", "").partition("/")[0].lower() != room.lower() or not stanza.tag.endswith("}presence"):
        return False
    return stanza.get("type") == "error" or "110" in _codes(stanza)
