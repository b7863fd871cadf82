"""The database away, full, read-only, damaged or from the future: a clear error, and nothing that was said is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from convergekit import Hub, MessageReceived
from convergekit.adapters.loopback import LoopbackAdapter, Medium
from convergekit.errors import StoreError
from convergekit.stores.sql import SqlStore
from tools.postgres import Postgres

from .confined import NOBODY, confined
from .driver import tortured
from .launch import Processes
from .plan import Torture, planned
from .sums import summed

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


# Away


async def test_the_database_is_stopped_and_started_while_two_work(
    postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    """Submits that fail are repeated, and both workers come back by themselves: the sums are those of any torture."""

    async def outage(chance: Random) -> None:
        await run_sync(postgres.stop, chance.choice(("fast", "immediate")))
        await anyio.sleep(chance.uniform(0.0, 2.0))
        await run_sync(postgres.start)

    plan = planned(Torture(seed=5, out=200, into=200, outages=3, workers=2))
    async with Processes.opened(postgres_url, tmp_path / "log") as processes:
        sums = summed(await tortured(plan, processes, outage=outage))

    print(sums.figures, (tmp_path / "log").read_text()[-10_000:])
    assert sums.wrong == []
    assert sums.figures["outages"] == 3


async def test_a_submit_while_the_database_is_away_fails_clearly(
    postgres: Postgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the ledger and keeps the password; what was admitted before is handled afterwards."""
    monkeypatch.setattr(LoopbackAdapter, "send_timeout", 1.0)  # shorter than the lease
    url = postgres_url.replace("convergekit@", "convergekit:hunter2@")
    handled: list[str] = []
    medium = Medium()
    with anyio.fail_after(120):
        async with Hub(store=SqlStore(url, create=True), lease=2.0) as hub:

            @hub.on_message
            async def handle(message: MessageReceived) -> str:
                handled.append(message.text or "")
                if len(handled) == 1:
                    await run_sync(postgres.stop)
                return "heard"

            await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
            medium.say(text="before", sender="loopback:ann")
            while not handled or postgres.is_running:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            with pytest.raises(StoreError) as caught:
                await hub.submit("meanwhile", to="loopback:bob", key="k")
            await run_sync(postgres.start)
            while not medium.texts("loopback:ann"):  # noqa: ASYNC110 - by itself
                await anyio.sleep(0.05)
            await (await hub.submit("meanwhile", to="loopback:bob", key="k")).wait(timeout=60)

    assert "the ledger" in str(caught.value)
    assert "hunter2" not in repr(caught.value) + str(caught.value)
    assert medium.texts("loopback:ann") == ["heard"]
    assert medium.texts("loopback:bob") == ["meanwhile"]


# Full


@pytest.fixture
def folder(quick_path: Path) -> Path:
    """Where anybody may write."""
    if os.geteuid() == 0:
        os.chown(quick_path, NOBODY, NOBODY)
    return quick_path


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here; the limit on the size of files stands in for a disk")
    yield place
    # What has just ended may hold a file for a moment longer.
    subprocess.run(["umount", "--lazy", place], check=True)


async def _holds(path: Path, stored: list[str]) -> None:
    """The ledger is whole, holds what was answered and nothing else, and goes on."""
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    medium = Medium()
    async with Hub(store=SqlStore(f"sqlite:///{path}")) as hub:
        there = sorted(int(each.key) for each in await hub.store.dispatches(limit=10**6))
        assert there == [int(key) for key in stored]
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        await hub.send(f"{len(stored)} " + 4000 * "x", to="loopback:ann", key=str(len(stored)), timeout=60)
    assert len({sent.out.delivery for sent in medium.sent}) == len(stored) + 1


async def test_a_full_disk_is_a_clear_error(small_disk: Path) -> None:
    """What was answered is stored, what was refused is not, and with more room it goes on."""
    path = small_disk / "ledger.db"

    answer = confined(f"sqlite:///{path}")

    assert answer["stored"]
    assert answer["error"][0] == "StoreError"
    assert "full" in answer["error"][1]
    await anyio.run_process(["mount", "-o", "remount,size=64m", str(small_disk)])
    await _holds(path, answer["stored"])


async def test_a_limit_on_the_size_of_files_is_a_clear_error(folder: Path) -> None:
    """The same where the system says no in another way."""
    path = folder / "ledger.db"

    answer = confined(f"sqlite:///{path}", size=1_500_000)

    assert answer["stored"]
    assert answer["error"][0] == "StoreError"
    await _holds(path, answer["stored"])


# Read-only


@pytest.mark.parametrize("what", ["file", "folder", "new file in a folder"])
async def test_what_is_read_only_is_a_clear_error(folder: Path, what: str) -> None:
    """Before anything is said to be stored; and the file stays as it is."""
    await run_sync(_read_only, folder, what)


def _read_only(folder: Path, what: str) -> None:
    path = folder / "ledger.db"
    if what != "new file in a folder":
        assert confined(f"sqlite:///{path}", number=3)["error"] is None
    if what == "file":
        path.chmod(0o444)
    else:
        os.chown(folder, os.geteuid(), -1)
        folder.chmod(0o555)
    before = path.read_bytes() if path.exists() else b""

    answer = confined(f"sqlite:///{path}", number=4)

    folder.chmod(0o700)
    assert "3" not in answer["stored"]  # the others were: a key that is known is answered where reading is possible
    assert answer["error"][0] == "StoreError"
    assert "ledger.db" in answer["error"][1]
    assert (path.read_bytes() if path.exists() else b"") == before


# Damaged


async def _made(path: Path, number: int = 50) -> None:
    async with Hub(store=SqlStore(f"sqlite:///{path}"), role="submit") as hub:
        await hub.add_channel("loop", {"adapter": "loopback"})
        for key in map(str, range(number)):
            await hub.submit(f"{key} " + 4000 * "x", to="loopback:ann", key=key)


def _garbage(path: Path) -> None:
    path.write_bytes(Random(1).randbytes(100_000))


def _text(path: Path) -> None:
    path.write_text("dear diary, " * 1000)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _cut_short(path: Path) -> None:
    os.truncate(path, 4096)


@pytest.mark.parametrize("damage", [_garbage, _text, _cut, _cut_short])
@pytest.mark.parametrize("role", ["all", "submit"])
async def test_a_damaged_file_is_reported_and_never_overwritten(quick_path: Path, damage: Any, role: Any) -> None:
    """Whoever opens it is told so."""
    path = quick_path / "ledger.db"
    await _made(path)
    damage(path)
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"ledger\.db"):
        async with Hub(store=SqlStore(f"sqlite:///{path}"), role=role):
            pass

    assert path.read_bytes() == before


async def test_a_page_of_zeros_is_reported_to_whoever_meets_it(quick_path: Path) -> None:
    """Damage in the midst is found when it is read: an error, and no answer that is made up."""
    path = quick_path / "ledger.db"
    await _made(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(bytes(size // 4))

    async def looked_through() -> None:
        async with Hub(store=SqlStore(f"sqlite:///{path}"), role="submit") as hub:
            await hub.store.dispatches(limit=10**6)
            await hub.store.counts()

    with pytest.raises(StoreError, match=r"ledger\.db"):
        await looked_through()


# From the future


async def test_a_ledger_of_a_newer_kind_is_refused(quick_path: Path) -> None:
    """It says what to do, and changes nothing."""
    path = quick_path / "ledger.db"
    await _made(path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE convergekit_meta SET number = 1000 WHERE name IN ('version', 'oldest_reader')")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="install a newer convergekit"):
        async with Hub(store=SqlStore(f"sqlite:///{path}")):
            pass

    assert path.read_bytes() == before


async def test_a_copy_that_was_made_while_it_was_closed_is_a_ledger(quick_path: Path) -> None:
    """Leaving in good order leaves one file."""
    path = quick_path / "ledger.db"
    await _made(path, 3)
    copied = shutil.copy(path, quick_path / "copy.db")

    async with Hub(store=SqlStore(f"sqlite:///{copied}"), role="submit") as hub:
        assert len(await hub.store.dispatches()) == 3
