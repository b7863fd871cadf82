"""Small tables in a channel's state: changed by compare-and-set, so that two who change them both count."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from convergekit.abc import State

__all__ = ["changed", "kept"]


async def kept(state: State, key: str) -> dict[str, Any]:
    """The table *key*; empty where there is none."""
    value, _ = await state.get(key)
    return dict(value) if isinstance(value, dict) else {}


async def changed(state: State, key: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Apply *change* to the table *key*, and return it; where nothing changes nothing is written."""
    while True:
        value, version = await state.get(key)
        table = deepcopy(value) if isinstance(value, dict) else {}
        change(table)
        if table == (value or {}) or await state.put(key, table or None, version=version):
            return table
