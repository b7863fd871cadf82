"""Rooms on a real server."""

from __future__ import annotations

import pytest
from kit import entered, settings
from ngircd import Ngircd
from people import person

from convergekit.abc import SupportsRooms
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import Address, ConversationKind
from convergekit.testing import FakeContext, outgoing

pytestmark = pytest.mark.anyio

ROOM = Address("irc:#room")


async def test_joining_twice_is_joining_once_and_so_for_leaving(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        assert isinstance(bot, SupportsRooms)
        await ann.joins("#room")
        for _ in range(2):
            room = await bot.join(ROOM)
            assert (room.address, room.kind, room.channel) == (ROOM, ConversationKind.GROUP, "fake")
        assert sorted(each.uri for each in await bot.members(ROOM)) == ["irc:ann", "irc:bot"]
        for _ in range(2):
            await bot.leave(ROOM)
        assert [each.uri for each in await bot.members(ROOM)] == ["irc:ann"]


async def test_a_room_that_was_entered_is_entered_again_by_the_next_process(server: Ngircd) -> None:
    context = FakeContext()
    for round in range(2):
        async with entered(settings(server.port, rooms="#home"), context) as bot:
            if round == 0:
                await bot.join(ROOM)
                await bot.join(Address("irc:#left"))
                await bot.leave(Address("irc:#left"))
            members = [await bot.members(Address(f"irc:{name}")) for name in ("#home", "#room", "#left")]
            assert [len(each) for each in members] == [1, 1, 0]


async def test_a_room_is_made_by_entering_it(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot:
        assert (await bot.create_room("new")).address == Address("irc:#new")
        assert (await bot.create_room("&local")).address == Address("irc:&local")
        assert [each.uri for each in await bot.members(Address("irc:#new"))] == ["irc:bot"]
        with pytest.raises(UnsupportedContentError, match="topic"):
            await bot.create_room("other", topic="x")


async def test_somebody_is_invited_with_a_word(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await bot.join(ROOM)
        await bot.invite(ROOM, Address("irc:ann"), "Come in!")
        assert "Come in!" in await ann.hears("PRIVMSG")
        assert "#room" in await ann.hears("INVITE")
        await ann.joins("#room")
        await bot.invite(ROOM, Address("irc:ann"))  # who is there, is there
        with pytest.raises(RejectedError) as raised:
            await bot.invite(ROOM, Address("irc:nobody"))
        assert raised.value.code == "401"


async def test_a_room_that_does_not_let_us_in_says_so(server: Ngircd) -> None:
    context = FakeContext()
    async with person(server.port, "ann") as ann:
        await ann.joins("#room")
        await ann.does("MODE #room +k sesame")
        await ann.hears("MODE")
        async with entered(settings(server.port, rooms=["#room", "#open"]), context) as bot:
            with pytest.raises(RejectedError) as raised:
                await bot.join(ROOM)
            assert raised.value.code == "475"
            assert len(await bot.members(Address("irc:#open"))) == 1
    assert "#room" in context.logged
    assert "475" in context.logged


@pytest.mark.parametrize("uri", ["irc:ann", "irc:#a,#b", "irc:$*"])
async def test_what_is_no_room_is_refused_before_anything_is_said(server: Ngircd, uri: str) -> None:
    async with entered(settings(server.port)) as bot:
        for verb in (bot.join, bot.leave, bot.members):
            with pytest.raises(UnsupportedContentError):
                await verb(Address(uri))
        with pytest.raises(UnsupportedContentError):
            await bot.invite(Address(uri), Address("irc:ann"))
        with pytest.raises(UnsupportedContentError, match="nickname"):
            await bot.join(ROOM, nickname="other")


async def test_a_room_is_told_by_its_name_in_any_case(server: Ngircd) -> None:
    async with entered(settings(server.port)) as bot, person(server.port, "ann") as ann:
        await ann.joins("#Room")
        await bot.join(Address("irc:#room"))
        await bot.send(outgoing("irc:#ROOM", "hi"))
        assert await ann.heard() == ["hi"]
