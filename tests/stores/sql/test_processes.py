"""What a process owned that has died is another's at once, where the kernel can tell that it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convergekit.engine.clock import SystemClock
from convergekit.stores import SqlStore
from convergekit.stores.sql import processes
from convergekit.stores.sql.processes import here, is_gone

pytestmark = pytest.mark.anyio

_OWNER = """
import anyio, sys
from convergekit.engine.clock import SystemClock
from convergekit.stores import SqlStore

async def main():
    store = SqlStore(sys.argv[1])
    async with store.opened(SystemClock()):
        assert await store.own("channel:c", "me", 3600) is not None
        print("owned", flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, quick_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{quick_path}/ledger.db"
    return str(request.getfixturevalue("ledger_url"))


async def test_what_a_dead_process_owned_is_taken_over_at_once(url: str) -> None:
    """And not before it is dead: one that was stopped may go on."""
    command = [sys.executable, "-c", _OWNER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "owned\n"
            store = SqlStore(url)
            async with store.opened(SystemClock()):
                assert await store.own("channel:c", "me too", 30) is None
                process.send_signal(signal.SIGSTOP)
                assert await store.own("channel:c", "me too", 30) is None
                process.kill()
                process.wait()
                fence = await store.own("channel:c", "me too", 30)
                assert fence is not None
                assert await store.own("channel:c", "another in this process", 30) is None
                again = await store.own("channel:c", "me too", 30)
                assert again is not None
                assert again.token == fence.token
        finally:
            process.kill()


def test_a_process_that_runs_is_not_gone() -> None:
    assert here().partition("/")[2].startswith(f"{os.getpid()}/")
    assert not is_gone(here())


def test_a_number_that_another_process_has_got_since_tells() -> None:
    """It began at another time."""
    place, number, start = here().split("/")
    assert is_gone(f"{place}/{number}/{int(start) - 1}")


def test_what_is_elsewhere_may_well_be_alive() -> None:
    """Another machine, another container, the time before the last boot: the number there is none of ours."""
    _, number, start = here().split("/")
    assert not is_gone(f"0123456789abcdef/{number}/{int(start) - 1}")
    assert not is_gone(f"/{number}/{int(start) - 1}")
    assert not is_gone("")


@pytest.mark.parametrize("nonsense", ["x/1", "-", "99999999999999999999/1", "", "/"])
def test_what_is_no_process_is_not_called_dead(nonsense: str) -> None:
    place = here().partition("/")[0]
    assert not is_gone(f"{place}/{nonsense}")


def test_where_nobody_can_tell_there_is_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a system without /proc; then the time has to run out."""
    gone = here().rpartition("/")[0] + "/1"
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    processes._named.cache_clear()
    try:
        assert here() == ""
        assert not is_gone(gone)
    finally:
        processes._named.cache_clear()


def test_a_process_that_others_hide_is_not_called_dead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With hidepid, whoever asks sees no start; only the kernel knows that there is one."""
    place = here().partition("/")[0]
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert not is_gone(f"{place}/{os.getpid()}/1")
