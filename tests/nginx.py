"""A server that takes whatever is posted and answers 204: one nginx for the whole run, which counts its requests."""

from collections.abc import Iterator

import pytest

from tests.peers import lacking
from tools.nginx import Nginx, missing

__all__ = ["nginx"]


@pytest.fixture(scope="session")
def nginx() -> Iterator[Nginx]:
    """The server, with four hosts; its count goes on from test to test."""
    if why := missing():
        lacking(why)
    with Nginx(hosts=4) as server:
        yield server
