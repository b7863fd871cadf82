"""What a ledger's URL may be, and what is said about one that is none."""

from __future__ import annotations

import pytest

from convergekit.errors import ConfigurationError
from convergekit.stores import SqlStore


@pytest.mark.parametrize(
    ("driver", "write"),
    [
        ("postgresql+asyncpg", "postgresql"),
        ("postgresql+psycopg2", "postgresql"),
        ("postgresql+pg8000", "postgresql"),
        ("sqlite+aiosqlite", "sqlite"),
    ],
)
def test_a_url_for_another_driver_says_which_to_write(driver: str, write: str) -> None:
    """A host that has it for its own engine hands it over as it is."""
    rest = "ann:hunter22@db.example.org/shop" if write == "postgresql" else "/ledger.db"
    with pytest.raises(ConfigurationError) as caught:
        SqlStore(f"{driver}://{rest}")
    assert f"write {write}://... in place of {driver}://..." in str(caught.value)
    assert driver.partition("+")[2] in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgres://ann@db.example.org/shop", "postgresql+psycopg://ann@db.example.org/shop"])
def test_the_driver_that_is_used_may_be_named(url: str) -> None:
    assert "db.example.org/shop" in repr(SqlStore(url))


def test_another_database_is_named() -> None:
    with pytest.raises(ConfigurationError, match="SQLite or PostgreSQL, not in mysql"):
        SqlStore("mysql://ann@db.example.org/shop")
