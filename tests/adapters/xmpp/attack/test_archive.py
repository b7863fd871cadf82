"""An archive that means no good, or that changes while it is read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random
from xml.etree.ElementTree import Element

import anyio
import pytest

from convergekit.adapters.xmpp.inflow import OWN
from convergekit.errors import StoreError
from convergekit.model import GapDetected
from tests.adapters.xmpp.fake_stream import Answer
from tests.adapters.xmpp.test_catchup import Here, here, message

pytestmark = pytest.mark.anyio


def around(one: Here, pages: int) -> Callable[[Element], Answer]:
    """Shows the same few pages again and again, whatever is asked for."""
    whole = one.archive._found
    first, turn = {}, count()

    def found(iq: Element) -> object:
        number = next(turn)
        if number < pages:
            first[number] = whole(iq)
        return first[number % pages]

    one.archive._found = found  # type: ignore[method-assign,assignment]
    return one.archive


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

    async def failing(*events: object, **more: object) -> object:
        if chance.random() < 0.2:
            raise StoreError("the disk is full")
        result = await admit(*events, **more)  # type: ignore[arg-type]
        if chance.random() < 0.2:
            raise StoreError("it was stored, and nobody heard of it")
        return result

    one.context.admit = failing  # type: ignore[method-assign,assignment]
    for _ in range(200):
        try:
            await one.catch_up.run(OWN)
        except StoreError:
            continue
        break
    else:
        raise AssertionError("it never ended")
    assert one.admitted == [str(number) for number in range(2, 501)]
