"""A server that stands still, while much is to be sent and the hub is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from convergekit import Hub
from convergekit.stores import SqlStore
from tests.adapters.xmpp.live.test_sending import settings
from tools.xmpp import Peer, XmppServer, body

pytestmark = pytest.mark.anyio

MESSAGES = 300


async def test_a_hub_that_is_closed_while_its_server_stands_still_closes_and_sends_the_rest_the_next_time(
    start_prosody: Callable[..., XmppServer], connect_peer: Callable[..., Awaitable[Peer]], quick_path: Path
) -> None:
    server = start_prosody()
    account, ann = server.fresh_account(), server.fresh_account()
    others = [server.fresh_account() for _ in range(20)]

    def hub() -> Hub:
        return Hub(store=SqlStore(f"sqlite:///{quick_path / 'ledger.db'}"))

    async with hub() as first:
        await first.add_channel("im", settings(server, account, window=50, ping_timeout=3))
        for number in range(MESSAGES // 2):
            await first.submit(str(number), to=f"xmpp:{ann.jid}", via="im")
            await first.submit("hi", to=f"xmpp:{others[number % 20].jid}", via="im")
            if number == 5:
                server.freeze()
        for number in range(MESSAGES // 2, MESSAGES):
            await first.submit(str(number), to=f"xmpp:{ann.jid}", via="im")
        began = anyio.current_time()
    assert anyio.current_time() - began < 15
    server.thaw()

    async with hub() as second:
        await second.add_channel("im", settings(server, account, window=50))
        await second.submit("end", to=f"xmpp:{ann.jid}", via="im")
        peer = await connect_peer(server, ann)
        await peer.until("end", seconds=40)
    said: dict[str, str] = {}
    for each in peer.received:
        if text := body(each):
            said.setdefault(each.get("id", ""), text)
    texts = list(said.values())
    assert texts == [*(str(number) for number in range(MESSAGES)), "end"]
