"""`make mutants`: a line for each broken adapter, with the rule that found it; or for those that are named."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from .registry import Mutant, load


def main(*names: str) -> int:
    mutants = load()
    asked = [index for index, mutant in enumerate(mutants) if not names or mutant.subject.__name__ in names]
    with ProcessPoolExecutor() as pool:  # a class cannot be handed to a process, but its place in the list can
        found = sum([_say(mutants[index], rules) for index, rules in zip(asked, pool.map(_rules, asked), strict=True)])
    print(f"found {found} of {len(asked)}")
    return 0 if found == len(asked) else 1


def _rules(index: int) -> Sequence[str]:
    """Which rules find the mutant at *index*."""
    return list(dict.fromkeys(check.rule.id for check in load()[index].found_by()))


def _say(mutant: Mutant, rules: Sequence[str]) -> bool:
    """Whether it was found; says by what, and by which other rules."""
    caught = mutant.rule in rules
    others = ", ".join(rule for rule in rules if rule != mutant.rule)
    more = (f" (and {others})" if others else "") if caught else f": found by {others or 'none'}"
    print(f"{'found' if caught else 'MISSED':7} {mutant.rule:28} {mutant.name}{more}", flush=True)
    return caught


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
