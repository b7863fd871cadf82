"""The page of the adapter says what its settings are, what it tells, and what is believed of limits and prices."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from convergekit.adapters.x import X, XConfig
from convergekit.adapters.x.budgets import PRICES
from convergekit.adapters.x.budgets.limits import SEEDS
from convergekit.adapters.x.config import BudgetConfig, OAuth1Config, OAuth2Config
from convergekit.adapters.x.outbound.native import XNative

PAGE = Path(__file__).parents[3] / "docs" / "adapters" / "x.md"
TEXT = PAGE.read_text(encoding="utf-8")
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_START = _TOML.findall((PAGE.parents[1] / "getting-started.md").read_text(encoding="utf-8"))
SETTINGS = _TOML.findall(TEXT) + [block for block in _START if 'adapter = "x"' in block]
_ROW = re.compile(r"^\| `(\w+)` \|.*\| ?([^|]*?) ?\|$", re.MULTILINE)


def table(begins: str) -> str:
    """The table behind the comment, or the head, that *begins* it."""
    return TEXT.partition(begins)[2].lstrip("\n").partition("\n\n")[0]


def written(default: Any) -> str:
    """How the page has *default*."""
    match default:
        case None | ():
            return "none"
        case bool():
            return json.dumps(default)
        case str():
            return f'`"{default}"`'
        case BudgetConfig():
            return "no limit"
        case _:
            return f"{default:g}"


def test_each_setting_stands_on_the_page_with_its_default() -> None:
    told = dict(_ROW.findall(table("<!-- A test compares this table with XConfig. -->")))

    assert told.keys() == XConfig.model_fields.keys()
    for name, field in XConfig.model_fields.items():
        default = field.get_default()
        assert told[name] == ("" if default is PydanticUndefined else written(default)), name


@pytest.mark.parametrize("kind", [OAuth1Config, OAuth2Config, BudgetConfig])
def test_what_a_setting_has_in_it_is_told(kind: Any) -> None:
    assert all(f"`{name}`" in TEXT or f"{name} =" in TEXT for name in kind.model_fields)


@pytest.mark.parametrize("block", SETTINGS)
def test_the_settings_that_are_shown_are_valid(block: str) -> None:
    """And those of getting started."""
    settings = _resolved(tomllib.loads(block)["channels"]["x"])
    assert settings.pop("adapter") == "x"
    XConfig.model_validate(settings)


def test_the_dsns_that_are_shown_are_valid() -> None:
    found = re.findall(r"`(x://[^`]*)`", TEXT)
    assert len(found) == 2
    for dsn in found:
        XConfig.from_dsn(dsn)


def test_the_headings_are_those_of_every_page() -> None:
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE) == [
        "Install",
        "Settings",
        "Sends",
        "Receives",
        "Delivery reports",
        "Limits and quirks",
        "Provider documents",
    ]


def test_all_that_is_told_beside_an_events_content_stands_on_the_page() -> None:
    rows = table("<!-- A test compares this table with X. -->")
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)))) == set(X.model_fields)


def test_all_that_a_host_may_say_to_x_alone_stands_on_the_page() -> None:
    rows = table('| `native["x"]` | Is |')
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE))))
    assert told == set(XNative.model_fields) - {"hand_over"}  # which `conversation.hand_over` says


def test_the_prices_are_those_that_are_believed() -> None:
    rows = table("<!-- A test compares this table with the prices that are believed. -->")
    told = dict(re.findall(r"^\| `([a-z._]+)` \| ([0-9.]+) \|", rows, re.MULTILINE))
    assert told == {name: str(price) for name, price in PRICES.items()}


def test_the_limits_are_those_that_are_believed() -> None:
    rows = table("<!-- A test compares this table with the limits that are believed. -->")
    told = dict(re.findall(r"^\| `([A-Z]+ [^`]+)` \| ([0-9]+)", rows, re.MULTILINE))
    assert len(told) > 5
    assert told == {route: str(SEEDS[route]) for route in told}


def test_links_lead_to_headings() -> None:
    for file, anchor in re.findall(r"\]\(([a-z_/.-]*)#([a-z-]+)\)", TEXT):
        text = (PAGE.parent / file).read_text(encoding="utf-8") if file else TEXT
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^a-z0-9_ -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in slugs, f"{file}#{anchor}"


def _resolved(value: Any) -> Any:
    if isinstance(value, dict):
        return "secret" if value.keys() == {"env"} else {name: _resolved(each) for name, each in value.items()}
    return value
