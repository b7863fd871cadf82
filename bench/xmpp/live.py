"""One client writes to another, through a Prosody: two channels of ours, or two clients of slixmpp; in one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from xml.etree.ElementTree import fromstring

import anyio
from pydantic import SecretStr
from slixmpp import ClientXMPP

from convergekit.abc import Admission, Cursor, Outgoing
from convergekit.adapters.xmpp import XmppAdapter, XmppConfig
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.model import Address, ConversationRef, Event, Message, MessageReceived, Part
from convergekit.stores import MemoryStore
from tools.xmpp import Prosody, XmppServer

from .stanzas import TEXT

__all__ = ["SLIXMPP", "Heard", "Opened", "Pair", "fresh_server", "ours", "theirs"]

SLIXMPP: Final = f"slixmpp {version('slixmpp')}"


class Heard:
    """What one end has heard, each once.

    Attributes:
        numbers: Of the messages, in order.
        reports: How many reports about messages came besides.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.reports = 0
        self._changed = anyio.Event()

    def add(self, text: str) -> None:
        """A message has come."""
        self.numbers.append(int(text.partition(":")[0]))
        self.changed()

    def report(self, _: object = None) -> None:
        """A report has come."""
        self.reports += 1
        self.changed()

    def changed(self) -> None:
        """Something came."""
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it; a minute without anything is an error."""
        while not condition():
            self._changed = anyio.Event()
            with anyio.fail_after(60):
                await self._changed.wait()


@dataclass(frozen=True, slots=True)
class Pair:
    """Somebody who writes, and somebody who hears it.

    Args:
        send: Sends the messages with these numbers, with so many in flight; returns once they are gone.
        there: What the one end hears: messages.
        here: What the other end hears: reports.
    """

    send: Callable[[range, int], Coroutine[Any, Any, None]]
    there: Heard
    here: Heard


Opened = Callable[[], AbstractAsyncContextManager[Pair]]


@asynccontextmanager
async def fresh_server() -> AsyncGenerator[XmppServer]:
    """A Prosody that knows nothing yet, so that nobody pays for another's archive; with alice and bob."""
    server = await anyio.to_thread.run_sync(lambda: Prosody(accounts=("alice", "bob")))
    try:
        yield server
    finally:
        await anyio.to_thread.run_sync(server.close)


# --- ours ----------------------------------------------------------------------------------------------------------


class _Context(EngineContext):
    """A ledger that knows what it has seen, and keeps nothing else of it: what a ledger costs is measured elsewhere."""

    def __init__(self, heard: Heard, store: MemoryStore, clock: SystemClock) -> None:
        super().__init__("bench", store, clock, Intake(store, admitted=_nobody, noticed=_nobody), {})
        self._heard = heard
        self._seen: set[str] = set()

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        await super().admit(cursor=cursor)
        return tuple(map(self._admit, events))

    def _admit(self, event: Event) -> Admission:
        if event.key in self._seen:
            return Admission.DUPLICATE
        self._seen.add(event.key)
        if isinstance(event, MessageReceived):
            self._heard.add(event.text or "")
        else:
            self._heard.report()
        return Admission.NEW


@asynccontextmanager
async def ours(*, receipts: bool) -> AsyncGenerator[Pair]:
    """`XmppAdapter.send`: model in, receipt out; and what comes is in a ledger in memory."""
    there, here = Heard(), Heard()
    async with (
        fresh_server() as server,
        _channel(server, "alice", here, receipts=receipts) as alice,
        _channel(server, "bob", there, receipts=receipts),
    ):

        async def send(numbers: range, in_flight: int) -> None:
            left = iter(numbers)

            async def one_after_another() -> None:
                for number in left:
                    await alice.send(_outgoing(number))

            async with anyio.create_task_group() as tasks:
                for _ in range(in_flight):
                    tasks.start_soon(one_after_another)

        yield Pair(send, there, here)


@asynccontextmanager
async def _channel(server: XmppServer, user: str, heard: Heard, **settings: Any) -> AsyncGenerator[XmppAdapter]:
    config = XmppConfig(
        jid=f"{user}@{server.domain}",
        password=SecretStr(user),
        host=server.host,
        port=server.port,
        ca=server.ca,
        **settings,
    )
    store, clock = MemoryStore(), SystemClock()
    async with (
        store.opened(clock),
        XmppAdapter(config, _Context(heard, store, clock)) as adapter,
        anyio.create_task_group() as tasks,
    ):
        await tasks.start(adapter.listen)
        try:
            yield adapter
        finally:
            tasks.cancel_scope.cancel()


_TO: Final = Address("xmpp:bob@localhost")
_CONVERSATION: Final = ConversationRef(address=_TO)


def _outgoing(number: int) -> Outgoing:
    """What the engine would hand over."""
    text = f"{number}: {TEXT}"
    return Outgoing(
        to=_TO,
        part=Part(text=text),
        key=f"bench/{number}",
        delivery=f"{0x19C9F000000 + number:012x}{number:020x}",
        message=Message(text),
        conversation=_CONVERSATION,
    )


def _nobody() -> None:
    """Nobody handles it."""


# --- theirs --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def theirs(
    *, plugins: Sequence[str] = (), more: str = "", receipts: bool = False, acknowledged: bool = False
) -> AsyncGenerator[Pair]:
    """`make_message().send()`, and a handler of the event "message", as slixmpp's manual has it.

    Args:
        plugins: Those that both ends have.
        more: What each message has besides its text, as XML; ID in it is its id.
        receipts: Whether one is asked for with each message; needs xep_0184.
        acknowledged: Whether each message waits until the server has the one before; needs xep_0198.
    """
    there, here, server_has = Heard(), Heard(), Heard()
    async with (
        fresh_server() as server,
        _client(server, "alice", plugins) as alice,
        _client(server, "bob", plugins) as bob,
    ):

        async def acknowledge() -> None:
            while not alice.waiting_queue.empty():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
            await asyncio.sleep(0)  # now it is written, and counted
            alice.plugin["xep_0198"].request_ack()  # type: ignore[no-untyped-call, unused-ignore]
            await server_has.until(lambda: not alice.plugin["xep_0198"].unacked_queue)

        async def send(numbers: range, in_flight: int) -> None:
            for number in numbers:
                message = alice.make_message(mto=_TO.value, mbody=f"{number}: {TEXT}", mtype="chat")
                if more:
                    message["id"] = id = f"ck.{number:032x}"
                    message.xml.extend(fromstring(f"<more>{more.replace('ID', id)}</more>"))
                if receipts:
                    message["request_receipt"] = True
                message.send()
                if acknowledged:
                    await acknowledge()

        bob.add_event_handler("message", lambda message: there.add(message["body"]))
        alice.add_event_handler("receipt_received", here.report)
        alice.add_event_handler("stanza_acked", server_has.report)
        yield Pair(send, there, here)


@asynccontextmanager
async def _client(server: XmppServer, user: str, plugins: Sequence[str]) -> AsyncGenerator[ClientXMPP]:
    client = ClientXMPP(f"{user}@{server.domain}", user, ssl_context=server.ssl_context())
    client.enable_direct_tls = False
    for plugin in plugins:
        client.register_plugin(plugin)
    ready = asyncio.Event()

    def started(_: Any) -> None:
        client.send_presence()
        ready.set()

    client.add_event_handler("session_start", started)
    client.connect(server.host, server.port)
    try:
        with anyio.fail_after(20):
            await ready.wait()
        yield client
    finally:
        writes = client._run_out_filters
        with anyio.move_on_after(5, shield=True), suppress(asyncio.CancelledError):
            await client.disconnect()
            if writes is not None:
                writes.cancel()
                await writes


logging.getLogger("convergekit").setLevel(logging.WARNING)
logging.getLogger("slixmpp").setLevel(logging.WARNING)
