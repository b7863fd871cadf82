"""Where a check puts an adapter: its context, the ways in, and the engine where a rule is about both."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final, Literal, TypeAlias

import anyio
from anyio.abc import TaskGroup, TaskStatus
from anyio.lowlevel import checkpoint
from pydantic import BaseModel

from convergekit.abc import Adapter, Admission, Cursor, Headers, Listens, Outgoing, Polls, ReceivesWebhooks, Request
from convergekit.asgi import WebhookApp
from convergekit.config import channel_settings
from convergekit.errors import (
    AccountError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.hub import Hub
from convergekit.model import Attachment, Content, Event, Receipt
from convergekit.stores import MemoryStore

from ..clock import FakeClock
from ..context import FakeContext, outgoing
from ._subject import Call, Cannot, Ending, Fault, Subject, Untold
from ._verbs import lacking
from ._virtual import Time

__all__ = [
    "CHANNEL",
    "DEAF",
    "PATIENCE",
    "WAYS",
    "Answer",
    "Asking",
    "Attempt",
    "Bench",
    "BenchContext",
    "Door",
    "Ear",
    "Heard",
    "Listening",
    "Way",
    "eventually",
    "request_of",
    "with_headers",
]

Way: TypeAlias = Literal["listen", "poll", "webhook"]
#: The ways in, as cases of a check.
WAYS: Final[Mapping[Way, type[Any]]] = {"listen": Listens, "poll": Polls, "webhook": ReceivesWebhooks}

CHANNEL: Final = "channel"
_KINDS: Final = (ThrottledError, NotSentError, RejectedError, AccountError, UncertainError)
_LOOK: Final = 0.002  # real seconds between two looks
#: Why nobody need wait for `listen`: it is known not to say that it is connected. None where that is not known.
DEAF: Final[ContextVar[str | None]] = ContextVar("convergekit_deaf", default=None)
#: Of real seconds: `Subject.patience`.
PATIENCE: Final[ContextVar[float]] = ContextVar("convergekit_patience", default=3.0)


class BenchContext(FakeContext):
    """A `FakeContext` whose admission can be held up.

    Attributes:
        gate: Admission waits for it, where there is one.
        offered: How many events came to `admit` ...
        judged: ... and of how many it has said what became of them, or has failed.
        waiting: Calls of `admit` that have not returned.
    """

    gate: anyio.Event | None = None
    offered: int = 0
    judged: int = 0
    waiting: int = 0

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        """See `ChannelContext.admit`."""
        self.offered += len(events)
        self.waiting += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
            return await super().admit(*events, cursor=cursor)
        finally:
            self.waiting -= 1
            self.judged += len(events)

    async def kept(self, attachment: Attachment) -> Attachment:
        """*attachment* as the engine hands over what is large: its content is in the store."""
        async with self.open(attachment) as chunks:
            claim = await self._store.keep(chunks)
        return attachment.model_copy(update={"claim": claim, "data": None})


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one call of a verb ended.

    Args:
        out: What was handed over.
        receipt: What it returned, or None.
        error: What it raised, or None.
        started: Whether `out.started()` was called.
    """

    out: Outgoing
    receipt: Receipt | None
    error: Exception | None
    started: bool

    @property
    def ending(self) -> Ending:
        """As the engine tells it: what is not classified is uncertain."""
        if self.error is None:
            return Receipt if isinstance(self.receipt, Receipt) else UncertainError
        return next((kind for kind in _KINDS if isinstance(self.error, kind)), UncertainError)

    def __str__(self) -> str:
        if self.error is None:
            return repr(self.receipt)
        said = f": {self.error}" if isinstance(self.error, DeliveryError) else ""
        return f"{type(self.error).__name__}{said}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the medium hears from our door."""

    status: int
    body: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the medium takes it that we have what it said."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of something that the medium said.

    Args:
        events: What was admitted and was new, in order.
        trouble: What went wrong meanwhile, in words; or "".
    """

    events: Sequence[Event]
    trouble: str = ""


class Bench:
    """What a check works with.

    Attributes:
        subject: What is checked, and its far side.
        clock: Of the adapter; only the check moves it.
        records: All that was logged meanwhile, by anybody, at any level.
        time: Of the event loop, which time-outs go by.
        far_side: Id of the task in which the far side lives, with all its tasks below it.
    """

    time: Time
    far_side: int

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.clock = FakeClock()
        self.records: list[logging.LogRecord] = []
        self.marks = count(8000)  # of this bench, since a medium may repeat on one connection what it said on another
        self._numbers = 0
        subject.now = self.clock.now

    @property
    def adapter_class(self) -> type[Adapter[Any]]:
        """What is checked."""
        return self.subject.adapter

    def config(self, settings: Mapping[str, Any] | None = None) -> BaseModel:
        """*settings*, or those of the subject, as the adapter's `Config`."""
        return self.adapter_class.Config.model_validate(dict(self.subject.settings if settings is None else settings))

    def context(self, channel: str = CHANNEL) -> BenchContext:
        """A context of its own, on the bench's clock."""
        return BenchContext(channel=channel, parts=self.subject.parts(), clock=self.clock)

    @asynccontextmanager
    async def entered(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        channel: str = CHANNEL,
        context: BenchContext | None = None,
    ) -> AsyncGenerator[tuple[Any, BenchContext]]:
        """The adapter, open, and its context: *context*, as after a restart, or a new one. Typed as Any, since a
        check calls what it knows to be there.
        """
        context = self.context(channel) if context is None else context
        try:
            async with self.adapter_class(self.config(settings), context) as adapter:
                yield adapter, context
        except ExceptionGroup as group:  # its task group may stand around the `yield`
            found = _first_of(group)
            raise found from found.__cause__
        finally:
            await context.aclose()

    @asynccontextmanager
    async def hub(self, *, settings: Mapping[str, Any] | None = None, **options: Any) -> AsyncGenerator[Hub]:
        """A hub with the adapter as its only channel, on the bench's clock; *options* as for `Hub`."""
        if (deaf := DEAF.get()) is not None:
            raise Cannot(deaf)
        table = dict(self.subject.settings if settings is None else settings)
        settled = channel_settings(CHANNEL, table, adapter=self.adapter_class)
        hub = Hub(**{"store": MemoryStore(), "clock": self.clock, "random": Random(1), "drain": 0.0, **options})
        async with hub:
            with anyio.move_on_after(max(1.0, PATIENCE.get())) as waiting:
                await hub.add_channel(CHANNEL, settled.config, adapter=self.adapter_class, **self.subject.parts())
            if waiting.cancelled_caught:
                raise Cannot("the channel is not up, nor does it say that it failed")
            yield hub

    # What goes out

    def outgoing(self, text: str | None = None, **fields: Any) -> Outgoing:
        """One part to `subject.to`, with a key of its own."""
        self._numbers += 1
        fields.setdefault("key", f"dispatch{self._numbers}/0")
        fields.setdefault("delivery", f"delivery{self._numbers}")
        return outgoing(self.subject.to, self.words(self._numbers) if text is None else text, **fields)

    def words(self, number: int) -> str:
        """A text that is found in what the far side got, however it is written there."""
        return f"word{number:04d}"

    async def fault(self, fault: Fault) -> None:
        """`Subject.fault`; returns once an adapter that is connected knows of it, where its connection has ended."""
        self.subject.fault(fault)
        if fault is Fault.UNREACHABLE:
            for _ in range(10):
                await anyio.sleep(_LOOK)

    async def attempt(
        self, adapter: Any, out: Outgoing | None = None, *, verb: str = "send", timeout: float = math.inf
    ) -> Attempt:
        """Call *verb*, as the engine does; after *timeout* seconds it is given up."""
        told: list[bool] = []
        out = self.outgoing() if out is None else out
        out = replace(out, started=lambda: told.append(True))
        try:
            with anyio.move_on_after(timeout):
                return Attempt(out, await getattr(adapter, verb)(out), None, bool(told))
            raise UncertainError(f"no answer within {timeout:g} s")
        except Exception as error:
            return Attempt(out, None, error, bool(told))
        finally:
            self.subject.attempted()

    # What comes in

    @asynccontextmanager
    async def hearing(self, way: Way, **options: Any) -> AsyncGenerator[Ear]:
        """The adapter, open, and hearing by *way*; *options* as for `entered`. What a way alone can, see below."""
        door = {"webhook": self.door, "poll": self.asking, "listen": self.listening}[way]
        async with door(**options) as ear:
            yield ear

    @asynccontextmanager
    async def door(self, **options: Any) -> AsyncGenerator[Door]:
        """... by webhook."""
        async with self._hearing("webhook", options) as (adapter, context):
            yield Door(self, adapter, context)

    @asynccontextmanager
    async def asking(self, **options: Any) -> AsyncGenerator[Asking]:
        """... by poll."""
        async with self._hearing("poll", options) as (adapter, context):
            asking = Asking(self, adapter, context)
            await asking.ask()  # what a feed begins with is its own business: some begin with what comes from now on
            yield asking

    @asynccontextmanager
    async def listening(self, **options: Any) -> AsyncGenerator[Listening]:
        """... on a connection."""
        async with self._hearing("listen", options) as (adapter, context), anyio.create_task_group() as tasks:
            listening = Listening(self, adapter, context)
            await listening.begin(tasks)
            yield listening
            tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def _hearing(self, way: Way, options: Mapping[str, Any]) -> AsyncGenerator[tuple[Any, BenchContext]]:
        if (lacks := lacking(self.adapter_class, WAYS[way])) is not None:
            raise Cannot(lacks)
        async with self.entered(**options) as entered:
            yield entered

    def said(self, number: int = 1, *, id: str | None = None, sender: int = 0, text: str | None = None) -> Any:
        """What the medium says when one of the senders writes."""
        senders = self.subject.senders
        if senders is None:
            raise Untold("this subject has no senders: nobody writes to us")
        text = self.words(number) if text is None else text
        return self.subject.message(id=id or f"id-{number}", sender=senders[sender], text=text)


class Ear:
    """One way in, with the medium at its other end."""

    def __init__(self, bench: Bench, adapter: Any, context: BenchContext) -> None:
        self.bench, self.adapter, self.context = bench, adapter, context

    @property
    def events(self) -> Sequence[Event]:
        """What was admitted and was new, in order."""
        return self.context.admitted

    async def say(self, *said: Any) -> bool:
        """Let the medium say so, one after the other, and the adapter hear it; tells whether the medium was told
        that we have all of it.
        """
        raise NotImplementedError

    async def hear(self, *said: Any) -> Heard:
        """As `say`; returns once nothing more can come of it, also where nothing comes of it at all."""
        raise NotImplementedError


class Door(Ear):
    """Our door for webhooks: `asgi.WebhookApp`, as a host serves it."""

    async def say(self, *said: Any) -> bool:
        """See `Ear.say`."""
        return not (await self.hear(*said)).trouble

    async def hear(self, *said: Any) -> Heard:
        """See `Ear.hear`."""
        before = len(self.events)
        answers = [await self.call(self.signed(each)) for each in said]
        wrong = [str(answer.status) for answer in answers if not answer.is_ok]
        return Heard(self.events[before:], f"the call was answered with {', '.join(wrong)}" if wrong else "")

    def signed(self, said: Any, *, secret: str | None = None, age: float = 0.0) -> Call:
        """The call that says so, signed."""
        subject = self.bench.subject
        secret = secret or subject.secret
        if secret is None:
            raise Untold("this subject has no secret to sign with")
        call = said if isinstance(said, Call) else subject.call(said)
        return with_headers(call, subject.sign(call, at=_ago(self.bench.clock, age), secret=secret))

    async def call(self, call: Call) -> Answer:
        """Through the door that the host serves."""
        return await _called(WebhookApp(self), call)

    def receiver(self, channel: str) -> Any:
        """See `asgi.Receivers`."""
        return self

    async def admit(self, *events: Event) -> tuple[Admission, ...]:
        """See `asgi.Receiver`."""
        return await self.context.admit(*events)


class Asking(Ear):
    """The adapter is asked, as the engine asks it."""

    async def say(self, *said: Any) -> bool:
        """See `Ear.say`."""
        for each in said:
            await self.bench.subject.feed(each)
        await self.ask()
        return True

    async def hear(self, *said: Any) -> Heard:
        """See `Ear.hear`."""
        before = len(self.events)
        for each in said:
            await self.bench.subject.feed(each)
        trouble = ""
        try:
            await self.ask()
        except Exception as error:
            trouble = f"`poll` raised {type(error).__name__}"
        return Heard(self.events[before:], trouble)

    async def ask(self) -> None:
        """All that there is, of each feed, as the engine does."""
        for feed in self.adapter.feeds:
            more = True
            while more:
                polled = await self.adapter.poll(feed, await self.context.cursor(feed))
                await self.context.admit(*polled.events, cursor=Cursor(polled.cursor, feed))
                more = polled.more


class Listening(Ear):
    """The adapter listens, in a task of its own.

    Attributes:
        ended: How `listen` ended, or None while it listens.
    """

    def __init__(self, bench: Bench, adapter: Any, context: BenchContext) -> None:
        super().__init__(bench, adapter, context)
        self.ended: str | None = None

    async def begin(self, tasks: TaskGroup) -> None:
        """Listen in *tasks*; returns once it is connected."""
        if (deaf := DEAF.get()) is not None:
            raise Cannot(deaf)
        with anyio.move_on_after(max(1.0, PATIENCE.get())) as waiting:
            await tasks.start(self.run)
        if waiting.cancelled_caught:
            raise Cannot("`listen` does not say that it is connected")

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Listen; an exception is what the engine would start it again for, and is kept for the check."""
        told = _Told(task_status)
        try:
            await self.adapter.listen(task_status=told)
            self.ended = "`listen` returned"
        except Exception as error:
            if not told.is_started:
                raise
            self.ended = f"`listen` raised {type(error).__name__}"

    async def say(self, *said: Any) -> bool:
        """See `Ear.say`."""
        wanted = self.context.judged + len(said)
        for each in said:
            await self.bench.subject.push(each)
        await eventually(lambda: self.context.judged >= wanted or self.ended is not None)
        return self.context.judged >= wanted

    async def hear(self, *said: Any) -> Heard:
        """See `Ear.hear`: a message follows, and when that has come, so has all else."""
        before = len(self.events)
        mark = self.bench.words(next(self.bench.marks))
        for each in (*said, self.bench.said(id=f"id-{mark}", text=mark)):
            await self.bench.subject.push(each)
        await eventually(lambda: bool(_with(self.events[before:], mark)) or self.ended is not None)
        found = self.events[before:]
        if (marked := _with(found, mark)) is None:
            return Heard(found, self.ended or "nothing was heard after it")
        return Heard([event for event in found if event is not marked])


class _Told(TaskStatus[None]):
    """A task status that remembers whether it was told."""

    def __init__(self, inner: TaskStatus[None]) -> None:
        self._inner = inner
        self.is_started = False

    def started(self, value: None = None) -> None:
        self.is_started = True
        self._inner.started()


def _with(events: Sequence[Event], words: str) -> Event | None:
    said = (event for event in events if isinstance(event, Content))
    return next((event for event in said if words in f"{event.text} {event.markdown} {event.html}"), None)


def _first_of(error: Exception) -> Exception:
    """Of a group, what a check has said, else the first."""
    if not isinstance(error, ExceptionGroup):
        return error
    leaves = [_first_of(each) for each in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, AssertionError | Cannot)), leaves[0])


def with_headers(call: Call, headers: Mapping[str, str]) -> Call:
    """*call* with *headers* beside its own."""
    return Call(call.body, {**call.headers, **headers}, call.path, call.query, call.method)


def request_of(call: Call) -> Request:
    """As the adapter sees it."""
    return Request(call.method, call.path, call.query, Headers(dict(call.headers)), call.body)


async def parsed(adapter: ReceivesWebhooks, request: Request) -> Sequence[Any]:
    """What *adapter* makes of a verified *request*, as the host's door asks it."""
    found = adapter.parse(request)
    return found if isinstance(found, Sequence) else await found


async def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until *condition* holds; tells whether it came to. Real seconds pass only where the far side is real.

    Nothing tells us, since the far side may be another process. The looks are counted, and not the seconds: on a
    machine that has much to do, whoever is waited for gets as many turns as we do.
    """
    for _ in range(50):
        if condition():
            return True
        await checkpoint()
    for _ in range(round(PATIENCE.get() / _LOOK)):
        if condition():
            return True
        await anyio.sleep(_LOOK)
    return condition()


async def _called(app: WebhookApp, call: Call) -> Answer:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": call.method,
        "path": f"/{CHANNEL}{call.path}",
        "raw_path": f"/{CHANNEL}{call.path}".encode(),
        "root_path": "",
        "query_string": call.query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in call.headers.items()],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Answer(sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:]))


def _ago(clock: FakeClock, seconds: float) -> datetime:
    return clock.now() - timedelta(seconds=seconds)
