"""A hub with one channel that a test talks with over a real server, and what it has heard."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from convergekit import Hub, MemoryStore
from convergekit.adapters.xmpp import XmppAdapter
from convergekit.engine.channels import ChannelState
from convergekit.model import Address, Event, MembershipChanged, MessageReceived
from tools.xmpp import Account, XmppServer


class Heard:
    """The events that a hub has handled, ephemeral ones too."""

    def __init__(self, hub: Hub) -> None:
        self.events: list[Event] = []
        self._news = anyio.Event()
        hub.on_event(Event)(self._keep)

    async def _keep(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, wanted: Callable[[Any], object], kind: type[Event] = Event) -> Any:
        """The first of *kind* that is *wanted*."""
        with anyio.fail_after(15):
            while True:
                news = self._news
                for event in self.events:
                    if isinstance(event, kind) and wanted(event):
                        return event
                await news.wait()

    async def change(self, member: Address, membership: str) -> MembershipChanged:
        found = await self.until(lambda each: (each.member, each.membership) == (member, membership), MembershipChanged)
        assert isinstance(found, MembershipChanged)
        return found

    async def said(self, text: str) -> MessageReceived:
        found = await self.until(lambda each: each.text == text, MessageReceived)
        assert isinstance(found, MessageReceived)
        return found


class Bot:
    """A hub with one channel, `im`."""

    def __init__(self, hub: Hub, account: Account) -> None:
        self.hub, self.account, self.heard = hub, account, Heard(hub)
        self.us = Address.build("xmpp", account.jid)

    @property
    def channel(self) -> Any:
        return self.hub.channel("im")

    @property
    def adapter(self) -> XmppAdapter:
        adapter = self.channel.adapter
        assert isinstance(adapter, XmppAdapter)
        return adapter

    async def up(self) -> None:
        """Wait until there is a session."""
        await until(lambda: self.channel.state is ChannelState.UP)

    async def back(self, room: str) -> None:
        """Wait until we are in *room*."""

        def is_back() -> bool:
            parts = self.adapter._parts
            found = parts.rooms.room(room) if parts is not None else None
            return found is not None and found.joined

        await until(is_back)


@asynccontextmanager
async def online(server: XmppServer, account: Account | None = None, /, **more: Any) -> AsyncGenerator[Bot]:
    account = account or server.fresh_account("bot")
    settings = {
        "adapter": "xmpp",
        "jid": account.jid,
        "password": account.password,
        "host": server.host,
        "port": server.port,
        "ca": str(server.ca),
        "nickname": "bot",
    }
    hub = Hub(store=MemoryStore())
    bot = Bot(hub, account)
    async with hub:
        await hub.add_channel("im", settings | more)
        await bot.up()
        yield bot


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - other threads and servers set it
            await anyio.sleep(0.02)


def xmpp(jid: str) -> Address:
    return Address.build("xmpp", jid)
