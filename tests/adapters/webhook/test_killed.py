"""Sender and receiver are killed at any moment, and each message is handled once (`make torture-webhook`: many)."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.webhook.killed.driver import killed


def test_each_message_is_handled_once_though_both_sides_are_killed(tmp_path: Path) -> None:
    """On both event loops, over a line that loses requests and answers."""
    run = killed(tmp_path, "asyncio", "trio", "trio", "asyncio", seed=5, messages=100, kills=1)

    assert run.wrong == []
    assert run.figures["handled"] == 100
