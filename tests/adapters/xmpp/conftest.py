"""slixmpp knows asyncio only, and so does what stands on it."""

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"
