"""XMPP servers for tests: one of each for the whole run, with accounts and rooms of each test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import anyio
import pytest

from tests.peers import lacking
from tools.xmpp import Account, Ejabberd, Peer, Prosody, XmppServer

__all__ = [
    "connect_peer",
    "ejabberd",
    "prosody",
    "start_ejabberd",
    "start_prosody",
    "start_xmpp_server",
    "xmpp_kind",
    "xmpp_server",
]

KINDS = {"prosody": Prosody, "ejabberd": Ejabberd}
_RUNNING: list[XmppServer] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Of a test that has failed, tell what the servers have said."""
    report = yield
    if report.failed and set(__all__) & set(getattr(item, "fixturenames", ())):
        report.sections += [(f"the log of {server.kind}", server.logs()[-4000:]) for server in _RUNNING]
    return report


def _shared(kind: type[XmppServer]) -> Iterator[XmppServer]:
    if why := kind.missing():
        lacking(why)
    with kind() as server:
        _RUNNING.append(server)
        yield server
        _RUNNING.remove(server)


def _started(kind: type[XmppServer]) -> Iterator[Callable[..., XmppServer]]:
    if why := kind.missing():
        lacking(why)
    with ExitStack() as stack:

        def start(**settings: Any) -> XmppServer:
            server = stack.enter_context(kind(**settings))
            _RUNNING.append(server)
            stack.callback(_RUNNING.remove, server)
            return server

        yield start


@pytest.fixture(scope="session")
def prosody() -> Iterator[XmppServer]:
    """A Prosody for all tests: take `fresh_account()` and `fresh_room()`, and do not stop it."""
    yield from _shared(Prosody)


@pytest.fixture(scope="session")
def ejabberd() -> Iterator[XmppServer]:
    """An ejabberd for all tests: take `fresh_account()` and `fresh_room()`, and do not stop it."""
    yield from _shared(Ejabberd)


@pytest.fixture
def start_prosody() -> Iterator[Callable[..., XmppServer]]:
    """Start a Prosody with settings of the test's own, to be killed and started at will; it ends with the test."""
    yield from _started(Prosody)


@pytest.fixture
def start_ejabberd() -> Iterator[Callable[..., XmppServer]]:
    """Start an ejabberd with settings of the test's own, to be killed and started at will; it ends with the test."""
    yield from _started(Ejabberd)


@pytest.fixture(params=KINDS)
def xmpp_kind(request: pytest.FixtureRequest) -> str:
    """Run the test with each kind of server."""
    return str(request.param)


@pytest.fixture
def xmpp_server(xmpp_kind: str, request: pytest.FixtureRequest) -> XmppServer:
    """The one for all tests, of each kind in turn."""
    server = request.getfixturevalue(xmpp_kind)
    assert isinstance(server, XmppServer)
    return server


@pytest.fixture
def start_xmpp_server(xmpp_kind: str) -> Iterator[Callable[..., XmppServer]]:
    """Start one of the test's own, of each kind in turn."""
    yield from _started(KINDS[xmpp_kind])


@pytest.fixture
async def connect_peer() -> AsyncIterator[Callable[..., Awaitable[Peer]]]:
    """Connect a `Peer`; it leaves with the test. Without an account it is somebody new."""
    peers: list[Peer] = []
    async with anyio.create_task_group() as group:

        async def connected(server: XmppServer, account: Account | None = None, *args: str, **settings: int) -> Peer:
            peer = Peer(server, account or server.fresh_account(), *args, **settings)  # type: ignore[arg-type]
            await peer.open(group)
            peers.append(peer)
            return peer

        yield connected
        for peer in peers:
            await peer.close()
