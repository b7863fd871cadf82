"""Which post is whose."""

from __future__ import annotations

import anyio
import pytest

from convergekit.adapters.x.outbound.said import Said
from convergekit.adapters.x.outbound.sameness import digest
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

SAME = digest("Thanks!", "post")
DAY = 86_400


async def test_what_is_noted_is_found_under_its_text_only() -> None:
    said = Said(FakeContext())
    await said.note(SAME, "first", "1")
    await said.note(digest("Bye!", "post"), "second", "2")

    assert await said.of(SAME) == {"1": "first"}


async def test_several_at_once_lose_nothing() -> None:
    context = FakeContext()
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(Said(context).note, SAME, f"delivery{number}", str(number))

    assert len(await Said(context).of(SAME)) == 4


async def test_a_note_is_kept_for_as_long_as_a_message_may_be_sent_again_and_no_longer() -> None:
    context = FakeContext()
    said = Said(context)
    await said.note(SAME, "first", "1")
    context.clock.advance(3.5 * DAY)
    assert await said.of(SAME) == {"1": "first"}

    context.clock.advance(1 * DAY)
    assert await said.of(SAME) == {}


async def test_however_much_is_said_the_ledger_has_a_bounded_number_of_notes() -> None:
    context = FakeContext()
    said = Said(context)
    keys: set[str] = set()
    put = context.state.put

    async def counted(key: str, value: object, *, version: int | None = None) -> bool:
        keys.add(key)
        return await put(key, value, version=version)

    context.state.put = counted  # type: ignore[method-assign]
    for number in range(3000):
        await said.note(digest(f"text {number}", "post"), f"delivery{number}", str(number))
    for number in range(200):
        await said.note(SAME, f"delivery{number}", str(number))

    assert len(keys) <= 256
    assert len(await said.of(SAME)) == 64


async def test_the_same_is_noted_once() -> None:
    said = Said(FakeContext())
    for _ in range(3):
        await said.note(SAME, "first", "1")

    assert await said.of(SAME) == {"1": "first"}
