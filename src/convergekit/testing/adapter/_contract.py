"""The contract as tests of pytest: one for each check, on each event loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ._checks import CHECKS, Check
from ._runner import BACKENDS, Verdict, perform
from ._subject import Subject

__all__ = ["AdapterContract"]


class AdapterContract:
    """Every promise of an adapter. Inherit it, and give it a fixture `subject`.

    Each check runs on an event loop of its own, so no plugin for asynchronous tests is needed and none is in the way.
    `-k ack-after-admit` runs one rule.
    """

    @pytest.fixture
    def subject(self) -> Subject:
        """The adapter and its far side; a new one for each test."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `subject`: see docs/plugins/rules.md")

    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_keeps(
        self, subject: Subject, check: Check, backend: str, record_property: Callable[[str, object], None]
    ) -> None:
        """One rule, in one case of it."""
        record_property("rule", check.rule.id)
        result = perform(check, subject, backend)
        if result.verdict is Verdict.SKIPPED:
            pytest.skip(f"{check.rule.id}: {result.text}")
        if not result.is_good:
            pytest.fail(str(result), pytrace=False)
