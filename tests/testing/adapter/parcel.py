"""A parcel office: one connection for everything, made while the adapter opens, inside a task group of its own.

What goes out and what comes in are frames of bytes; answers come in any order, and are known by a number.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final, Self

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import ByteStream, SocketStream, TaskGroup, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from convergekit.abc import Adapter, Health, Outgoing
from convergekit.errors import (
    AuthenticationError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import (
    Address,
    Capabilities,
    CustomReceived,
    Event,
    Idempotency,
    IdempotencyKind,
    MessageReceived,
    Receipt,
    Status,
    TextLimit,
)
from convergekit.testing.adapter import Cannot, Fault, LoopbackServer, Subject

__all__ = ["ParcelAdapter", "ParcelConfig", "ParcelSubject"]

_TOKEN: Final = "t0ken-of-the-office"
_GONE: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead)


class ParcelConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(default="127.0.0.1", description="Where the office is.")
    port: int = Field(description="Which of its doors.")
    token: SecretStr = Field(description="Lets us in.")


class _Frames:
    """JSON, with its length in front; what is no JSON as it is."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream, self._buffer, self._pen = stream, BufferedByteReceiveStream(stream), anyio.Lock()

    async def read(self) -> Any:
        (size,) = struct.unpack(">I", await self._buffer.receive_exactly(4))
        body = await self._buffer.receive_exactly(size)
        try:
            return json.loads(body)
        except ValueError:
            return body.decode("utf-8", "replace")

    async def write(self, document: Any) -> None:
        body = json.dumps(document).encode()
        async with self._pen:
            await self._stream.send(struct.pack(">I", len(body)) + body)


class _Link:
    """One connection; whoever waits for it learns when it is lost."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream, self.frames = stream, _Frames(stream)
        self.is_lost = False
        self.said: deque[Any] = deque()
        self.news = anyio.Event()
        self._waiting: dict[int, tuple[anyio.Event, list[Any]]] = {}
        self._numbers = count(1)

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        try:
            task_status.started()
            async with self.stream:
                while True:
                    self._sort(await self.frames.read())
        except _GONE:
            return
        finally:
            self.lose()

    def _sort(self, said: Any) -> None:
        match said:
            case {"answers": int(number)}:
                if number in self._waiting:
                    arrived, box = self._waiting[number]
                    box.append(said)
                    arrived.set()
            case _:
                self.said.append(said)
                self._tell()

    def lose(self) -> None:
        self.is_lost = True
        for arrived, _ in self._waiting.values():
            arrived.set()
        self._tell()

    def _tell(self) -> None:
        news, self.news = self.news, anyio.Event()
        news.set()

    async def write(self, document: Any) -> None:
        """A frame is written whole, or the connection is given up: half of one would spoil the next."""
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + 5) as scope:
            try:
                await self.frames.write(document)
            except _GONE:
                self.lose()
        if scope.cancelled_caught:
            self.lose()

    async def ask(self, document: Mapping[str, Any], started: Callable[[], None]) -> Any:
        """The answer; None where there will be none."""
        if self.is_lost:
            raise NotSentError("the connection was lost")
        number = next(self._numbers)
        arrived, box = self._waiting[number] = anyio.Event(), []
        try:
            started()
            await self.write({**document, "number": number})
            if not self.is_lost:
                await arrived.wait()
        finally:
            del self._waiting[number]
        return box[0] if box else None


class ParcelAdapter(Adapter[ParcelConfig]):
    name = "parcel"
    schemes = frozenset({"parcel"})
    Config = ParcelConfig
    capabilities = Capabilities(
        text=TextLimit(max=800, unit="utf16"), idempotency=Idempotency(kind=IdempotencyKind.KEY)
    )
    _tasks: TaskGroup

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self._link: _Link | None = None
        self._linking = anyio.Lock()
        async with anyio.create_task_group() as self._tasks:
            await self._linked()
            yield self
            self._tasks.cancel_scope.cancel()

    async def _linked(self) -> _Link:
        async with self._linking:
            if self._link is None or self._link.is_lost:
                self._link = await self._connected()
            return self._link

    async def _connected(self) -> _Link:
        channel = self.context.channel
        try:
            with anyio.fail_after(10):
                stream = await anyio.connect_tcp(self.config.host, self.config.port)
        except OSError:
            raise NotSentError("there is no connection", channel=channel) from None
        link = _Link(stream)
        try:
            await link.frames.write({"token": self.config.token.get_secret_value()})
            if await link.frames.read() != "welcome":
                raise AuthenticationError("the office does not know us", channel=channel)
            await self._tasks.start(link.run)
        except BaseException as error:
            await anyio.aclose_forcefully(stream)
            if isinstance(error, _GONE):
                raise NotSentError("it hung up before we were in", channel=channel) from None
            raise
        return link

    async def send(self, out: Outgoing) -> Receipt:
        channel, answer = self.context.channel, None
        if out.native is not None:
            raise UnsupportedContentError("a parcel has no native fields", channel=channel)
        link = await self._linked()
        with anyio.move_on_after(20):
            answer = await link.ask({"key": out.key, "to": out.to.value, "text": out.text}, out.started)
        match answer:
            case {"id": str(id)}:
                return Receipt(Status.ACCEPTED, ids=(id,))
            case {"refused": str(code)}:
                raise RejectedError("the office refused it", code=code, channel=channel)
            case {"wait": int(seconds)}:
                raise ThrottledError("too many parcels", retry_after=seconds, channel=channel)
            case {"closed": True}:
                raise AuthenticationError("the account is closed", channel=channel)
        raise UncertainError("there is no answer, or one that makes no sense", channel=channel)

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        link = await self._linked()
        task_status.started()
        while True:
            while not link.said:
                if link.is_lost:
                    raise NotSentError("the connection was lost", channel=self.context.channel)
                await link.news.wait()
            await self.context.admit(_to_event(link.said[0]))
            link.said.popleft()
            await link.write("have it")

    async def check(self) -> Health:
        try:
            await self._linked()
        except DeliveryError as error:
            return Health(ok=False, detail=error.reason)
        return Health(ok=True, detail="it lets us in")


def _to_event(said: Any) -> Event:
    try:
        id, sender = bytes.fromhex(said["id"]).hex(), Address.build("parcel", said["from"])
        return MessageReceived(key=id, message_id=id, sender=sender, text=said["text"], native=said)
    except (LookupError, TypeError, ValueError, ValidationError):
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return CustomReceived(key=f"invalid-{digest}", name="invalid_message", native=said)


_ANSWERS: Final[Mapping[Fault, Mapping[str, Any]]] = {
    Fault.REFUSED: {"refused": "fog"},
    Fault.ACCOUNT: {"closed": True},
    Fault.THROTTLED: {"wait": 7},
    Fault.SERVER_ERROR: {"broken": True},
    Fault.NONSENSE: {"<": ">"},
    Fault.EMPTY: {},
}


class ParcelSubject(Subject):
    """The office: it answers each parcel in a task of its own, and speaks meanwhile."""

    adapter = ParcelAdapter
    to = "parcel:ann"
    senders = ("parcel:ann", "parcel:bob")

    def __init__(self) -> None:
        self._server = LoopbackServer(self._talk)
        self._faults: deque[Fault] = deque()
        self._received: list[bytes] = []
        self._taken: dict[str, str] = {}
        self._said: list[Any] = []
        self._news = anyio.Event()
        self._acknowledged, self._refuses = 0, False

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        async with self._server.serving():
            self.settings = {"host": self._server.host, "port": self._server.port, "token": _TOKEN}
            yield

    async def _talk(self, stream: SocketStream) -> None:
        frames = _Frames(stream)
        hello = await frames.read()
        if hello != {"token": _TOKEN} or self._refuses:
            await frames.write("go away")
            return
        await frames.write("welcome")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._speak, frames)
            while True:
                document = await frames.read()
                if document == "have it":
                    self._acknowledged += 1
                else:
                    tasks.start_soon(self._take, stream, frames, document)

    async def _speak(self, frames: _Frames) -> None:
        """What is not acknowledged comes again on the next connection."""
        told = self._acknowledged
        while True:
            while told == len(self._said):
                self._news = anyio.Event()
                await self._news.wait()
            await frames.write(self._said[told])
            told += 1

    async def _take(self, stream: SocketStream, frames: _Frames, document: Any) -> None:
        answer: Mapping[str, Any]
        if document["key"] in self._taken and not self._faults:
            answer = {"id": self._taken[document["key"]]}
        else:
            self._received.append(json.dumps(document).encode())
            match fault := self._faults.popleft() if self._faults else None:
                case None:
                    id = self._taken[document["key"]] = f"p{len(self._received)}"
                    answer = {"id": id}
                case Fault.ANSWER_LOST:
                    return await stream.aclose()
                case Fault.RESET:
                    return await self._server.reset(stream)
                case Fault.SILENT:
                    return None
                case _:
                    answer = _ANSWERS[fault]
        return await frames.write({"answers": document["number"], **answer})

    def fault(self, fault: Fault) -> None:
        if fault is Fault.UNREACHABLE:
            self._server.go_away()
            self._server.drop()
        elif fault in _ANSWERS or fault in (Fault.ANSWER_LOST, Fault.RESET, Fault.SILENT):
            self._faults.append(fault)
        else:
            raise Cannot(f"the office has no way to say {fault.value}")

    def attempted(self) -> None:
        self._server.come_back()

    def received(self) -> Sequence[bytes]:
        return tuple(self._received)

    def text_of(self, message: bytes) -> str:
        text: str = json.loads(message)["text"]
        return text

    def identity(self, message: bytes) -> object:
        return json.loads(message)["key"]

    def message(self, *, id: str, sender: str, text: str) -> Mapping[str, Any]:
        return {"id": id.encode().hex(), "from": sender.removeprefix("parcel:"), "text": text}

    def nonsense(self) -> Sequence[Any]:
        return [{"id": "zz"}, "fog", {"id": "00", "from": "a\nb", "text": 3}]

    async def push(self, said: Any) -> None:
        self._said.append(said)
        self._news.set()

    def acknowledged(self) -> int:
        return self._acknowledged

    async def drop(self) -> None:
        self._server.drop()

    def refuse_login(self) -> None:
        self._refuses = True
