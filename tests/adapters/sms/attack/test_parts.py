"""Parts of longer messages, as a gateway that has gone mad gives them."""

from __future__ import annotations

import pytest

from convergekit.adapters.sms.assembly import Assembly
from convergekit.model import MessageReceived
from convergekit.testing import FakeContext
from tests.adapters.sms.gateway_kit import called, channel
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


def test_what_two_strangers_say_is_not_put_together() -> None:
    """Neither of their names can be an address, so neither message has a sender."""
    kannel = channel("kannel", {"url": "http://127.0.0.1:13013", "username": "u", "password": "secret"})
    references = set[str]()
    for name in ("A-long-name-of-one", "A-long-name-of-two"):
        (part,) = called(kannel, query=f"from={name}&to=12345&id={name}&text=a&udh=%05%00%03%07%02%01").pieces
        assert part.message.sender is None
        references.add(part.reference)
    assert len(references) == 2
