"""The table of adapters says what their classes say."""

import inspect
from typing import Any

import pytest

from convergekit import abc
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.model import AttachmentLimit, TextLimit
from docs.capability_table import BEGIN, PAGE, VERBS, WAYS_IN, ours, page, table


def test_the_page_is_up_to_date() -> None:
    """If not: python docs/capability_table.py."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


def test_every_adapter_has_a_column_and_a_page_in_the_tree() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for adapter in ours():
        assert f"[{adapter.name}]({adapter.name}.md)" in text
        assert (PAGE.parent / f"{adapter.name}.md").is_file()
        assert f"\n{adapter.name}\n" in text.partition("{toctree}")[2]


def test_every_verb_of_the_contract_is_asked_for() -> None:
    protocols = {each for name in abc.__all__ if name.startswith("Supports") for each in [getattr(abc, name)]}
    assert set(VERBS.values()) == protocols
    assert set(WAYS_IN.values()) == {abc.Listens, abc.Polls, abc.ReceivesWebhooks}


@pytest.mark.parametrize("protocol", [*VERBS.values(), *WAYS_IN.values()], ids=lambda each: each.__name__)
def test_verbs_are_read_off_the_class(protocol: type[Any]) -> None:
    (name,) = [name for name, each in {**VERBS, **WAYS_IN}.items() if each is protocol]
    method, _ = inspect.getmembers(protocol, lambda each: inspect.isfunction(each) and each.__name__[0] != "_")[0]
    without = type("Without", (LoopbackAdapter,), {method: None})
    rows = _rows(table([LoopbackAdapter, without]))
    listed = [row for row in rows if row[0] in ("also", "comes in by") and name in row[1].split(", ")]
    assert len(listed) == 1
    assert name not in listed[0][2].split(", ")


def test_limits_are_read_off_the_class() -> None:
    narrow = WebhookAdapter.capabilities.model_copy(update={"text": TextLimit(max=70, unit="utf16"), "subject": False})
    other = type("Other", (WebhookAdapter,), {"capabilities": narrow})
    rows = {row[0]: row[1:] for row in _rows(table([WebhookAdapter, other]))}
    assert rows["text of one part"][1] == "70 UTF-16 units, longer is split"
    assert rows["subject"] == ["yes", "–"]


def test_the_kinds_of_attachments_are_named() -> None:
    photos = AttachmentLimit(count=4, size=5_000_000, media_types=frozenset({"image/*", "video/mp4"}))
    limits = WebhookAdapter.capabilities.model_copy(update={"attachments": photos})
    rows = {row[0]: row[1:] for row in _rows(table([type("Photos", (WebhookAdapter,), {"capabilities": limits})]))}
    assert rows["attachments"] == ["up to 4, 5000000 bytes each, image/* or video/mp4 only"]


def test_a_page_without_its_markers_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="markers"):
        page("# Adapters\n")
    with pytest.raises(ValueError, match="markers"):
        page(f"# Adapters\n{BEGIN}")


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
