"""Correct adapters of three styles keep the contract."""

import pytest

from convergekit.testing import AdapterContract
from convergekit.testing.adapter import Subject
from tests.testing.adapter.subjects import SUBJECTS


@pytest.mark.parametrize("subject_class", SUBJECTS, ids=lambda each: each.__name__)
class TestOurs(AdapterContract):
    @pytest.fixture
    def subject(self, subject_class: type[Subject]) -> Subject:
        return subject_class()
