"""What every test stands on: both event loops, and a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from ngircd import Ngircd, missing


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run each async test on asyncio and on Trio."""
    return request.param


# [missing]
def need_ngircd() -> None:
    """Skip where there is none; where CI is "true" fail, for there the test is meant to run."""
    if why := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}; with CI=true it must be there", pytrace=False)
        pytest.skip(why)


# [missing end]


# [fixture]
@pytest.fixture
def server() -> Iterator[Ngircd]:
    """A server of its own for each test: it starts in milliseconds, and nobody else is on it."""
    need_ngircd()
    with Ngircd() as server:
        yield server


# [fixture end]


@pytest.fixture
def closed_server() -> Iterator[Ngircd]:
    """One that asks for a password: "sesame"."""
    need_ngircd()
    with Ngircd(password="sesame") as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Signs certificates; nobody else trusts it."""
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ngircd]:
    """One that speaks TLS, as "localhost"; for all tests, since it takes a second or two to think of a prime."""
    need_ngircd()
    certificate = tmp_path_factory.mktemp("tls") / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    with Ngircd(certificate=certificate) as server:
        yield server
