"""`hub.archive`, and the same behind blocking code."""

from datetime import timedelta
from typing import Any

import pytest

from convergekit import Address, Contact, Hub, sync
from convergekit.abc import Erased
from convergekit.adapters.loopback import Medium
from convergekit.errors import InvalidInputError, NotRunningError
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"


async def test_what_the_hub_sends_and_receives_is_in_its_archive() -> None:
    async with Hub(store="memory:") as hub:
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=Medium())
        sent = await hub.send("Your parcel is on its way.", to=ANN)
        await hub.conversation(ANN).send("It is at your door.")
        page = await hub.archive.search("parcel", conversation=sent.deliveries[0].conversation)
        (found,) = page.found
        assert (found.id, found.text, found.address) == (sent.id, "Your parcel is on its way.", Address(ANN))
        assert await hub.archive.erase(Contact(id="ann", addresses=[ANN])) == Erased(2, 0, 0)
        assert (await hub.archive.search()).found == ()
        assert sent.status is sent.dispatch.status


async def test_an_erased_message_is_still_known_by_its_key() -> None:
    async with Hub(store="memory:") as hub:
        medium = Medium()
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
        await hub.send("Shipped", to=ANN, key="order-42:shipped")
        await hub.archive.erase(ANN)
        await hub.send("Shipped", to=ANN, key="order-42:shipped")
        assert medium.texts() == ["Shipped"]


async def test_the_archive_is_open_as_long_as_the_hub_is() -> None:
    hub = Hub(store="memory:")
    with pytest.raises(NotRunningError, match="async with hub"):
        _ = hub.archive
    async with hub:
        assert (await hub.archive.search()).found == ()


def test_blocking_code_has_it_too() -> None:
    with sync.Hub(store="memory:") as hub:
        hub.add_channel("chat", {"adapter": "loopback"}, medium=Medium())
        for number in range(3):
            hub.send(f"parcel {number}", to=ANN)
        assert [found.text for found in hub.archive.search("parcel", limit=2).found] == ["parcel 2", "parcel 1"]
        assert [found.text for found in hub.archive.export(contact=ANN)] == ["parcel 0", "parcel 1", "parcel 2"]
        assert hub.archive.retain(3600) == 0
        assert hub.archive.retain(timedelta(days=90)) == 0
        assert hub.archive.erase(ANN) == Erased(3, 0, 0)
        assert list(hub.archive.export()) == []
    with pytest.raises(NotRunningError, match="with hub"):
        hub.archive.search()


async def test_days_may_be_a_timedelta() -> None:
    clock = FakeClock()
    async with Hub(store="memory:", clock=clock) as hub:
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=Medium())
        await hub.send("Your parcel is on its way.", to=ANN)
        clock.advance(86_400)
        assert await hub.archive.retain(timedelta(days=2)) == 0
        assert await hub.archive.retain(timedelta(hours=23)) == 1


@pytest.mark.parametrize("nothing", [0, -1, -90 * 86_400.0, float("nan"), timedelta(0), timedelta(days=-90)])
async def test_a_slip_of_the_pen_does_not_empty_everything(nothing: float | timedelta) -> None:
    async with Hub(store="memory:") as hub:
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=Medium())
        await hub.send("Your parcel is on its way.", to=ANN)
        with pytest.raises(InvalidInputError, match="older_than has to be more than 0 seconds"):
            await hub.archive.retain(nothing)
        assert len((await hub.archive.search()).found) == 1


@pytest.mark.parametrize("wrong", ["90d", None])
async def test_how_old_is_a_number_or_a_timedelta(wrong: Any) -> None:
    async with Hub(store="memory:") as hub:
        with pytest.raises(TypeError, match=f"or a timedelta, not {type(wrong).__name__}"):
            await hub.archive.retain(wrong)
