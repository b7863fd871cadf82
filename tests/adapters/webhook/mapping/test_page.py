"""The page about receiving says what the rules and the presets say."""

from __future__ import annotations

import re

import pytest

from convergekit.adapters.webhook.mapping import names
from docs.webhook_rules import PAGE, page

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_up_to_date() -> None:
    """If not: python docs/webhook_rules.py."""
    assert page(TEXT) == TEXT


def test_every_preset_is_described() -> None:
    assert set(re.findall(r"\*\*([a-z]+)\*\*", TEXT)) == set(names())


def test_a_page_without_its_markers_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="markers"):
        page("# Receiving\n")
