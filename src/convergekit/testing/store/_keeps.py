"""Which rule a test tries; where it fails, it says so first."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from .._rule import Rule
from ._rules import RULES

__all__ = ["keeps", "rule_of"]

_Test: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


def keeps(rule: str) -> Callable[[_Test], _Test]:
    """Mark the test below as one of the rule with this id."""
    kept = RULES[rule]

    def mark(test: _Test) -> _Test:
        @functools.wraps(test)
        async def tried(*arguments: Any, **fixtures: Any) -> None:
            try:
                return await test(*arguments, **fixtures)
            except (Exception, pytest.fail.Exception) as error:
                said = _said(kept, error)
            pytest.fail(said, pytrace=False)  # out here: what it stands for needs not be shown twice

        vars(tried)["rule"] = kept
        return tried

    return mark


def rule_of(test: Any) -> Rule | None:
    """Which rule *test* is marked with, if any."""
    return getattr(test, "rule", None)


def _said(rule: Rule, error: BaseException) -> str:
    at = error.__traceback__ and error.__traceback__.tb_next  # from the test on
    where = "".join(traceback.format_tb(at))
    cause = "" if error.__cause__ is None else "".join(traceback.format_exception(error.__cause__))
    return f"{rule.head}broken: {str(error) or type(error).__name__}\n{where}{cause}".rstrip()
