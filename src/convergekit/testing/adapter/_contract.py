"""The contract as tests of pytest: one for each check, on each event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NoReturn

import pytest

from convergekit.errors import ConfigurationError

from ._checks import CHECKS, Check
from ._runner import BACKENDS, FIRST, Verdict, perform, unusable
from ._subject import Subject

__all__ = ["AdapterContract"]

#: What was said of the subject of a class of tests: it need not be said again.
_TOLD: Final[set[tuple[type[Any], str]]] = set()


class AdapterContract:
    """Every promise of an adapter. Inherit it, and give it a fixture `subject`.

    Each check runs on an event loop of its own, so no plugin for asynchronous tests is needed and none is in the way.
    `-k ack-after-admit` runs one rule.

    Attributes:
        backends: The event loops that the rules are asked on. Where an adapter declares fewer, `backends = ["asyncio"]`
            leaves the others out, which is then one skipped test and not one for each rule.
    """

    backends: ClassVar[Sequence[str]] = BACKENDS

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each check on each event loop."""
        if metafunc.definition.originalname == "test_keeps":
            metafunc.parametrize("check", sorted(CHECKS, key=lambda check: check is not FIRST), ids=str)
            metafunc.parametrize("backend", self.backends)

    @pytest.fixture
    def subject(self) -> Subject:
        """The adapter and its far side; a new one for each test."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `subject`: see docs/plugins/rules.md")

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

    def test_asks_on_each_event_loop_that_is_declared(self, subject: Subject) -> None:
        """What is left out here is left out by the adapter."""
        for backend in set(BACKENDS) - set(self.backends):
            if (reason := unusable(backend, subject.adapter)) is not None:
                pytest.skip(reason)
            said = f"the adapter declares that it runs on {backend}, and {type(self).__name__}.backends leaves it out"
            pytest.fail(said, pytrace=False)


def _tell_once(tests: type[Any], flaw: str) -> NoReturn:
    """One test says what is wrong with the subject, and the others that they wait for it."""
    if (tests, flaw) in _TOLD:
        pytest.skip(f"before this can be checked: {flaw}")
    _TOLD.add((tests, flaw))
    pytest.fail(flaw, pytrace=False)
