"""A worker: a hub over the store that is tortured. Everything else that it knows, it asks the driver.

As a program it is a nursery: it has imported everything, and each line on its standard input makes it fork a worker,
so that one that was killed is replaced within milliseconds.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic, process_time
from typing import Any, ClassVar, Final, cast

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from pydantic import BaseModel

from convergekit import Conversation, Hub, MessageReceived
from convergekit.abc import Adapter, Admission, EntryState, Lease, Outgoing, Polled, Reconciliation, RetryPolicy, Store
from convergekit.engine.options import ChannelOptions
from convergekit.errors import NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.model import (
    Capabilities,
    ConversationRef,
    Event,
    Idempotency,
    IdempotencyKind,
    Receipt,
    Status,
    TextLimit,
)

from .link import Link, LostError
from .plan import MEDIA

__all__ = ["Terms", "work"]

_TEXT: Final = TextLimit(max=160)
_TICK: Final = 0.05
_STALL: Final = 0.1  # seconds; a lease is given up a quarter of one before its end


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker is told when it is started.

    Args:
        name: Who it is.
        port: Of the driver.
        store: Database URL.
        role: The hub's.
        lease: Seconds.
        send_timeout: Seconds.
        at_once: Handlers, and sends, at the same time.
        per_channel: Sends of one channel at the same time.
        backend: The event loop.
    """

    name: str
    port: int
    store: str
    role: str = "all"
    lease: float = 120.0
    send_timeout: float = 60.0
    at_once: int = 12
    per_channel: int = 4
    backend: str = "asyncio"


class MediumConfig(BaseModel, frozen=True, extra="forbid"):
    """Nothing to set: what a medium needs are its parts."""


class TortureAdapter(Adapter[MediumConfig]):
    """Hands everything to the driver, which is the medium."""

    name = "torture"
    schemes = frozenset({"torture"})
    Config: ClassVar[type[BaseModel]] = MediumConfig
    capabilities = Capabilities(text=_TEXT)
    retry = RetryPolicy(base=0.02, factor=2.0, cap=0.2, attempts=12)
    hold = 3600.0  # nothing ever passes what waits for its retry, so that order can be checked

    @property
    def link(self) -> Link:
        """The way to the driver."""
        return cast(Link, self.context.parts["link"])

    async def send(self, out: Outgoing) -> Receipt:
        what = (out.message.text or "").split()[0]
        about = {"channel": self.context.channel, "key": out.key, "what": what, "part": out.index, "to": out.to.uri}
        out.started()
        try:
            answer = await self.link.ask("take", **about)
        except LostError:
            raise UncertainError("the driver is gone") from None
        except anyio.get_cancelled_exc_class():
            self.link.tell("gave_up", channel=self.context.channel, what=what)
            raise
        return _receipt(answer)


def _receipt(answer: Mapping[str, Any]) -> Receipt:
    match answer["outcome"]:
        case "not_sent":
            raise NotSentError("the medium does not feel like it")
        case "throttled":
            raise ThrottledError("the medium wants a pause", retry_after=0.05, scope="conversation")
        case "refused":
            raise RejectedError("the medium does not want it", code="550")
        case "silent" | "taken_and_silent":
            raise UncertainError("the medium keeps its answer to itself")
    return Receipt(Status.ACCEPTED, ids=(answer["id"],))


class KeyedConfig(MediumConfig):
    pass


class Keyed(TortureAdapter):
    name = "keyed"
    Config: ClassVar[type[BaseModel]] = KeyedConfig
    capabilities = Capabilities(text=_TEXT, idempotency=Idempotency(kind=IdempotencyKind.KEY))


class AskedConfig(MediumConfig):
    pass


class Asked(TortureAdapter):
    name = "asked"
    Config = AskedConfig

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        answer = await self.link.ask("reconcile", channel=self.context.channel, key=out.key)
        return Reconciliation.NOT_TAKEN if answer["id"] is None else Receipt(Status.ACCEPTED, ids=(answer["id"],))


class PlainConfig(MediumConfig):
    pass


class Plain(TortureAdapter):
    name = "plain"
    Config = PlainConfig


class HeardConfig(MediumConfig):
    pass


class Heard(Keyed):
    """Acknowledges only what was admitted."""

    name = "heard"
    Config = HeardConfig

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            page = await self.link.ask("next", channel=self.context.channel)
            events = _events(page["events"])
            admitted = await self.context.admit(*events)
            new = _new(events, admitted)
            await self.link.ask("admitted", channel=self.context.channel, end=page["end"], new=new)


class PolledConfig(MediumConfig):
    pass


class PolledAdapter(Keyed):
    """Its cursor is stored with what was read up to it."""

    name = "polled"
    Config = PolledConfig
    feeds: ClassVar[Sequence[str]] = ("",)
    poll_interval: ClassVar[float] = 0.02

    async def poll(self, feed: str, cursor: Any) -> Polled:
        page = await self.link.ask("page", channel=self.context.channel, cursor=cursor or 0)
        # What was read until here is safe: this poll begins where the ledger says that the last one ended.
        self.link.tell("admitted", channel=self.context.channel, end=cursor or 0, new=[])
        return Polled(events=_events(page["events"]), cursor=page["end"], more=bool(page["events"]))


class HookedConfig(MediumConfig):
    pass


class Hooked(Keyed):
    """Its events come in by calls from the driver."""

    name = "hooked"
    Config = HookedConfig

    def challenge(self, request: Any) -> None:
        return None

    async def verify(self, request: Any) -> None:
        return None

    def parse(self, request: Any) -> Sequence[Event]:
        return ()

    def reply(self, request: Any, admitted: Sequence[Admission]) -> Any:
        return None


def _events(page: Sequence[tuple[str, str]]) -> list[Event]:
    return [MessageReceived(key=what, text=what, sender=sender) for what, sender in page]


def _new(events: Sequence[Event], admitted: Sequence[Admission]) -> list[str]:
    return [event.key for event, answer in zip(events, admitted, strict=True) if answer is Admission.NEW]


_CHANNELS: Final[Mapping[str, tuple[type[TortureAdapter], MediumConfig]]] = {
    "keyed": (Keyed, KeyedConfig()),
    "asked": (Asked, AskedConfig()),
    "plain": (Plain, PlainConfig()),
    "alerts": (Plain, PlainConfig()),
    "heard": (Heard, HeardConfig()),
    "polled": (PolledAdapter, PolledConfig()),
    "hooked": (Hooked, HookedConfig()),
}


class PlannedError(Exception):
    """A handler fails because it is to."""


class _Telling:
    """A store, which tells the driver what it has taken for done."""

    def __init__(self, store: Store) -> None:
        self.link: Link | None = None
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def finish(self, lease: Lease, **more: Any) -> Any:
        stored = await self._store.finish(lease, **more)
        if self.link is not None and lease.entry is not None:
            self.link.tell("committed", what=lease.entry.event.key)
        return stored


@contextmanager
def _telling_of_its_end(link: Link, what: str) -> Generator[None]:
    """Around a handler: its lease may be lost, or the hub left."""
    try:
        yield
    except anyio.get_cancelled_exc_class():
        link.tell("cancelled", what=what)
        raise


class Worker:
    """Answers the driver."""

    def __init__(self, terms: Terms, store: Store) -> None:
        self._store = _Telling(store)
        self.hub = Hub(
            store=cast(Store, self._store),
            role=cast(Any, terms.role),
            handlers=terms.at_once,
            sends=terms.at_once,
            lease=terms.lease,
        )
        self.leaves = anyio.Event()
        self._terms = terms

    async def open(self, link: Link) -> None:
        """Open the hub with its channels, and stay until the driver says that it may leave."""
        hub, self._store.link = self.hub, link

        @hub.on_message
        async def handle(message: MessageReceived, conversation: Conversation) -> str | None:
            with _telling_of_its_end(link, message.key):
                run = await link.ask("begin", what=message.key)
                try:
                    if run["reply"] == "submitted":
                        await conversation.reply(f"re:{message.key} submitted")
                    if run["pause"]:
                        await anyio.sleep(run["pause"])
                    if run["fails"]:
                        raise PlannedError
                except Exception as error:
                    await link.ask("end", run=run["run"], finished=False, error=type(error).__name__)
                    raise
                await link.ask("end", run=run["run"], finished=True)
            return f"re:{message.key} returned" if run["reply"] == "returned" else None

        # Before it is entered: it handles what is in the ledger at once, and answers by these.
        for name, (adapter, config) in _CHANNELS.items():
            adapter.send_timeout = self._terms.send_timeout
            await hub.add_channel(name, config, options=_options(name, self._terms.per_channel), link=link)
        async with hub:
            link.tell("opened")
            await self.leaves.wait()

    def answer(self, link: Link, what: str, question: dict[str, Any]) -> Any:
        """The answer to the driver's question."""
        return getattr(self, f"_{what}")(**question)

    async def _submit(self, channel: str, to: str, text: str, key: str) -> str:
        where = ConversationRef(channel=channel, address=to)
        return (await self.hub.submit(text, to=where, key=key)).id

    async def _hook(self, channel: str, events: Sequence[tuple[str, str]]) -> list[str]:
        door = self.hub.receiver(channel)
        assert door is not None
        offered = _events(events)
        return _new(offered, await door.admit(*offered))

    async def _open_work(self) -> int:
        counts = await self.hub.store.counts()
        entries = sum(number for (_, state), number in counts.entries.items() if state is EntryState.READY)
        open_states = {"waiting", "queued", "sending"}
        return entries + sum(number for (_, state), number in counts.deliveries.items() if state in open_states)

    def _leave(self) -> None:
        self.leaves.set()


def _options(channel: str, concurrency: int) -> ChannelOptions:
    resends = channel in MEDIA and MEDIA[channel].resends
    return ChannelOptions(on_uncertain="resend" if resends else "stop", concurrency=concurrency)


@asynccontextmanager
async def _linked(terms: Terms, worker: Worker) -> AsyncGenerator[Link]:
    link = Link(socket.create_connection(("127.0.0.1", terms.port)), worker.answer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.run)
        link.tell("hello", name=terms.name)
        tasks.start_soon(_watch, link)
        try:
            yield link
        finally:
            tasks.cancel_scope.cancel()


async def _watch(link: Link) -> None:
    """Tell when this process was not let run; what it did itself all that time is no such thing."""
    while True:
        began, worked = monotonic(), process_time()
        await anyio.sleep(_TICK)
        stood = monotonic() - began - _TICK - (process_time() - worked)
        if stood > _STALL:
            link.tell("stood_still", since=began)


async def work(terms: Terms, store: Store) -> None:
    """Work over *store* until the driver says that it is enough."""
    worker = Worker(terms, store)
    async with _linked(terms, worker) as link:
        await worker.open(link)
        link.tell("left")


def _forked(terms: Terms) -> None:
    from convergekit.stores.sql import SqlStore

    anyio.run(work, terms, SqlStore(terms.store), backend=terms.backend)


def _line() -> bytes:
    """One line of standard input; byte by byte, for what is meant for the next one must not be read."""
    line = b""
    while (byte := os.read(0, 1)) and byte != b"\n":
        line += byte
    return line


def _nursery() -> None:
    """Fork a worker for each line."""
    import convergekit.stores.sql  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(asctime)s %(name)s %(message)s")
    print("ready", flush=True)
    while line := _line():
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(0)
            try:
                _forked(Terms(**json.loads(line)))
            except BaseException:
                logging.exception("a worker ended by an error")
                os._exit(1)
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    _nursery()
