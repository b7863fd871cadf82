"""Where the ledger is, as settings say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, SecretStr

from convergekit.abc import Store
from convergekit.engine.retention import Retention
from convergekit.errors import ConfigurationError
from convergekit.model import Value
from convergekit.stores.named import DEFAULT_URL, MEMORY, store_at

from ._problems import Problems, masked_url, validated

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["StoreSettings", "store_settings"]

_KNOWN: Final = f'"sqlite:///FILE", "postgresql://USER@HOST/DATABASE", "{MEMORY}"'
_SCHEME: Final = re.compile(r"(sqlite|postgres|postgresql)(\+[a-z0-9]+)?://")


class StoreSettings(Value):
    """Where the ledger is, and how.

    Args:
        url: "sqlite:///FILE" (a fourth slash for a path from the root), "postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
            or "memory:", which forgets everything with the process and is only ever taken by name.
        user: Of the database, where the URL does not say it.
        password: Of the database, where the URL does not say it.
        blobs: Folder for large content; without it beside the SQLite file, or in the database.
        retention: How long content is kept, by age and channel; without it for good.
    """

    url: str = Field(default=DEFAULT_URL, repr=False)
    user: str | None = None
    password: SecretStr | None = None
    blobs: str | None = None
    retention: Retention | None = None

    @property
    def shown(self) -> str:
        """The URL without user, password and parameters, for people."""
        if self.url == MEMORY:
            return self.url
        url = _parsed(self.url)
        bare = url.set(query={})._replace(username=None, password=None)  # `set` takes None for "as it is"
        return bare.render_as_string()

    @property
    def file(self) -> Path | None:
        """The file of a ledger in SQLite."""
        if not self.url.startswith("sqlite"):
            return None
        return Path(_parsed(self.url).database or "")

    @property
    def address(self) -> str | URL:
        """The URL with user and password in it: not for people."""
        if self.url == MEMORY:
            return self.url
        url = _parsed(self.url)
        if self.user is not None:
            url = url.set(username=self.user)
        if self.password is not None:
            url = url.set(password=self.password.get_secret_value())
        return url

    def make(self) -> Store:
        """The store; nothing is opened yet.

        Raises:
            ConfigurationError: The URL cannot be used, or the driver is not installed.
        """
        return store_at(self.address, blobs=self.blobs)


def store_settings(table: Any, problems: Problems) -> StoreSettings | None:
    """Those of a resolved *table*; or None, with every problem noted."""
    if not isinstance(table, Mapping):
        problems.add(("store",), f'must be a table: [store] with url = "{DEFAULT_URL}"')
        return None
    if isinstance(url := table.get("url"), str):
        problems.conceal(re.findall(r"://[^:/]*:(.*)@", url))
    store = validated(StoreSettings, table, ("store",), problems)
    if store is None:
        return None
    if store.url == MEMORY:
        for name in ("user", "password", "blobs"):
            if getattr(store, name) is not None:
                problems.add(("store", name), f'is for a database, and url = "{MEMORY}" is none; leave it out')
    else:
        _check_url(store, problems)
    return store


def _check_url(store: StoreSettings, problems: Problems) -> None:
    # The URL itself is never shown: a password may stand anywhere in it.
    if not _SCHEME.match(store.url):
        problems.add(("store", "url"), f"{masked_url(store.url)}: no such store; there are {_KNOWN}")
        return
    try:
        url = _parsed(store.url)
    except ConfigurationError as exc:
        problems.add(("store", "url"), str(exc))
        return
    for name, said in (("user", url.username), ("password", url.password)):
        if said is not None and getattr(store, name) is not None:
            problems.add(("store", name), "is said twice: here and in the url; keep one of them")


def _parsed(text: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # the second for a port that is no number
        raise ConfigurationError(f"{masked_url(text)} cannot be read as a URL; there are {_KNOWN}") from None
