"""Requests of which two readers make two things."""

from __future__ import annotations

import pytest

from convergekit.http.signatures import StandardWebhooks
from tests.adapters.webhook.kit import NEW, START, channel
from tests.asgi_kit import call

pytestmark = pytest.mark.anyio
BODY = b'{"type":"message.created","data":{"text":"hi"}}'


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        ({"content-length": str(len(BODY)), "transfer-encoding": "chunked"}, 400),
        ({"transfer-encoding": "chunked"}, 204),
        ({"content-length": str(len(BODY))}, 204),
    ],
)
async def test_a_length_beside_chunks_is_refused(framing: dict[str, str], status: int) -> None:
    """RFC 9112 §6.3: a proxy that goes by the other one sees another request behind this one."""
    signed = StandardWebhooks([NEW]).sign("m1", START, BODY)
    async with channel() as (app, _):
        answer = await call(app, body=BODY, headers={**framing, **signed})
    assert answer.status == status
    assert (answer.headers.get("connection") == "close") is (status == 400)
