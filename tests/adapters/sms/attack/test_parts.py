"""Parts of longer messages, as a gateway that has gone mad gives them."""

from __future__ import annotations

import pytest

from convergekit.adapters.sms.assembly import Assembly
from convergekit.model import MessageReceived
from convergekit.testing import FakeContext
from tests.adapters.sms.test_assembly import piece

pytestmark = pytest.mark.anyio

DEADLINE = 1800.0


async def test_late_parts_are_not_taken_for_one_another() -> None:
    """Some gateways give all parts of a message the same id; and two parts may say the same."""
    context = FakeContext()
    assembly = Assembly(context, deadline=DEADLINE)
    parts = [piece(number, 3, f"<{number}>", key="in:m1") for number in (1, 2, 3)]
    assert await assembly.add(parts[0]) is None
    context.clock.advance(DEADLINE + 1)
    await assembly.overdue()
    late = [await assembly.add(each) for each in parts[1:]]
    again = [await assembly.add(each) for each in parts[1:]]

    given = [each for each in (*context.admitted, *late) if isinstance(each, MessageReceived)]
    assert [each.text for each in given] == ["<1>", "<2>", "<3>"]
    assert len({each.key for each in given}) == 3
    assert [each and each.key for each in again] == [each and each.key for each in late]
