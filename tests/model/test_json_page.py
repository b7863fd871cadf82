"""The page that documents the JSON form says what the classes say."""

import re

from convergekit.model import event_type
from docs.json_form import PAGE, page

from .strategies import EVENTS


def test_the_page_is_up_to_date() -> None:
    """If not: python docs/json_form.py."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_every_event_and_every_field_of_it_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### `([\w.]+)`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    documented = {name: event_type(name) for name in sections}
    assert set(documented.values()) == set(EVENTS) - {event_type("unknown"), event_type("event")}
    for name, section in sections.items():
        kind = documented[name]
        assert kind is not None
        for field in kind.model_fields:
            assert f"| `{field}` |" in section or f"| `{field}` |" in text.partition("\n### ")[0], (name, field)


def test_every_field_is_explained() -> None:
    assert "|  |" not in PAGE.read_text(encoding="utf-8")
