"""A worker that is killed at any moment handles each mention and each message once; `make torture-x` at full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.x.killed import killed


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_each_is_handled_once_though_the_worker_is_killed(tmp_path: Path, backend: str) -> None:
    run = killed(tmp_path, backend, seed=5, mentions=60, directs=20, kills=1)

    assert run.wrong == []
    assert run.figures["handled"] == 80
