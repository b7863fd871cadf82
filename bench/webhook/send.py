"""Signed webhooks go out, to an nginx that answers 204: `WebhookAdapter.send` beside httpx, which posts the same."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from statistics import median
from typing import Any, Final, NamedTuple

import httpx

from convergekit import Hub, MemoryStore
from convergekit.abc import Outgoing, Store
from convergekit.adapters.webhook import WebhookAdapter, WebhookConfig
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.engine.options import ChannelOptions
from convergekit.http import HttpAnswer
from convergekit.model import Address, ConversationRef, Message, Part
from convergekit.stores.sql import SqlStore
from tools.nginx import Nginx, missing

from ..email.drive import Opened, Send, drive, sending
from ..measure import Effort, Goal, Line, Side, Timer, compare
from ..measure import missing as unknown
from ..store.drive import fresh_file
from .signed import SECRET

__all__ = ["run"]

HOSTS: Final = 200
IN_FLIGHT: Final = 50
TEXT: Final = "Your parcel is on its way. It will be with you between 9 and 12 on Tuesday: https://example.org/p/4711"
RATE: Final = "signed webhook sent, {} (a second)"
SPENT: Final = "signed webhook sent, {} (us CPU)"
OWN: Final = "signed webhook, without the wire (us CPU)"
CONFIG: Final = WebhookConfig.model_validate(
    {"secrets": [SECRET.get_secret_value()], "allow_http": True, "allow_networks": ["127.0.0.0/8"]}
)


class Case(NamedTuple):
    """What is compared.

    Args:
        in_flight: How many requests are under way at the same time.
        hosts: To how many hosts, in turn.
        kept: How many connections httpx may have, and keep; ours has its defaults.
        items: Of a round.
        goal: How fast ours has to be, or None.
    """

    in_flight: int
    hosts: int
    kept: int
    items: int
    goal: Goal | None

    def __str__(self) -> str:
        where = "" if self.hosts == 1 else f", {self.hosts} hosts"
        return f"{self.in_flight} in flight{where}"

    @property
    def peer(self) -> str:
        """Who is compared with."""
        return f"httpx {version('httpx')} AsyncClient.post of the same, {self.kept} connections"


def cases(hosts: int, many: int) -> tuple[Case, ...]:
    """One, and *many* at the same time, to one host and to *hosts*.

    To many hosts httpx either keeps a connection to each, as ours does, and looks through all for each request; or it
    has fewer, and makes nearly each anew.
    """
    return (
        Case(1, 1, many, 2_000, Goal(">=", 0.95)),
        Case(many, 1, many, 2_000, Goal(">=", 3.0)),
        Case(many, hosts, hosts, 150, Goal(">=", 10.0)),
        Case(many, hosts, many, 300, None),
    )


#: Of httpx's CPU for the same request, one at a time.
OWN_GOAL: Final = Goal("<=", 0.1)


async def run(effort: Effort) -> Iterator[Line]:
    """By the clock on the wall, each side new in each round; what is spent, and hubs that send, for information."""
    compared = cases(effort.items(HOSTS, at_least=10), effort.items(IN_FLIGHT, at_least=5))
    if why := missing():
        return iter([unknown(RATE.format(case), float("nan"), why, case.goal) for case in compared if case.goal])
    with Nginx(compared[-1].hosts) as server:
        found = [(case, *await _compared(server, case, effort)) for case in compared]
        own = await compare({"own": _without_the_wire(effort.items(2_000, at_least=50), server.url)}, effort.rounds)
        by_hubs = await _hubs(server, effort, found[-1][1]["ours"])
    lines = [
        line
        for case, rates, spent in found
        for line in (
            Line.of(RATE.format(case), rates["ours"], case.peer, rates["theirs"], case.goal),
            Line.of(SPENT.format(case), spent["ours"], case.peer, spent["theirs"]),
        )
    ]
    one_at_a_time, _, spent = found[0]
    lines.append(Line.of(OWN, own["own"], one_at_a_time.peer, spent["theirs"], OWN_GOAL))
    return iter(lines + by_hubs)


async def _compared(server: Nginx, case: Case, effort: Effort) -> tuple[dict[str, float], dict[str, float]]:
    items = effort.items(case.items, at_least=case.in_flight)
    urls = server.urls if case.hosts > 1 else [server.url]
    most = items + 4 * case.in_flight
    opened: Mapping[str, Opened] = {
        "ours": partial(_ours, urls, most),
        "theirs": partial(_theirs, urls, most, case.kept),
    }
    spent: dict[str, list[float]] = {name: [] for name in opened}
    sides = {
        name: _counted(server, most, sending(side, senders=case.in_flight, items=items, cpu=spent[name]))
        for name, side in opened.items()
    }
    rates = await compare(sides, effort.rounds)
    return rates, {name: median(rounds) for name, rounds in spent.items()}


def _counted(server: Nginx, items: int, side: Side) -> Side:
    """*side*, each of whose *items* the server must have answered, once."""

    async def one_round() -> float:
        before = server.requests
        figure = await side()
        if (seen := server.requests - before - 1) != items:
            raise RuntimeError(f"{items} webhooks were sent, and the server has seen {seen}")
        return figure

    return one_round


@asynccontextmanager
async def _ours(urls: Sequence[str], items: int) -> AsyncGenerator[Send]:
    """`WebhookAdapter.send`, of messages that are there already: model in, receipt out."""
    ready = [_message(number, urls[number % len(urls)]) for number in range(items)]
    async with _adapter() as adapter:
        yield lambda number: adapter.send(ready[number])


@asynccontextmanager
async def _theirs(urls: Sequence[str], items: int, kept: int) -> AsyncGenerator[Send]:
    """What whoever needs no more than httpx would do with documents that are written and signed already."""
    wire = _NoWire()
    async with _adapter(wire) as adapter:
        for number in range(items):
            await adapter.send(_message(number, urls[number % len(urls)]))
    ready = wire.taken
    # Kept for as long as it takes: what has expired costs it requests, where it is slow.
    limits = httpx.Limits(max_connections=kept, max_keepalive_connections=kept, keepalive_expiry=600)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

        async def post(number: int) -> object:
            url, headers, content = ready[number]
            return (await client.post(url, headers=headers, content=content)).raise_for_status()

        yield post


def _without_the_wire(items: int, url: str) -> Side:
    """What we do ourselves: document, id, signature, headers, receipt."""

    async def one_round() -> float:
        ready = [_message(number, url) for number in range(items)]
        async with _adapter(_NoWire()) as adapter:
            await adapter.send(ready[0])
            with Timer(items) as timer:
                for out in ready:
                    await adapter.send(out)
        return timer.figure

    return one_round


class _NoWire:
    """In place of `Http`: keeps what would have left, and answers 204."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Mapping[str, str], bytes]] = []

    def guard(self, guard: object) -> None:
        """There is nothing to be guarded."""

    async def request(
        self, method: str, url: str, *, out: Any, headers: Mapping[str, str], content: bytes, **_: Any
    ) -> HttpAnswer:
        """Take it."""
        out.started()
        self.taken.append((url, headers, content))
        return HttpAnswer(204, {}, b"")

    async def aclose(self) -> None:
        """There is nothing to be closed."""


@asynccontextmanager
async def _adapter(wire: Any = None) -> AsyncGenerator[WebhookAdapter]:
    clock, store = SystemClock(), MemoryStore()
    async with store.opened(clock):
        context = EngineContext("bench", store, clock, Intake(store, admitted=_nobody, noticed=_nobody), {})
        if wire is not None:
            context._http = wire
        async with WebhookAdapter(CONFIG, context) as adapter:
            yield adapter
        await context.aclose()


def _message(number: int, url: str) -> Outgoing:
    """What the engine would hand over: the *number*th."""
    address = Address(url)
    text = f"{number}: {TEXT}"
    return Outgoing(
        to=address,
        part=Part(text=text),
        key=f"bench/{number}",
        delivery=f"{0x19C9F000000 + number:012x}{number:020x}",
        message=Message(text),
        conversation=ConversationRef(address=address),
    )


async def _hubs(server: Nginx, effort: Effort, alone: float) -> list[Line]:
    """A hub from the call until all has gone out, by `send` and by `submit`, with a ledger in memory and in a file."""
    items, what = effort.items(1_000, at_least=IN_FLIGHT), f"{IN_FLIGHT} in flight, {len(server.urls)} hosts"
    lines = []
    for ledger in ("memory", "SQLite"):
        for verb in ("send", "submit"):
            rate = await _counted(server, items, partial(_by_a_hub, ledger, verb, server.urls, items))()
            metric = f"hub.{verb} of webhooks, {what}, ledger: {ledger} (a second)"
            lines.append(Line.of(metric, rate, "WebhookAdapter.send alone", alone))
    return lines


async def _by_a_hub(ledger: str, verb: str, urls: Sequence[str], items: int) -> float:
    async with fresh_file() as file:
        store: Store = MemoryStore() if ledger == "memory" else SqlStore(f"sqlite:///{file}", create=True)
        async with Hub(store=store) as hub:
            await hub.add_channel("bench", CONFIG, options=ChannelOptions(concurrency=IN_FLIGHT))
            call = getattr(hub, verb)
            began = time.perf_counter()
            await drive(lambda number: call(f"{number}: {TEXT}", to=urls[number % len(urls)]), IN_FLIGHT, range(items))
            await hub.idle()
            return items / (time.perf_counter() - began)


def _nobody() -> None:
    """Nothing comes in."""


logging.getLogger("convergekit").setLevel(logging.WARNING)
