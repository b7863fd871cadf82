"""A worker that is killed at any moment handles each mention and each message once; `make torture-x` at full size."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.x.killed.driver import killed


def test_each_is_handled_once_though_the_worker_is_killed(tmp_path: Path) -> None:
    """The first one lives on asyncio, and who comes after it on Trio."""
    run = killed(tmp_path, "asyncio", "trio", seed=5, mentions=60, directs=20, kills=1)

    assert run.wrong == []
    assert run.figures["handled"] == 80
