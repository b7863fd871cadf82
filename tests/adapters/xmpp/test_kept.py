"""Small tables in a channel's state."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from convergekit.adapters.xmpp._kept import changed, kept
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio


async def test_two_who_change_it_at_once_both_count() -> None:
    state = FakeContext().state

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(changed, state, "table", lambda table, name=name: table.update({name: 1}))

    assert await kept(state, "table") == {"a": 1, "b": 1, "c": 1}


async def test_what_stands_deep_in_it_is_written_too() -> None:
    state = FakeContext().state
    await changed(state, "table", lambda table: table.update(inside={"a": 1}))

    await changed(state, "table", lambda table: table["inside"].update(b=2))

    assert await kept(state, "table") == {"inside": {"a": 1, "b": 2}}


async def test_where_nothing_changes_nothing_is_written() -> None:
    state = FakeContext().state
    await changed(state, "table", lambda table: table.update(a=1))
    before = await state.get("table")

    assert await changed(state, "table", lambda table: None) == {"a": 1}

    assert await state.get("table") == before


@pytest.mark.parametrize("value", [None, 5, "text", ["a"]])
async def test_what_is_no_table_is_an_empty_one(value: Any) -> None:
    state = FakeContext().state
    await state.put("table", value)

    assert await kept(state, "table") == {}
    assert await changed(state, "table", lambda table: table.update(a=1)) == {"a": 1}


async def test_an_empty_table_leaves_nothing() -> None:
    state = FakeContext().state
    await changed(state, "table", lambda table: table.update(a=1))
    await changed(state, "table", lambda table: table.clear())

    assert (await state.get("table"))[0] is None
