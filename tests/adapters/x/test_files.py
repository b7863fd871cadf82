"""Files of what came in are fetched from X, and from nowhere else."""

from __future__ import annotations

import httpx
import pytest

from convergekit.adapters.x.files import fetched
from convergekit.errors import RejectedError
from convergekit.model import Attachment
from tests.adapters.x.outbound.kit import Account

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.jpg",
        "http://pbs.twimg.com/a.jpg",
        "https://twimg.com.example.org/a.jpg",
        "https://eviltwimg.com/a.jpg",
        "file:///etc/passwd",
        "",
    ],
)
async def test_files_are_fetched_from_x_and_from_nowhere_else(url: str) -> None:
    account = Account()

    with pytest.raises(RejectedError):
        async with fetched(account.session, Attachment(url=url)):
            pass


async def test_a_file_of_a_direct_message_is_fetched_with_a_signature_and_a_photo_without() -> None:
    seen: list[httpx.Request] = []

    def serves(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"bytes")

    account = Account(transport=httpx.MockTransport(serves))
    for url in ("https://ton.twitter.com/1.1/ton/data/dm/1/2/a.jpg?x=1", "https://pbs.twimg.com/media/a.jpg"):
        async with fetched(account.session, Attachment(url=url)) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == b"bytes"

    assert seen[0].headers["authorization"].startswith("OAuth ")
    assert "authorization" not in seen[1].headers
