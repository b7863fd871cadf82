"""A worker that is killed, and the one that takes its place on the same ledger; a server that dies, or stands still."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from convergekit.stores.sql.schema import EntryStates
from tests.adapters.xmpp.torture import _Client
from tools.xmpp import Account, Peer, XmppServer

pytestmark = pytest.mark.anyio

MESSAGES = 90
KILLS = 5
LEASE = 3.0


class Workers:
    """Processes one after the other, or at once, on one ledger."""

    def __init__(self, server: XmppServer, account: Account, to: str, folder: Path) -> None:
        self.ledger, self._heard = folder / "ledger.db", folder / "heard"
        self._log = (folder / "log").open("ab")
        self._given: dict[str, Any] = {
            "ledger": str(self.ledger),
            "heard": str(self._heard),
            "lease": LEASE,
            "count": MESSAGES,
            "pause": 0.01,
            "to": to,
            "channel": {
                "jid": account.jid,
                "password": account.password,
                "host": server.host,
                "port": server.port,
                "ca": str(server.ca),
                "ping_interval": 2,
                "ping_timeout": 2,
                "timeout": 5,
            },
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """One more."""
        command = [sys.executable, "-m", "tests.adapters.xmpp.attack.worker", json.dumps(self._given)]
        self.running.append(subprocess.Popen(command, stdout=self._log, stderr=self._log))

    async def freeze(self, number: int = 0) -> None:
        """One stands still, and not in the midst of a write: it would hold the ledger against all others."""
        with anyio.fail_after(20):
            while True:
                self.running[number].send_signal(signal.SIGSTOP)
                await anyio.sleep(0.05)
                if not self._is_locked():
                    return
                self.running[number].send_signal(signal.SIGCONT)
                await anyio.sleep(0.01)

    def _is_locked(self) -> bool:
        with closing(sqlite3.connect(self.ledger, timeout=0)) as ledger:
            try:
                ledger.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            return False

    def kill(self, number: int = 0) -> None:
        """As `kill -9` does."""
        worker = self.running.pop(number)
        worker.kill()
        worker.wait()

    def close(self) -> None:
        for worker in self.running:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()
        self._log.close()

    @property
    def heard(self) -> list[str]:
        """What handlers have heard; what one that was killed had begun is heard again."""
        return self._heard.read_text().split() if self._heard.exists() else []

    @property
    def ready(self) -> bool:
        """Whether one of them knows its place in the archive: from then on nothing is missed."""
        if not self.ledger.exists():
            return False
        with sqlite3.connect(self.ledger) as db:
            return bool(
                db.execute("select 1 from sqlite_master where name = 'convergekit_cursor'").fetchall()
            ) and bool(db.execute("select 1 from convergekit_cursor").fetchall())

    @property
    def said(self) -> str:
        """What they have to say for themselves."""
        return (self.ledger.parent / "log").read_text()[-3000:]

    @property
    def handled(self) -> int:
        """How many handlers have finished; what one has heard who has not is heard again."""
        with sqlite3.connect(self.ledger) as db:
            (number,) = db.execute(
                "select count(*) from convergekit_entry where state = ?", (EntryStates.DONE,)
            ).fetchone()
        return int(number)

    def admitted(self) -> Counter[str]:
        """How often each text is in the ledger."""
        with sqlite3.connect(self.ledger) as db:
            found = db.execute("select body from convergekit_entry").fetchall()
        events = [json.loads(row[0]) for row in found]
        return Counter(each["text"] for each in events if each["type"] == "message.received")


@pytest.fixture
def make_workers(quick_path: Path) -> Iterator[Callable[..., Workers]]:
    made: list[Workers] = []

    def make(server: XmppServer, account: Account, to: str) -> Workers:
        made.append(Workers(server, account, to, quick_path))
        return made[-1]

    yield make
    for workers in made:
        workers.close()


async def _until(workers: Workers, count: int, seconds: float = 60) -> None:
    with anyio.move_on_after(seconds):
        while len(set(workers.heard)) < count:  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.02)


async def _say(server: XmppServer, account: Account, to: Account) -> None:
    """Slowly, and again where it may not have come."""
    said = 0
    while said < MESSAGES:
        try:
            async with Peer(server, account) as peer:
                while said < MESSAGES:
                    batch = range(said, said + 3)
                    for number in batch:
                        await peer.say(to.jid, str(number), id=f"n{number}")
                    await peer.synced()
                    said = batch.stop
                    await anyio.sleep(0.2)
        except (OSError, ExceptionGroup, anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            await anyio.sleep(0.1)


async def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    start_prosody: Callable[..., XmppServer], make_workers: Callable[..., Workers]
) -> None:
    """Messages go both ways; two workers contend for the channel; of them one is killed at a time, and the server."""
    server, chance = start_prosody(), Random(5)
    account, client = server.fresh_account(), _Client(server, server.fresh_account())
    workers = make_workers(server, account, f"xmpp:{client.account.jid}")
    workers.start()
    workers.start()
    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(20):
            while not workers.ready:  # noqa: ASYNC110 - another process writes it
                await anyio.sleep(0.05)
        tasks.start_soon(_say, server, client.account, account)
        for number in range(KILLS):
            await _until(workers, (number + 1) * MESSAGES // (KILLS + 2), 20)
            await anyio.sleep(chance.uniform(0, 0.2))
            if number == 2:
                await server.kill()
                await server.start()
            else:
                workers.kill()
                workers.start()
        await _until(workers, MESSAGES)
    wanted = [str(number) for number in range(MESSAGES)]
    assert list(dict.fromkeys(workers.heard)) == wanted
    assert set(workers.admitted().values()) == {1}

    said: list[str] = []
    with anyio.move_on_after(60):
        while len(said) < MESSAGES:
            await anyio.sleep(0.5)
            said = await client.archived()
    assert said == wanted


async def test_a_worker_that_stood_still_takes_over_again(
    start_prosody: Callable[..., XmppServer], make_workers: Callable[..., Workers], connect_peer: Callable[..., Any]
) -> None:
    """Another one had its place, and its resource, meanwhile; then that one dies."""
    server = start_prosody()
    account = server.fresh_account()
    ann = await connect_peer(server)
    workers = make_workers(server, account, f"xmpp:{ann.bare}")
    workers.start()
    with anyio.fail_after(20):
        while not workers.ready:  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.05)
    await workers.freeze()
    workers.start()
    await ann.say(account.jid, "one")
    await _until(workers, 1)
    assert workers.heard == ["one"], workers.said

    workers.running[0].send_signal(signal.SIGCONT)
    await anyio.sleep(3)  # it finds out that it has lost its place
    await ann.say(account.jid, "two")
    await _until(workers, 2)
    with anyio.fail_after(20):
        while workers.handled < 2:  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.05)
    workers.kill(1)
    await ann.say(account.jid, "three")
    await _until(workers, 3)
    assert workers.heard == ["one", "two", "three"]
