"""The example that the page on routes is made of does what the page says."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from convergekit.model import Address, ConversationRef, Message, Status
from convergekit.router import Allow, Drop, GateInput, decide_all, route_from_json, route_to_json

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("routing_example", ROOT / "examples" / "routing.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_routes_can_be_stored(example: ModuleType) -> None:
    for route in (example.by_text, example.to_her, example.make_sure, example.answer, example.urgent):
        assert route_from_json(route_to_json(route)) == route
    assert example.make_sure.until is Status.DELIVERED


@pytest.mark.parametrize(
    ("address", "automatic", "allowed"),
    [
        ("mailto:chair@board.example.org", True, False),
        ("mailto:chair@board.example.org", False, True),
        ("mailto:ann@example.org", True, True),
    ],
)
def test_its_gate_is_asked_with_the_others(example: ModuleType, address: str, automatic: bool, allowed: bool) -> None:
    leg = GateInput(
        message=Message("hello"),
        address=Address(address),
        channel="mail",
        conversation=ConversationRef(channel="mail", address=address),
        now=datetime(2026, 1, 5, tzinfo=UTC),
        automatic=automatic,
    )
    assert isinstance(decide_all(example.GATES, leg)[-1].decision, Allow if allowed else Drop)


async def test_its_plan_prints_what_the_page_shows(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    await example.main()
    page = (ROOT / "docs" / "concepts" / "routes.md").read_text("utf-8")
    shown = page.partition("```text\n")[2].partition("```")[0]
    assert capsys.readouterr().out == shown
