"""The mail servers that tests talk with: what may be relied on, ability by ability."""

import imaplib
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.peers import lacking
from tools.mail import Account, CutProxy, DelayProxy, MailServers, SmtpSink, eventually, missing, programs

ROOT = Path(__file__).parent.parent
RAW = b"Subject: hello\r\n\r\nworld\r\n"


@contextmanager
def submission(mail: MailServers, account: Account | None = None) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("localhost", mail.submission, timeout=10) as client:
        client.starttls(context=mail.ssl_context())
        client.login(*(account or mail.alice))
        yield client


def submit(mail: MailServers, sender: str, to: str, *, options: tuple[str, ...] = (), notify: str = "") -> None:
    with submission(mail) as client:
        client.sendmail(sender, to, RAW, options, [f"NOTIFY={notify}"] if notify else ())


@contextmanager
def imap(mail: MailServers, account: Account | None = None) -> Iterator[imaplib.IMAP4_SSL]:
    client = imaplib.IMAP4_SSL("localhost", mail.imaps, ssl_context=mail.ssl_context(), timeout=10)
    try:
        if account is not None:
            client.login(*account)
        yield client
    finally:
        with suppress(OSError):  # the server has ended it
            client.shutdown()


def xoauth2(user: str, token: str) -> str:
    return f"user={user}\1auth=Bearer {token}\1\1"


def arrived(mail: MailServers, account: Account) -> bytes:
    (raw,) = eventually(lambda: mail.mailbox(account.user))
    return raw


# --- being there ------------------------------------------------------------------------------------------------------


def test_without_the_programs_it_says_what_installs_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_SBIN", ())
    assert "postfix" in missing()
    assert "make peers" in missing()


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "not_installed", str)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in missing()


@pytest.mark.usefixtures("mail")
def test_a_start_that_fails_leaves_nothing_behind(quick_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inet_protocols"):
        MailServers({"inet_protocols": "nonsense"}, where=quick_path)
    assert not list(quick_path.iterdir())


@pytest.mark.usefixtures("mail")
def test_a_killed_run_leaves_nothing_behind() -> None:
    """Neither servers nor a folder: the guard sees that its pipe has ended."""
    code = (
        "from tools.mail import MailServers; m = MailServers(); print(m.folder, m.mx, m.imap, m._outside); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder, *ports = run.stdout.readline().split()
        run.stdout.readline()
        run.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(folder).exists())
    for port in map(int, ports):
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


def test_two_sets_of_servers_do_not_meet(mail: MailServers) -> None:
    """And the second one gives up sooner, since it was told so."""
    with MailServers({"maximal_queue_lifetime": "1s", "bounce_queue_lifetime": "1s"}) as other:
        account = other.fresh_account()
        submit(other, account.user, "someone@defer.test")
        report = arrived(other, account)
        assert b"Action: failed" in report
        assert b"Status: 4." in report
        assert not mail.mailbox(account.user)


@pytest.mark.parametrize("crash", [False, True])
def test_after_a_restart_all_is_where_it_was(mail: MailServers, account: Account, crash: bool) -> None:
    mail.deliver(RAW, account.user)
    with imap(mail, account) as client:
        mail.stop_imap(crash=crash)
        mail.stop_smtp(crash=crash)
        with pytest.raises(imaplib.IMAP4.abort, match=r"EOF|shutting down"):
            client.noop()
    for port in (mail.imap, mail.imaps, mail.lmtp, mail.mx, mail.submission):
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass
    mail.start_imap()
    mail.start_smtp()
    submit(mail, mail.alice.user, account.user)
    assert len(eventually(lambda: mail.mailbox(account.user)[1:])) == 1


# --- submission -------------------------------------------------------------------------------------------------------


def test_submission_wants_tls_and_then_a_password(mail: MailServers) -> None:
    with smtplib.SMTP("localhost", mail.submission, timeout=10) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.mail("a@example.test")[0] == 530
        client.starttls(context=mail.ssl_context())
        client.ehlo()
        for extension in ("pipelining", "size", "8bitmime", "dsn", "smtputf8", "enhancedstatuscodes"):
            assert client.has_extn(extension), extension
        assert {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"} <= set(client.esmtp_features["auth"].split())
        client.mail("a@example.test")
        assert client.rcpt("b@elsewhere.test")[0] == 554


def test_a_wrong_password(mail: MailServers) -> None:
    wrong = Account(mail.alice.user, "wrong")
    with pytest.raises(smtplib.SMTPAuthenticationError, match=r"535.*5\.7\.8"), submission(mail, wrong):
        pass
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"), imap(mail, wrong):
        pass


def test_a_client_that_does_not_know_the_authority_refuses(mail: MailServers) -> None:
    with (
        smtplib.SMTP("localhost", mail.submission, timeout=10) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        client.starttls(context=ssl.create_default_context())


def test_implicit_tls(mail: MailServers, account: Account) -> None:
    with smtplib.SMTP_SSL("localhost", mail.smtps, context=mail.ssl_context(), timeout=10) as client:
        client.login(*mail.bob)
        client.sendmail(mail.bob.user, account.user, RAW)
    assert arrived(mail, account).endswith(b"\n\nworld\n")


def test_where_tls_was_stripped_a_careless_client_tells_its_password(mail: MailServers) -> None:
    with smtplib.SMTP("localhost", mail.stripped, timeout=10) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        client.login(*mail.alice)


def test_tokens(mail: MailServers, account: Account) -> None:
    user = account.user
    with smtplib.SMTP_SSL("localhost", mail.smtps, context=mail.ssl_context(), timeout=10) as client:
        client.ehlo()
        client.auth("XOAUTH2", lambda _=None: xoauth2(user, mail.token(user)))
        client.sendmail(user, user, RAW)
    arrived(mail, account)
    with imap(mail) as reader:
        reader.authenticate("XOAUTH2", lambda _: xoauth2(user, mail.token(user)).encode())
        assert reader.select() == ("OK", [b"1"])


def test_a_token_that_has_expired(mail: MailServers) -> None:
    late = xoauth2(mail.alice.user, mail.token(mail.alice.user, expires=-1))
    with smtplib.SMTP_SSL("localhost", mail.smtps, context=mail.ssl_context(), timeout=10) as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            client.auth("XOAUTH2", lambda told=None: "" if told else late)
    with imap(mail) as reader, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        reader.authenticate("XOAUTH2", lambda told: b"" if told else late.encode())


def test_some_recipients_are_refused(mail: MailServers, account: Account) -> None:
    with submission(mail) as client:
        refused = client.sendmail(
            mail.alice.user, [account.user, "refused@example.test", "later@example.test", "nobody@example.test"], RAW
        )
    codes = {name.partition("@")[0]: (code, text.split()[0]) for name, (code, text) in refused.items()}
    assert codes == {"refused": (554, b"5.7.1"), "later": (450, b"4.7.1"), "nobody": (550, b"5.1.1")}
    arrived(mail, account)


def test_too_large_is_told_before_it_is_sent(mail: MailServers) -> None:
    with submission(mail) as client:
        code, text = client.mail(mail.alice.user, ["SIZE=20000000"])
    assert (code, text.split()[0]) == (552, b"5.3.4")


def test_letters_of_all_scripts(mail: MailServers) -> None:
    before = {user: len(mail.mailbox(user)) for user in ("ünï@utf8.test", mail.anna.user)}
    with submission(mail) as client:
        client.sendmail("änna@utf8.test", "ünï@utf8.test", RAW, ["SMTPUTF8", "BODY=8BITMIME"])
        client.sendmail(mail.alice.user, mail.anna.user, RAW)
    for user, number in before.items():
        eventually(lambda user=user, number=number: len(mail.mailbox(user)) > number)  # type: ignore[misc]


def test_plus_addresses(mail: MailServers, account: Account) -> None:
    name, _, domain = account.user.partition("@")
    submit(mail, mail.alice.user, f"{name}+some.tag=of-ours@{domain}")
    assert f"Delivered-To: {name}+some.tag=of-ours@{domain}".encode() in arrived(mail, account)


# --- reports ----------------------------------------------------------------------------------------------------------


def test_a_report_of_success(mail: MailServers, account: Account) -> None:
    with submission(mail) as client:
        client.sendmail(
            account.user,
            mail.bob.user,
            RAW,
            ["RET=HDRS", "ENVID=our.envelope"],
            ["NOTIFY=SUCCESS,DELAY,FAILURE", f"ORCPT=rfc822;{mail.bob.user}"],
        )
    report = arrived(mail, account)
    assert b"Original-Envelope-Id: our.envelope" in report
    assert f"Original-Recipient: rfc822;{mail.bob.user}".encode() in report
    assert b"Action: relayed" in report


def test_a_report_of_failure_comes_at_once(mail: MailServers, account: Account) -> None:
    submit(mail, account.user, "someone@bounce.test")
    report = arrived(mail, account)
    assert b"Action: failed" in report
    assert b"Status: 5.3.0" in report


def test_a_report_of_delay(mail: MailServers, account: Account) -> None:
    submit(mail, account.user, "someone@defer.test", notify="DELAY")
    assert b"Action: delayed" in arrived(mail, account)
    assert "someone@defer.test" in str(mail.queue())


# --- where mail goes --------------------------------------------------------------------------------------------------


def test_mail_for_the_application_waits_until_it_listens(mail: MailServers, account: Account) -> None:
    to = account.user.replace("@example", "@app")
    submit(mail, mail.alice.user, to)
    eventually(lambda: to in str(mail.queue()))
    with SmtpSink(["-L", "-8"], port=mail.app_lmtp):
        mail.flush()
        eventually(lambda: to not in str(mail.queue()))
    assert f"to=<{to}>" in mail.logs()


def test_what_leaves_can_be_looked_at(mail: MailServers, account: Account) -> None:
    submit(mail, account.user, "someone@elsewhere.test")
    (raw,) = eventually(lambda: [raw for raw in mail.outside() if account.user.encode() in raw])
    assert b"X-Rcpt-Args: <someone@elsewhere.test>" in raw
    assert b"hello" in raw


# --- reading ----------------------------------------------------------------------------------------------------------


def test_imap_can_what_large_servers_can(mail: MailServers, account: Account) -> None:
    with imaplib.IMAP4("localhost", mail.imap, timeout=10) as client:
        assert {"AUTH=XOAUTH2", "AUTH=OAUTHBEARER", "STARTTLS"} <= set(client.capabilities)
        client.starttls(mail.ssl_context())
        client.login(*account)
        told = client.capability()[1][-1].split()
        assert {b"IDLE", b"UIDPLUS", b"MOVE", b"CONDSTORE", b"QRESYNC", b"SPECIAL-USE", b"ESEARCH"} <= set(told)
        assert rb"\Sent" in b" ".join(client.list()[1])  # type: ignore[arg-type]


def test_idle_hears_of_new_mail(mail: MailServers, account: Account) -> None:
    with imap(mail, account) as client:
        client.select()
        client.send(b"a1 IDLE\r\n")
        assert client.readline().startswith(b"+ ")
        mail.deliver(RAW, account.user)
        assert client.readline() == b"* 1 EXISTS\r\n"
        assert mail.connections(account.user) == 1
        mail.disconnect(account.user)
        assert mail.connections(account.user) == 0


@pytest.mark.parametrize("folder", ["INBOX", "More"])
def test_a_folder_gets_another_uidvalidity(mail: MailServers, account: Account, folder: str) -> None:
    first = mail.uid_validity(account.user, folder)
    with imap(mail, account) as client:
        for _ in range(3):
            client.append(folder, "", "", RAW)
    mail.renumber_folder(account.user, folder)
    second = mail.uid_validity(account.user, folder)
    assert second > first
    assert len(mail.mailbox(account.user, folder)) == 3
    mail.recreate_folder(account.user, folder)
    assert mail.uid_validity(account.user, folder) > second
    with imap(mail, account) as client:
        client.append(folder, "", "", RAW)
        client.select(folder)
        assert client.uid("SEARCH", "ALL") == ("OK", [b"1"])


# --- a network that is slow, or fails ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    if why := programs.not_installed():
        lacking(why)
    with SmtpSink(["-8"]) as server:
        yield server


def say(port: int) -> str:
    """What an SMTP client comes to know of one message: how it ended."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=0.2) as client:
            client.sendmail("a@example.test", ["b@example.test"], RAW)
    except smtplib.SMTPServerDisconnected as exc:
        return str(exc).rpartition(":")[2].strip() or "closed"
    return ""


PLACES = ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."]
VERBS = ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("at", PLACES)
def test_a_line_is_cut_before_or_after_the_server_has_heard(sink: SmtpSink, at: str, told: bool) -> None:
    heard = VERBS[: PLACES.index(at) - 1 + told] if at != "GREETING" else []
    with CutProxy(sink.port, at=at, told=told, times=1) as proxy:
        assert say(proxy.port) == "Connection unexpectedly closed"
        assert proxy.verbs == heard
        assert say(proxy.port) == ""
        assert (proxy.connections, proxy.cuts) == (2, 1)


@pytest.mark.parametrize(
    ("how", "seen"), [("close", "closed"), ("reset", "Connection reset by peer"), ("silence", "timed out")]
)
def test_how_a_line_ends(sink: SmtpSink, how: str, seen: str) -> None:
    with CutProxy(sink.port, at="DATA", how=how) as proxy:  # type: ignore[arg-type]
        assert say(proxy.port).endswith(seen)


def test_a_line_is_cut_after_so_many_bytes(sink: SmtpSink) -> None:
    with CutProxy(sink.port, after=50) as proxy:
        assert say(proxy.port)
        assert proxy.cuts == 1
    with CutProxy(sink.port, after_answer=30) as proxy:
        assert say(proxy.port)


def test_a_word_is_hidden(mail: MailServers) -> None:
    with CutProxy(mail.submission, hidden="STARTTLS") as proxy, smtplib.SMTP("127.0.0.1", proxy.port) as client:
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.has_extn("pipelining")
        proxy.cut()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()


def test_through_tls_all_passes(mail: MailServers) -> None:
    with CutProxy(mail.submission, at="MAIL") as proxy, smtplib.SMTP("localhost", proxy.port) as client:
        client.starttls(context=mail.ssl_context())
        client.login(*mail.alice)
        assert client.mail(mail.alice.user)[0] == 250
        assert proxy.verbs == ["EHLO", "STARTTLS"]


def test_a_server_far_away_answers_later_and_takes_as_much(sink: SmtpSink) -> None:
    with DelayProxy(sink.port, 0.05) as far:
        began = time.monotonic()
        with smtplib.SMTP("127.0.0.1", far.port, timeout=10) as client:
            assert time.monotonic() - began >= 0.1  # the handshake, and the greeting
            client.ehlo()
            began = time.monotonic()
            client.noop()
            assert time.monotonic() - began >= 0.05
            began = time.monotonic()
            client.sendmail("a@example.test", "b@example.test", (b"x" * 70 + b"\r\n") * 400_000)
            assert 0.2 <= time.monotonic() - began < 6  # piece by piece it would be ten seconds
