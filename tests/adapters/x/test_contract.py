"""Every promise of an adapter, kept by the x channel: with a person, and in public."""

from __future__ import annotations

import pytest

from convergekit.adapters.x.subject import PublicXSubject, XSubject
from convergekit.testing import AdapterContract


class TestWithAPerson(AdapterContract):
    @pytest.fixture
    def subject(self) -> XSubject:
        return XSubject()


class TestInPublic(AdapterContract):
    @pytest.fixture
    def subject(self) -> PublicXSubject:
        return PublicXSubject()
