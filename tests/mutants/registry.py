"""How a mutant is written down, and all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from convergekit.testing.adapter import RULES, Subject, Verdict, verify
from convergekit.testing.adapter._checks import Check


@dataclass(frozen=True)
class Mutant:
    """One broken adapter.

    Args:
        name: In words.
        rule: Id of the rule that it breaks.
        subject: The subject of its healthy original, with the mutant in place of it.
    """

    name: str
    rule: str
    subject: type[Subject]

    def found_by(self, backend: str = "asyncio", *, rules: Iterable[str] = ()) -> list[Check]:
        """The checks of *rules*, or of all, that find something broken, in their order."""
        results = verify(self.subject, backends=[backend], rules=rules)
        return [each.check for each in results if each.verdict is Verdict.BROKEN]


MUTANTS: list[Mutant] = []

#: Real seconds at the most: what a broken adapter does not do is waited for in vain.
_PATIENCE = 0.5

#: Rules without a mutant, and why there can be none. The aim is that it stays empty.
NO_MUTANT: dict[str, str] = {}


def load() -> list[Mutant]:
    """All of them: every module beside this one notes its own."""
    for module in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        if not module.stem.startswith("test_"):
            import_module(f"{__package__}.{module.stem}")
    return MUTANTS


def breaks(rule: str, of: type[Subject], **changed: Any) -> Callable[[type[Any]], type[Any]]:
    """Write down the adapter below as one that breaks *rule*.

    Args:
        rule: Id of the rule.
        of: The subject of the adapter that is its base.
        changed: Attributes of the subject that are other ones here.
    """
    assert rule in RULES, rule

    def note(adapter: type[Any]) -> type[Any]:
        name = (adapter.__doc__ or adapter.__name__).partition("\n")[0].rstrip(".")
        members = {"adapter": adapter, "patience": min(of.patience, _PATIENCE), **changed}
        MUTANTS.append(Mutant(name, rule, type(adapter.__name__, (of,), members)))
        return adapter

    return note
