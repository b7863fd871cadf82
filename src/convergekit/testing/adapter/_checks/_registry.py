"""How a check is written down, and all of them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .._rules import RULES, Rule

if TYPE_CHECKING:
    from .._bench import Bench

__all__ = ["CHECKS", "Broken", "Check", "broken", "check", "expect", "listed"]


class Broken(AssertionError):
    """The rule of the check is broken; the text says what happened."""


@dataclass(frozen=True, slots=True)
class Check:
    """One experiment: what an adapter does that keeps *rule*, in one case of it.

    Args:
        rule: Which.
        case: Which case, or "".
        run: Raises `Broken` where it is not kept, `Cannot` where that cannot be told.
        needs: Protocols that the adapter must have, or there is nothing to be checked.
    """

    rule: Rule
    case: str
    run: Callable[[Bench], Awaitable[None]]
    needs: tuple[type[Any], ...] = ()

    @property
    def id(self) -> str:
        """Rule and case."""
        return f"{self.rule.id}/{self.case}" if self.case else self.rule.id

    def __str__(self) -> str:
        return self.id


#: Every check, in the order in which they were written down.
CHECKS: Final[list[Check]] = []


def check(
    rule: str, *needs: type[Any], **cases: Sequence[Any]
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """Write down the function below as a check of *rule*.

    Args:
        rule: Its id.
        needs: Protocols without which the adapter is not asked.
        cases: Arguments of the function beside the bench: it is a check for each combination of their values.
    """

    def note(run: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        for values in itertools.product(*cases.values()):
            arguments = dict(zip(cases, values, strict=True))
            name = "/".join(str(value) for value in values)
            CHECKS.append(Check(RULES[rule], name, partial(run, **arguments) if arguments else run, needs))
        return run

    return note


def broken(what: str) -> NoReturn:
    """Say *what* happened in place of what the rule demands."""
    raise Broken(what)


def expect(condition: object, what: str) -> None:
    """Unless *condition* holds, say *what* happened in place of what the rule demands."""
    if not condition:
        raise Broken(what)


def listed(values: Iterable[object]) -> str:
    """For people."""
    return ", ".join(map(str, values)) or "nothing"
