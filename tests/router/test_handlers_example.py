"""The example that the page on handlers is made of does what the page says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from convergekit.model import Message

from .inbound_kit import dispatch, message

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples" / "handlers.py"


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("handlers_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_desk_answers(example: ModuleType) -> None:
    replies = [
        (await dispatch(example.app, message(each))).reply
        for each in ("/help", "My invoice, please", "/ticket printer on fire", "/ticket")
    ]
    assert replies == [
        "Write your question, or /ticket to open a ticket. Thank you!",
        Message("Hello Ann, accounting will answer you.", subject="Re: your invoice"),
        "Ticket 1 is open. Thank you!",
        None,
    ]
    assert example.TICKETS.opened == ["printer on fire"]
    assert example.TICKETS.committed == 1


async def test_other_channels_and_programs_are_left_alone(
    example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await dispatch(example.app, message("/help", channel="alerts"))).handler is None
    assert (await dispatch(example.app, message("invoice", automated=True))).handler is None
    assert capsys.readouterr().out.count("nobody took <Handling of MessageReceived") == 2
