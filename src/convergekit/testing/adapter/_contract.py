"""The contract as tests of pytest: one for each check, on each event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

import pytest

from convergekit.errors import ConfigurationError

from ._checks import CHECKS, Check
from ._runner import BACKENDS, FIRST, Verdict, perform
from ._subject import Subject

__all__ = ["AdapterContract"]

#: What was said of the subject of a class of tests: it need not be said again.
_TOLD: Final[set[tuple[type[Any], str]]] = set()


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
    @pytest.mark.parametrize("check", sorted(CHECKS, key=lambda check: check is not FIRST), ids=str)
    def test_keeps(
        self, subject: Subject, check: Check, backend: str, record_property: Callable[[str, object], None]
    ) -> None:
        """One rule, in one case of it."""
        record_property("rule", check.rule.id)
        try:
            result = perform(check, subject, backend)
        except ConfigurationError as error:
            _tell_once(type(self), str(error))
        if result.verdict is Verdict.SKIPPED:
            pytest.skip(f"{check.rule.id}: {result.text}")
        if not result.is_good:
            pytest.fail(str(result), pytrace=False)


def _tell_once(tests: type[Any], flaw: str) -> NoReturn:
    """One test says what is wrong with the subject, and the others that they wait for it."""
    if (tests, flaw) in _TOLD:
        pytest.skip(f"before this can be checked: {flaw}")
    _TOLD.add((tests, flaw))
    pytest.fail(flaw, pytrace=False)
