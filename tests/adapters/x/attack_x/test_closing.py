"""What the ledger and the hub do meanwhile changes nothing of what goes out."""

from __future__ import annotations

import pytest

from convergekit.adapters.x import XAdapter, XConfig
from convergekit.errors import InvalidInputError, LeaseLostError, NotRunningError, StoreError
from convergekit.model import Receipt
from convergekit.testing import FakeClock, FakeContext, outgoing
from convergekit.testing.x import XServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [NotRunningError, LeaseLostError, StoreError, InvalidInputError])
async def test_a_message_that_uses_up_the_budget_goes_out_while_nobody_can_be_told(error: type[Exception]) -> None:
    clock = FakeClock()
    server = XServer(now=clock.now, sleep=clock.sleep)
    support, _ = server.account("support", id="7"), server.user("ann", id="12")
    context = FakeContext(channel="x", transport=server.transport, clock=clock)
    budget = {"day": "0.015"}
    adapter = XAdapter(XConfig.model_validate({"oauth1": support.oauth1, "user_id": "7", "budget": budget}), context)
    context.refuses_admission = error("the hub is closing")
    async with adapter:
        assert isinstance(await adapter.send(outgoing("x:12", "hello")), Receipt)

    assert [each.text for each in server.directs] == ["hello"]
