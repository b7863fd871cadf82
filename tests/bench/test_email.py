"""The benchmark of mail does the same work on both sides, and says what it promises to say."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bench.email import EMAIL
from bench.email.drive import Send, sending
from bench.email.mails import check
from tests.bench.running import figures

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio


def test_each_part_runs_and_says_what_it_found() -> None:
    """Those that need a server say so where there is none, which their lines allow."""
    assert figures(*(f"email.{part}" for part in EMAIL))


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
