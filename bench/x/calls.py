"""A post is made: by our client, with limits and errors, against tweepy as it is."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from statistics import median
from typing import Any

import aiohttp
from tweepy.asynchronous import AsyncClient
from yarl import URL

from convergekit.adapters.x import XConfig
from convergekit.adapters.x.budgets import Budgets, Priority
from convergekit.adapters.x.client import make
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.stores import MemoryStore

from ..email.drive import Opened, Send, sending
from ..measure import Effort, Goal, Line, compare
from ..sms.gateway import gateway

__all__ = ["run"]

TEXT = "Thank you for telling us, we are on it. It is at your door between 9 and 12 on Tuesday."
IN_FLIGHT = (1, 20)
WAYS = ("OAuth 2.0", "OAuth 1.0a")
METRIC = "posts at X by {}, {} in flight ({})"
PEER = f"tweepy {version('tweepy')} AsyncClient, one session of aiohttp {version('aiohttp')}"
GOAL = Goal(">=", 1.0)
KEYS = {name: name[0] * 40 for name in ("consumer_key", "consumer_secret", "access_token", "access_token_secret")}
THEIR_HOST = "https://api.twitter.com"


async def run(effort: Effort) -> Iterator[Line]:
    """One after another, and twenty at the same time, by the clock on the wall; the CPU time for information."""
    items = effort.items(1_500, at_least=64)
    with gateway("bench.x.server") as port:
        sides: dict[str, Opened] = {f"{name} {way}": partial(side, port, way) for way in WAYS for name, side in SIDES}
        cpu: dict[str, list[float]] = {f"{name} {many}": [] for name in sides for many in IN_FLIGHT}
        rates = await compare(
            {
                f"{name} {many}": sending(side, senders=many, items=items, cpu=cpu[f"{name} {many}"])
                for many in IN_FLIGHT
                for name, side in sides.items()
            },
            effort.rounds,
        )
    spent = {name: median(rounds) for name, rounds in cpu.items()}
    return iter([line for way in WAYS for many in IN_FLIGHT for line in _lines(way, many, rates, spent)])


def _lines(way: str, many: int, rates: dict[str, float], spent: dict[str, float]) -> Iterator[Line]:
    ours, theirs = f"ours {way} {many}", f"theirs {way} {many}"
    yield Line.of(METRIC.format(way, many, "a second"), rates[ours], PEER, rates[theirs], GOAL)
    yield Line.of(METRIC.format(way, many, "us CPU for each"), spent[ours], PEER, spent[theirs])


@asynccontextmanager
async def _ours(port: int, way: str) -> AsyncGenerator[Send]:
    """`create_tweet` of our client, in a context whose clock goes."""
    keys = {"oauth1": KEYS} if way == "OAuth 1.0a" else {"oauth2": {"client_id": "bench", "refresh_token": "r"}}
    config = XConfig.model_validate({**keys, "user_id": "9", "api": f"http://127.0.0.1:{port}"})
    clock, store = SystemClock(), MemoryStore()
    async with store.opened(clock):
        context = EngineContext("bench", store, clock, Intake(store, admitted=_nobody, noticed=_nobody), {})
        client = make(config, context, Budgets(config, context)).acting(priority=Priority.REPLY)

        async def post(number: int) -> object:
            return (await client.create_tweet(text=f"{number}: {TEXT}"))["data"]["id"]

        yield post
        await context.aclose()


@asynccontextmanager
async def _theirs(port: int, way: str) -> AsyncGenerator[Send]:
    """Tweepy's own, unchanged but for where it leads; it has no setting for that."""
    keys = KEYS if way == "OAuth 1.0a" else {"bearer_token": "A" * 90}
    client = AsyncClient(**keys, return_type=dict)
    async with aiohttp.ClientSession() as session:
        client.session = _Led(session, f"http://127.0.0.1:{port}")

        async def post(number: int) -> object:
            answer: Any = await client.create_tweet(text=f"{number}: {TEXT}", user_auth=way == "OAuth 1.0a")
            return answer["data"]["id"]

        yield post


class _Led:
    """A session that asks our server in place of tweepy's; which address is which is worked out once."""

    def __init__(self, session: aiohttp.ClientSession, here: str) -> None:
        self._session, self._here = session, here
        self._known: dict[object, URL] = {}

    def request(self, method: str, url: str | URL, **more: Any) -> Any:
        there = self._known.get(url)
        if there is None:
            there = self._known[url] = URL(str(url).replace(THEIR_HOST, self._here), encoded=True)
        return self._session.request(method, there, **more)


SIDES = (("ours", _ours), ("theirs", _theirs))


def _nobody() -> None:
    """Nothing comes in."""


logging.getLogger("convergekit").setLevel(logging.WARNING)
