"""An answer that does not come: the message may have gone out, and nobody sends it again who cannot know.

Over real sockets, and through a hub: the server has read the whole request, and counts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from convergekit import Hub, Status
from convergekit.errors import UncertainError
from convergekit.model import DeliveryState
from tests.http import raw

pytestmark = pytest.mark.anyio

ANN = "sms:+4915112345678"
_TAKEN = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"id":"m1"}'
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
_NONSENSE = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"


class Gateway:
    """Takes each request whole; the first is then answered in its own way, and all others as they should be."""

    def __init__(self, first: raw.Script | bytes) -> None:
        self._first = first
        self.heads: list[bytes] = []

    async def __call__(self, stream: SocketStream) -> None:
        try:
            while True:
                request = await raw.request_of(stream)
                self.heads.append(request.partition(b"\r\n\r\n")[0])
                if len(self.heads) > 1:
                    await stream.send(_TAKEN)
                elif isinstance(self._first, bytes):
                    await stream.send(self._first)
                else:
                    await self._first(stream)
                    return
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    @property
    def keys(self) -> list[bytes]:
        """What the requests said for an idempotency key."""
        lines = (line.lower() for head in self.heads for line in head.split(b"\r\n"))
        return [line.partition(b":")[2].strip() for line in lines if line.startswith(b"x-once:")]


async def silence(stream: SocketStream) -> None:
    """Say nothing until the other side has had enough."""
    while True:
        await stream.receive()


async def hangs_up(stream: SocketStream) -> None:
    """Close the connection in place of an answer."""


def settings(origin: str, **send: Any) -> dict[str, Any]:
    return {
        "adapter": "sms",
        "from": "+15005550006",
        "timeout": 0.5,
        "profile": {
            "name": "acme",
            "title": "Acme",
            "send": {"url": f"{origin}/send", "encoding": "json", "fields": {"to": "{to}", "text": "{text}"}, **send},
            "reply": {"ids": "id"},
        },
    }


@asynccontextmanager
async def world(first: raw.Script | bytes, **send: Any) -> AsyncGenerator[tuple[Hub, Gateway]]:
    gateway = Gateway(first)
    async with raw.serving(gateway) as origin, Hub(store="memory:") as hub:
        await hub.add_channel("alerts", settings(origin, **send))
        yield hub, gateway


LOST: dict[str, raw.Script | bytes] = {
    "no answer in time": silence,
    "the connection is closed": hangs_up,
    "a server error": _FAILED,
    "an answer that makes no sense": _NONSENSE,
}


@pytest.mark.parametrize("first", LOST.values(), ids=LOST)
async def test_what_may_have_been_taken_is_unknown_and_is_not_sent_again(first: raw.Script | bytes) -> None:
    async with world(first) as (hub, gateway):
        with pytest.raises(UncertainError):
            await hub.send("Ahoi", to=ANN, timeout=20)
        # What comes after it goes: had it been kept back, it would be before that.
        await hub.send("Ahoi again", to=ANN, timeout=20)
        await hub.idle()

        (unknown,) = [each for each in await hub.dispatches() if each.status is Status.UNKNOWN]
        assert unknown.deliveries[0].state is DeliveryState.UNKNOWN
        assert len(gateway.heads) == 2
        assert gateway.keys == []


@pytest.mark.parametrize("first", LOST.values(), ids=LOST)
async def test_with_a_key_by_which_the_gateway_knows_it_it_is_sent_again(first: raw.Script | bytes) -> None:
    async with world(first, idempotency={"header": "X-Once"}) as (hub, gateway):
        sent = await hub.send("Ahoi", to=ANN, timeout=20)
        await sent.wait(Status.ACCEPTED, timeout=20)

        assert sent.deliveries[0].report.ids == {"m1"}
        assert len(gateway.heads) == 2
        once, again = gateway.keys
        assert once == again != b""


async def test_what_never_left_is_not_sent_rather_than_unknown() -> None:
    """Nobody is there: not a byte of it was written, and it waits for its next try."""
    with raw.closed_port() as port:
        async with Hub(store="memory:") as hub:
            await hub.add_channel("alerts", settings(f"http://127.0.0.1:{port}"))
            sent = await hub.send("Ahoi", to=ANN, timeout=20)

            assert sent.status is Status.QUEUED
            assert sent.deliveries[0].state is DeliveryState.QUEUED
            assert sent.deliveries[0].unknown == frozenset()
