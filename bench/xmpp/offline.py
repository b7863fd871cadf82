"""Both sides as if they had logged in, and nobody at the other end: what they write is thrown away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
from pydantic import SecretStr
from slixmpp import ClientXMPP

from convergekit.abc import Admission, Cursor
from convergekit.adapters.xmpp import XmppConfig
from convergekit.adapters.xmpp.identities import Identities
from convergekit.adapters.xmpp.inflow import OWN as OWN_FEED
from convergekit.adapters.xmpp.inflow import Inflow
from convergekit.adapters.xmpp.rooms import Rooms
from convergekit.adapters.xmpp.roster import Roster
from convergekit.adapters.xmpp.session import Session
from convergekit.adapters.xmpp.stanzas.namespaces import NS
from convergekit.adapters.xmpp.stream import Bound
from convergekit.adapters.xmpp.transport import XmppStream
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.model import Event, MessageReceived
from convergekit.stores import MemoryStore

from .stanzas import HEADER, OWN

__all__ = ["PLUGINS", "Hears", "ours", "theirs"]

#: What a client has that can do what ours can, and some that everybody has.
PLUGINS: Final = tuple(
    f"xep_{number:04}"
    for number in (
        *(4, 30, 45, 54, 59, 60, 66, 84, 85, 92, 115, 163, 172, 184, 191, 198, 199, 203, 249, 280, 297, 308, 313),
        *(319, 333, 334, 359, 380, 410, 421, 424, 428, 444, 461),
    )
)

#: Given what was read from the socket; returns once all of it has been handled.
Hears = Callable[[bytes], Awaitable[None]]


class _Nowhere(asyncio.Transport):
    """Takes all that is written, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = asyncio.Event()
        self.reads.set()

    def write(self, data: Any) -> None:
        """Throw it away."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def pause_reading(self) -> None:
        """Whoever feeds it waits."""
        self.reads.clear()

    def resume_reading(self) -> None:
        """Whoever feeds it goes on."""
        self.reads.set()

    def abort(self) -> None:
        """There is nobody to hang up on."""

    close = abort


class _Counts(EngineContext):
    """Admits into nothing, and counts the messages.

    Args:
        pause: Seconds that it takes for what is admitted together.
    """

    def __init__(self, pause: float = 0.0) -> None:
        clock, store = SystemClock(), MemoryStore()
        super().__init__("bench", store, clock, Intake(store, admitted=_nobody, noticed=_nobody), {})
        self.messages = 0
        self._pause = pause

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        if self._pause:
            await anyio.sleep(self._pause)
        self.messages += sum(1 for event in events if isinstance(event, MessageReceived) and event.text)
        return (Admission.NEW,) * len(events)


@asynccontextmanager
async def ours(expected: int, *, pause: float = 0.0) -> AsyncGenerator[Hears]:
    """From the bytes to events, and to the ledger, which is none; what wants a receipt gets one."""
    config = XmppConfig(jid=OWN, password=SecretStr("not used"), host="localhost")
    context, transport = _Counts(pause), _Nowhere()
    inflow = Inflow(stanzas=config.queue, octets=8 << 20)
    stream = XmppStream(config, incoming=inflow)
    rooms, roster = Rooms(config, context, stream), Roster(config, context, stream)
    session = Session(config, context, stream, inflow, rooms=rooms, roster=roster, identities=Identities())
    # As `open` and `listen` leave it, with a server that manages streams, and has an archive.
    wire = stream._new_wire()
    wire.connection_made(transport)
    wire._logged_in = True
    stream.bound = Bound(f"{OWN}/desk")
    stream._managed = stream._counting = True
    stream._handled.begin(resumed=False)
    wire.data_received(HEADER)
    session.facts.begin(stream.bound)
    session.facts._features[OWN] = frozenset({NS.SID, NS.MAM})
    session._places.go_live(OWN_FEED)

    async def hear(data: bytes) -> None:
        await transport.reads.wait()
        wire.data_received(data)
        await asyncio.sleep(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session._read)
        yield hear
        await _until(lambda: context.messages >= expected)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def theirs(expected: int) -> AsyncGenerator[Hears]:
    """A client of slixmpp with `PLUGINS`, and a handler that looks at what was said by whom."""
    client = ClientXMPP(f"{OWN}/desk", "not used")
    for plugin in PLUGINS:
        client.register_plugin(plugin)
    found = 0

    def handle(message: Any) -> None:
        nonlocal found
        found += bool(message["from"].bare and message["id"] and message["body"])

    client.add_event_handler("message", handle)
    client.connection_made(_Nowhere())
    client.data_received(HEADER)
    client.event("session_start")
    writes = asyncio.ensure_future(client.run_filters())  # `connect` does this

    async def hear(data: bytes) -> None:
        client.data_received(data)
        await asyncio.sleep(0)

    yield hear
    await _until(lambda: found >= expected and client.waiting_queue.empty())
    writes.cancel()
    with suppress(asyncio.CancelledError):
        await writes


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - neither side tells
            await asyncio.sleep(0)


def _nobody() -> None:
    """Nobody handles it."""


logging.getLogger("convergekit").setLevel(logging.WARNING)
logging.getLogger("slixmpp").setLevel(logging.WARNING)
