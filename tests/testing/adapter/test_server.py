"""The server on loopback that far sides are made of."""

import socket

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from convergekit.testing.adapter import LoopbackServer

pytestmark = pytest.mark.anyio


async def test_what_is_said_in_two_goes_does_not_wait_in_between() -> None:
    """Else each answer of two lines takes forty milliseconds: as long as the other side puts off to acknowledge."""
    at_once: list[int] = []

    async def talk(stream: SocketStream) -> None:
        connection = stream.extra(SocketAttribute.raw_socket)
        at_once.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    server = LoopbackServer(talk)
    async with server.serving(), await anyio.connect_tcp(server.host, server.port) as stream:
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
    assert at_once == [1]


async def test_what_fails_beside_it_comes_out_as_it_is() -> None:
    """A test's own assertion is not to be looked for in a group."""

    async def talk(stream: SocketStream) -> None:
        raise AssertionError("nobody came")

    server = LoopbackServer(talk)
    with pytest.raises(ZeroDivisionError):
        async with server.serving():
            raise ZeroDivisionError
    with pytest.raises(OSError, match="connect"):
        await anyio.connect_tcp(server.host, server.port)
