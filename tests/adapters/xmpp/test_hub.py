"""A hub with an xmpp channel, and the small server in place of a real one."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any, ClassVar
from xml.etree.ElementTree import fromstring

import anyio
import pytest

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.adapters.xmpp.subject import XmppSubject
from convergekit.errors import ConfigurationError

pytestmark = pytest.mark.anyio

ANN = "xmpp:ann@example.net"


class OnTrio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "trio"


class OnAsyncio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"


class TestOnTrio(OnTrio):
    TABLE: ClassVar = {"adapter": "xmpp", "jid": "bot@example.org", "password": "a secret"}
    WHY = re.escape("channel 'chat': the adapter 'xmpp' does not run on trio: anyio.run(..., backend=\"asyncio\")")

    async def test_a_hub_that_runs_says_which_event_loop_it_needs(self) -> None:
        async with Hub(store=MemoryStore()) as hub:
            with pytest.raises(ConfigurationError, match=self.WHY):
                await hub.add_channel("chat", self.TABLE)
            assert not hub.channels

    async def test_so_does_one_that_is_to_run(self) -> None:
        hub = Hub(store=MemoryStore())
        await hub.add_channel("chat", self.TABLE)
        with pytest.raises(ConfigurationError, match=self.WHY):
            async with hub:
                pytest.fail("it runs")

    async def test_who_only_submits_runs_on_any(self) -> None:
        """What is submitted is sent by a worker, on whichever event loop."""
        hub = Hub(store=MemoryStore(), role="submit")
        await hub.add_channel("chat", self.TABLE)
        async with hub:
            pass


class TestCheck(OnAsyncio):
    async def test_it_says_what_the_server_offers(self, tmp_path: Path) -> None:
        outside = XmppSubject()
        async with outside.opened():
            state, detail = await checked(outside, tmp_path)
        assert state == "ok"
        assert detail.endswith("the server offers stream management, carbons, archive, upload, rooms")
        assert not outside.received()

    async def test_it_says_that_the_login_is_refused(self, tmp_path: Path) -> None:
        outside = XmppSubject()
        outside.refuse_login()
        async with outside.opened():
            state, detail = await checked(outside, tmp_path)
        assert state != "ok"
        assert detail == "`jid` and `password` are refused [not-authorized]"


async def checked(outside: XmppSubject, folder: Path) -> tuple[str, str]:
    """What `convergekit check` says of the channel."""
    settings = {"adapter": "xmpp", **outside.settings}
    lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
    file = folder / "convergekit.toml"
    file.write_text("\n".join(['[store]\nurl = "memory:"\n[channels.chat]', *lines]))
    ran = await anyio.run_process([sys.executable, "-m", "convergekit", "check", "--json", str(file)], check=False)
    rows = [json.loads(line) for line in ran.stdout.decode().splitlines()]
    (row,) = (row for row in rows if row.get("channel") == "chat")
    return row["state"], row["detail"]


class TestConnecting(OnAsyncio):
    async def test_nobody_is_asked_for_the_address_of_an_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def asked(*_: Any, **__: Any) -> Any:
            pytest.fail("a thread is started for it")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", asked)
        outside, hub = XmppSubject(), Hub(store=MemoryStore())
        async with outside.opened(), hub:
            channel = await hub.add_channel("chat", {"adapter": "xmpp", **outside.settings})
            assert channel.state == "up"


class TestCutOff(OnAsyncio):
    async def test_every_message_goes_each_way_once_and_in_order(self) -> None:
        outside, heard = XmppSubject(), list[str]()
        hub = Hub(store=MemoryStore())
        ours, theirs = [[f"{who}{number}" for number in range(20)] for who in ("o", "t")]

        @hub.on_message
        async def keep(message: MessageReceived) -> None:
            heard.append(message.text or "")

        async def write() -> None:
            for text in ours:
                await hub.send(text, to=ANN, key=text)

        async with outside.opened(), hub:
            await hub.add_channel("chat", {"adapter": "xmpp", **outside.settings})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(write)
                for text in theirs:
                    await outside.push(outside.message(id=text, sender=ANN, text=text))
                    if int(text[1:]) % 7 == 3:
                        await outside.drop()
            with anyio.fail_after(30):
                await outside.server.until(lambda: outside.acknowledged() >= 20 and len(said(outside)) == 20)
            await hub.idle()

        assert heard == theirs
        assert said(outside) == ours


def said(outside: XmppSubject) -> list[str]:
    """What a client shows: what comes twice under one id is one message."""
    found = {fromstring(each).get("id"): outside.text_of(each) for each in outside.received()}
    return list(found.values())
