"""Every promise of every adapter."""

import pytest
from convergekit_irc.subject import IrcSubject

from convergekit.testing import AdapterContract


# [contract]
class TestIrcContract(AdapterContract):
    @pytest.fixture
    def subject(self) -> IrcSubject:
        return IrcSubject()


# [contract end]
