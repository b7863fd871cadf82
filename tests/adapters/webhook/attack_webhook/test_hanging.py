"""Secrets that never come."""

from __future__ import annotations

import anyio
import pytest
from pydantic import SecretStr

from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import NotSentError
from convergekit.model import Address
from convergekit.testing import FakeContext, outgoing
from tests.adapters.webhook.kit import HOME, NEW, config

pytestmark = pytest.mark.anyio


async def test_a_look_up_of_secrets_may_take_as_long_as_an_attempt() -> None:
    """Each that hangs has one of the places of the channel, and others wait for it."""

    async def never(address: Address) -> list[str]:
        await anyio.sleep_forever()
        return [NEW]

    context = FakeContext(channel="hooks", parts={"secrets": never})
    adapter = WebhookAdapter(config(own_secrets=True, secrets=(SecretStr(NEW),), timeout=0.01), context)
    with anyio.fail_after(10), pytest.raises(NotSentError, match="TimeoutError"):
        await adapter.send(outgoing(HOME))
