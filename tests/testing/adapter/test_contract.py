"""Correct adapters of several styles keep the contract, and it takes no time worth speaking of."""

from collections import defaultdict
from collections.abc import Iterator
from time import process_time

import pytest

from convergekit.testing import AdapterContract
from convergekit.testing.adapter import BACKENDS, Subject
from convergekit.testing.adapter._checks import CHECKS
from tests.testing.adapter.subjects import SUBJECTS

#: By subject, the seconds of this process alone that each check took, so that a busy machine is no finding.
TOOK: dict[type[Subject], list[float]] = defaultdict(list)


@pytest.mark.parametrize("subject_class", SUBJECTS, ids=lambda each: each.__name__)
class TestOurs(AdapterContract):
    @pytest.fixture
    def subject(self, subject_class: type[Subject]) -> Iterator[Subject]:
        before = process_time()
        yield subject_class()
        TOOK[subject_class].append(process_time() - before)


def test_all_of_it_is_done_in_less_than_twenty_seconds() -> None:
    """A check takes some ten milliseconds, and less where it is skipped, so their number is what has to be watched."""
    if len(TOOK) < len(SUBJECTS) or min(map(len, TOOK.values())) < len(CHECKS) * len(BACKENDS):
        pytest.skip("not all of it was done")
    assert max(sum(each) for each in TOOK.values()) < 20
    assert len(CHECKS) <= 300
