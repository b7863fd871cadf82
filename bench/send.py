"""Our HTTP seam against the client library that it stands on; for information."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version

import anyio
import httpx

from convergekit.http import Http

from .measure import Effort, Line, Side, Timer, compare
from .webhook.serving import server

__all__ = ["run"]

IN_FLIGHT = (1, 50)
BODY = b'{"type": "message.created", "data": {"text": "Your parcel is on its way."}}'
HEADERS = {"content-type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": "1760000000"}

Post = Callable[[], Awaitable[object]]


async def run(effort: Effort) -> Iterator[Line]:
    """CPU time of one request on loopback, one and fifty at a time."""
    with server("sink") as port:
        url = f"http://127.0.0.1:{port}/hook"
        http = Http(channel="bench", connections=max(IN_FLIGHT))
        limits = httpx.Limits(max_connections=max(IN_FLIGHT), max_keepalive_connections=max(IN_FLIGHT))
        async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
            posts: dict[str, Post] = {
                "ours": lambda: http.request("POST", url, headers=HEADERS, content=BODY),
                "theirs": lambda: client.post(url, headers=HEADERS, content=BODY),
            }
            items = effort.items(600, at_least=50)
            sides = {(name, many): _side(post, items, many) for name, post in posts.items() for many in IN_FLIGHT}
            cpu = await compare({f"{name} {many}": side for (name, many), side in sides.items()}, effort.rounds)
        await http.aclose()
    peer = f"httpx {version('httpx')} AsyncClient.post"
    metric = "POST through convergekit.http, {} in flight (us CPU)"
    return iter([Line.of(metric.format(many), cpu[f"ours {many}"], peer, cpu[f"theirs {many}"]) for many in IN_FLIGHT])


def _side(post: Post, items: int, in_flight: int) -> Side:
    async def one_round() -> float:
        left = items

        async def one_after_another() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await post()

        with Timer(items) as timer:
            async with anyio.create_task_group() as tasks:
                for _ in range(in_flight):
                    tasks.start_soon(one_after_another)
        return timer.figure

    return one_round
