"""The email channel as a whole: what it needs, what it keeps, and what it does with which sides of a mailbox."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit import Attachment, Hub, Message, MessageReceived
from convergekit.adapters.email import EmailAdapter, EmailConfig, Mail, MailKind
from convergekit.adapters.email.subject.servers import MailboxServer, SubmissionServer
from convergekit.errors import NotSentError, UnsupportedContentError
from convergekit.model import Part
from convergekit.testing import FakeContext
from convergekit.testing.context import outgoing

pytestmark = pytest.mark.anyio
ANN = "mailto:ann@example.net"
LOGIN = {"host": "127.0.0.1", "security": "none", "username": "support", "password": "pw"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def servers() -> AsyncGenerator[tuple[SubmissionServer, MailboxServer]]:
    submission, mailbox = SubmissionServer(), MailboxServer()
    async with submission.server.serving(), mailbox.server.serving():
        yield submission, mailbox


def config(**more: Any) -> EmailConfig:
    return EmailConfig(address="support@example.org", **more)


def smtp(server: SubmissionServer) -> dict[str, Any]:
    return {**LOGIN, "port": server.server.port}


async def test_a_mailbox_that_is_only_read_sends_nothing() -> None:
    """The message waits until somebody says how mail leaves, and what comes in goes on coming in meanwhile."""
    adapter = EmailAdapter(config(imap={"host": "localhost"}), FakeContext())
    async with adapter:
        with pytest.raises(NotSentError, match="set `smtp`"):  # any AccountError would take the channel down
            await adapter.send(outgoing(ANN))


async def test_a_mailbox_that_is_only_written_from_hears_nothing() -> None:
    async with servers() as (submission, _):
        adapter = EmailAdapter(config(smtp=smtp(submission)), FakeContext())
        async with adapter, anyio.create_task_group() as tasks:
            with anyio.fail_after(5):
                await tasks.start(adapter.listen)


async def test_the_key_of_our_ids_is_made_once_for_all_processes() -> None:
    """Late reports are believed after a restart, and by every worker."""
    context = FakeContext()
    async with servers() as (submission, _):
        for _ in range(2):
            async with EmailAdapter(config(smtp=smtp(submission)), context) as adapter:
                await adapter.send(outgoing(ANN, key="k"))

    first, second = (message_from_bytes(each)["Message-ID"] for each in submission.received)
    assert first == second
    kept, version = await context.state.get("identifier-key")
    assert (len(kept), version) == (64, 1)


async def test_another_key_makes_other_ids() -> None:
    async with servers() as (submission, _):
        for key in ("one key of sixteen", "another of sixteen"):
            async with EmailAdapter(config(smtp=smtp(submission), identifier_key=key), FakeContext()) as adapter:
                await adapter.send(outgoing(ANN, key="k"))

    assert len({message_from_bytes(each)["Message-ID"] for each in submission.received}) == 2


async def test_a_file_that_is_only_a_url_is_refused() -> None:
    async with servers() as (submission, _), EmailAdapter(config(smtp=smtp(submission)), FakeContext()) as adapter:
        part = Part(text="t", attachments=(Attachment(url="https://files.example/a.pdf", name="a.pdf"),))
        with pytest.raises(UnsupportedContentError):
            await adapter.send(outgoing(ANN, part=part))
    assert submission.received == []


async def test_what_is_refused_touches_no_connection() -> None:
    async with servers() as (submission, _):
        submission.server.go_away()
        async with EmailAdapter(config(smtp=smtp(submission)), FakeContext()) as adapter:
            with pytest.raises(UnsupportedContentError):
                await adapter.send(outgoing(ANN, part=Part(text="t", subject="a\u2028Bcc: eve@example.net")))


async def test_a_large_mail_arrives_whole() -> None:
    """It is built in a thread."""
    content = bytes(range(256)) * 4096
    async with servers() as (submission, _), EmailAdapter(config(smtp=smtp(submission)), FakeContext()) as adapter:
        part = Part(text="t", attachments=(Attachment(data=content, name="a.bin"),))
        await adapter.send(outgoing(ANN, part=part))

    mail = message_from_bytes(submission.received[0], policy=policy.default)
    (file,) = mail.iter_attachments()  # type: ignore[attr-defined]
    assert file.get_content() == content


WITHOUT = """
import sys
sys.modules |= dict.fromkeys(("aiosmtplib", "imapclient", "flufl"))
from convergekit.adapters.email import EmailAdapter, EmailConfig
from convergekit.errors import ConfigurationError
from convergekit.testing import FakeContext
try:
    EmailAdapter(EmailConfig(address="us@example.org", imap={"host": "localhost"}), FakeContext())
except ConfigurationError as error:
    print(error)
"""


def test_without_the_extra_it_says_what_to_install() -> None:
    """Nothing of the extra is needed to come as far as that."""
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "pip install 'convergekit[email]'" in done.stdout, done.stderr


async def test_check_looks_at_both_sides() -> None:
    async with servers() as (submission, mailbox):
        sides = {"smtp": smtp(submission), "imap": {**LOGIN, "port": mailbox.server.port}}
        async with EmailAdapter(config(**sides), FakeContext()) as adapter:
            health = await adapter.check()
            assert health.ok
            assert "smtp: " in health.detail
            assert "imap: " in health.detail
            mailbox.refuses_login = True
            health = await adapter.check()
            assert not health.ok
            assert "pw" not in health.detail.split()


async def test_check_names_each_side_once_and_the_listener_too() -> None:
    config_ = config(imap={**LOGIN, "port": 1}, lmtp={"port": 2424})
    async with EmailAdapter(config_, FakeContext()) as adapter:
        imap, _, lmtp = (await adapter.check()).detail.rpartition("; ")

    assert imap.startswith("imap: ")
    assert not imap.startswith("imap: imap: ")
    assert lmtp == "lmtp: listens at 127.0.0.1:2424, which is not tried here"


async def test_a_side_that_says_nothing_is_named_with_what_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that wants TLS first, asked without: both sides wait for the other one to speak."""
    monkeypatch.setattr("convergekit.adapters.email.adapter._PATIENCE", 0.05)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as silent:
        port = silent.extra(anyio.abc.SocketAttribute.local_port)
        async with EmailAdapter(config(smtp={**LOGIN, "port": port}), FakeContext()) as adapter:
            health = await adapter.check()

    assert not health.ok
    assert "see smtp.host, smtp.port and smtp.security" in health.detail


async def test_a_question_is_answered_in_its_thread() -> None:
    """From the mailbox to a handler, and from there to the server: the way that a support desk goes."""
    question = (
        b"From: Ann <ann@example.net>\r\nTo: support@example.org\r\nSubject: Where is it?\r\n"
        b"Message-ID: <q2@example.net>\r\nReferences: <q1@example.net>\r\nIn-Reply-To: <q1@example.net>\r\n\r\n"
        b"It has not come.\r\n\r\n> We have sent it.\r\n"
    )
    kinds: list[MailKind] = []
    hub = Hub(store="memory:")

    @hub.on_message(automated=False)
    async def answer(message: MessageReceived) -> Message:
        kinds.append(Mail.of(message).kind)
        return Message(f"You wrote: {message.visible_text}")

    async with servers() as (submission, mailbox):
        mailbox.deliver(question)
        settings = config(smtp=smtp(submission), imap={**LOGIN, "port": mailbox.server.port})
        async with hub:
            await hub.add_channel("mail", settings)
            with anyio.fail_after(10):
                while not (submission.received and mailbox.seen):  # noqa: ASYNC110 - neither server tells
                    await anyio.sleep(0.01)

    reply = message_from_bytes(submission.received[0], policy=policy.default)
    assert kinds == [MailKind.PERSON]
    assert (reply["To"], reply["Subject"]) == ("Ann <ann@example.net>", "Re: Where is it?")
    assert reply["In-Reply-To"] == "<q2@example.net>"
    assert reply["References"].split()[1:] == ["<q1@example.net>", "<q2@example.net>"]
    assert reply["Auto-Submitted"] == "auto-replied"
    assert reply.get_content().strip() == "You wrote: It has not come."  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "domain"),
    [(None, "example.org"), ("Mail.Example.ORG", "mail.example.org"), ("bücher.example", "xn--bcher-kva.example")],
)
async def test_our_ids_are_of_a_domain_in_ascii(said: str | None, domain: str) -> None:
    """RFC 5322 §3.6.4 has no other; two spellings of one domain would be two."""
    assert config(imap={"host": "localhost"}, message_id_domain=said).domain == domain


@pytest.mark.parametrize("said", ["a b", "a\r\nb", "", "a@b.example", "-"])
async def test_what_is_no_domain_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="message_id_domain"):
        config(imap={"host": "localhost"}, message_id_domain=said)


async def test_a_mail_server_that_is_away_does_not_close_the_other_way_in(tmp_path: Path) -> None:
    context, path = FakeContext(), tmp_path / "l"

    def hand_over() -> None:
        with smtplib.LMTP(str(path), local_hostname="localhost") as client:
            client.sendmail("ann@example.net", "support@example.org", b"From: ann@example.net\r\n\r\nby LMTP\r\n")

    async with servers() as (_, mailbox):
        settings = config(imap={**LOGIN, "port": mailbox.server.port}, lmtp={"path": path})
        async with EmailAdapter(settings, context) as adapter, anyio.create_task_group() as tasks:
            await tasks.start(adapter.listen)
            with anyio.fail_after(10):
                mailbox.server.drop()
                while "nothing comes by IMAP now" not in context.logged:  # noqa: ASYNC110  # it is told to a log
                    await anyio.sleep(0.01)
                await anyio.to_thread.run_sync(hand_over)
                assert len(context.admitted) == 1
                mailbox.deliver(b"From: ann@example.net\r\n\r\nby IMAP\r\n")
                while len(context.admitted) < 2:
                    context.clock.advance(300)
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()


async def test_a_mail_server_that_was_never_there_does_not_either() -> None:
    context = FakeContext()
    settings = config(imap={**LOGIN, "port": 1}, lmtp={"port": 0})
    async with EmailAdapter(settings, context) as adapter, anyio.create_task_group() as tasks:
        with anyio.fail_after(10):
            await tasks.start(adapter.listen)
        assert "nothing comes by IMAP now" in context.logged
        tasks.cancel_scope.cancel()
