"""The ledger that a command works on: of a file of settings, or named by its URL."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from convergekit import Hub
from convergekit.abc import Health, LedgerCounts
from convergekit.config import StoreSettings, load_store
from convergekit.errors import ConfigurationError, ConvergeError
from convergekit.stores.named import MEMORY

if TYPE_CHECKING:
    from convergekit.stores.sql.versions import Standing, Version

__all__ = ["existing", "health", "ledger"]


def ledger(args: argparse.Namespace, *, channels: bool = False) -> Hub:
    """A hub that opens the ledger and no channel, for a command that looks at it, or decides.

    Args:
        args: With `store`, a URL or None, and `config`.
        channels: Whether the file's channels are to be known, with all that they need of the environment.

    Raises:
        ConfigurationError: There is none, or none that outlives a process.
    """
    store = load_store(args.config) if args.store is None else StoreSettings(url=args.store)
    existing(store)
    if channels and args.store is None:
        return Hub.from_toml(args.config, role="submit")
    return Hub(store=store.make(), role="submit")


def existing(store: StoreSettings) -> None:
    """Raise `ConfigurationError` where there is nothing to look into; a file is not made by looking for it."""
    if store.url == MEMORY:
        raise ConfigurationError(f'a ledger at "{MEMORY}" ends with its process: there is nothing to look into')
    if (file := store.file) is not None and not file.exists():
        raise ConfigurationError(f"there is no ledger at {store.shown}; it is made when a hub is opened first")


def health(store: StoreSettings) -> Health:
    """How the ledger is, by a look that changes nothing. It blocks."""
    if store.url == MEMORY:
        return Health(ok=True, detail="in memory: nothing in it outlives the process")
    if store.file is not None and not store.file.exists():
        return Health(ok=True, detail="not there yet; it is made when a hub is opened")
    try:
        return _looked_at(store)
    except ConvergeError as exc:
        return Health(ok=False, detail=str(exc))


def _looked_at(store: StoreSettings) -> Health:
    from convergekit.stores.sql.database import Database
    from convergekit.stores.sql.reading import counts
    from convergekit.stores.sql.versions import Standing, standing, stored

    database = Database(store.address)
    try:
        with database.reading() as connection:
            version = stored(connection)
            stands = standing(version)
            if version is None or stands is Standing.TOO_NEW or (stands is Standing.OLDER and store.file is None):
                return _not_usable(version, stands)
            said = f"version {version.number}; {_summed(counts(connection))}"
            return Health(
                ok=True, detail=said + ("; upgraded when a hub is opened" if stands is Standing.OLDER else "")
            )
    except Exception as exc:
        raise database.failed(exc) from exc
    finally:
        database.dispose()


def _not_usable(version: Version | None, stands: Standing) -> Health:
    if version is None:
        return Health(ok=False, detail="it has no tables yet; `convergekit db upgrade` makes them")
    way_out = "install a newer convergekit" if stands == "too new" else "run `convergekit db upgrade`"
    return Health(ok=False, detail=f"its tables have version {version.number}; {way_out}")


def _summed(sums: LedgerCounts) -> str:
    entries, deliveries = Counter[str](), Counter[str]()
    for (_, state), number in sums.entries.items():
        entries[state.value] += number
    for (_, name), number in sums.deliveries.items():
        deliveries[name] += number
    events = f"{entries.total()} events ({entries['ready']} waiting, {entries['dead']} dead)"
    open_, unknown, dead = deliveries["queued"] + deliveries["sending"], deliveries["unknown"], deliveries["dead"]
    return f"{events}, {deliveries.total()} deliveries ({open_} to go, {unknown} unknown, {dead} dead)"
