"""What comes in from people on a real server, and from servers that say what none should."""

from __future__ import annotations

from random import Random

import anyio
import pytest
from kit import Ear, entered, listening, settings, settled
from ngircd import Ngircd
from people import person
from proxy import proxy

from convergekit import Conversation, Hub, MemoryStore, MessageReceived
from convergekit.errors import NotSentError, StoreError
from convergekit.model import (
    ConversationKind,
    CustomReceived,
    GapDetected,
    InvitationReceived,
    MembershipChanged,
    PresenceChanged,
)
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio


def texts(context: FakeContext) -> list[str | None]:
    return [event.text for event in context.admitted if isinstance(event, MessageReceived)]


async def test_what_people_say_is_admitted_in_order(server: Ngircd) -> None:
    context = FakeContext()
    async with (
        listening(settings(server.port, rooms="#room"), context) as bot,
        person(server.port, "Ann") as ann,
        person(server.port, "bob") as bob,
    ):
        await ann.joins("#room")
        for number in range(10):
            await ann.says(f"{number}")
            await ann.says(f"{number} ü 🦉", "#room")
        await bob.does("NOTICE bot :beep")
        await settled(bot, ann, bob)

    messages = [event for event in context.admitted if isinstance(event, MessageReceived)]
    direct, room = (
        [each for each in messages if each.conversation and each.conversation.kind is kind and not each.automated]
        for kind in (ConversationKind.DIRECT, ConversationKind.GROUP)
    )
    assert [each.text for each in direct] == [f"{number}" for number in range(10)]
    assert [each.text for each in room] == [f"{number} ü 🦉" for number in range(10)]
    assert {each.conversation.key for each in room if each.conversation} == {"irc:%23room"}
    assert {each.sender.uri for each in messages if each.sender and not each.automated} == {"irc:ann"}
    assert [each.text for each in messages if each.automated] == ["beep"]
    assert len({each.key for each in context.admitted}) == len(context.admitted)


async def test_a_handler_answers_where_it_was_asked(server: Ngircd) -> None:
    """Through a hub, as in an application; in the room to the room, and to a person to them alone."""
    async with person(server.port, "ann") as ann, Hub(store=MemoryStore()) as hub:

        @hub.on_message
        async def answer(message: MessageReceived, conversation: Conversation) -> str:
            return f"You said {message.text!r}."

        await hub.add_channel("irc", settings(server.port, rooms="#room"))
        await ann.joins("#room")
        await ann.says("hi")
        assert "NOTICE ann :You said 'hi'." in await ann.hears("NOTICE")
        await ann.says("hi all", "#room")
        assert "NOTICE #room :You said 'hi all'." in await ann.hears("NOTICE")


async def test_a_notice_is_not_answered_by_a_program(server: Ngircd) -> None:
    async with person(server.port, "ann") as ann, Hub(store=MemoryStore()) as hub:

        @hub.on_message
        async def answer(message: MessageReceived) -> str:
            return f"echo {message.text}"

        await hub.add_channel("irc", settings(server.port))
        await ann.does("NOTICE bot :beep")
        await ann.says("hi")
        assert "echo hi" in await ann.hears("NOTICE")


async def test_who_comes_and_goes_is_told(server: Ngircd) -> None:
    context = FakeContext()
    async with listening(settings(server.port, rooms="#room"), context) as bot, person(server.port, "ann") as ann:
        async with person(server.port, "bob") as bob:
            await bob.joins("#room")
            await bob.does("PART #room")
            await bob.joins("#room")
            await bob.does("INVITE bot #other")
            await settled(bot, bob)
            await bob.does("QUIT :bye")
            await bob.hears("ERROR")
        await settled(bot, ann)

    changes = [event.membership for event in context.admitted if isinstance(event, MembershipChanged)]
    assert changes == ["joined", "left", "joined"]
    (invitation,) = [event for event in context.admitted if isinstance(event, InvitationReceived)]
    assert invitation.room.uri == "irc:#other"
    (gone,) = context.notified
    assert isinstance(gone, PresenceChanged)
    assert (gone.sender and gone.sender.uri, gone.presence) == ("irc:bob", "offline")


async def test_what_could_not_be_admitted_is_offered_again(server: Ngircd) -> None:
    """IRC does not say it twice, so it is ours to keep; the same keys make one event of it."""
    context = FakeContext()
    async with entered(settings(server.port), context) as bot, person(server.port, "ann") as ann:
        context.refuses_admission = StoreError("the disk is full")
        async with anyio.create_task_group() as tasks:
            ear = Ear(bot)
            await tasks.start(ear.listen)
            for text in ("one", "two"):
                await ann.says(text)
            assert isinstance(await ear.end(), StoreError)
            await ann.says("three")
            assert texts(context) == []

            context.refuses_admission = None
            await tasks.start(Ear(bot).listen)
            await settled(bot, ann)
            tasks.cancel_scope.cancel()
    assert texts(context) == ["one", "two", "three"]


async def test_what_was_said_before_a_connection_was_lost_is_admitted(server: Ngircd) -> None:
    context = FakeContext()
    async with (
        proxy(server.port) as between,
        entered(settings(between.port), context) as bot,
        person(server.port, "ann") as ann,
        anyio.create_task_group() as tasks,
    ):
        ear = Ear(bot)
        await tasks.start(ear.listen)
        for number in range(300):
            await ann.says(f"{number}")
        await ann.heard()
        await bot.check()
        await between.drops()
        assert isinstance(await ear.end(), NotSentError)
    assert texts(context) == [f"{number}" for number in range(300)]


async def test_that_we_were_away_is_told(server: Ngircd) -> None:
    """IRC keeps nothing for us; whoever wants to know learns since when something may be missing."""
    context = FakeContext()
    async with person(server.port, "ann") as ann:
        for text in ("before", "after"):
            async with listening(settings(server.port), context) as bot:
                await ann.says(text)
                await settled(bot, ann)
            if text == "before":
                await ann.says("while we were away")
                await ann.hears(" 401 ")
                context.clock.advance(60)
    gaps = [event for event in context.admitted if isinstance(event, GapDetected)]
    assert texts(context) == ["before", "after"]
    assert [(gap.since, gap.until) for gap in gaps] == [(context.clock.now().replace(minute=0), context.clock.now())]


async def test_who_only_sends_is_not_held_up_by_what_nobody_hears(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await bot.check()
        for number in range(1200):
            await ann.says(f"{number}")
        await ann.heard()
        assert (await bot.check()).ok


async def test_a_backlog_holds_the_server_up_and_loses_nothing(server: Ngircd) -> None:
    """While the ledger is away nothing is read any more than waits already; the rest waits on the way to us."""
    context = FakeContext()
    async with entered(settings(server.port), context) as bot, person(server.port, "ann") as ann:
        context.refuses_admission = StoreError("the disk is full")
        async with anyio.create_task_group() as tasks:
            ear = Ear(bot)
            await tasks.start(ear.listen)
            for number in range(1500):
                await ann.says(f"{number}")
            await ann.heard()
            assert isinstance(await ear.end(), StoreError)

            context.refuses_admission = None
            await tasks.start(Ear(bot).listen)
            await settled(bot, ann)
            tasks.cancel_scope.cancel()
    assert texts(context) == [f"{number}" for number in range(1500)]


HOSTILE = [
    b"",
    b"\r",
    b":",
    b"@",
    b"@x",
    b":x",
    b" ",
    b"PING",
    b"PING :a\rb",
    b"PING :" + b"x" * 600,
    b"PING :\0",
    b"PONG",
    b"PONG :else",
    b"001",
    b"433",
    b"999 x",
    "９９９ x".encode(),
    b":ann!a@h",
    b":ann!a@h PRIVMSG",
    b":ann!a@h PRIVMSG bot",
    b":ann!a@h PRIVMSG bot :\0\1\2\3",
    b":ann!a@h PRIVMSG bot :\xff\xfe\xed\xa0\x80",
    b":ann!a@h PRIVMSG bot :" + b"x" * 9000,
    b":\xe2\x80\xae!a@h PRIVMSG bot :reversed",
    b":" + b"n" * 5000 + b"!a@h PRIVMSG bot :long",
    b":ann!a@h JOIN",
    b":ann!a@h KICK #r",
    b":bot!b@h NICK",
    b"CAP * LS :sasl",
    b"AUTHENTICATE +",
    b"@time=never;msgid=\\n :ann!a@h PRIVMSG bot :x",
]


async def test_what_makes_no_sense_ends_nothing(server: Ngircd) -> None:
    context = FakeContext()
    random = Random(1)
    noise = [bytes(random.choices(b"@: ;=\x01\rABPRIVMSG#\xff\xc3", k=random.randrange(60))) for _ in range(500)]
    async with (
        proxy(server.port) as between,
        listening(settings(between.port), context) as bot,
        person(server.port, "ann") as ann,
    ):
        await between.says(*HOSTILE, *(line.replace(b"ERROR", b"") for line in noise))
        await ann.says("still there?")
        await settled(bot, ann)
    assert texts(context)[-1] == "still there?"
    assert between.logins == 1
    assert any(isinstance(event, CustomReceived) for event in context.admitted)


async def test_who_talks_no_irc_is_left(server: Ngircd) -> None:
    async with (
        proxy(server.port) as between,
        entered(settings(between.port)) as bot,
        anyio.create_task_group() as tasks,
    ):
        ear = Ear(bot)
        await tasks.start(ear.listen)
        await between.says(b"x" * 100_000, end=b"")
        error = await ear.end()
    assert isinstance(error, NotSentError)
    assert "no IRC" in error.reason
