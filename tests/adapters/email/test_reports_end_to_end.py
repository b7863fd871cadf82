"""What Postfix and readers report moves the right delivery: out by submission, in by IMAP or LMTP."""

from __future__ import annotations

import re
import smtplib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import anyio
import pytest
from anyio import fail_after, to_thread

from convergekit import DispatchHandle, Hub, MemoryStore, Message, MessageReceived
from convergekit.adapters.email.details import Mail, MailKind
from convergekit.model import (
    ComplaintReceived,
    CustomReceived,
    DeliveryChanged,
    EndpointDisabled,
    Event,
    FailureKind,
    Status,
)
from tests.peers import lacking
from tools.mail import Account, MailServers, eventually, missing

pytestmark = pytest.mark.anyio

_EventT = TypeVar("_EventT", bound=Event)
#: Seconds, on a machine that has much to do.
_LONGEST = 60.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def impatient() -> Iterator[MailServers]:
    """Postfix that gives up after ten seconds, where the others' does after twenty."""
    if why := missing():
        lacking(why)
    with MailServers({"maximal_queue_lifetime": "10s", "bounce_queue_lifetime": "10s"}) as servers:
        yield servers


class Desk:
    """A mailbox of ours on a hub, and what its handlers have heard."""

    def __init__(self, hub: Hub, mail: MailServers, account: Account) -> None:
        self.hub, self.mail, self.account = hub, mail, account
        self.heard: list[Event] = []
        self._news = anyio.Event()

    def hears(self, event: Event) -> None:
        self.heard.append(event)
        self._news.set()

    def all(self, kind: type[_EventT]) -> list[_EventT]:
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, look: Callable[[], Any]) -> None:
        """Wait for an event that makes *look* true."""
        with fail_after(_LONGEST):
            while not look():
                self._news = anyio.Event()
                await self._news.wait()

    async def becomes(self, sent: DispatchHandle, status: Status) -> None:
        await self.until(lambda: sent.status is status)

    async def is_written_to(self, raw: bytes, *, sender: str = "") -> None:
        """Somebody outside writes *raw* to the mailbox; by Postfix, as the rest of the world does."""
        await to_thread.run_sync(partial(_posted, self.mail.mx, raw, self.account.user, sender))


def _posted(port: int, raw: bytes, to: str, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail(sender, to, raw)


@asynccontextmanager
async def desk(mail: MailServers, account: Account, *, inbound: str = "imap", **more: Any) -> AsyncGenerator[Desk]:
    hub = Hub(store=MemoryStore())
    here = Desk(hub, mail, account)

    @hub.on_event(DeliveryChanged, CustomReceived, ComplaintReceived, EndpointDisabled, MessageReceived)
    async def hear(event: Event) -> None:
        here.hears(event)

    login = {"host": "localhost", "ca": mail.ca, "username": account.user, "password": account.password}
    ways = {
        "imap": {"imap": {**login, "port": mail.imaps}},
        "lmtp": {"lmtp": {"port": mail.app_lmtp}},
    }
    settings = {
        "adapter": "email",
        "address": account.user,
        "smtp": {**login, "port": mail.submission},
        "notify": ["success", "delay", "failure"],
        **ways[inbound],
        **more,
    }
    async with hub:
        await hub.add_channel("mail", settings)
        yield here


@pytest.mark.parametrize("inbound", ["imap", "lmtp"])
async def test_a_failure_moves_its_delivery(mail: MailServers, account: Account, inbound: str) -> None:
    """And no other: the next mail to the same address, and one to somebody else, stay as they are."""
    more = {"reverse_path": f"{account.user.partition('@')[0]}@app.test"} if inbound == "lmtp" else {}
    async with desk(mail, account, inbound=inbound, **more) as here:
        kept = await here.hub.send("This one arrives.", to="mailto:alice@example.test")
        sent = await here.hub.send("This one does not.", to="mailto:ann@bounce.test")
        assert sent.status is Status.ACCEPTED

        await here.becomes(sent, Status.FAILED)
        await here.becomes(kept, Status.RELAYED)

        (delivery,) = sent.deliveries
        failure = delivery.report.part(0).failure
        assert failure is not None
        assert (failure.kind, failure.code) == (FailureKind.PROVIDER, "5.3.0")
        assert failure.text
        changed = [event for event in here.all(DeliveryChanged) if event.status is Status.FAILED]
        assert [event.delivery for event in changed] == [delivery.id]
        assert not here.all(MessageReceived)


@pytest.mark.parametrize(
    ("to", "status"), [("alice@example.test", Status.RELAYED), ("anna@utf8.test", Status.DELIVERED)]
)
async def test_success_is_told(mail: MailServers, account: Account, to: str, status: Status) -> None:
    """Dovecot gives no reports, so Postfix says that it passed the mail on; into a mailbox of its own it delivers."""
    async with desk(mail, account) as here:
        sent = await here.hub.send("Hello", to=f"mailto:{to}")

        await here.becomes(sent, status)


async def test_a_delay_is_a_note_and_then_a_failure(impatient: MailServers) -> None:
    async with desk(impatient, impatient.fresh_account()) as here:
        sent = await here.hub.send("Hello", to="mailto:ann@defer.test")
        (delivery,) = sent.deliveries

        await here.until(lambda: here.all(CustomReceived))
        (late,) = here.all(CustomReceived)
        assert late.name == "mail.delayed"
        assert late.data["delivery"] == delivery.id
        assert late.data["address"] == "mailto:ann@defer.test"
        assert "until" in late.data
        assert sent.status is Status.ACCEPTED  # a delay is no end

        await here.becomes(sent, Status.FAILED)
        assert not here.all(EndpointDisabled)  # 4.x.x says nothing of the address


async def test_verp_alone_names_the_delivery(mail: MailServers, account: Account) -> None:
    """What came back is taken out of the report; the address that it came to is enough."""
    async with desk(mail, account, verp=True, notify=[]) as here:
        sent = await here.hub.send("Hello", to="mailto:alice@example.test")
        returned = await here_in(mail, "alice@example.test", sent)
        path = re.search(r"Return-Path: <([^>]+)>", returned)
        assert path is not None
        await to_thread.run_sync(partial(_posted, mail.mx, bounce("alice@example.test"), path[1], ""))

        await here.becomes(sent, Status.FAILED)


async def test_the_returned_message_id_alone_names_the_delivery(mail: MailServers, account: Account) -> None:
    async with desk(mail, account, notify=[]) as here:
        sent = await here.hub.send("Hello", to="mailto:alice@example.test")
        back = "Content-Type: text/rfc822-headers\n\n" + (await here_in(mail, "alice@example.test", sent))

        await here.is_written_to(bounce("alice@example.test", back=back))

        await here.becomes(sent, Status.FAILED)
        (gone,) = here.all(EndpointDisabled)
        assert gone.address.value == "alice@example.test"


async def test_a_read_receipt_is_read(mail: MailServers, account: Account) -> None:
    async with desk(mail, account, read_receipts=True) as here:
        sent = await here.hub.send("Hello", to="mailto:alice@example.test")
        header = await here_in(mail, "alice@example.test", sent)
        asked = re.search(r"Disposition-Notification-To: <([^>]+)>", header)
        assert asked is not None
        assert asked[1] == account.user

        fields = f"Final-Recipient: rfc822;alice@example.test\nOriginal-Message-ID: <{id_of(sent)}>\n"
        fields += "Disposition: manual-action/MDN-sent-manually; displayed\n"
        await here.is_written_to(report("disposition-notification", fields), sender="alice@example.test")

        await here.becomes(sent, Status.READ)


async def test_a_complaint_is_heard_beside_the_status(mail: MailServers, account: Account) -> None:
    async with desk(mail, account, notify=["failure"]) as here:
        sent = await here.hub.send("Hello", to="mailto:alice@example.test")
        back = "Content-Type: message/rfc822\n\n" + (await here_in(mail, "alice@example.test", sent))

        await here.is_written_to(report("feedback-report", "Feedback-Type: abuse\nVersion: 1\n", back=back))

        await here.until(lambda: here.all(ComplaintReceived))
        (complaint,) = here.all(ComplaintReceived)
        assert (complaint.kind, complaint.target) == ("abuse", id_of(sent))
        assert Mail.of(complaint).report["delivery"] == sent.deliveries[0].id
        assert sent.status is Status.ACCEPTED


async def test_copies_with_one_message_id_are_told_apart(mail: MailServers, account: Account) -> None:
    """Each has an ENVID of its own."""
    async with desk(mail, account) as here:
        arrives, bounces = await both(here, "mailto:alice@example.test", "mailto:ann@bounce.test")

        await here.becomes(bounces, Status.FAILED)
        await here.becomes(arrives, Status.RELAYED)


async def test_copies_are_told_apart_by_whom_a_report_names(mail: MailServers, account: Account) -> None:
    """Where the ENVID is lost, and the Message-ID is that of both."""
    async with desk(mail, account, notify=[]) as here:
        first, second = await both(here, "mailto:alice@example.test", "mailto:bob@example.test")
        back = "Content-Type: text/rfc822-headers\n\n" + (await here_in(mail, "bob@example.test", second))

        await here.is_written_to(bounce("bob@example.test", back=back))

        await here.becomes(second, Status.FAILED)
        assert first.status is Status.ACCEPTED


async def both(here: Desk, *to: str) -> list[DispatchHandle]:
    """One mail to two who are shown to each other."""
    handles = await here.hub.send(Message("Hello both", to=list(to)), to=list(to))
    assert id_of(handles[0]) == id_of(handles[1])
    return handles


async def test_what_proves_nothing_is_a_message_for_a_person(mail: MailServers, account: Account) -> None:
    async with desk(mail, account) as here:
        sent = await here.hub.send("Hello", to="mailto:alice@example.test")
        await here.becomes(sent, Status.RELAYED)
        stranger = "Content-Type: text/rfc822-headers\n\nMessage-ID: <1@example.test>\n\n"

        await here.is_written_to(bounce("alice@example.test", back=stranger))

        await here.until(lambda: here.all(MessageReceived))
        (message,) = here.all(MessageReceived)
        assert message.automated
        assert Mail.of(message).kind is MailKind.BOUNCE
        assert sent.status is Status.RELAYED


def id_of(sent: DispatchHandle) -> str:
    """The Message-ID of what was sent."""
    return next(id for id in sorted(sent.deliveries[0].report.ids, key=len) if "@" in id)


async def here_in(mail: MailServers, user: str, sent: DispatchHandle) -> str:
    """The header of *sent* as it has arrived in the mailbox of *user*."""

    def look() -> str:
        mails = (each.decode().partition("\n\n")[0] for each in mail.mailbox(user))
        return next((each + "\n\n" for each in mails if id_of(sent) in each), "")

    return await to_thread.run_sync(partial(eventually, look))


def report(type_: str, fields: str, *, back: str = "") -> bytes:
    """A report that somebody else's program wrote."""
    part = {"delivery-status": "delivery-status", "disposition-notification": "disposition-notification"}
    parts = ["Content-Type: text/plain\n\nA report.\n", f"Content-Type: message/{part.get(type_, type_)}\n\n{fields}"]
    parts += [back] if back else []
    body = "".join(f"--b0\n{each}\n" for each in parts)
    head = "From: <MAILER-DAEMON@far.test>\nTo: <us@example.test>\nSubject: Report\nMIME-Version: 1.0\n"
    return f'{head}Content-Type: multipart/report; report-type={type_}; boundary="b0"\n\n{body}--b0--\n'.encode()


def bounce(to: str, *, back: str = "") -> bytes:
    """A delivery report that says that *to* is nobody's."""
    fields = f"Reporting-MTA: dns; far.test\n\nFinal-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.1.1\n"
    return report("delivery-status", fields, back=back)
