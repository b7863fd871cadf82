"""Every promise of an adapter, kept by the xmpp channel: with a person, and in a room."""

from __future__ import annotations

import pytest

from convergekit.adapters.xmpp.subject import XmppSubject
from convergekit.testing import AdapterContract


class TestXmpp(AdapterContract):
    backends = ("asyncio",)

    @pytest.fixture
    def subject(self) -> XmppSubject:
        return XmppSubject()
