"""A server that plays X, at a time that stands still, held against X' description; and who is there."""

from collections.abc import Iterator
from typing import Any

import pytest

from convergekit.testing import FakeClock
from convergekit.testing.x import Account, Person, XServer
from tests.testing.x.openapi import validated


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dialect() -> str:
    """Which names answers have; a module that asks for both says so."""
    return "tweet"


@pytest.fixture
def x(clock: FakeClock, dialect: Any) -> Iterator[XServer]:
    server = XServer(now=clock.now, sleep=clock.sleep, dialect=dialect)
    server.account("support")
    with validated(server):
        yield server


@pytest.fixture
def support(x: XServer) -> Account:
    return x.only_account


@pytest.fixture
def ann(x: XServer, support: Account) -> Person:
    return x.user("ann")
