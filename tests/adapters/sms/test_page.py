"""The page of the adapter says what its settings are, and what the gateways' profiles say."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic_core import PydanticUndefined

from convergekit.adapters.sms import SmsConfig, profiles
from docs.sms_gateways import BEGIN, END, PAGE, ours_by_name, page

TEXT = PAGE.read_text(encoding="utf-8")
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_START = _TOML.findall((PAGE.parents[1] / "getting-started.md").read_text(encoding="utf-8"))
SETTINGS = _TOML.findall(TEXT) + [block for block in _START if 'adapter = "sms"' in block]
_ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", re.MULTILINE)


def written(default: Any) -> str:
    """How the page has *default*."""
    match default:
        case None | () | {}:
            return "none"
        case tuple():
            return f"`{json.dumps(sorted(default))}`"
        case str():
            return f'`"{default}"`'
        case _:
            return f"{default:g}"


def test_the_tables_of_gateways_are_up_to_date() -> None:
    """If not: python docs/sms_gateways.py."""
    assert page(TEXT) == TEXT


def test_a_page_without_its_markers_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="markers"):
        page("# SMS\n")


def test_every_gateway_and_every_setting_of_its_account_is_told_of() -> None:
    tables = TEXT.partition(BEGIN)[2].partition(END)[0]
    for profile in ours_by_name():
        assert f"`{profile.name}`" in tables
        for name in profile.settings:
            assert f"| `{profile.name}` | `{name}` |" in tables


def test_every_gateway_has_its_place_in_a_console() -> None:
    table = TEXT.partition("| Gateway | Where in its console |\n")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == profiles.names(installed=lambda: ())


def test_as_many_gateways_come_along_as_the_page_says() -> None:
    assert "[thirteen](#gateways)" in TEXT
    assert len(ours_by_name()) == 13


def test_each_setting_stands_on_the_page_with_its_default() -> None:
    table = TEXT.partition("<!-- A test compares this table with SmsConfig. -->\n\n")[2].partition("\n\n")[0]
    told = dict(_ROW.findall(table))
    fields = {field.alias or name: field for name, field in SmsConfig.model_fields.items()}

    assert told.keys() == fields.keys()
    for name, field in fields.items():
        default = field.get_default()
        assert told[name] == ("" if default is PydanticUndefined else written(default)), name


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


@pytest.mark.parametrize("block", SETTINGS)
def test_settings_on_the_page_are_right(block: str) -> None:
    """And those of getting started; as a reader would copy them, with something for what comes from the environment."""
    settings = _resolved(tomllib.loads(block)["channels"]["alerts"])
    assert settings.pop("adapter") == "sms"
    if dsn := settings.pop("dsn", None):
        settings = SmsConfig.from_dsn(dsn).model_dump(by_alias=True, exclude_unset=True) | settings

    assert SmsConfig.model_validate(settings).loaded.name in profiles.names()


def test_the_dsns_on_the_page_are_right() -> None:
    found = re.findall(r"`([a-z]+://[^`]*@[^`]*)`", TEXT)
    assert len(found) == 2
    for dsn in found:
        assert SmsConfig.from_dsn(dsn).loaded.name == urlsplit(dsn).scheme


def test_what_kannel_is_told_to_call_us_with_is_what_its_profile_reads() -> None:
    url = re.search(r'get-url = "([^"]*)"', TEXT)
    assert url is not None
    names = {name for name, _ in parse_qsl(urlsplit(url[1]).query)}
    (rule,) = profiles.load("kannel").callbacks.inbound
    assert rule.parts is not None
    read = {*rule.id, *rule.sender, *rule.to, *rule.text, *rule.at, rule.parts.udh}

    assert read | {each.path for decoding in rule.decode for each in decoding.when} <= names


def test_links_lead_to_headings() -> None:
    for file, anchor in re.findall(r"\]\(([a-z_/.]*)#([a-z-]+)\)", TEXT):
        text = (PAGE.parent / file).read_text(encoding="utf-8") if file else TEXT
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        slugs = {re.sub(r"[^a-z0-9_ -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in slugs, f"{file}#{anchor}"


def _resolved(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"env"}:
            name = value["env"]
            return "twilio://AC0123:secret@default?from=%2B15005550006" if name.endswith("DSN") else "secret" * 4
        return {name: _resolved(each) for name, each in value.items()}
    return value
