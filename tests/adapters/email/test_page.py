"""The page of the adapter says what its settings are."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from convergekit.adapters.email.config import (
    DkimConfig,
    EmailConfig,
    ImapConfig,
    LmtpConfig,
    OAuthConfig,
    SmtpConfig,
)

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "adapters" / "email.md").read_text("utf-8")
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
SETTINGS = _TOML.findall(PAGE) + [
    block for block in _TOML.findall((DOCS / "getting-started.md").read_text("utf-8")) if 'adapter = "email"' in block
]
_BOTH = "Of `smtp` and `imap` alike:"
_TABLES: dict[type[BaseModel], tuple[str, ...]] = {
    EmailConfig: ("<!-- A test compares this table with EmailConfig. -->",),
    SmtpConfig: (_BOTH, "Of `smtp`:"),
    ImapConfig: (_BOTH, "Of `imap`:"),
    LmtpConfig: ("Of `lmtp`, which needs nothing of it (`lmtp = {}`):",),
    OAuthConfig: ("Of `oauth`:",),
    DkimConfig: ("Of `dkim`:",),
}
#: Tables of their own.
_ELSEWHERE = {"smtp", "imap", "lmtp"}
_ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]*) \|$|^\| `(\w+)` \|.*\| \|$", re.MULTILINE)


def rows(heading: str) -> dict[str, str]:
    """Setting and default, of the table below *heading*."""
    table = PAGE.partition(f"\n{heading}\n\n")[2].partition("\n\n")[0]
    return {found[1] or found[3]: found[2] or "" for found in _ROW.finditer(table)}


def written(default: Any) -> str | None:
    """How the page has *default*; None where it is told in words."""
    match default:
        case None:
            return None
        case tuple() | frozenset() if not default:
            return "none"
        case tuple() | frozenset():
            return f"`{json.dumps(sorted(default))}`"
        case bool():
            return str(default).lower()
        case str():
            return f'`"{default}"`'
        case _:
            return f"{default:g}" if default < 1e5 else str(default)


@pytest.mark.parametrize("model", _TABLES, ids=lambda model: model.__name__)
def test_each_setting_stands_on_the_page(model: type[BaseModel]) -> None:
    told = {name for heading in _TABLES[model] for name in rows(heading)}

    assert told == model.model_fields.keys() - (_ELSEWHERE if model is EmailConfig else set())


@pytest.mark.parametrize("model", _TABLES, ids=lambda model: model.__name__)
def test_its_default_is_what_the_page_says(model: type[BaseModel]) -> None:
    told = {name: text for heading in _TABLES[model] for name, text in rows(heading).items()}
    for name, text in told.items():
        default = model.model_fields[name].get_default()
        if default is PydanticUndefined:
            assert text == "", name
        elif (expected := written(default)) is None:
            assert text, name
        else:
            assert expected in text, name


def test_the_headings_are_those_of_every_page() -> None:
    assert re.findall(r"^## (.*)$", PAGE, re.MULTILINE) == [
        "Install",
        "Settings",
        "Sends",
        "Receives",
        "Delivery reports",
        "Limits and quirks",
        "Provider documents",
    ]


@pytest.mark.parametrize("block", SETTINGS)
def test_settings_on_the_page_are_right(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader would copy them; those that only go on with a channel are read with the one before it."""
    for name in re.findall(r'env = "(\w+)"', block):
        monkeypatch.setenv(
            name, "smtp://user%40example.org:secret@mail.example.org" if name.endswith("DSN") else "secret"
        )
    channel = tomllib.loads(block)["channels"]["support-mail"]
    if "address" not in channel and "dsn" not in channel:
        channel = {"address": "support@example.org", "smtp": {"host": "mail.example.org", **channel["smtp"]}}
    settings = _resolved(channel)
    settings.pop("adapter", None)
    if dsn := settings.pop("dsn", None):
        settings = EmailConfig.from_dsn(dsn).model_dump() | settings
    EmailConfig.model_validate(settings)


def _resolved(value: Any) -> Any:
    """With a secret in place of what comes from the environment."""
    if isinstance(value, dict):
        return os.environ[value["env"]] if value.keys() == {"env"} else {k: _resolved(v) for k, v in value.items()}
    return value
