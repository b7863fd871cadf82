"""Each broken adapter is found, by the rule that it breaks."""

import re
import subprocess
import sys

import pytest

from convergekit.testing.adapter import BACKENDS, RULES
from convergekit.testing.adapter._checks import CHECKS
from tests.mutants.registry import NO_MUTANT, Mutant, load

MUTANTS = load()

#: By names of mutants, the checks that have found them.
FOUND_BY: dict[str, set[str]] = {}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.subject.__name__)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_is_found_by_the_rule_that_it_breaks(mutant: Mutant, backend: str) -> None:
    """That rule alone is asked; `make mutants` says which others find it as well."""
    if backend not in mutant.subject.adapter.backends and mutant.rule != "class-complete":
        pytest.skip(f"it does not run on {backend}")
    found = mutant.found_by(backend, rules=[mutant.rule])
    assert found
    FOUND_BY.setdefault(mutant.subject.__name__, set()).update(check.id for check in found)


def test_every_check_finds_somebody() -> None:
    """One that has never failed may be one that cannot."""
    if len(FOUND_BY) < len(MUTANTS):
        pytest.skip("not all mutants were asked")
    assert {check.id for check in CHECKS} == set().union(*FOUND_BY.values())


def test_every_rule_is_checked() -> None:
    assert {check.rule.id for check in CHECKS} == set(RULES)


def test_every_rule_finds_somebody() -> None:
    found = {mutant.rule for mutant in MUTANTS}
    assert set(RULES) - found == set(NO_MUTANT)


def test_there_are_many_and_each_is_another() -> None:
    assert len(MUTANTS) >= 25
    assert len({mutant.subject.__name__ for mutant in MUTANTS}) == len(MUTANTS)


def test_make_mutants_says_who_was_found_and_by_what() -> None:
    """As `make mutants`, on a few of them."""
    command = [sys.executable, "-m", "tests.mutants", "GivesUpAsNotSent", "Sleeps"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    *lines, last = done.stdout.splitlines()
    assert [re.sub(r"  +", "  ", line) for line in lines] == [
        "found  silence-uncertain  Calls not sent what was not answered in time",
        "found  does-not-block  Sleeps with the whole event loop",
    ]
    assert (last, done.returncode) == ("found 2 of 2", 0)
