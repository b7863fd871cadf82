"""Ledgers that fail, in place of a context's `state`."""

from __future__ import annotations

from typing import Any

import anyio

from convergekit.errors import StoreError


class Away:
    """It cannot be reached."""

    async def get(self, key: str) -> tuple[Any, int]:
        raise StoreError("away")

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        raise StoreError("away")


class Hangs:
    """It does not answer."""

    async def get(self, key: str) -> tuple[Any, int]:
        await anyio.sleep_forever()
        raise AssertionError

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        await anyio.sleep_forever()
        raise AssertionError
