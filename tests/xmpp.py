"""XMPP servers for tests: one of each for the whole run, with accounts and rooms of each test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from tests.peers import lacking
from tools.xmpp import Account, Peer, Prosody, XmppServer

__all__ = ["connect_peer", "prosody", "start_prosody"]


def _server(kind: type[XmppServer]) -> Iterator[XmppServer]:
    if why := kind.missing():
        lacking(why)
    with kind() as server:
        yield server


@pytest.fixture(scope="session")
def prosody() -> Iterator[XmppServer]:
    """One for all tests: take `fresh_account()` and `fresh_room()`, and do not stop it."""
    yield from _server(Prosody)


@pytest.fixture
def start_prosody() -> Iterator[Callable[..., Prosody]]:
    """Start one with settings of the test's own, to be killed and started at will; it ends with the test."""
    if why := Prosody.missing():
        lacking(why)
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Prosody(**settings))


@pytest.fixture
async def connect_peer() -> AsyncIterator[Callable[..., Awaitable[Peer]]]:
    """Connect a `Peer`; it leaves with the test. Without an account it is somebody new."""
    async with AsyncExitStack() as stack:

        async def connected(server: XmppServer, account: Account | None = None, *args: str, **settings: int) -> Peer:
            peer = Peer(server, account or server.fresh_account(), *args, **settings)  # type: ignore[arg-type]
            return await stack.enter_async_context(peer)

        yield connected
