"""A server that says what the test wants, and when: in plain text, on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, cast
from xml.etree.ElementTree import Element, XMLPullParser

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.stapled import MultiListener

from convergekit.adapters.xmpp import XmppConfig
from convergekit.adapters.xmpp.transport import XmppStream
from convergekit.errors import DeliveryError

__all__ = ["BIND", "ENABLED", "SM", "FarSide", "Line", "begun", "config", "far_side", "refused", "until"]

SM: Final = "urn:xmpp:sm:3"
BIND: Final = "urn:ietf:params:xml:ns:xmpp-bind"
ENABLED: Final = f"<enabled xmlns='{SM}' id='s1' resume='true'/>"
JID: Final = "bot@example.org/here"
_SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"
_HEADER: Final = (
    "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams' id='s'"
    " version='1.0' from='example.org'>"
)
_MECHANISMS: Final = f"<mechanisms xmlns='{_SASL}'><mechanism>SCRAM-SHA-1</mechanism></mechanisms>"
_AFTER: Final = f"<bind xmlns='{BIND}'/><sm xmlns='{SM}'/>"


class Line:
    """One connection, as the server sees it.

    Attributes:
        raw: All that came.
    """

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self.raw = b""
        self._begin()

    def _begin(self) -> None:
        self._parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        self._depth = 0
        self._found: list[Element] = []

    async def send(self, xml: str | bytes) -> None:
        await self._stream.send(xml.encode() if isinstance(xml, str) else xml)

    async def next(self, seconds: float = 5.0) -> Element:
        """The next element; TimeoutError where none comes, EndOfStream where none will."""
        with anyio.fail_after(seconds):
            while not self._found:
                self._feed(await self._stream.receive())
        return self._found.pop(0)

    async def names(self, count: int) -> list[str]:
        """Of the next elements: their ids, or their names."""
        found = [await self.next() for _ in range(count)]
        return [each.get("id") or each.tag.rpartition("}")[2] for each in found]

    async def silent(self, seconds: float = 0.05) -> bool:
        """Whether nothing comes for so long."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False

    async def closed(self) -> None:
        """Wait until the other side has gone."""
        with anyio.fail_after(5):
            try:
                while True:
                    await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    async def close(self) -> None:
        await self._stream.aclose()

    def _feed(self, data: bytes) -> None:
        self.raw += data
        self._parser.feed(data)
        for event, element in cast("list[tuple[str, Element]]", list(self._parser.read_events())):
            self._depth += 1 if event == "start" else -1
            if (event, self._depth) == ("end", 1):
                self._found.append(element)

    # --- what every session begins with ---------------------------------------------------------------------------

    async def header(self, features: str | None = None, namespace: str = "jabber:client") -> None:
        """Begin a stream; the client's own begins anew."""
        while b"<stream:stream" not in self.raw:
            self._feed(await self._stream.receive())
        content = "" if features is None else f"<stream:features>{features}</stream:features>"
        await self.send(_HEADER.format(namespace) + content)

    def again(self) -> None:
        """What the client says next is another stream."""
        self.raw = b""
        self._begin()

    async def login(self, password: str = "pw", after: str = _AFTER) -> None:
        """SCRAM-SHA-1 (RFC 5802), with one round."""
        await self.header(_MECHANISMS)
        first = _decoded(await self.next()).partition(",,")[2]
        nonce = first.rpartition("r=")[2] + "server"
        challenge = f"r={nonce},s={_encoded(b'salt')},i=1"
        await self.send(f"<challenge xmlns='{_SASL}'>{_encoded(challenge.encode())}</challenge>")
        final = _decoded(await self.next()).rpartition(",p=")[0]
        key = _mac(hashlib.pbkdf2_hmac("sha1", password.encode(), b"salt", 1), "Server Key")
        proof = _encoded(_mac(key, f"{first},{challenge},{final}"))
        self.again()
        await self.send(f"<success xmlns='{_SASL}'>{_encoded(f'v={proof}'.encode())}</success>")
        await self.header(after)

    async def bind(self, jid: str = JID) -> None:
        iq = await self.next()
        await self.send(f"<iq type='result' id='{iq.get('id')}'><bind xmlns='{BIND}'><jid>{jid}</jid></bind></iq>")

    async def session(self, enabled: str = ENABLED, after: str = _AFTER) -> None:
        """A fresh one, with stream management."""
        await self.login(after=after)
        await self.bind()
        if f"xmlns='{SM}'" in after:
            assert (await self.next()).tag == f"{{{SM}}}enable"
            await self.send(enabled)

    async def resumed(self, h: int, *, behind: str = "") -> Element:
        """The one from before; returns what was asked."""
        await self.login()
        asked = await self.next()
        assert asked.tag == f"{{{SM}}}resume"
        await self.send(f"<resumed xmlns='{SM}' previd='s1' h='{h}'/>{behind}")
        return asked

    async def component(self, answer: str = "<handshake/>") -> str:
        """Shake hands (XEP-0114); returns what was said."""
        await self.header(namespace="jabber:component:accept")
        proof = await self.next()
        await self.send(answer)
        return proof.text or ""


class FarSide:
    """Takes connections."""

    def __init__(self, listener: MultiListener[SocketStream]) -> None:
        self.port: int = listener.extra(SocketAttribute.local_port)
        self._send, self._lines = anyio.create_memory_object_stream[Line](100)

    async def take(self, stream: SocketStream) -> None:
        line = Line(stream)
        self._send.send_nowait(line)
        async with stream:
            await anyio.sleep_forever()

    async def line(self) -> Line:
        """The next connection."""
        with anyio.fail_after(5):
            return await self._lines.receive()

    def close(self) -> None:
        self._send.close()
        self._lines.close()


@asynccontextmanager
async def far_side() -> AsyncIterator[FarSide]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    far = FarSide(listener)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, far.take)
        try:
            yield far
        finally:
            group.cancel_scope.cancel()
            far.close()


def config(far: FarSide, **settings: object) -> XmppConfig:
    whole = {"jid": "bot@example.org", "password": "pw", "host": "127.0.0.1", "port": far.port, "security": "none"}
    return XmppConfig(**{**whole, **settings})  # type: ignore[arg-type]


async def begun(stream: XmppStream, far: FarSide, *, flow: bool = True, **session: str) -> Line:
    """A fresh session of *stream*."""
    async with anyio.create_task_group() as group:
        group.start_soon(stream.open)
        line = await far.line()
        await line.session(**session)
    if flow:
        stream.flow()
    return line


async def refused(stream: XmppStream) -> DeliveryError:
    """What `open` raises."""
    try:
        with anyio.fail_after(5):
            await stream.open()
    except DeliveryError as exc:
        return exc
    raise AssertionError("it was opened")


async def until(check: Callable[[], object]) -> None:
    """Return once *check* holds."""
    with anyio.fail_after(5):
        while not check():  # noqa: ASYNC110 # nobody tells of it
            await anyio.sleep(0.001)


def _decoded(element: Element) -> str:
    return base64.b64decode(element.text or "").decode()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha1")
