"""A server that means harm, or makes no sense: bounded, one error, and nothing is left behind."""

import gc
import ssl
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import SocketStream
from anyio.streams.tls import TLSStream
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convergekit.adapters.email.config import ImapConfig
from convergekit.errors import ConfigurationError, ConvergeError, NotSentError
from convergekit.testing import FakeContext
from convergekit.testing.adapter import LoopbackServer

from .kit import Far, left_behind, letter, listening, reading, until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def speaking(talk: Callable[[SocketStream], object]) -> AsyncGenerator[ImapConfig]:
    """Settings of a server that *talk* plays."""
    server = LoopbackServer(talk)  # type: ignore[arg-type]
    async with server.serving():
        yield ImapConfig(
            host="127.0.0.1", port=server.port, security="none", username="ann", password="secret-word", timeout=5
        )


async def fails(config: ImapConfig, error: type[Exception] = NotSentError) -> str:
    with anyio.fail_after(10), pytest.raises(error) as caught:
        await reading(config, FakeContext()).listen()
    assert "secret-word" not in repr(caught.value)
    return str(caught.value)


# --- too much -------------------------------------------------------------------------------------------------------

BOMBS = {
    "a literal of a terabyte": b"* 1 FETCH (UID 1 BODY[] {1099511627776}\r\n",
    "a literal where nobody asked": b"* LIST {1099511627776}\r\n",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
async def test_what_is_announced_is_not_made_room_for(bomb: bytes) -> None:
    async with Far(letter("one"), says={"UID FETCH": bomb}).serving() as far:
        tracemalloc.start()
        await fails(far.config())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("piece", [b"x", b"* OK again and again\r\n", b"* 1 EXISTS\r\n", b"* 1 FETCH (FLAGS ())\r\n"])
async def test_an_answer_that_never_ends_is_ended(piece: bytes) -> None:
    async def talk(stream: SocketStream) -> None:
        await stream.send(b"* OK hello\r\n* CAPABILITY IMAP4rev1\r\n")
        while True:
            await stream.send(piece * (65_536 // len(piece)))

    async with speaking(talk) as config:
        assert "more than was asked for" in await fails(config)


async def test_whoever_idles_is_not_talked_to_death() -> None:
    async with Far().serving() as far:
        with pytest.raises(ExceptionGroup):  # noqa: PT012
            async with listening(reading(far.config(), FakeContext())):
                await until(far.idles)
                with anyio.fail_after(10):
                    while True:
                        await far.tell(b"* 1 FETCH (FLAGS (" + b"x" * 6_000_000)


# --- nonsense -------------------------------------------------------------------------------------------------------

NONSENSE = [
    b"",
    b"\r\n",
    b"\x00\xff\xfe\r\n",
    b"* \r\n",
    b"*\r\n",
    b"+\r\n",
    b"+ \xff\r\n",
    b"a1 OK x\r\n",
    b"TAG \r\n",
    b"TAG WHAT x\r\n",
    b"TAG BAD x\r\n",
    b"TAG NO\r\n",
    b"* BYE\r\n",
    b"* PREAUTH\r\n",
    b"* SEARCH x y 99999999999999999999 -1 \xd9\xa3\r\n",
    b"* SEARCH {3}\r\nabc\r\n",
    b"* 1 FETCH (UID 1 RFC822.SIZE 99999999999999999999)\r\n",
    b"* 1 FETCH (UID 1 RFC822.SIZE 10 BODY[] {3}\r\nabc UID 99 BODY[] {2}\r\nde)\r\n",
    b"* 1 FETCH (\r\n",
    b"* 1 FETCH (UID 1 BODY[] {" + b"9" * 5000 + b"}\r\n",
    b"* 1 FETCH (UID 1 BODY[] {3}\r\nab",
    b"* OK [UIDVALIDITY x] y\r\n* x EXISTS\r\n",
    b"* OK [UIDVALIDITY]\r\n",
    b"* CAPABILITY\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
]
PLACES = ["GREETING", "CAPABILITY", "AUTHENTICATE", "SELECT", "UID SEARCH", "UID FETCH", "UID STORE", "IDLE", "NOOP"]


@settings(max_examples=60)
@given(st.sampled_from(PLACES), st.lists(st.sampled_from(NONSENSE) | st.binary(max_size=40), max_size=3))
@example("SELECT", [b"TAG OK x\r\n"])
@example("CAPABILITY", [b"* CAPABILITY\r\n"])
def test_nonsense_at_any_place_is_an_error_of_ours(place: str, said: list[bytes]) -> None:
    """Or it makes enough sense to go on with; but the engine never meets an error that it does not know."""

    async def run() -> None:
        async with Far(letter("one"), says={place: b"".join(said)}).serving() as far:
            with anyio.move_on_after(0.08), suppress(ConvergeError):
                await reading(far.config(timeout=0.05), FakeContext()).listen()

    anyio.run(run)


@pytest.mark.parametrize("place", PLACES[1:7])
async def test_a_server_that_falls_silent_is_given_up(place: str) -> None:
    async with Far(letter("one"), says={place: b"* OK TAG "}).serving() as far:
        assert "0.3 s" in await fails(far.config(timeout=0.3))


async def test_a_server_that_says_nothing_at_all_is_given_up() -> None:
    async with speaking(lambda stream: anyio.sleep_forever()) as config:
        assert "0.3 s" in await fails(config.model_copy(update={"timeout": 0.3}))


async def test_a_server_that_trickles_is_given_up() -> None:
    """Each byte comes in time, and the answer never does."""

    async def talk(stream: SocketStream) -> None:
        while True:
            await stream.send(b"x")
            await anyio.sleep(0.02)

    async with speaking(talk) as config:
        assert "0.3 s" in await fails(config.model_copy(update={"timeout": 0.3}))


async def test_nobody_there_is_not_sent() -> None:
    async with speaking(lambda stream: anyio.sleep_forever()) as config:
        pass
    assert "no connection to 127.0.0.1" in await fails(config)


async def test_a_host_that_is_none_is_not_sent() -> None:
    config = ImapConfig(host="nobody.invalid", username="ann", password="secret-word", timeout=5)
    assert "nobody.invalid" in await fails(config)


# --- TLS ------------------------------------------------------------------------------------------------------------


async def test_without_starttls_nothing_is_said() -> None:
    async with Far().serving() as far:
        assert "offers no STARTTLS" in await fails(far.config(security="starttls"), ConfigurationError)
        assert {each.split()[0] for each in far.heard} == {b"CAPABILITY"}


async def test_whoever_is_logged_in_before_tls_is_talked_to_by_somebody_else() -> None:
    """RFC 9051 §11.1: PREAUTH keeps a client from beginning TLS."""
    says = {"GREETING": b"* PREAUTH welcome\r\n"}
    async with Far(letter("one"), says=says, offers="IMAP4rev1 STARTTLS").serving() as far:
        await fails(far.config(security="starttls"), ConfigurationError)
        assert not far.commands("SELECT")


async def test_what_is_said_before_tls_is_not_believed_after_it() -> None:
    """The whole answer to the next command could be put in by whoever stands between."""
    says = {"STARTTLS": b"TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"}
    async with Far(says=says, offers="IMAP4rev1 STARTTLS").serving() as far:
        assert "before TLS" in await fails(far.config(security="starttls"))
        assert not far.commands("AUTHENTICATE")


async def test_a_refused_starttls_is_no_reason_to_go_on_without() -> None:
    says = {"STARTTLS": b"TAG NO not today\r\n"}
    async with Far(says=says, offers="IMAP4rev1 STARTTLS").serving() as far:
        await fails(far.config(security="starttls"))
        assert not far.commands("AUTHENTICATE")


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
async def test_a_certificate_is_looked_at(name: str) -> None:
    """It is for another, or from whom we do not trust."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(name).configure_cert(context)

    async def talk(stream: SocketStream) -> None:
        with suppress(ssl.SSLError, anyio.BrokenResourceError):
            await TLSStream.wrap(stream, server_side=True, ssl_context=context)

    async with speaking(talk) as config:
        said = await fails(config.model_copy(update={"security": "tls"}), ConfigurationError)
    assert "imap.ca" in said


async def test_a_ca_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with Far().serving() as far:
        said = await fails(far.config(security="tls", ca=tmp_path / "none.pem"), ConfigurationError)
    assert "imap.ca" in said


# --- leaving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["GREETING", *PLACES[1:7]])
async def test_whoever_is_cancelled_leaves_at_once(place: str) -> None:
    """Also in the middle of a command that is never answered; and no thread or socket stays."""
    silent = {place: b"* OK TAG "} if place != "GREETING" else {place: b"*"}
    async with Far(letter("one"), says=silent).serving() as far:
        begun = 0.0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading(far.config(timeout=60), FakeContext()).listen)
            await until(left_behind)
            if place != "GREETING":
                await until(lambda: far.commands(place))
            begun = anyio.current_time()
            tasks.cancel_scope.cancel()
        assert anyio.current_time() - begun < 1
    assert not left_behind()
    gc.collect()  # a socket that is open would warn


async def test_so_does_whoever_idles() -> None:
    async with Far().serving() as far:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading(far.config(), FakeContext()).listen)
            await until(far.idles)
            assert not left_behind(), "to wait takes no thread"
            tasks.cancel_scope.cancel()
        await until(lambda: not far.idles())
    gc.collect()


async def test_whoever_is_cancelled_before_tls_has_begun_leaves_at_once() -> None:
    async with speaking(lambda stream: anyio.sleep_forever()) as config:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading(config.model_copy(update={"security": "tls"}), FakeContext()).listen)
            await until(left_behind)
            begun = anyio.current_time()
            tasks.cancel_scope.cancel()
        assert anyio.current_time() - begun < 1
    assert not left_behind()
    gc.collect()


async def test_a_provider_of_tokens_that_fails_is_told_by_its_kind() -> None:
    """A host's own says whatever it likes, and may say the token."""

    async def tokens(*, fresh: bool = False) -> str:
        raise RuntimeError("secret-word")

    async with Far().serving() as far:
        with pytest.raises(NotSentError) as caught:
            await reading(far.config(password=None), FakeContext(), tokens).listen()
    assert str(caught.value).endswith("there is no access token to log in with: RuntimeError")
