"""Login, loss, and coming back; names and passwords."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from convergekit_irc import IrcAdapter
from kit import Ear, entered, listening, settings, settled
from ngircd import Ngircd
from people import person
from proxy import Proxy, proxy

from convergekit import Hub, MemoryStore, MessageReceived, Status
from convergekit.errors import AccountError, AuthenticationError, NotSentError
from convergekit.model import GapDetected
from convergekit.testing import FakeContext, outgoing

pytestmark = pytest.mark.anyio


class NoChance(Random):
    """So that the engine's back-off, of which all is jitter, is nothing."""

    def random(self) -> float:
        return 0.0


# Names


async def test_a_nickname_that_is_taken_gets_an_underscore_and_is_got_back(server: Ngircd) -> None:
    context = FakeContext()
    async with listening(settings(server.port, ping_interval=60), context) as bot:
        await bot.check()
    async with (
        person(server.port, "bot") as squatter,
        listening(settings(server.port, ping_interval=60), context) as bot,
        person(server.port, "ann") as ann,
    ):
        assert (await bot.check()).detail.endswith(" as bot_")
        await ann.says("hi", "bot_")
        await squatter.does("QUIT")
        await squatter.hears("ERROR")
        await anyio.wait_all_tasks_blocked()
        context.clock.advance(60)
        await ann.heard()
        await bot.check()
        assert (await bot.check()).detail.endswith(" as bot")
        await ann.says("hello")
        await settled(bot, ann)
        await bot.send(outgoing("irc:bot", "to ourselves"))
        await settled(bot, ann)
    said = [event.text for event in context.admitted if isinstance(event, MessageReceived)]
    assert said == ["hi", "hello"]


async def test_when_all_names_are_taken_it_is_tried_again_later(server: Ngircd) -> None:
    async with person(server.port, "bot"), person(server.port, "bot_"), person(server.port, "bot__"):
        async with person(server.port, "bot___"), entered(settings(server.port)) as bot:
            with pytest.raises(NotSentError, match="taken"):
                await bot.listen()
        async with entered(settings(server.port)) as bot:
            assert (await bot.check()).detail.endswith(" as bot___")


async def test_a_name_that_the_server_does_not_take_needs_a_person(server: Ngircd) -> None:
    async with entered(settings(server.port, nick="jürgen")) as bot:
        with pytest.raises(AccountError, match="nickname"):
            await bot.listen()


# Passwords


async def test_the_password_of_a_server(closed_server: Ngircd) -> None:
    async with entered(settings(closed_server.port, password="sesame")) as bot:
        assert (await bot.check()).ok


@pytest.mark.parametrize("password", [None, "guess"])
async def test_a_wrong_one_takes_the_channel_down_and_is_tried_once(
    closed_server: Ngircd, password: str | None
) -> None:
    wrong = {} if password is None else {"password": password}
    async with proxy(closed_server.port) as between, Hub(store=MemoryStore(), random=NoChance()) as hub:
        await hub.add_channel("irc", settings(between.port, **wrong))
        assert hub.channel("irc").state == "down"
        sent = await hub.send("hi", to="irc:ann", timeout=0.1)
        assert sent.status is Status.QUEUED
        assert "guess" not in f"{hub.channel('irc').reason} {sent.reason}"
    assert between.logins == 1


async def test_nothing_that_is_logged_or_raised_has_a_secret_or_a_text_in_it(closed_server: Ngircd) -> None:
    context = FakeContext()
    config = settings(closed_server.port, password="sesame", rooms=["#room", "#other"])
    async with proxy(closed_server.port) as between:
        config = config.model_copy(update={"port": between.port})
        async with listening(config, context) as bot, person_with_password(closed_server.port) as ann:
            await ann.says("a secret of ann's")
            await settled(bot, ann)
            texts = [repr(bot), str(await bot.check())]
        between.cuts = "after", b"PRIVMSG"
        async with entered(config, context) as bot:
            for text in ("our words", "our words again"):
                try:
                    await bot.send(outgoing("irc:nobody", text))
                except Exception as error:
                    texts.append(f"{error!r} {error} {error.__cause__!r}")
        async with entered(config.model_copy(update={"password": None}), context) as bot:
            texts.append(str(await bot.check()))
    assert len(texts) == 5
    for secret in ("sesame", "secret of ann", "our words"):
        assert secret not in context.logged
        assert secret not in "\n".join(texts)


@asynccontextmanager
async def person_with_password(port: int) -> AsyncGenerator[object]:
    from people import Person

    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        ann = Person(stream, "ann")
        await ann.does("PASS sesame", "NICK ann", "USER ann 0 * :ann")
        await ann.hears(" 376 ")
        yield ann


# TLS


async def test_over_tls_to_whom_the_authority_vouches_for(
    tls_server: Ngircd, authority: trustme.CA, tmp_path: Path
) -> None:
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    config = settings(tls_server.port, host="localhost", tls=True, ca_file=trusted)
    async with entered(config) as bot:
        assert (await bot.check()).ok
        await bot.send(outgoing("irc:bot", "hi"))

    async with entered(config.model_copy(update={"host": "127.0.0.1"})) as bot:
        health = await bot.check()
        assert not health.ok
        assert "not to be trusted" in health.detail


async def test_not_over_tls_to_anybody_else(tls_server: Ngircd) -> None:
    async with entered(settings(tls_server.port, host="localhost", tls=True)) as bot:
        with pytest.raises(NotSentError, match="not to be trusted"):
            await bot.listen()


async def test_whoever_speaks_no_tls_is_not_talked_to(server: Ngircd) -> None:
    context = FakeContext()
    async with (
        proxy(server.port) as between,
        entered(settings(between.port, tls=True, timeout=20), context) as bot,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_time_passes, context, between)
        with pytest.raises(NotSentError, match="did not answer"):
            await bot.listen()


# Loss


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_that_comes_back_finds_us_there(server: Ngircd, end: str) -> None:
    """With our rooms; the engine starts `listen` again, and what waited for that goes out then."""
    heard = list[str | None]()
    came = anyio.Event()
    async with Hub(store=MemoryStore(), random=NoChance()) as hub:

        @hub.on_event(MessageReceived, GapDetected)
        async def note(event: MessageReceived | GapDetected) -> None:
            nonlocal came
            heard.append(event.text if isinstance(event, MessageReceived) else "we were away")
            came.set()
            came = anyio.Event()

        await hub.add_channel("irc", settings(server.port, rooms="#room"))
        with anyio.fail_after(10):
            async with person(server.port, "ann") as ann:
                told = came
                await ann.says("before")
                await told.wait()
            told = came
            getattr(server, end)()
            server.start()
            await told.wait()
            async with person(server.port, "ann") as ann:
                await ann.joins("#room")
                told = came
                await ann.says("welcome back", "#room")
                await told.wait()
                sent = await hub.send("thanks", to="irc:#room")
                assert await ann.heard() == ["thanks"]
    assert sent.status is Status.ACCEPTED
    assert heard == ["before", "we were away", "welcome back"]


async def test_a_drop_ends_listen_and_the_next_one_hears_again(server: Ngircd) -> None:
    context = FakeContext()
    async with (
        proxy(server.port) as between,
        entered(settings(between.port), context) as bot,
        person(server.port, "ann") as ann,
        anyio.create_task_group() as tasks,
    ):
        ear = Ear(bot)
        await tasks.start(ear.listen)
        await between.drops()
        assert isinstance(await ear.end(), NotSentError)
        assert between.logins == 1

        await tasks.start(Ear(bot).listen)
        await ann.says("again", "bot")
        await settled(bot, ann)
        tasks.cancel_scope.cancel()
    assert [event.text for event in context.admitted if isinstance(event, MessageReceived)] == ["again"]


async def test_a_server_that_does_not_live_any_more_is_noticed(server: Ngircd) -> None:
    """By a look every minute; a connection that nobody ends looks alive for ever."""
    context = FakeContext()
    async with (
        proxy(server.port) as between,
        entered(settings(between.port, timeout=20, ping_interval=60), context) as bot,
        anyio.create_task_group() as tasks,
    ):
        ear = Ear(bot)
        await tasks.start(ear.listen)
        between.is_mute = True
        await anyio.wait_all_tasks_blocked()
        context.clock.advance(60)
        await anyio.wait_all_tasks_blocked()
        context.clock.advance(20)
        error = await ear.end()
    assert isinstance(error, NotSentError)
    assert "20 s" in error.reason


async def test_a_server_that_does_not_welcome_us_is_given_up_in_time(server: Ngircd) -> None:
    context = FakeContext()
    async with proxy(server.port) as between, entered(settings(between.port, timeout=20), context) as bot:
        between.is_mute = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_time_passes, context, between)
            with pytest.raises(NotSentError, match="welcome"):
                await bot.listen()


async def _time_passes(context: FakeContext, between: Proxy) -> None:
    """Once we have said something."""
    while not between.said:
        await anyio.wait_all_tasks_blocked()
    context.clock.advance(20)


async def test_the_server_sees_us_leave(server: Ngircd) -> None:
    async with person(server.port, "ann") as ann:
        await ann.joins("#room")
        async with listening(settings(server.port, rooms="#room")):
            await ann.hears("JOIN")
        assert "closing" in await ann.hears("QUIT"), "and not that the connection was lost"


def test_making_one_needs_no_event_loop() -> None:
    """Limits are there before it is opened."""
    assert IrcAdapter(settings(1), FakeContext()).capabilities.text is not None


async def test_nothing_is_done_before_it_is_needed(server: Ngircd) -> None:
    """Entering one reaches nobody."""
    async with proxy(server.port) as between:
        async with entered(settings(between.port)):
            pass
        assert between.logins == 0


# A server with IRCv3, which ngircd is not


@asynccontextmanager
async def modern(
    account: str = "", refuse: str = "903", *, has_cap: bool = True
) -> AsyncGenerator[tuple[int, list[str]]]:
    """As far as the login; its port, and what was said to it."""
    said = list[str]()

    async def serve(stream: SocketStream) -> None:
        async with stream:
            lines = BufferedByteReceiveStream(stream)
            while True:
                try:
                    line = (await lines.receive_until(b"\r\n", 4096)).decode()
                except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.EndOfStream):
                    return
                said.append(line)
                command, _, rest = line.partition(" ")
                answers = {
                    "CAP": {
                        "LS :302": [":s CAP * LS * :multi-prefix server-time", f":s CAP * LS :message-tags{account}"],
                        ":END": [":s 001 bot :Welcome bot!b@h"],
                    }.get(rest, [f":s CAP * ACK {rest.partition(' ')[2]}"]),
                    "AUTHENTICATE": ["AUTHENTICATE +"] if rest == ":PLAIN" else [f":s {refuse} bot :SASL"],
                    "PING": [f":s PONG s {rest}"],
                }.get(command, [])
                if not has_cap:  # as servers were before
                    answers = {"CAP": [":s 421 bot CAP :Unknown command"], "USER": [":s 001 bot :Welcome"]}.get(
                        command, []
                    )
                await stream.send("".join(f"{answer}\r\n" for answer in answers).encode())

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(partial(listener.serve, serve))
        yield listener.extra(SocketAttribute.local_port), said
        tasks.cancel_scope.cancel()


async def test_capabilities_are_asked_for_where_they_are_offered() -> None:
    async with modern() as (port, said), entered(settings(port)) as bot:
        assert (await bot.check()).ok
    assert "CAP REQ :message-tags server-time" in said


async def test_an_account_is_logged_in_to_by_sasl() -> None:
    """And the password of an account is never said to be the server's."""
    async with modern(" sasl=PLAIN") as (port, said), entered(settings(port, account="me", password="sesame")) as bot:
        assert (await bot.check()).ok
    proof = base64.b64encode(b"\0me\0sesame").decode()
    assert said.index("AUTHENTICATE :PLAIN") < said.index(f"AUTHENTICATE :{proof}") < said.index("CAP :END")
    assert not any(line.startswith("PASS") for line in said)


@pytest.mark.parametrize("refuse", ["904", "905"])
async def test_a_wrong_account_needs_a_person(refuse: str) -> None:
    async with modern(" sasl", refuse) as (port, _), entered(settings(port, account="me", password="guess")) as bot:
        with pytest.raises(AuthenticationError) as raised:
            await bot.listen()
    assert raised.value.code == refuse


async def test_where_there_is_no_sasl_we_do_not_come_in_without_our_account(server: Ngircd) -> None:
    async with modern() as (modern_port, _), modern(has_cap=False) as (old_port, _):
        for port in (modern_port, old_port, server.port):
            async with entered(settings(port, account="me", password="sesame")) as bot:
                with pytest.raises(AuthenticationError, match="SASL"):
                    await bot.listen()
