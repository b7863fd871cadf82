"""`convergekit db`: the tables of the ledger, made and brought up to date; how they are; the search index anew."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from convergekit.config import StoreSettings
from convergekit.errors import ConfigurationError
from convergekit.stores.named import MEMORY

from ._console import Console
from ._ledger import database_of, existing, settings

if TYPE_CHECKING:
    from convergekit.stores.sql.database import Database
    from convergekit.stores.sql.sizes import Size

__all__ = ["run"]

#: Seconds after which an open transaction is worth a word: nothing that died meanwhile can be swept up.
_LONG: Final = 60.0


def run(args: argparse.Namespace, console: Console) -> int:
    """Do what `args.action` says; status returns 1 where the tables cannot be used as they are."""
    store = settings(args)
    if store.url == MEMORY:
        raise ConfigurationError(f'a ledger at "{MEMORY}" has no tables')
    if args.action == "reindex":
        existing(store)
    with database_of(store) as database:
        return _ACTIONS[args.action](store, database, console)


def _upgrade(store: StoreSettings, database: Database, console: Console) -> int:
    from convergekit.stores.sql.versions import stored, upgrade

    before = upgrade(database)
    with database.reading() as connection:
        after = stored(connection)
    assert after is not None
    said = "made" if before is None else "there already" if before == after else f"brought up from {before.number}"
    text = f"{store.shown}: tables of version {after.number}, {said}"
    console.tell(text, store=store.shown, before=before and before.number, version=after.number)
    return 0


def _status(store: StoreSettings, database: Database, console: Console) -> int:
    from convergekit.stores.sql.sizes import oldest_snapshot, sizes
    from convergekit.stores.sql.versions import can_be_opened, described, standing, stored

    version, snapshot, found = None, None, []
    if store.file is None or store.file.exists():  # looking makes no file
        with database.reading() as connection:
            version = stored(connection)
            snapshot = None if database.is_sqlite else oldest_snapshot(connection)
        found = sizes(database)
    console.tell(
        f"{store.shown}: {described(version, embedded=database.is_sqlite)}",
        store=store.shown,
        standing=standing(version),
        version=version and version.number,
        oldest_reader=version and version.oldest_reader,
        oldest_snapshot=snapshot,
    )
    if version is not None:
        console.table([_row(size) for size in found], ("name", "size", "rows", "dead"))
    if snapshot is not None and snapshot > _LONG:
        console.warn(f"a transaction has been open for {snapshot:.0f} seconds: nothing can be swept up behind it")
    return int(not can_be_opened(version, embedded=database.is_sqlite))


def _reindex(store: StoreSettings, database: Database, console: Console) -> int:
    from convergekit.stores.sql.archive.reindexing import reindex
    from convergekit.stores.sql.versions import can_be_opened, described, stored

    with database.reading() as connection:
        version = stored(connection)
    if not can_be_opened(version, embedded=False):
        raise ConfigurationError(f"{store.shown}: {described(version, embedded=database.is_sqlite)}")
    found = reindex(database)
    console.tell(f"{store.shown}: {found} messages are in the search index", store=store.shown, messages=found)
    return 0


def _row(size: Size) -> dict[str, object]:
    return {**size._asdict(), "size": f"{size.bytes / 1e6:.1f} MB"}


_ACTIONS: Final = {"upgrade": _upgrade, "status": _status, "reindex": _reindex}
