"""The mail servers that tests talk with: what they may rely on, ability by ability."""

import imaplib
import smtplib

import pytest

from tools.mail import Account, MailServers, eventually


def test_mail_that_is_submitted_arrives(mail: MailServers, account: Account) -> None:
    with smtplib.SMTP("localhost", mail.submission) as client:
        client.starttls(context=mail.ssl_context())
        client.login(*mail.alice)
        client.sendmail(mail.alice.user, account.user, b"Subject: hello\r\n\r\nworld\r\n")
    (raw,) = eventually(lambda: mail.mailbox(account.user))
    assert raw.endswith(b"\n\nworld\n")
