"""Each broken adapter is found, by the rule that it breaks."""

import pytest

from convergekit.testing.adapter import BACKENDS
from tests.mutants import declaring, first, incoming, outgoing, running, showing  # noqa: F401  notes its mutants
from tests.mutants.registry import MUTANTS, Mutant


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.subject.__name__)
def test_it_is_found_by_the_rule_that_it_breaks(mutant: Mutant, backend: str) -> None:
    """That rule alone is asked; `make mutants` says which others find it as well."""
    if backend not in mutant.subject.adapter.backends and mutant.rule != "class-complete":
        pytest.skip(f"it does not run on {backend}")
    assert mutant.found_by(backend, rules=[mutant.rule]) == [mutant.rule]
