"""The example over sockets: a line that says nothing is given up, and one that pings is not."""

from __future__ import annotations

import json

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from pydantic import SecretStr

from convergekit.errors import NotSentError
from convergekit.testing import FakeContext
from convergekit.testing.adapter import LoopbackServer
from tests.testing.adapter.subjects import example

pytestmark = pytest.mark.anyio
lantern = example("lantern")


class Tower:
    """Lets everybody in, pings so often, and then says nothing more."""

    def __init__(self, pings: int) -> None:
        self.heard: list[object] = []
        self._pings = pings
        self.server = LoopbackServer(self._talk)

    async def _talk(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        await lines.receive_until(b"\n", 65_536)
        await stream.send(b'{"welcome": true}\n')
        for _ in range(self._pings):
            await stream.send(b'{"ping": true}\n')
            self.heard.append(json.loads(await lines.receive_until(b"\n", 65_536)))
        await anyio.sleep_forever()


async def test_silence_ends_a_listen_and_pings_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lantern, "SILENCE", 0.2)
    tower, context = Tower(pings=3), FakeContext()
    async with tower.server.serving():
        config = lantern.LanternConfig(host=tower.server.host, port=tower.server.port, token=SecretStr("t"))
        async with lantern.LanternAdapter(config, context) as adapter:
            with anyio.fail_after(30), pytest.raises(NotSentError, match="went silent"):
                await adapter.listen()
    assert tower.heard == [{"pong": True}] * 3
    assert not context.admitted, "a ping is no message"
