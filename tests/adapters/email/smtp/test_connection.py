"""Nothing is said in the clear that should not be, and nobody is believed who cannot prove who they are."""

import inspect
import logging
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosmtplib
import anyio
import pytest
import trustme
from anyio.abc import SocketStream
from anyio.streams.tls import TLSStream

from convergekit.adapters.email.config import SmtpConfig
from convergekit.adapters.email.smtp import Pool, connection
from convergekit.adapters.email.smtp.connection import error_of
from convergekit.adapters.email.smtp.replies import Step
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    ConfigurationError,
    ConvergeError,
    DeliveryError,
    NotSentError,
    StoreError,
)

from .kit import ALL, Do, FakeServer, Tries, config, pool_on

pytestmark = pytest.mark.anyio

LOGIN = {"username": "ann", "password": "secret-password"}
AUTHORITY = trustme.CA()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def server_context(*names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    return context


class TlsServer(FakeServer):
    """The same behind TLS, from the start or after STARTTLS, with *injected* behind the answer to that."""

    def __init__(self, context: ssl.SSLContext, *, starttls: bool, injected: bytes = b"", **more: Any) -> None:
        super().__init__(**more)
        self._context, self._starttls, self._injected = context, starttls, injected
        self._talk_openly = self._server._talk
        self._server._talk = self._talk_in_tls  # type: ignore[method-assign]
        self.in_the_clear: list[bytes] = []

    async def _talk_in_tls(self, stream: SocketStream) -> None:
        if self._starttls:
            await stream.send(b"220 far.example ESMTP\r\n")
            self.in_the_clear.append(await stream.receive())
            await stream.send(b"250-far.example\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
            self.in_the_clear.append(await stream.receive())
            await stream.send(b"220 2.0.0 Ready\r\n" + self._injected)
        try:
            tls = await TLSStream.wrap(stream, server_side=True, ssl_context=self._context, standard_compatible=False)
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
            return
        if self._starttls:
            self.next("GREETING", b"")
        await self._talk_openly(tls)  # type: ignore[arg-type]


@asynccontextmanager
async def tls_pool(server: FakeServer, ca: Path | None, **settings: Any) -> AsyncGenerator[Pool]:
    security = "starttls" if server._starttls else "tls"  # type: ignore[attr-defined]
    async with pool_on(server.port, security=security, ca=ca, **settings) as pool:
        yield pool


@pytest.mark.parametrize("starttls", [True, False])
async def test_mail_goes_out_encrypted(starttls: bool, ca: Path) -> None:
    server = TlsServer(server_context(), starttls=starttls, offers=(*ALL, "AUTH PLAIN"))
    async with server.serving(), tls_pool(server, ca, **LOGIN) as pool:
        await Tries(pool).send()
        await Tries(pool).send()
        health = await pool.probe()
    assert len(server.mails) == 2
    assert "AUTH" in server.verbs
    assert [each.split()[0] for each in server.in_the_clear] == ([b"EHLO", b"STARTTLS"] * 2 if starttls else [])
    assert health.ok
    assert "TLSv1" in health.detail


@pytest.mark.parametrize("starttls", [True, False])
async def test_a_large_mail_goes_out_encrypted(starttls: bool, ca: Path) -> None:
    server = TlsServer(server_context(), starttls=starttls, offers=("PIPELINING",))
    content = (b"x" * 998 + b"\r\n") * 2000
    async with server.serving(), tls_pool(server, ca) as pool:
        await Tries(pool).send(content=content)
    assert server.mails == [content]


@pytest.mark.parametrize("starttls", [True, False])
@pytest.mark.parametrize("what", ["authority", "name"])
async def test_a_certificate_that_proves_nothing_is_not_believed(starttls: bool, what: str, ca: Path) -> None:
    server = TlsServer(server_context("other.example" if what == "name" else "127.0.0.1"), starttls=starttls)
    async with server.serving(), tls_pool(server, ca if what == "name" else None, **LOGIN) as pool:
        with pytest.raises(AccountError, match="certificate is not trusted"):
            await Tries(pool).send()
        assert not (await pool.probe()).ok
    assert server.heard == []


async def test_without_starttls_nothing_is_said() -> None:
    """Never a fall-back to the clear: not even the user's name is said."""
    async with (
        FakeServer(offers=(*ALL, "AUTH PLAIN LOGIN")).serving() as server,
        pool_on(server.port, security="starttls", **LOGIN) as pool,
    ):
        with pytest.raises(AccountError, match="STARTTLS"):
            await Tries(pool).send()
    assert server.verbs == ["EHLO"]


@pytest.mark.parametrize(("answer", "error"), [("454 4.7.0 Not now", NotSentError), ("502 No", AccountError)])
async def test_where_starttls_is_refused_nothing_more_is_said(answer: str, error: type[DeliveryError]) -> None:
    async with (
        FakeServer({"STARTTLS": [answer]}, offers=("STARTTLS", "AUTH PLAIN")).serving() as server,
        pool_on(server.port, security="starttls", **LOGIN) as pool,
    ):
        with pytest.raises(DeliveryError) as caught:
            await Tries(pool).send()
    assert type(caught.value) is error
    assert server.verbs == ["EHLO", "STARTTLS"]


async def test_what_was_put_in_ahead_of_tls_is_not_believed(ca: Path) -> None:
    """CVE-2011-0411, turned round: the server's answer to EHLO comes from within TLS, or not at all."""
    injected = b"250-evil.example\r\n250-AUTH LOGIN\r\n250 SIZE 1\r\n"
    server = TlsServer(server_context(), starttls=True, injected=injected, offers=("AUTH PLAIN",))
    async with server.serving(), tls_pool(server, ca, **LOGIN) as pool:
        await Tries(pool).send()
    assert [each for each in server.heard if each.startswith("AUTH")] == ["AUTH PLAIN AGFubgBzZWNyZXQtcGFzc3dvcmQ="]


async def test_a_port_without_tls_is_told_from_one_that_is_down() -> None:
    async with FakeServer().serving() as server, pool_on(server.port, security="tls") as pool:
        with pytest.raises(AccountError, match=r"smtp\.security"):
            await Tries(pool).send()


@pytest.mark.parametrize(
    ("offered", "auth", "heard"),
    [
        ("PLAIN LOGIN", "auto", ["AUTH PLAIN AGFubgBzZWNyZXQtcGFzc3dvcmQ="]),
        ("LOGIN", "auto", ["AUTH LOGIN", "YW5u", "c2VjcmV0LXBhc3N3b3Jk"]),
        ("PLAIN LOGIN", "login", ["AUTH LOGIN", "YW5u", "c2VjcmV0LXBhc3N3b3Jk"]),
        ("login plain", "plain", ["AUTH PLAIN AGFubgBzZWNyZXQtcGFzc3dvcmQ="]),
    ],
)
async def test_how_to_log_in_is_chosen(offered: str, auth: str, heard: list[str]) -> None:
    answers = {"AUTH": ["334 VXNlcm5hbWU6"], "YW5u": ["334 UGFzc3dvcmQ6"]} if len(heard) > 1 else {"AUTH": ["235 Ok"]}
    # The fake's answers are found by verb in capitals.
    answers = {verb.upper(): each for verb, each in answers.items()} | {"C2VJCMV0LXBHC3N3B3JK": ["235 2.7.0 Ok"]}
    async with (
        FakeServer(answers, offers=(f"AUTH {offered}",)).serving() as server,
        pool_on(server.port, auth=auth, **LOGIN) as pool,
    ):
        await Tries(pool).send()
    assert server.heard[1 : 1 + len(heard)] == heard


@pytest.mark.parametrize("offers", [(), ("AUTH CRAM-MD5 \x1b[31m",), ("AUTH LOGIN",)])
async def test_where_there_is_no_way_to_log_in_that_is_wanted_nothing_is_said(offers: tuple[str, ...]) -> None:
    async with FakeServer(offers=offers).serving() as server, pool_on(server.port, auth="plain", **LOGIN) as pool:
        with pytest.raises(AccountError, match=r"smtp\.auth") as caught:
            await Tries(pool).send()
        with anyio.fail_after(10):
            await server.is_left()
    assert server.verbs == ["EHLO"]
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("535 5.7.8 Wrong", AuthenticationError),
        ("534 5.7.9 Application-specific password required", AuthenticationError),
        ("454 4.7.0 Not now", NotSentError),
        ("334 ", NotSentError),
        (Do.CLOSE, NotSentError),
    ],
)
async def test_a_login_that_fails_is_not_tried_again_and_shows_no_secret(
    answer: Any, error: type[DeliveryError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        FakeServer({"AUTH": [answer]}, offers=("AUTH PLAIN LOGIN",)).serving() as server,
        pool_on(server.port, **LOGIN) as pool,
    ):
        with pytest.raises(DeliveryError) as caught:
            await Tries(pool).send()
    assert type(caught.value) is error
    assert server.verbs.count("AUTH") == 1
    for secret in ("secret-password", "AGFubgBzZWNyZXQtcGFzc3dvcmQ="):
        assert secret not in f"{caught.value}{caught.value.__cause__}{caplog.text}"


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_a_server_that_repeats_what_it_was_told_shows_no_secret(auth: str) -> None:
    """Some do, of a command that they do not understand."""
    encoded = {"plain": "AGFubgBzZWNyZXQtcGFzc3dvcmQ=", "login": "c2VjcmV0LXBhc3N3b3Jk"}[auth]
    answer = f'535 5.7.8 Not understood: "{encoded}", which is secret-password'
    answers = {"AUTH": [answer]} if auth == "plain" else {"AUTH": ["334 "], "YW5U": ["334 "], encoded.upper(): [answer]}
    async with (
        FakeServer(answers, offers=("AUTH PLAIN LOGIN",)).serving() as server,
        pool_on(server.port, **LOGIN, auth=auth) as pool,
    ):
        with pytest.raises(AuthenticationError, match="Not understood") as caught:
            await Tries(pool).send()
    assert encoded not in str(caught.value)
    assert "secret-password" not in str(caught.value)


async def test_a_password_is_not_shown_to_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_is_here", lambda peername: False)
    async with FakeServer(offers=("AUTH PLAIN",)).serving() as server, pool_on(server.port, **LOGIN) as pool:
        with pytest.raises(AccountError, match=r'smtp\.security = "none"'):
            await Tries(pool).send()
        assert server.verbs == ["EHLO"]
    assert connection._is_here(("127.0.0.1", 25)) is False


def test_here_is_this_machine() -> None:
    assert connection._is_here(("127.0.0.1", 25))
    assert connection._is_here(("::1", 25, 0, 0))
    assert not connection._is_here(("192.0.2.1", 25))
    assert not connection._is_here(("fe80::1%eth0", 25, 0, 0))


class Tokens:
    """Gives *tokens*, each until a fresh one is asked for."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.fresh = 0

    async def __call__(self, *, fresh: bool = False) -> str:
        await anyio.lowlevel.checkpoint()
        if fresh:
            self.fresh += 1
            self._tokens.pop(0)
        return self._tokens[0]


REFUSED = "334 eyJzdGF0dXMiOiI0MDEifQ=="


def xoauth2(*answers: str) -> FakeServer:
    """It says in words of its own what is wrong with a token, and then that it is refused."""
    return FakeServer({"AUTH": answers, "": ["535 5.7.8 Bad token"] * 5}, offers=("AUTH XOAUTH2 PLAIN",))


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    tokens = Tokens("old", "new")
    async with (
        xoauth2(REFUSED, "235 Ok").serving() as server,
        pool_on(server.port, username="ann", tokens=tokens) as pool,
    ):
        await Tries(pool).send()
    assert tokens.fresh == 1
    logins = [each for each in server.heard if each.startswith("AUTH")]
    assert logins == [
        "AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgb2xkAQE=",
        "AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgbmV3AQE=",
    ]


async def test_a_second_token_that_is_refused_is_the_end() -> None:
    tokens = Tokens("old", "new", "newer")
    async with (
        xoauth2(REFUSED, REFUSED).serving() as server,
        pool_on(server.port, username="ann", tokens=tokens) as pool,
    ):
        with pytest.raises(AuthenticationError):
            await Tries(pool).send()
    assert tokens.fresh == 1
    assert server.connections == 2


async def test_a_token_that_another_connection_has_replaced_is_not_replaced_again() -> None:
    tokens = Tokens("old", "new")

    class Server(FakeServer):
        async def _answer(self, stream: SocketStream, verb: str) -> bytes | None:
            if verb == "AUTH" and self.heard[-1].endswith("b2xkAQE="):
                tokens._tokens[0] = "new"  # meanwhile
                self.next("AUTH", "535 5.7.8 Bad token")
            return await super()._answer(stream, verb)

    server = Server(offers=("AUTH XOAUTH2",))
    async with server.serving(), pool_on(server.port, username="ann", tokens=tokens) as pool:
        await Tries(pool).send()
    assert tokens.fresh == 0
    assert server.connections == 2


@pytest.mark.parametrize("answer", ["454 4.7.0 Not now", "504 5.5.4 What?"])
async def test_what_says_nothing_of_the_token_asks_for_no_other(answer: str) -> None:
    tokens = Tokens("old", "new")
    async with xoauth2(answer).serving() as server, pool_on(server.port, username="ann", tokens=tokens) as pool:
        with pytest.raises(DeliveryError):
            await Tries(pool).send()
    assert tokens.fresh == 0


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (RuntimeError("token-in-the-text"), NotSentError),
        (AuthenticationError("revoked"), AuthenticationError),
        (StoreError("the ledger is away"), StoreError),
    ],
)
async def test_a_provider_that_fails_is_told_by_its_kind(raised: Exception, error: type[ConvergeError]) -> None:
    async def tokens(*, fresh: bool = False) -> str:
        raise raised

    async with xoauth2().serving() as server, pool_on(server.port, username="ann", tokens=tokens) as pool:
        with pytest.raises(error) as caught:
            await Tries(pool).send()
    assert "token-in-the-text" not in str(caught.value)
    assert server.connections == 0


async def test_a_host_may_log_in_by_password_though_there_are_tokens() -> None:
    async with (
        FakeServer({"AUTH": ["235 Ok"]}, offers=("AUTH PLAIN XOAUTH2",)).serving() as server,
        pool_on(server.port, auth="plain", tokens=Tokens("t"), **LOGIN) as pool,
    ):
        await Tries(pool).send()
    assert "AUTH PLAIN AGFubgBzZWNyZXQtcGFzc3dvcmQ=" in server.heard


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"username": "ann"}, None),
        ({"username": "ann", "auth": "plain"}, Tokens("t")),
        ({"username": "ann", "auth": "xoauth2", "password": "p"}, None),
        ({"security": "tls", "ca": Path("/nowhere/ca.pem")}, None),
        ({"security": "tls", "ca": Path(__file__)}, None),
    ],
)
async def test_settings_that_cannot_work_are_found_on_entering(settings: dict[str, Any], tokens: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"smtp\."):
        async with pool_on(1, tokens=tokens, **settings):
            pass


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("421 4.3.2 Not now", NotSentError),
        ("554 No SMTP service here", AccountError),
        ("521 No mail here", AccountError),
        (b"<html>\r\n", NotSentError),
        (Do.CLOSE, NotSentError),
        (Do.RESET, NotSentError),
        (Do.HANG, NotSentError),
        (b"220-" + b"x" * 100_000, NotSentError),
    ],
)
@pytest.mark.parametrize("verb", ["GREETING", "EHLO"])
async def test_a_server_that_does_not_let_us_in_has_taken_nothing(
    verb: str, answer: Any, error: type[DeliveryError]
) -> None:
    async with FakeServer({verb: [answer]}).serving() as server, pool_on(server.port, timeout=0.5) as pool:
        tries = Tries(pool)
        with pytest.raises(DeliveryError) as caught:
            await tries.send()
        assert type(caught.value) is error
        assert tries.started == 0
        await tries.send()
    assert len(server.mails) == 1


async def test_a_server_that_is_not_there_has_taken_nothing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with pool_on(closed.getsockname()[1]) as pool:
            with pytest.raises(NotSentError):
                await Tries(pool).send()
            assert not (await pool.probe()).ok


@pytest.mark.parametrize(("host", "error"), [("nowhere.invalid", NotSentError), ("a" * 70 + ".test", AccountError)])
async def test_a_name_that_leads_nowhere_has_taken_nothing(host: str, error: type[DeliveryError]) -> None:
    async with pool_on(25, host=host) as pool:
        with pytest.raises(error):
            await Tries(pool).send()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mail.example.org", "mail.example.org"),
        ("laptop", "[127.0.0.1]"),
        ("böse.example", "[127.0.0.1]"),
        ("a.b\r\nQUIT", "[127.0.0.1]"),
        ("a..b", "[127.0.0.1]"),
    ],
)
async def test_we_call_ourselves_by_a_name_that_can_be_one(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        await Tries(pool).send()
    assert server.heard[0] == f"EHLO {said}"
    assert connection._own_name(("fe80::1%eth0", 1, 0, 2)) in (said, "[IPv6:fe80::1]")


async def test_we_call_ourselves_as_the_settings_say() -> None:
    async with FakeServer().serving() as server, pool_on(server.port, local_hostname="us.example") as pool:
        await Tries(pool).send()
    assert server.heard[0] == "EHLO us.example"


@pytest.mark.parametrize("name", ["us example", "us\r\nQUIT", "üs.example", ""])
def test_a_name_that_cannot_be_said_is_refused_with_the_settings(name: str) -> None:
    with pytest.raises(ValueError, match="local_hostname"):
        config(1, local_hostname=name)


# aiosmtplib

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "SMTPResponseException": (451, "4.3.0 later"),
    "SMTPConnectResponseError": (451, "4.3.0 later"),
    "SMTPHeloError": (451, "4.3.0 later"),
    "SMTPDataError": (451, "4.3.0 later"),
    "SMTPAuthenticationError": (451, "4.3.0 later"),
    "SMTPSenderRefused": (451, "4.3.0 later", "a@b"),
    "SMTPRecipientRefused": (451, "4.3.0 later", "a@b"),
    "SMTPRecipientsRefused": ([],),
}
EXCEPTIONS = [each for _, each in inspect.getmembers(aiosmtplib.errors, inspect.isclass) if issubclass(each, Exception)]


@pytest.mark.parametrize("step", [Step.GREETING, Step.EHLO, Step.STARTTLS, Step.AUTH])
@pytest.mark.parametrize("raised", EXCEPTIONS)
def test_whatever_aiosmtplib_raises_means_that_nothing_was_taken(raised: type[Exception], step: Step) -> None:
    exc = raised(*ARGUMENTS.get(raised.__name__, ("text",)))
    found = error_of(exc, step)
    assert type(found) is NotSentError
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        assert found.code == "451 4.3.0"
        refused = error_of(raised(550, *exc.args[1:]), step)
        assert type(refused) is (AuthenticationError if step is Step.AUTH else AccountError)


def test_all_that_aiosmtplib_raises_is_looked_at() -> None:
    assert {each.__name__ for each in EXCEPTIONS} >= set(aiosmtplib.errors.__all__)
    assert all(issubclass(each, aiosmtplib.SMTPException | OSError) for each in EXCEPTIONS)


@pytest.mark.parametrize(
    "exc", [OSError("x"), ssl.SSLError("x"), ssl.SSLError(1, "x"), ValueError("x"), TimeoutError()]
)
def test_what_leaks_from_below_is_no_refusal_of_the_mail(exc: Exception) -> None:
    assert type(error_of(exc, Step.AUTH)) in (NotSentError, AccountError)


def test_encryption_is_the_default() -> None:
    assert SmtpConfig(host="mail.example.org").security == "starttls"
