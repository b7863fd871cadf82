"""Each broken adapter is found, by the rule that it breaks."""

import pytest

from tests.mutants import first, incoming, running, showing  # noqa: F401  notes its mutants
from tests.mutants.registry import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.subject.__name__)
def test_it_is_found_by_the_rule_that_it_breaks(mutant: Mutant) -> None:
    assert mutant.rule in mutant.found_by()
