"""What a contract is made of: promises, each with its reason and the page that tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Rule", "table"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise.

    Args:
        id: What it is called, for good: lower case, with dashes.
        demand: What has to be done, as a sentence.
        why: What happens to people where it is not.
        topic: Where it belongs: for an adapter, the section of `docs/plugins/contract.md` that explains it, by the
            anchor of its heading; for a store, a heading of its page.
        document: The page of the documentation that lists it, under its id.
    """

    id: str
    demand: str
    why: str
    topic: str
    document: str = "docs/plugins/rules.md"

    @property
    def page(self) -> str:
        """Where the documentation tells of it."""
        return f"{self.document}#{self.id}"

    @property
    def head(self) -> str:
        """What every failure says first: the rule, why it exists, and its page."""
        return f"{self.id}: {self.demand}\n  why:  {self.why}\n  page: {self.page}\n"

    def __str__(self) -> str:
        return self.id


def table(*rules: Rule) -> Mapping[str, Rule]:
    """By their ids, in order."""
    return {rule.id: rule for rule in rules}
