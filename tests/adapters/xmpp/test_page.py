"""The page of the adapter says what its settings are, and which extensions others are told of."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from convergekit.adapters.xmpp import RoomConfig, XmppConfig
from convergekit.adapters.xmpp.stanzas.namespaces import NS
from convergekit.adapters.xmpp.stanzas.room_form import OPTIONS

PAGE = Path(__file__).parents[3] / "docs" / "adapters" / "xmpp.md"
TEXT = PAGE.read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `(\w+)` \|.*\| ?([^|]*?) ?\|$", re.MULTILINE)


def written(default: Any) -> str:
    """How the page has *default*."""
    match default:
        case None | ():
            return "none"
        case bool():
            return json.dumps(default)
        case tuple():
            return f"`{json.dumps(sorted(default))}`"
        case str():
            return f'`"{default}"`'
        case _:
            return f"{default:g}" if default != 262_144 else "262144"


def test_each_setting_stands_on_the_page_with_its_default() -> None:
    table = TEXT.partition("<!-- A test compares this table with XmppConfig. -->\n\n")[2].partition("\n\n")[0]
    told = dict(_ROW.findall(table))

    assert told.keys() == XmppConfig.model_fields.keys()
    for name, field in XmppConfig.model_fields.items():
        default = field.get_default()
        assert told[name] == ("" if default is PydanticUndefined else written(default)), name
    assert all(f"`{name}`" in table for name in RoomConfig.model_fields)


def test_the_settings_that_are_shown_are_valid() -> None:
    shown = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]
    channels = [settings for block in shown for settings in block["channels"].values()]

    assert [settings.pop("adapter") for settings in channels] == ["xmpp", "xmpp"]
    for settings in channels:
        XmppConfig.model_validate(settings | {"password": "said elsewhere"})


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


def test_what_a_room_is_made_with_is_told() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("- `create_room("))

    assert all(f"`{name}`" in line for name in OPTIONS)


def test_every_extension_that_is_spoken_is_told() -> None:
    """Each namespace stands beside its number in `namespaces.py`; the page has all numbers."""
    source = (PAGE.parents[2] / "src/convergekit/adapters/xmpp/stanzas/namespaces.py").read_text("utf-8")
    numbers = set(re.findall(r"# (\d{4})\b", source))
    told = set(re.findall(r"\b0\d{3}\b", TEXT))

    assert len(numbers) > 20
    assert numbers - told - {"0004"} == set()  # forms are a means
    assert NS.MAM.startswith("urn:xmpp:mam")
