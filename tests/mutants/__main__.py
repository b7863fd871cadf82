"""`make mutants`: a line for each broken adapter, with the rule that found it; or for those that are named."""

from __future__ import annotations

import sys

from .registry import Mutant, load


def main(*names: str) -> int:
    mutants = [mutant for mutant in load() if not names or mutant.subject.__name__ in names]
    found = sum([_say(mutant) for mutant in mutants])
    print(f"found {found} of {len(mutants)}")
    return 0 if found == len(mutants) else 1


def _say(mutant: Mutant) -> bool:
    """Whether it was found; says by what, and by which other rules."""
    rules = dict.fromkeys(check.rule.id for check in mutant.found_by())
    caught = mutant.rule in rules
    others = ", ".join(rule for rule in rules if rule != mutant.rule)
    more = (f" (and {others})" if others else "") if caught else f": found by {others or 'none'}"
    print(f"{'found' if caught else 'MISSED':7} {mutant.rule:28} {mutant.name}{more}", flush=True)
    return caught


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
