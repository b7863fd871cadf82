"""A signed webhook through the ASGI app, in process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..measure import Effort, Goal, Line, Side, Timer, compare
from .comments import CONFIG as GITHUB
from .comments import Comments
from .signed import CHANNEL, App, Header, Ours, Signed, bare, ours

__all__ = ["run"]

BURST = 64


async def run(effort: Effort) -> Iterator[Line]:
    """Until it is answered, which is what the bare function does; and until a handler has had it, for information."""
    items = effort.items(2560, at_least=BURST)
    async with ours() as side, ours(GITHUB, Comments) as comments:
        sides = {
            "answered": _ours(side, items, handled=False),
            "mapped": _ours(comments, items // 4, handled=False),
            "handled": _ours(side, items, handled=True),
            "bare": _bare(items),
        }
        cpu = await compare(sides, effort.rounds)
    peer = "a bare ASGI function that verifies"
    metric = "signed webhook in process, until {} (us CPU)"
    return iter(
        [
            Line.of(metric.format("answered"), cpu["answered"], peer, cpu["bare"], Goal("<=", 8.0)),
            Line.of(metric.format("handled"), cpu["handled"], peer, cpu["bare"]),
            Line.of(
                "GitHub's comment of 6 kB by rules, until answered (us CPU)",
                cpu["mapped"],
                "a document of ours",
                cpu["answered"],
                Goal("<=", 3.0),
            ),
        ]
    )


def _ours(side: Ours, items: int, *, handled: bool) -> Side:
    async def one_round() -> float:
        side.handled.clear()
        calls = [side.signed() for _ in range(items)]
        timer = Timer(items)
        for start in range(0, items, BURST):
            with timer:
                for headers, body in calls[start : start + BURST]:
                    await _call(side.app, headers, body)
                if handled:
                    await side.hub.idle()
            await side.hub.idle()
        if len(side.handled) != items or side.handled.total() != items:
            raise RuntimeError(f"{items} webhooks were sent and {side.handled.total()} were handled")
        return timer.figure

    return one_round


def _bare(items: int) -> Side:
    signed = Signed()

    async def one_round() -> float:
        calls = [signed() for _ in range(items)]
        with Timer(items) as timer:
            for headers, body in calls:
                await _call(bare, headers, body)
        return timer.figure

    return one_round


async def _call(app: App, headers: list[Header], body: bytes) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"/{CHANNEL}",
        "raw_path": b"/" + CHANNEL.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    await app(scope, receive, send)
    if status != 204:
        raise RuntimeError(f"a webhook was answered with {status}")
