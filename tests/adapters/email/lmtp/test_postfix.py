"""Postfix hands its mail to the listener, and keeps what is not taken."""

from __future__ import annotations

import email
import smtplib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from anyio import to_thread

from convergekit.errors import StoreError
from convergekit.testing import FakeContext
from tools.mail import Account, MailServers, eventually

from .kit import Office, office

pytestmark = pytest.mark.anyio


class PostOffice:
    """Postfix, and the listener that it hands mail for *@app.test to."""

    def __init__(self, mail: MailServers, here: Office) -> None:
        self.mail = mail
        self.here = here

    async def post(
        self, raw: bytes, *to: str, sender: str = "ann@elsewhere.test", options: tuple[str, ...] = ()
    ) -> None:
        """Postfix has it when this returns."""
        await to_thread.run_sync(_posted, self.mail.mx, raw, to, sender, options)

    async def arrives(self, number: int = 1) -> list[bytes]:
        """So many have come; their bodies, for Postfix writes a header of its own."""
        await _until(lambda: len(self.here.mails) >= number)
        return [raw.partition(b"\r\n\r\n")[2] for raw in self.here.raw]

    async def deferred(self, to: str) -> str:
        """Postfix has put it off; with which reason."""
        return await _until(partial(_reason, self.mail, to))

    async def flush(self) -> None:
        await to_thread.run_sync(self.mail.flush)


@asynccontextmanager
async def post_office(mail: MailServers, **more: Any) -> AsyncGenerator[PostOffice]:
    async with office(port=mail.app_lmtp, **more) as here:
        yield PostOffice(mail, here)


def _posted(port: int, raw: bytes, to: tuple[str, ...], sender: str, options: tuple[str, ...]) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()  # which sendmail leaves out where SMTPUTF8 is asked for and not known yet
        client.sendmail(sender, to, raw, options)


async def _until(look: Callable[[], Any]) -> Any:
    return await to_thread.run_sync(partial(eventually, look, seconds=20))


def _reason(mail: MailServers, to: str) -> str:
    told = (each for entry in mail.queue() for each in entry["recipients"] if each["address"] == to)
    return next((each.get("delay_reason", "") for each in told), "")


async def test_octets_arrive_as_they_were_written(mail: MailServers) -> None:
    """8-bit text, dots at the beginning of lines, long lines, and an empty line at the end."""
    body = ".\r\n..\r\n.a\r\nGrüße\r\n".encode() + b"\xff\xfe \x80\r\n" + 900 * b"x" + b"\r\n\r\n"
    async with post_office(mail) as office:
        await office.post(b"Subject: octets\r\n\r\n" + body, "octets@app.test", options=("BODY=8BITMIME",))

        assert await office.arrives() == [body]
    ((_, envelope),) = office.here.mails
    assert (envelope.sender, envelope.recipients) == ("ann@elsewhere.test", ("octets@app.test",))


async def test_what_the_ledger_cannot_take_stays_with_postfix_and_comes_later(mail: MailServers) -> None:
    context = FakeContext()
    context.refuses_admission = StoreError("the disk is full")
    async with post_office(mail, context=context) as office:
        await office.post(b"Subject: later\r\n\r\n", "later@app.test")
        assert "451 4.3.0" in await office.deferred("later@app.test")
        assert context.admitted == []

        context.refuses_admission = None
        await office.flush()
        await _until(lambda: context.admitted)

        assert len(context.admitted) == 1
        await _until(lambda: not _queued(mail, "later@app.test"))


async def test_what_comes_while_nobody_listens_comes_later(mail: MailServers) -> None:
    """As when a worker is started anew."""
    async with post_office(mail) as before:
        pass
    await before.post(b"Subject: nobody\r\n\r\nstill here\r\n", "nobody@app.test")
    assert "refused" in await before.deferred("nobody@app.test")

    async with post_office(mail) as office:
        await office.flush()

        assert await office.arrives() == [b"still here\r\n"]


async def test_each_recipient_has_a_result_of_their_own(mail: MailServers, account: Account) -> None:
    """Who is there gets the mail once; of who is not, Postfix tells the sender."""
    async with post_office(mail, recipients=("support@app.test", "sales@app.test")) as office:
        await office.post(
            b"Subject: three\r\n\r\n", "support@app.test", "gone@app.test", "sales@app.test", sender=account.user
        )
        await office.arrives()
        (report,) = await _until(lambda: mail.mailbox(account.user))

    assert [set(envelope.recipients) for _, envelope in office.here.mails] == [{"support@app.test", "sales@app.test"}]
    parts = {part.get_content_type(): part for part in email.message_from_bytes(report).walk()}
    status = parts["message/delivery-status"].as_string()
    assert "Final-Recipient: rfc822; gone@app.test" in status
    assert "Status: 5.1.1" in status
    assert "support@app.test" not in status


async def test_a_mail_that_is_too_large_goes_back_at_once(mail: MailServers, account: Account) -> None:
    """By the SIZE that Postfix declares: not one octet of it is read."""
    async with post_office(mail, max_size=100_000) as office:
        await office.post(
            b"Subject: large\r\n\r\n" + 2000 * (98 * b"x" + b"\r\n"), "large@app.test", sender=account.user
        )
        (report,) = await _until(lambda: mail.mailbox(account.user))

    assert b"5.3.4" in report
    assert office.here.mails == []


async def test_an_address_that_is_not_ascii_is_written_to(mail: MailServers) -> None:
    async with post_office(mail) as office:
        await office.post(
            "Subject: ünï\r\n\r\n".encode(), "ünï@app.test", sender="ægir@elsewhere.test", options=("SMTPUTF8",)
        )
        await office.arrives()

    ((_, envelope),) = office.here.mails
    assert (envelope.sender, envelope.recipients) == ("ægir@elsewhere.test", ("ünï@app.test",))


async def test_many_mails_come_over_few_connections_at_once(mail: MailServers) -> None:
    async with post_office(mail) as office:
        for number in range(30):
            await office.post(f"Subject: many\r\n\r\n{number}\r\n".encode(), f"many{number}@app.test")

        found = await office.arrives(30)

    assert sorted(found) == sorted(f"{number}\r\n".encode() for number in range(30))
    assert len(office.here.context.admitted) == 30


def _queued(mail: MailServers, to: str) -> bool:
    return any(each["address"] == to for entry in mail.queue() for each in entry["recipients"])
