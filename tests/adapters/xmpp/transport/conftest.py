"""A stream, and a server that says what the test wants."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from xml.etree.ElementTree import Element

import pytest

from convergekit.adapters.xmpp.transport import XmppStream
from tests.adapters.xmpp.transport.far_side import FarSide, config, far_side


@pytest.fixture
async def far() -> AsyncIterator[FarSide]:
    async with far_side() as found:
        yield found


@pytest.fixture
async def make_stream(far: FarSide) -> AsyncIterator[Callable[..., XmppStream]]:
    """A stream to the far side, which notes what comes in in `came`; it is closed at the end."""

    async def close(stream: XmppStream) -> None:
        stream.abort()  # the far side does not say goodbye
        await stream.close()

    async with AsyncExitStack() as stack:

        def make(came: list[Element] | None = None, **settings: object) -> XmppStream:
            incoming = (lambda _: None) if came is None else came.append
            stream = XmppStream(config(far, **settings), incoming=incoming, features=["urn:xmpp:receipts"])
            stack.push_async_callback(close, stream)
            return stream

        yield make
