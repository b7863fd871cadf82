"""The ledger that a command works on: of a file of settings, or named by its URL."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convergekit import Hub
from convergekit.abc import Health, LedgerCounts
from convergekit.config import StoreSettings, load_store
from convergekit.errors import ConfigurationError, ConvergeError
from convergekit.stores.named import MEMORY

if TYPE_CHECKING:
    from convergekit.stores.sql.database import Database

__all__ = ["database_of", "existing", "health", "ledger", "settings"]


def ledger(args: argparse.Namespace, *, channels: bool = False) -> Hub:
    """A hub that opens the ledger and no channel, for a command that looks at it, or decides.

    Args:
        args: With `store`, a URL or None, and `config`.
        channels: Whether the file's channels are to be known, with all that they need of the environment.

    Raises:
        ConfigurationError: There is none, or none that outlives a process.
    """
    store = settings(args)
    existing(store)
    if channels and args.store is None:
        return Hub.from_toml(args.config, role="submit")
    return Hub(store=store.make(), role="submit")


def settings(args: argparse.Namespace) -> StoreSettings:
    """Where the ledger is: at the URL of `--store`, or as the file of `--config` says."""
    return load_store(args.config) if args.store is None else StoreSettings(url=args.store)


@contextmanager
def database_of(store: StoreSettings) -> Generator[Database]:
    """What is behind *store*, for a look without a hub; errors of its driver come out as `StoreError`."""
    from convergekit.stores.sql.database import Database

    found = Database(store.address)
    try:
        yield found
    except ConvergeError:
        raise
    except Exception as exc:
        raise found.failed(exc) from exc
    finally:
        found.dispose()


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
    from convergekit.stores.sql.reading import counts
    from convergekit.stores.sql.versions import can_be_opened, described, stored

    with database_of(store) as found, found.reading() as connection:
        version = stored(connection)
        ok, detail = can_be_opened(version, embedded=found.is_sqlite), described(version, embedded=found.is_sqlite)
        if ok and version is not None:
            detail += f"; {_summed(counts(connection))}"
        return Health(ok=ok, detail=detail)


def _summed(sums: LedgerCounts) -> str:
    entries, deliveries = Counter[str](), Counter[str]()
    for (_, state), number in sums.entries.items():
        entries[state.value] += number
    for (_, name), number in sums.deliveries.items():
        deliveries[name] += number
    events = f"{entries.total()} events ({entries['ready']} waiting, {entries['dead']} dead)"
    open_, unknown, dead = deliveries["queued"] + deliveries["sending"], deliveries["unknown"], deliveries["dead"]
    return f"{events}, {deliveries.total()} deliveries ({open_} to go, {unknown} unknown, {dead} dead)"
