"""Kannel for tests: each test that asks for one has its own, for it starts in a quarter of a second."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.peers import lacking
from tools.kannel import Kannel, missing

__all__ = ["kannel", "start_kannel"]


@pytest.fixture
def start_kannel() -> Iterator[Callable[..., Kannel]]:
    """Start one with settings of the test's own; it ends with the test."""
    if why := missing():
        lacking(why)
    with ExitStack() as stack:
        yield lambda *args, **settings: stack.enter_context(Kannel(*args, **settings))


@pytest.fixture
def kannel(start_kannel: Callable[..., Kannel]) -> Kannel:
    """One that runs, with its phones connected; a test may stop, kill and start it."""
    return start_kannel()
