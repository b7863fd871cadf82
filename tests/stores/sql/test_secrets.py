"""What a ledger says of itself holds no password, wherever the URL has it."""

import pytest

from convergekit.errors import StoreError
from convergekit.stores import SqlStore
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter22@127.0.0.1:1/x",
        "postgresql://ann@127.0.0.1:1/x?password=hunter22",
        "postgresql://ann@127.0.0.1:1/x?sslpassword=hunter22",
    ],
)
async def test_a_url_is_shown_without_its_secrets(url: str) -> None:
    store = SqlStore(url)
    assert (
        repr(store)
        == "SqlStore('postgresql+psycopg://ann" + (":***" if ":hunter22" in url else "") + "@127.0.0.1:1/x')"
    )
    with pytest.raises(StoreError) as caught:
        async with store.opened(FakeClock()):
            raise AssertionError("nobody listens there")
    assert "127.0.0.1:1" in str(caught.value)
    assert "hunter22" not in str(caught.value)
