"""Every promise of an adapter, kept by the x channel: with a person, in public, and by a stream."""

from __future__ import annotations

import pytest

from convergekit.adapters.x.subject import PublicXSubject, StreamXSubject, XSubject
from convergekit.testing import AdapterContract


class TestWithAPerson(AdapterContract):
    @pytest.fixture
    def subject(self) -> XSubject:
        return XSubject()


class TestInPublic(AdapterContract):
    @pytest.fixture
    def subject(self) -> PublicXSubject:
        return PublicXSubject()


class TestByAStream(AdapterContract):
    @pytest.fixture
    def subject(self) -> StreamXSubject:
        return StreamXSubject()
