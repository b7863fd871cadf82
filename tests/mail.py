"""Mail servers for tests: Postfix and Dovecot, one private set for the whole run, and a mailbox for each test."""

from collections.abc import Iterator

import pytest

from tests.peers import lacking
from tools.mail import Account, MailServers, missing

__all__ = ["account", "mail"]


@pytest.fixture(scope="session")
def _mail_servers() -> Iterator[MailServers]:
    if why := missing():
        lacking(why)
    with MailServers() as servers:
        yield servers


@pytest.fixture
def mail(_mail_servers: MailServers) -> Iterator[MailServers]:
    """The servers, running; a test may stop and start them.

    What is outside, queued and logged is from all tests: look for your own.
    """
    yield _mail_servers
    _mail_servers.start_imap()
    _mail_servers.start_smtp()


@pytest.fixture
def account(mail: MailServers) -> Account:
    """Somebody whose mailbox no other test knows."""
    return mail.fresh_account()
