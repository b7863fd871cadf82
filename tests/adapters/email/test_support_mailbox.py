"""The example's support mailbox, with Postfix and Dovecot."""

from __future__ import annotations

import importlib.util
import smtplib
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from convergekit import Hub, MemoryStore, MessageReceived, Router
from tools.mail import Account, MailServers, eventually

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[3] / "examples" / "support_mailbox.py"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def support() -> Router:
    """The example's own."""
    spec = importlib.util.spec_from_file_location("support_mailbox_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    router: Router = module.support
    return router


def settings(mail: MailServers, account: Account) -> dict[str, Any]:
    login = {"host": "localhost", "ca": mail.ca, "username": account.user, "password": account.password}
    sides = {"smtp": {**login, "port": mail.submission}, "imap": {**login, "port": mail.imaps}}
    return {"adapter": "email", "address": account.user, **sides}


async def in_mailbox(mail: MailServers, account: Account, number: int) -> list[str]:
    """What is there, once there are so many."""

    def look() -> list[str]:
        mails = [each.decode() for each in mail.mailbox(account.user)]
        return mails if len(mails) >= number else []

    return await to_thread.run_sync(partial(eventually, look, seconds=30))


async def test_a_person_gets_one_acknowledgement(mail: MailServers, account: Account) -> None:
    """In their mailbox, as an answer to their mail, marked as a program's, with no way back."""
    hub = Hub(store=MemoryStore())
    hub.include(support())
    ann = mail.fresh_account()
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = ann.user, account.user, "Lamp"
    written["Message-ID"] = "<lamp@example.test>"
    written.set_content("It is broken.")

    async with hub:
        await hub.add_channel("support-mail", settings(mail, account))
        await to_thread.run_sync(partial(_posted, mail.mx, written.as_bytes(), ann.user, account.user))
        (answer,) = await in_mailbox(mail, ann, 1)
        await hub.idle()

    assert "Return-Path: <>" in answer
    assert "Auto-Submitted: auto-replied" in answer
    assert "In-Reply-To: <lamp@example.test>" in answer
    assert "Subject: Re: Lamp" in answer
    assert "a person will answer it" in answer


async def test_two_mailboxes_that_acknowledge_all_do_not_write_to_each_other_for_ever(
    mail: MailServers, account: Account
) -> None:
    """Neither asks who wrote: the loop guard alone ends it, after one mail each way."""
    other = mail.fresh_account()
    hubs = [Hub(store=MemoryStore()) for _ in range(2)]
    heard: list[MessageReceived] = []
    for hub in hubs:

        @hub.on_message
        async def acknowledge(message: MessageReceived) -> str:
            heard.append(message)
            return "Thank you. We have your mail."

    async with hubs[0], hubs[1]:
        for hub, own in zip(hubs, (account, other), strict=True):
            await hub.add_channel("mail", settings(mail, own))
        await hubs[0].send("Is anybody there?", to=f"mailto:{other.user}")
        await in_mailbox(mail, other, 1)
        await in_mailbox(mail, account, 1)
        await to_thread.run_sync(partial(eventually, lambda: len(heard) == 2, seconds=30))
        for hub in hubs:
            await hub.idle()

    assert [each.automated for each in heard] == [False, True]
    assert len(mail.mailbox(account.user)) == len(mail.mailbox(other.user)) == 1


def _posted(port: int, raw: bytes, sender: str, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail(sender, to, raw)
