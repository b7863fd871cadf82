"""`make mutants`: a line for each broken adapter, with the rule that found it."""

from __future__ import annotations

import sys

from . import declaring, first, incoming, outgoing, running, showing  # noqa: F401  notes its mutants
from .registry import MUTANTS


def main() -> int:
    found = 0
    for mutant in MUTANTS:
        rules = mutant.found_by()
        caught = mutant.rule in rules
        found += caught
        more = f" (and {', '.join(rule for rule in rules if rule != mutant.rule)})" if len(rules) > 1 else ""
        print(f"{'found' if caught else 'MISSED':7} {mutant.rule:28} {mutant.name}{more if caught else f': {rules}'}")
    print(f"found {found} of {len(MUTANTS)}")
    return 0 if found == len(MUTANTS) else 1


if __name__ == "__main__":
    sys.exit(main())
