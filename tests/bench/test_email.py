"""The benchmark of mail does the same work on both sides, and says what it promises to say."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.email.drive import Send, sending
from bench.email.mails import check
from tools.mail import program

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", ["build", "read", "memory", "send", "pool"])
def test_each_part_runs_and_says_what_it_found(part: str) -> None:
    if part in {"send", "pool"} and program("smtp-sink") is None:
        pytest.skip("smtp-sink is not installed (as root on Debian, `make peers` does it)")
    run = [sys.executable, "-m", "bench", "--quick", "--json", f"email.{part}"]

    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.stderr == ""
    assert done.returncode in {0, 1}  # quick figures may miss a goal
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(line["ok"] in {True, False} for line in lines if line["goal"] != "-")


def test_both_sides_do_the_same_work() -> None:
    check()


async def test_each_message_is_sent_once_and_the_first_ones_do_not_count() -> None:
    sent: list[int] = []
    cpu: list[float] = []

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Send]:
        async def send(number: int) -> None:
            sent.append(number)

        yield send

    rate = await sending(opened, senders=3, items=10, cpu=cpu)()

    assert sorted(sent) == list(range(4 * 3 + 10))
    assert rate > 0
    assert len(cpu) == 1
