"""Producers that call as fast as they are answered."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import anyio

from ..measure import Side

__all__ = ["LANES", "Driven", "Submit", "drive", "fresh_file", "rate_of", "text"]

#: Called with numbers from 0; returns once what it was given is durable.
Submit = Callable[[int], Awaitable[object]]

LANES = 2_000
_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Driven:
    """What a drive showed.

    Args:
        rate: Calls a second.
        p50: Seconds that half of the calls took at most.
    """

    rate: float
    p50: float


def text(number: int) -> str:
    """A text of 1 KB that no other number has."""
    start = f"Message {number}: "
    return start + ("The parcel is on its way to you. " * 40)[: _SIZE - len(start)]


async def drive(submit: Submit, *, producers: int, items: int, first: int = 0) -> Driven:
    """*producers* tasks call *submit* with the numbers from *first* on, each its next one when it was answered."""
    took: list[float] = []
    numbers = iter(range(first, first + items))

    async def produce() -> None:
        for number in numbers:
            start = time.perf_counter()
            await submit(number)
            took.append(time.perf_counter() - start)

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(producers):
            tasks.start_soon(produce)
    wall = time.perf_counter() - began
    if len(took) != items:
        raise RuntimeError(f"{items} calls were to be made and {len(took)} were answered")
    return Driven(items / wall, median(took))


def rate_of(opened: Callable[[Path], AbstractAsyncContextManager[Submit]], *, producers: int, items: int) -> Side:
    """The side whose figure is its rate into a fresh file in each round."""

    async def one_round() -> float:
        async with fresh_file() as file, opened(file) as submit:
            return (await drive(submit, producers=producers, items=items)).rate

    return one_round


@asynccontextmanager
async def fresh_file() -> AsyncGenerator[Path]:
    """Where a database may be made; it is gone afterwards."""
    with TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder) / "ledger.db"


def checked(stored: int, expected: int, what: str) -> None:
    """Raises where not everything that was acknowledged is there."""
    if stored != expected:
        raise RuntimeError(f"{what}: {expected} rows were acknowledged and {stored} are there")


def at_least_one(items: float) -> int:
    """*items*, but never none."""
    return max(1, math.floor(items))
