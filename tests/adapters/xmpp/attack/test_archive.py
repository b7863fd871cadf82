"""An archive that means no good, or that changes while it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any
from xml.etree.ElementTree import Element, tostring

import anyio
import pytest

from convergekit.abc import Cursor
from convergekit.adapters.xmpp.archives import Place
from convergekit.adapters.xmpp.inflow import OWN
from convergekit.errors import StoreError
from convergekit.model import GapDetected
from tests.adapters.xmpp.archives.test_catchup import FEED, ROOM, Here, here, message
from tests.adapters.xmpp.fake_archive import BEGAN, QUERY
from tests.adapters.xmpp.fake_stream import element

pytestmark = pytest.mark.anyio


def around(one: Here, pages: int) -> None:
    """Shows the same few pages again and again, whatever is asked for."""
    whole = one.archive._found
    first: dict[int, Any] = {}
    turn = count()

    def found(iq: Element) -> Any:
        number = next(turn)
        if number < pages:
            first[number] = whole(iq)
        return first[number % pages]

    one.archive._found = found  # type: ignore[method-assign]


@pytest.mark.parametrize("pages", [1, 2, 3])
async def test_an_archive_that_goes_round_in_circles_is_left(pages: int) -> None:
    one = await here(30, page=3)
    await one.at("a1", 1)
    around(one, pages)
    with anyio.fail_after(5):
        assert await one.catch_up.run(OWN)
    assert "no end" in one.context.logged
    assert one.admitted == [str(number) for number in range(2, 2 + 3 * pages)]


async def test_messages_that_an_archive_loses_while_it_is_read_cost_no_others() -> None:
    """Five thousand, and it forgets the oldest, and the one where we stand."""
    one = await here(5000, page=50)
    await one.at("a1", 1)
    chance = Random(7)

    def change() -> None:
        pages = len(one.archive.asked)
        if chance.random() < 0.3:  # what is older than where we are
            one.archive.forget(max(0, min(pages * 40, 4000) - (5000 + min(pages, 49) - len(one.archive.kept))))
        if pages < 50:
            one.archive.keep(message(f"late{pages}"))

    one.archive.after_page = change
    with anyio.fail_after(60):
        await one.catch_up.run(OWN)
    said = [each.key.removeprefix("m:") for each in one.context.admitted if not isinstance(each, GapDetected)]
    assert len(said) == len(set(said))
    assert [each for each in said if not each.startswith("late")] == [str(number) for number in range(2, 5001)]
    assert len([each for each in said if each.startswith("late")]) == 49


async def test_a_ledger_that_fails_now_and_then_loses_and_doubles_nothing() -> None:
    one = await here(500, page=7)
    await one.at("a1", 1)
    chance = Random(3)
    admit = one.context.admit

    async def failing(*events: Any, **more: Any) -> Any:
        if chance.random() < 0.2:
            raise StoreError("the disk is full")
        result = await admit(*events, **more)
        if chance.random() < 0.2:
            raise StoreError("it was stored, and nobody heard of it")
        return result

    one.context.admit = failing  # type: ignore[method-assign]
    for _ in range(200):
        try:
            await one.catch_up.run(OWN)
        except StoreError:
            continue
        break
    else:
        raise AssertionError("it never ended")
    assert one.admitted == [str(number) for number in range(2, 501)]


@pytest.mark.parametrize("id", ["a\nb", "\x85", "x" * 1024, "\u202e"])
async def test_a_place_in_an_archive_may_look_like_anything(id: str) -> None:
    """It is what a room, which anybody may run, says; and then the room says that there is no such place."""
    one = await here(0, room=ROOM)
    one.archive.keep(message(1), id=id)
    await one.at("a0", 1, FEED)
    one.archive.kept.insert(0, ("a0", BEGAN, element(message(0))))
    await one.catch_up.run(FEED)
    one.archive.forget(2)
    one.archive.keep(message(2))
    await one.catch_up.run(FEED)
    assert sum(isinstance(each, GapDetected) for each in one.context.admitted) == 1
    assert one.admitted[0] == "1"
    assert one.admitted[-1] == "2"


async def test_an_archive_from_the_beginning_of_time() -> None:
    one = await here(3, room=ROOM)
    await one.context.admit(cursor=Cursor(Place("gone", datetime.min.replace(tzinfo=UTC)).to_value(), FEED))
    assert await one.catch_up.run(FEED)
    assert one.admitted[-3:] == ["1", "2", "3"]


async def test_a_place_that_would_end_our_stream_is_none() -> None:
    """It would be sent back to the room, and no server takes so much of us."""
    one = await here(0, room=ROOM)
    await one.at("a0", 1, FEED)
    ends = f"<set xmlns='http://jabber.org/protocol/rsm'><last>{'x' * 300_000}</last></set>"
    one.stream.answers[QUERY] = f"<fin xmlns='urn:xmpp:mam:2'>{ends}</fin>"
    with anyio.fail_after(5):
        await one.catch_up.run(FEED)
    assert max(len(tostring(each)) for each in one.stream.asked) < 10_000
