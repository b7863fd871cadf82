"""A store by its URL. SQLAlchemy is imported where a database is asked for, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from convergekit.abc import Store
from convergekit.errors import ConfigurationError

from .memory import MemoryStore

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["DEFAULT_URL", "MEMORY", "store_at"]

#: Where the ledger is when nobody says.
DEFAULT_URL: Final = "sqlite:///convergekit.db"
#: The URL of a ledger that ends with the process.
MEMORY: Final = "memory:"


def store_at(store: Store | str | URL, **options: Any) -> Store:
    """The store at a URL; a `Store` is that itself. Nothing is opened.

    Args:
        store: "sqlite:///FILE", "postgresql://USER:PASSWORD@HOST/DATABASE", "memory:", or a store.
        options: As for `SqlStore`; those that are None are left out.

    Raises:
        ConfigurationError: The URL cannot be used, or the driver is not installed.
    """
    if not isinstance(store, str | tuple):  # SQLAlchemy's URL is a tuple
        return store
    if store == MEMORY:
        return MemoryStore()
    if isinstance(store, str) and "://" not in store:
        raise ConfigurationError(
            f'the store\'s URL cannot be used; say "{DEFAULT_URL}", "postgresql://USER@HOST/DATABASE" or "{MEMORY}"'
        )
    from .sql import SqlStore

    return SqlStore(store, **{name: value for name, value in options.items() if value is not None})
