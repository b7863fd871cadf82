"""What an open ledger does beside its work, each until cancelled."""

from __future__ import annotations

import logging
from typing import Final

import anyio

from convergekit.errors import StoreError

from . import small
from .connections import Connections
from .database import Database
from .operations import Call, Do

__all__ = ["keep_checkpoints", "keep_lanes"]

_log = logging.getLogger(__name__)
_CHECKPOINT: Final = 0.25
_RESCUE: Final = 300.0


async def keep_checkpoints(database: Database, connections: Connections) -> None:
    """Move SQLite's log into the file while nobody waits for it."""
    if not database.is_sqlite:
        return
    size = -1
    while True:
        await anyio.sleep(_CHECKPOINT)
        current = database.wal_size
        if current == size:
            continue
        size = current
        try:
            await connections.read(database.checkpoint)
        except Exception as error:
            _log.warning("a checkpoint failed: %s", error)


async def keep_lanes(do: Do) -> None:
    """What ought not to be needed: see `small.rescue`."""
    while True:
        await anyio.sleep(_RESCUE)
        try:
            if lanes := await do(Call(small.rescue)):
                _log.error("%s lanes had open work and no row, and have one again: a bug in the ledger", lanes)
        except StoreError as error:
            _log.warning("lanes were not looked after: %s", error)
