"""What we build goes through Postfix into Dovecot, and nothing in it is another octet."""

from __future__ import annotations

import os
import smtplib

import anyio
import dkim
import pytest

from convergekit.adapters.email.building import File
from convergekit.model import Address
from tests.adapters.email.building.kit import BEN, built
from tests.adapters.email.building.test_dkim import ED25519, RSA, dns, pem, signer
from tools.mail import Account, MailServers, eventually

FULL = {
    "text": "Größe\n.\n..\n\nFrom here on\n" + "x" * 998 + "\n" + "ü" * 600 + "\ntrailing  \n",
    "html": '<p>Grüße <img src="cid:a@b">' + "y" * 3000,
    "files": [
        File(os.urandom(5000), "image/png", "Bild für dich.png", "a@b"),
        File(b".\r\n\r\n.\r\n", "application/octet-stream", "dots"),
        File(b"From: a@b\r\nSubject: x\r\n\r\n.\r\nx\r\n", "message/rfc822", "mail.eml"),
    ],
    "subject": "Größe " * 30,
    "cc": (BEN, Address("mailto:ann@bücher.example", display_name="Ännchen, Dr.")),
    "references": tuple(f"{number}@example.org" for number in range(100)),
}


def arrived(mail: MailServers, account: Account) -> bytes:
    """The one mail in the mailbox, with the line ends that it had on the wire."""
    eventually(lambda: mail.mailbox(account.user))
    [stored] = mail.mailbox(account.user)
    return stored.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def deliver(mail: MailServers, raw: bytes, to: str, *options: str) -> None:
    with smtplib.SMTP("127.0.0.1", mail.mx) as client:
        client.sendmail("support@example.org", [to], raw, mail_options=options)


@pytest.mark.parametrize("eight_bit", [False, True])
def test_every_octet_arrives(mail: MailServers, account: Account, eight_bit: bool) -> None:
    raw = built(**FULL, eight_bit=eight_bit)
    deliver(mail, raw, account.user, *["BODY=8BITMIME"] * eight_bit)
    assert arrived(mail, account).endswith(b"\r\n" + raw)


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_a_signature_is_still_good_in_the_mailbox(mail: MailServers, account: Account, key: object) -> None:
    raw = anyio.run(signer(pem(key)).sign, built(**FULL))
    deliver(mail, raw, account.user)
    assert dkim.verify(arrived(mail, account), dnsfunc=dns(key))


def test_an_address_beyond_ascii_stands_in_the_header_as_it_is(mail: MailServers) -> None:
    uni = Address("mailto:ünï@utf8.test", display_name="Ünï")
    raw = built(to=(uni,), subject="Größe", message_id="raw-utf8@example.org", smtputf8=True)
    deliver(mail, raw, mail.anna.user, "SMTPUTF8", "BODY=8BITMIME")
    stored = raw.replace(b"\r\n", b"\n")
    assert eventually(lambda: [each for each in mail.mailbox(mail.anna.user) if each.endswith(stored)])
