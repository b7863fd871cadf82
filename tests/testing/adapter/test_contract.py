"""Correct adapters of several styles keep the contract, and it takes no time worth speaking of."""

from time import process_time

import pytest

from convergekit.testing.adapter import BACKENDS, Subject
from convergekit.testing.adapter._checks import CHECKS
from tests.keeping import broken_promises
from tests.testing.adapter.subjects import SUBJECTS

DECLARED = [
    pytest.param(subject, backend, id=f"{subject.__name__}-{backend}")
    for subject in SUBJECTS
    for backend in BACKENDS
    if backend in subject.adapter.backends
]


@pytest.mark.parametrize(("subject", "backend"), DECLARED)
def test_it_keeps_every_promise_within_ten_seconds(subject: type[Subject], backend: str) -> None:
    """A check takes some ten milliseconds, and less where it is skipped, so their number is what has to be watched.

    The seconds of this process alone are counted, so that a busy machine is no finding.
    """
    before = process_time()

    assert broken_promises(subject, backend) == []
    assert process_time() - before < 10
    assert len(CHECKS) <= 300
