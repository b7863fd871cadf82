"""Against Postfix, Dovecot's AUTH and smtp-sink: what the fakes were made after."""

import re
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import to_thread

from convergekit.adapters.email.smtp import SmtpEnvelope, transaction
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    DeliveryError,
    NotSentError,
    RejectedError,
    UncertainError,
)
from tests.peers import lacking
from tools.mail import Account, CutProxy, MailServers, SmtpSink, eventually, not_installed

from .kit import Tries, cancelled_at, pool_on

pytestmark = pytest.mark.anyio


def envelope(to: str, sender: str = "alice@example.test", **more: Any) -> SmtpEnvelope:
    return SmtpEnvelope(reverse_path=sender, recipient=to, **more)


def letter(to: str, text: str = "world") -> bytes:
    return f"From: alice@example.test\r\nTo: {to}\r\nSubject: hello\r\n\r\n{text}\r\n".encode()


@asynccontextmanager
async def as_alice(mail: MailServers, port: int | None = None, **settings: Any) -> AsyncGenerator[Tries]:
    settings = {"security": "starttls", "ca": mail.ca, "username": mail.alice.user, **settings}
    if "tokens" not in settings:
        settings.setdefault("password", mail.alice.password)
    async with pool_on(port or mail.submission, **settings) as pool:
        yield Tries(pool)


async def arrived(mail: MailServers, user: str, number: int = 1) -> list[bytes]:
    look = partial(eventually, lambda: found if len(found := mail.mailbox(user)) >= number else [])
    return await to_thread.run_sync(look)


@pytest.mark.parametrize("auth", ["plain", "login", "auto"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_is_submitted(mail: MailServers, account: Account, security: Any, auth: str) -> None:
    port = mail.smtps if security == "tls" else mail.submission
    async with as_alice(mail, port, security=security, auth=auth) as alice:
        accepted = await alice.send(envelope(account.user), letter(account.user))
        await alice.send(envelope(account.user), letter(account.user, ".\r\n..\r\n.end"))
        health = await alice.pool.probe()
    assert (accepted.code, accepted.enhanced) == (250, "2.0.0")
    assert accepted.queue_id is not None
    assert accepted.queue_id in mail.logs()
    first, second = sorted(await arrived(mail, account.user, 2), key=len)
    assert first.endswith(b"\n\nworld\n")
    assert second.endswith(b"\n\n.\n..\n.end\n")
    assert health.ok


async def test_a_wrong_password_is_refused(mail: MailServers) -> None:
    async with as_alice(mail, password="wrong") as alice:
        with pytest.raises(AuthenticationError) as caught:
            await alice.send()
        assert caught.value.code == "535 5.7.8"
        health = await alice.pool.probe()
    assert not health.ok
    assert "wrong" not in health.detail


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_authority_that_nobody_knows_is_not_believed(mail: MailServers, security: Any) -> None:
    port = mail.smtps if security == "tls" else mail.submission
    async with as_alice(mail, port, security=security, ca=None) as alice:
        with pytest.raises(AccountError, match="certificate"):
            await alice.send()


async def test_nothing_is_said_to_a_server_whose_starttls_is_gone(mail: MailServers) -> None:
    async with as_alice(mail, mail.stripped) as alice:
        with pytest.raises(AccountError, match="STARTTLS"):
            await alice.send()
    with CutProxy(mail.submission, hidden="STARTTLS") as proxy:
        async with as_alice(mail, proxy.port) as alice:
            with pytest.raises(AccountError, match="STARTTLS"):
                await alice.send()
        assert proxy.verbs == ["EHLO"]


async def test_each_recipient_has_a_result(mail: MailServers, account: Account) -> None:
    async with as_alice(mail) as alice:
        with pytest.raises(RejectedError) as refused:
            await alice.send(envelope("refused@example.test"), letter("refused@example.test"))
        with pytest.raises(NotSentError) as deferred:
            await alice.send(envelope("later@example.test"), letter("later@example.test"))
        await alice.send(envelope(account.user), letter(account.user))
    assert refused.value.code == "554 5.7.1"
    assert deferred.value.code == "450 4.7.1"
    assert alice.started == 1
    assert len(await arrived(mail, account.user)) == 1


async def test_a_mail_that_is_too_large_is_refused_before_it_is_sent(mail: MailServers) -> None:
    with CutProxy(mail.mx, at="none") as proxy:
        async with pool_on(proxy.port) as pool:
            with pytest.raises(RejectedError) as caught:
                await Tries(pool).send(envelope("alice@example.test"), b"x" * 11_000_000)
        assert proxy.verbs == ["EHLO", "QUIT"]
    assert caught.value.code == "552 5.3.4"


async def test_an_address_beyond_ascii_goes_where_it_can(mail: MailServers) -> None:
    raw = "From: alice@example.test\r\nTo: ünï@utf8.test\r\nSubject: grüße\r\n\r\nä\r\n".encode()
    to = envelope("ünï@utf8.test", needs_smtputf8=True, orcpt="ünï@utf8.test", notify=frozenset({"failure"}))
    async with as_alice(mail) as alice:
        await alice.send(to, raw)
    found = (await arrived(mail, "ünï@utf8.test"))[-1]
    assert "Subject: grüße\n".encode() in found
    assert found.endswith("\n\nä\n".encode())


def sink(*options: str) -> SmtpSink:
    if why := not_installed():
        lacking(why)
    return SmtpSink(options)


async def test_an_address_beyond_ascii_goes_nowhere_else() -> None:
    with sink() as server:
        async with pool_on(server.port) as pool:
            with pytest.raises(RejectedError, match="SMTPUTF8"):
                await Tries(pool).send(envelope("ünï@utf8.test"))
            await Tries(pool).send(envelope("uni@utf8.test"))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        *(
            ((flag, verb), error)
            for verb in ("MAIL", "RCPT", "DATA", ".")
            for flag, error in (("-f", RejectedError), ("-r", NotSentError))
        ),
        *((("-q", verb), NotSentError) for verb in ("EHLO", "MAIL", "RCPT", "DATA")),
        (("-q", "."), UncertainError),
        (("-f", "EHLO"), AccountError),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_sink_that_refuses_or_hangs_up(
    options: tuple[str, str], error: type[DeliveryError], pipelining: bool
) -> None:
    with sink(*options) as server:
        async with pool_on(server.port, pipelining=pipelining, timeout=2) as pool:
            tries = Tries(pool)
            for _ in range(2):  # as well over a connection that is left from the first
                with pytest.raises(DeliveryError) as caught:
                    await tries.send()
                assert type(caught.value) is error
            assert tries.started == (2 if options[1] == "." else 0)


class Tokens:
    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)

    async def __call__(self, *, fresh: bool = False) -> str:
        if fresh:
            self._tokens.pop(0)
        return self._tokens[0]


async def test_a_token_that_has_expired_is_replaced(mail: MailServers, account: Account) -> None:
    user = mail.alice.user
    tokens = Tokens(mail.token(user, expires=-60), mail.token(user))
    async with as_alice(mail, tokens=tokens) as alice:
        await alice.send(envelope(account.user), letter(account.user))
    assert len(await arrived(mail, account.user)) == 1
    async with as_alice(mail, tokens=Tokens(mail.token(user, expires=-60), mail.token(user, expires=-5))) as alice:
        with pytest.raises(AuthenticationError):
            await alice.send()


async def test_reports_are_asked_for(mail: MailServers, account: Account) -> None:
    asked = {"envid": "id+1=2", "notify": frozenset({"success"}), "ret": "headers", "orcpt": "x+y=z@elsewhere.test"}
    async with as_alice(mail) as alice:
        await alice.send(envelope("bob@example.test", account.user, **asked), letter("bob@example.test"))
    (report,) = await arrived(mail, account.user)
    assert b"Original-Envelope-Id: id+1=2" in report
    assert b"Original-Recipient: rfc822;x+y=z@elsewhere.test" in report
    assert b"Action: relayed" in report


async def test_a_mail_without_a_reverse_path_is_taken(mail: MailServers, account: Account) -> None:
    async with as_alice(mail) as alice:
        await alice.send(envelope(account.user, ""), letter(account.user))
    (raw,) = await arrived(mail, account.user)
    assert b"Return-Path: <>" in raw


CUTS = [
    (at, told, how, pipelining)
    for at in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT", ".")
    for told in (False, True)
    for how in ("close", "reset", "silence")
    for pipelining in (True, False)
    if how != "silence" or (told and pipelining)  # it takes a while, and is the same for us
]


@pytest.mark.parametrize(("at", "told", "how", "pipelining"), CUTS)
async def test_a_line_that_is_cut_anywhere(
    mail: MailServers,
    account: Account,
    at: str,
    told: bool,
    how: Any,
    pipelining: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeout = 1.0 if how == "silence" else 30.0
    monkeypatch.setattr(transaction, "_END_TIMEOUT", timeout)
    raw = letter(account.user)
    with CutProxy(mail.mx, at=at, told=told, how=how, times=1) as proxy:
        async with pool_on(proxy.port, pipelining=pipelining, timeout=timeout) as pool:
            tries = Tries(pool)
            with pytest.raises(DeliveryError) as caught:
                await tries.send(envelope(account.user), raw)
            ended = at in ("CONTENT", ".")  # they leave in one write
            assert type(caught.value) is (UncertainError if ended else NotSentError)
            assert tries.started == ended
            await tries.send(envelope(account.user), raw)
    assert proxy.cuts == 1
    taken = at == "." and told
    assert len(await arrived(mail, account.user, 1 + taken)) == 1 + taken


async def outcome_of(sending: Awaitable[object]) -> type[DeliveryError] | None:
    try:
        await sending
    except DeliveryError as error:
        return type(error)
    return None


@pytest.mark.parametrize("after", [1, 100, 300, 500, 600, 700, 800])
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_line_that_is_cut_around_tls(mail: MailServers, account: Account, after: int, security: Any) -> None:
    """At STARTTLS, in the handshake, at AUTH: nothing was taken."""
    port = mail.smtps if security == "tls" else mail.submission
    with CutProxy(port, after=after, times=1, how="reset") as proxy:
        async with as_alice(mail, proxy.port, security=security, pipelining=False) as alice:
            outcome = await outcome_of(alice.send(envelope(account.user), letter(account.user)))
            assert outcome is (UncertainError if alice.started else NotSentError)
            await alice.send(envelope(account.user), letter(account.user))
    assert proxy.cuts == 1


@pytest.mark.parametrize("warm", [True, False])
async def test_whoever_is_cancelled_anywhere_leaves_nothing_behind(
    mail: MailServers, account: Account, warm: bool
) -> None:
    checkpoint, was_cancelled, sent = 0, True, 0
    while was_cancelled:
        async with as_alice(mail, pool_size=1) as alice:
            if warm:
                await alice.send(envelope(account.user), letter(account.user, "before"))
                sent += 1
            was_cancelled = await cancelled_at(
                checkpoint, alice.send(envelope("alice+dropped@example.test"), letter("alice@example.test"))
            )
            await alice.send(envelope(account.user), letter(account.user, "after"))
            sent += 1
        checkpoint += 1
    assert checkpoint > (2 if warm else 8)
    assert len(await arrived(mail, account.user, sent)) == sent


async def test_many_at_once_each_arrive_once(mail: MailServers, account: Account) -> None:
    async with as_alice(mail) as alice, anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(alice.send, envelope(account.user), letter(account.user, f"number {number}."))
    found = await arrived(mail, account.user, 40)
    assert sorted(raw.partition(b"\n\n")[2] for raw in found) == sorted(
        b"number %d.\n" % number for number in range(40)
    )


async def test_the_server_may_be_started_again_between_two_mails(mail: MailServers, account: Account) -> None:
    async with as_alice(mail) as alice:
        await alice.send(envelope(account.user), letter(account.user))
        await to_thread.run_sync(mail.restart_smtp)
        await alice.send(envelope(account.user), letter(account.user))
        await to_thread.run_sync(mail.stop_smtp)
        with pytest.raises(NotSentError):
            await alice.send(envelope(account.user), letter(account.user))
        await to_thread.run_sync(mail.start_smtp)
        await alice.send(envelope(account.user), letter(account.user))

    # A Postfix that is stopped while it hands a mail on hands it on again. What it took from us has an id of its own.
    def taken() -> set[bytes]:
        return set(re.findall(rb"(?mi)^message-id: .*$", b"\n".join(mail.mailbox(account.user))))

    await to_thread.run_sync(partial(eventually, lambda: len(taken()) >= 3))
    assert len(taken()) == 3
