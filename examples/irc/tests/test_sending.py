"""What goes out, to people on a real server; and what we know of it when the network fails."""

from __future__ import annotations

import anyio
import pytest
from convergekit_irc.translator import text_limit
from kit import Ear, entered, listening, settings
from ngircd import Ngircd
from people import person
from proxy import proxy

from convergekit import Hub, MemoryStore, Status
from convergekit.errors import NotSentError, RejectedError, ThrottledError, UncertainError, UnsupportedContentError
from convergekit.model import Receipt
from convergekit.testing import FakeContext, outgoing

pytestmark = pytest.mark.anyio

UNICODE = "Grüße, 世界 🏳️‍🌈 \u202eabc\u202c ñ"


# [outcomes]
async def test_it_is_said_to_a_person_and_into_a_room(server: Ngircd) -> None:
    config = settings(server.port, rooms="#room")
    async with listening(config) as bot, person(server.port, "ann") as ann:
        await ann.joins("#room")
        for to in ("irc:ann", "irc:Ann", "irc:#room"):
            receipt = await bot.send(outgoing(to, f"{UNICODE} {to}"))
            assert receipt.status is Status.ACCEPTED
        assert await ann.heard() == [f"{UNICODE} {to}" for to in ("irc:ann", "irc:Ann", "irc:#room")]


async def test_who_is_not_there_is_told_by_the_servers_code(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot:
        for automatic, code in ((False, "401"), (True, "303")):
            with pytest.raises(RejectedError) as raised:
                await bot.send(outgoing("irc:nobody", "hi", automatic=automatic))
            assert raised.value.code == code


async def test_a_room_that_does_not_let_us_speak_refuses(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await ann.joins("#room")
        await ann.does("MODE #room +n")
        await ann.hears("MODE")
        with pytest.raises(RejectedError) as raised:
            await bot.send(outgoing("irc:#room", "hi"))
    assert raised.value.code == "404"


# [outcomes end]


async def test_a_program_says_notices_and_a_person_messages(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await bot.send(outgoing("irc:ann", "by a program", automatic=True))
        assert "NOTICE ann :by a program" in await ann.hears("by a program")
        await bot.send(outgoing("irc:ann", "/me waves"))
        assert "PRIVMSG ann :\1ACTION waves\1" in await ann.hears("waves")


async def test_a_part_as_long_as_the_limit_is_not_cut_by_the_server(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        for text in ("x", "ü", "🦉"):
            limit = text_limit(len("bot___"), len("ann")).max
            text *= limit // len(text.encode())
            await bot.send(outgoing("irc:ann", text))
            assert await ann.heard() == [text]


# [long]
async def test_a_long_text_arrives_whole_and_in_order(server: Ngircd) -> None:
    """Through a hub, which splits it; nothing is lost but white space where it was cut."""
    words = " ".join(f"{number}:{UNICODE}" for number in range(60))
    async with person(server.port, "ann") as ann, Hub(store=MemoryStore()) as hub:
        await hub.add_channel("irc", settings(server.port))
        sent = await hub.send(words, to="irc:ann")
        assert sent.status is Status.ACCEPTED
        heard = await ann.heard()
    assert len(heard) == len(sent.deliveries[0].parts) > 5
    assert " ".join(heard) == words


# [long end]


async def test_lines_of_a_text_are_lines(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await bot.send(outgoing("irc:ann", "one\n\ntwo\r\n three"))
        assert await ann.heard() == ["one", "two", " three"]


@pytest.mark.parametrize("text", ["hi\nQUIT :bye", "hi\rPRIVMSG bob :psst", "hi\r\nNICK other", "\1DCC SEND x 1 2\1"])
async def test_a_text_never_becomes_a_command(server: Ngircd, text: str) -> None:
    """What stands on a line of its own is said like every other line."""
    async with (
        entered(settings(server.port)) as bot,
        person(server.port, "ann") as ann,
        person(server.port, "bob") as bob,
        proxy(server.port) as _,
    ):
        if text.startswith("\1"):
            with pytest.raises(UnsupportedContentError):
                await bot.send(outgoing("irc:ann", text))
        else:
            await bot.send(outgoing("irc:ann", text))
            assert await ann.heard() == text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert await bob.heard() == []
        assert (await bot.check()).detail.endswith(" as bot")


async def test_somebody_who_is_away_gets_it_all_the_same(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await ann.does("AWAY :fishing")
        assert (await bot.send(outgoing("irc:ann", "hi"))).status is Status.ACCEPTED
        assert await ann.heard() == ["hi"]


# When the network fails


async def test_a_server_that_is_not_there_was_sent_nothing(server: Ngircd) -> None:
    server.stop()
    started = list[bool]()
    async with entered(settings(server.port)) as bot:
        with pytest.raises(NotSentError, match="cannot connect"):
            await bot.send(outgoing("irc:ann", started=lambda: started.append(True)))
    assert started == []


async def test_of_many_messages_one_finds_out_that_the_server_is_away(server: Ngircd) -> None:
    """The others wait and cost no attempt; nobody is hammered."""
    context = FakeContext()
    async with proxy(server.port) as between, entered(settings(between.port), context) as bot:
        between.refuses = True
        errors = [await _error(bot.send(outgoing("irc:ann"))) for _ in range(5)]
        assert [type(each) for each in errors] == [NotSentError, *[ThrottledError] * 4]
        assert between.logins == 1

        between.refuses = False
        context.clock.advance(5)
        async with person(server.port, "ann") as ann:
            await bot.send(outgoing("irc:ann", "hi"))
            assert await ann.heard() == ["hi"]


# [mid-send]
async def test_a_connection_that_ends_before_the_server_has_read_it_leaves_it_unknown(server: Ngircd) -> None:
    """From here the two cases look the same, and only here is the truth known."""
    async with proxy(server.port) as between, person(server.port, "ann") as ann:
        for when, heard in (("before", []), ("after", ["hi"])):
            async with entered(settings(between.port)) as bot:
                await bot.check()
                between.cuts = when, b"PRIVMSG"
                with pytest.raises(UncertainError, match="lost"):
                    await bot.send(outgoing("irc:ann", "hi"))
            assert await ann.heard() == heard


# [mid-send end]


async def test_half_of_a_text_is_unknown_and_never_said_to_be_unsent(server: Ngircd) -> None:
    async with proxy(server.port) as between, person(server.port, "ann") as ann:
        async with entered(settings(between.port)) as bot:
            await bot.check()
            between.cuts = "before", b"two"
            with pytest.raises(UncertainError):
                await bot.send(outgoing("irc:ann", "one\ntwo\nthree"))
        assert await ann.heard() == ["one"]


async def test_a_connection_that_ends_between_two_lines_of_a_text_leaves_it_unknown(server: Ngircd) -> None:
    """The first line was read, and the second never left: sent again, the first would be said twice."""
    async with proxy(server.port) as between, person(server.port, "ann"), entered(settings(between.port)) as bot:
        await bot.check()
        between.is_mute = True
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                await between.hears(b"one\r\nPING")
                token = between.said.rpartition(b"PING :")[2].strip()
                await between.says(b":irc.test PONG irc.test :" + token + b"\r\nERROR :bye")

            tasks.start_soon(end)
            with pytest.raises(UncertainError, match="after 1 line"):
                await bot.send(outgoing("irc:ann", "one\ntwo"))
        assert b"two" not in between.said


async def test_what_was_refused_half_way_says_so(server: Ngircd) -> None:
    async with proxy(server.port) as between, person(server.port, "ann") as ann, entered(settings(between.port)) as bot:
        await bot.check()

        async def leave() -> None:
            await ann.hears("one")
            await ann.does("NICK anna")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)
            with pytest.raises(RejectedError, match="after") as raised:
                await bot.send(outgoing("irc:ann", "\n".join(["one"] * 1000)))
    assert raised.value.code == "401"


async def test_a_server_that_falls_silent_leaves_it_unknown_and_is_given_up(server: Ngircd) -> None:
    context = FakeContext()
    async with proxy(server.port) as between, entered(settings(between.port, timeout=20), context) as bot:
        await bot.check()
        between.is_mute = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_advance, context, 20)
            with pytest.raises(UncertainError, match="20 s"):
                await bot.send(outgoing("irc:ann"))
        between.is_mute = False
        assert (await bot.check()).ok
        assert between.logins == 2


async def test_while_the_engine_waits_to_listen_again_nothing_is_sent(server: Ngircd) -> None:
    """And no send makes a connection of its own: the engine says when it is time for one."""
    async with proxy(server.port) as between, entered(settings(between.port)) as bot:
        async with anyio.create_task_group() as tasks:
            ear = Ear(bot)
            await tasks.start(ear.listen)
            await between.drops()
            assert isinstance(await ear.end(), NotSentError)
        with pytest.raises(ThrottledError, match="not connected"):  # which costs no attempt
            await bot.send(outgoing("irc:ann"))
        assert between.logins == 1


async def test_what_is_said_about_a_send_that_was_cancelled_is_no_answer_to_the_next(server: Ngircd) -> None:
    """It comes when the next one waits for its own."""
    async with proxy(server.port) as between, person(server.port, "ann") as ann, entered(settings(between.port)) as bot:
        await bot.check()
        between.is_mute = True
        async with anyio.create_task_group() as first:
            first.start_soon(bot.send, outgoing("irc:nobody", "hi"))
            await between.hears(b"PRIVMSG nobody")
            first.cancel_scope.cancel()
        async with anyio.create_task_group() as second:
            second.start_soon(bot.send, outgoing("irc:ann", "hello"))
            await between.hears(b"PRIVMSG ann")
            between.is_mute = False
        assert await ann.heard() == ["hello"]


async def test_nobody_can_answer_in_the_servers_place(server: Ngircd) -> None:
    """A person's lines are theirs, whatever command they name."""
    receipts = list[Receipt]()
    async with proxy(server.port) as between, person(server.port, "ann"), entered(settings(between.port)) as bot:
        await bot.check()
        between.is_mute = True

        async def send() -> None:
            receipts.append(await bot.send(outgoing("irc:ann", "hi")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await between.hears(b"PRIVMSG ann :hi\r\nPING")
            token = between.said.rpartition(b"PING :")[2].strip()
            await between.says(b":eve!e@h 401 bot ann :no", b":eve!e@h PONG x :" + token, b":eve!e@h ERROR :bye")
            await anyio.wait_all_tasks_blocked()
            assert receipts == []
            between.is_mute = False
        assert [receipt.status for receipt in receipts] == [Status.ACCEPTED]
        assert between.logins == 1


async def test_many_may_send_at_once(server: Ngircd) -> None:
    texts = [f"message {number}" for number in range(40)]
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        async with anyio.create_task_group() as tasks:
            for text in texts:
                tasks.start_soon(bot.send, outgoing("irc:ann", text))
        assert sorted(await ann.heard()) == sorted(texts)


async def test_the_limit_of_a_conversation_is_exact(server: Ngircd) -> None:
    """A shorter name leaves more room, and a plan is made with what there is."""
    async with Hub(store=MemoryStore()) as hub:
        await hub.add_channel("irc", settings(server.port))
        sent = [await hub.submit("x" * 1000, to=f"irc:{name}") for name in ("#r", "#a-room-with-a-much-longer-name")]
    parts = [[len(part.text) for part in handle.deliveries[0].parts] for handle in sent]
    short, long = (text_limit(len("bot___"), len(name)).max for name in ("#r", "#a-room-with-a-much-longer-name"))
    assert parts == [[limit, limit, 1000 - 2 * limit] for limit in (short, long)]
    assert short > long


async def _error(awaited: object) -> Exception:
    try:
        await awaited  # type: ignore[misc]
    except Exception as error:
        return error
    raise AssertionError("it did not fail")


async def _advance(context: FakeContext, seconds: float) -> None:
    await anyio.wait_all_tasks_blocked()
    context.clock.advance(seconds)
