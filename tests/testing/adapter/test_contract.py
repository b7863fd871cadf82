"""Correct adapters of several styles keep the contract, and it takes no time worth speaking of."""

from time import process_time

import pytest

from convergekit.testing import AdapterContract
from convergekit.testing.adapter import BACKENDS, Subject, verify
from convergekit.testing.adapter._checks import CHECKS
from tests.testing.adapter.subjects import SUBJECTS, BottleSubject


@pytest.mark.parametrize("subject_class", SUBJECTS, ids=lambda each: each.__name__)
class TestOurs(AdapterContract):
    @pytest.fixture
    def subject(self, subject_class: type[Subject]) -> Subject:
        return subject_class()


def test_all_of_it_is_done_in_less_than_twenty_seconds() -> None:
    """Of this process alone, so that a busy machine is no finding; on the slowest of ours, which has a real server.

    A check takes some ten milliseconds, and less where it is skipped, so their number is what has to be watched.
    """
    before = process_time()
    assert len(list(verify(BottleSubject))) == len(CHECKS) * len(BACKENDS)
    assert process_time() - before < 20
    assert len(CHECKS) <= 300
