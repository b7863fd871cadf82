"""What every store promises of the deliveries that it lists: those that are sent again are chosen from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convergekit.abc import Store
from convergekit.model import DeliveryState, Dispatch, Failure, FailureKind, Receipt, Status, fold

from ._keeps import keeps
from ._kit import ANN, BOB, changed, delivery, dispatch, taken

__all__ = ["ListingContract"]

REFUSED = fold([Receipt(Status.FAILED, part=0)])
#: Ways to end, and whether they are good ones.
ENDS: dict[str, tuple[dict[str, Any], bool]] = {
    "dead": ({"state": DeliveryState.DEAD, "report": REFUSED}, False),
    "unknown": ({"state": DeliveryState.UNKNOWN, "unknown": frozenset({0})}, False),
    "refused": ({"state": DeliveryState.CLOSED, "report": REFUSED}, False),
    "expired": ({"state": DeliveryState.CANCELLED, "failure": Failure(kind=FailureKind.EXPIRED)}, False),
    "cancelled": ({"state": DeliveryState.CANCELLED, "failure": Failure(kind=FailureKind.CANCELLED)}, True),
    "queued": ({}, True),
    "taken": ({"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.ACCEPTED, part=0)])}, True),
}


async def listed(store: Store, channel: str = "c", **query: Any) -> list[str]:
    """All of them, page by page."""
    found: list[str] = []
    while True:
        page = await store.deliveries(channel, **query)
        for held, id in page.found:
            assert held.by_id(id).channel == channel
        found += [id for _, id in page.found]
        if page.next is None:
            return found
        query["after"] = page.next


async def submitted(store: Store, number: int, **fields: Any) -> Sequence[Dispatch]:
    """So many."""
    return await store.submit([dispatch(f"{each:04}", **fields) for each in range(number)])


class ListingContract:
    @keeps("failures-found")
    async def test_what_came_to_no_good_end_is_listed(self, store: Store) -> None:
        made = await store.submit([dispatch(name) for name in ENDS])
        for one in made:
            await store.save(changed(one, **ENDS[one.id][0]))
        assert await listed(store, failed=True) == sorted(name for name, (_, well) in ENDS.items() if not well)
        assert await listed(store) == sorted(ENDS)

    @keeps("failures-found")
    async def test_a_failure_that_is_reported_later_is_one(self, store: Store) -> None:
        (one,) = await store.submit([dispatch("1")])
        sent = await store.save(taken(one, "theirs"))
        assert sent is not None
        assert await listed(store, failed=True) == []
        await store.save(changed(sent, report=sent.deliveries[0].report | fold([Receipt(Status.FAILED)])))
        assert await listed(store, failed=True) == ["1"]

    @keeps("failures-found")
    async def test_the_channel_and_the_address_choose(self, store: Store) -> None:
        made = [dispatch("1"), dispatch("2", BOB), dispatch("3", channel="d"), dispatch("4")]
        for one in await store.submit(made):
            await store.save(changed(one, state=DeliveryState.DEAD))
        for failed in (True, False):
            assert await listed(store, failed=failed) == ["1", "2", "4"]
            assert await listed(store, "d", failed=failed) == ["3"]
            assert await listed(store, failed=failed, address=ANN) == ["1", "4"]
            assert await listed(store, failed=failed, address=BOB, limit=1) == ["2"]
            assert await listed(store, "d", failed=failed, address=BOB) == []
            assert await listed(store, "nobody", failed=failed) == []

    @keeps("failures-found")
    async def test_a_stretch_of_time_is_one_of_ids(self, store: Store) -> None:
        for one in await submitted(store, 6):
            await store.save(changed(one, state=DeliveryState.DEAD))
        for failed in (True, False):
            assert await listed(store, failed=failed, after="0001", before="0004") == ["0002", "0003"]
            assert await listed(store, failed=failed, after="000") == [f"{each:04}" for each in range(6)]
            assert await listed(store, failed=failed, before="000") == []

    @keeps("failures-found")
    async def test_pages_have_neither_gaps_nor_doubles(self, store: Store) -> None:
        """Also while those of the page before are dealt with."""
        for number, one in enumerate(await submitted(store, 9)):
            await store.save(changed(one, state=DeliveryState.DEAD) if number % 2 else taken(one, one.id))
        wanted = ["0001", "0003", "0005", "0007"]
        assert await listed(store, limit=2) == [f"{each:04}" for each in range(9)]
        page = await store.deliveries("c", failed=True, address=ANN, limit=2)
        for held, _ in page.found:
            await store.save(changed(held, state=DeliveryState.QUEUED))
        assert [id for _, id in page.found] == wanted[:2]
        assert await listed(store, failed=True, limit=2, after=page.next) == wanted[2:]

    @keeps("failures-found")
    async def test_what_was_sent_again_stands_in_the_place_of_the_first(self, store: Store) -> None:
        (one,) = await store.submit([dispatch("1")])
        dead = await store.save(changed(one, **ENDS["refused"][0]))
        assert dead is not None
        again = delivery("2", dispatch="1", supersedes="1")
        resent = await store.save(dead.model_copy(update={"deliveries": (*dead.deliveries, again)}))
        assert resent is not None
        assert await listed(store, failed=True) == []
        refused = again.model_copy(update=ENDS["refused"][0])
        await store.save(resent.model_copy(update={"deliveries": resent.replaced(refused)}))
        assert await listed(store, failed=True) == ["2"]

    @keeps("failures-found")
    async def test_what_is_erased_cannot_be_sent_again(self, store: Store) -> None:
        for one in await store.submit([dispatch("1"), dispatch("2", BOB)]):
            await store.save(changed(one, **ENDS["refused"][0]))
        await store.archive.erase(ANN)
        assert await listed(store, failed=True) == ["2"]
        assert await listed(store, failed=True, address=ANN) == []
        left = await store.load("1")
        assert left is not None
        assert await store.save(left) is not None
        assert await listed(store, failed=True) == ["2"]

    @keeps("failures-found")
    async def test_in_sums_they_are_what_they_are(self, store: Store) -> None:
        for one in await store.submit([dispatch(name) for name in ENDS]):
            await store.save(changed(one, **ENDS[one.id][0]))
        counts = (await store.counts()).deliveries
        assert {name: counts["c", name] for name in ("dead", "unknown", "closed", "cancelled", "queued")} == {
            "dead": 1, "unknown": 1, "closed": 2, "cancelled": 2, "queued": 1,
        }  # fmt: skip
