"""A process that only submits, and decides, beside a worker: they share nothing but the ledger."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit import Hub, MessageReceived, Status
from convergekit.adapters.loopback import Medium
from convergekit.cli import main
from convergekit.engine.clock import SystemClock
from convergekit.errors import NotSentError, UncertainError
from convergekit.stores import SqlStore

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    found: str = request.getfixturevalue("ledger_url")
    return found


class Pair:
    """A web process and a worker, each with a store of its own.

    Args:
        web: Submits and decides.
        worker: Sends and handles.
        medium: What the worker's channel talks over.
    """

    def __init__(self, web: Hub, worker: Hub, medium: Medium) -> None:
        self.web, self.worker, self.medium = web, worker, medium
        self.letters = web.dead_letters
        self.handled = anyio.Event()
        worker.on_message(self.handle)

    async def handle(self, message: MessageReceived) -> None:
        self.handled.set()


@pytest.fixture
def pair(url: str) -> Any:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Pair]:
        medium = Medium()
        worker, web = Hub(store=url), Hub(store=url, role="submit")
        with anyio.fail_after(120):
            async with worker, web:
                both = Pair(web, worker, medium)
                await worker.add_channel("chat", {"adapter": "loopback", "attempts": 1}, medium=medium)
                await web.add_channel("chat", {"adapter": "loopback"})
                yield both

    return opened


async def test_one_submits_and_the_other_sends(pair: Any) -> None:
    """And whoever submitted learns what became of it."""
    async with pair() as p:
        handle = await p.web.submit("hello", to=ANN)
        assert await handle.wait(timeout=60) is Status.ACCEPTED
        assert (await p.web.send("again", to=ANN)).status is Status.ACCEPTED
        assert p.medium.texts() == ["hello", "again"]
        assert p.web.channel("chat").adapter is None


async def test_one_decides_and_the_other_acts(pair: Any) -> None:
    """Without a restart: sent again, settled, and tried again."""
    async with pair() as p:
        p.medium.script(NotSentError("down"), UncertainError("lost"))
        with pytest.raises(NotSentError):
            await p.web.send("hello", to=ANN)
        with pytest.raises(UncertainError):
            await p.web.send("are you there?", to=ANN, key="k")
        dead, unknown = await p.letters.list()
        assert (dead.state, unknown.state) == ("dead", "unknown")
        handle = await p.letters.resend(dead.id, "hello again")
        assert await handle.wait(timeout=60) is Status.ACCEPTED
        assert await p.letters.settle(unknown.id, sent=False)
        handle = await p.web.submit("are you there?", to=ANN, key="k")
        assert await handle.wait(timeout=60) is Status.ACCEPTED
        assert p.medium.texts() == ["are you there?", "hello again", "are you there?"]
        assert [each.out.key for each in p.medium.sent][0::2] == [unknown.delivery.key] * 2
        assert await p.letters.list() == []


async def test_an_event_is_handled_anew_by_the_one_that_has_handlers(pair: Any, url: str) -> None:
    """The decision wakes it."""
    store = SqlStore(url)
    async with store.opened(SystemClock()):
        await store.admit("chat", [MessageReceived(key="1", channel="chat", text="help", sender=ANN)])
        (lease,) = (await store.claim("in", limit=1, seconds=60)).leases
        await store.bury(lease, reason="ValueError")
    async with pair() as p:
        await p.worker.idle()
        assert not p.handled.is_set()
        (letter,) = await p.letters.list(direction="in")
        assert await p.letters.retry(letter.id)
        await p.handled.wait()
        assert await p.letters.list() == []


def test_a_shell_looks_at_it(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside whoever works on it."""
    config = tmp_path / "convergekit.toml"
    config.write_text(f'[store]\nurl = "{url}"\n[channels.chat]\nadapter = "loopback"\n')
    assert main(["send", "--config", str(config), "--to", ANN, "hello"]) == 0
    assert main(["dead", "list", "--store", url]) == 0
    capsys.readouterr()
    assert main(["check", "--json", str(config)]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[0])
    assert said["state"] == "ok"
    assert "1 deliveries (0 to go, 0 unknown, 0 dead)" in said["detail"]
