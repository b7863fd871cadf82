"""What every store promises of what is kept and looked up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from convergekit.abc import PARKED, Admission, EntryState, Store
from convergekit.errors import StoreError
from convergekit.model import Attachment, ClaimCheck, DeliveryState, Message, Receipt, Status

from ..clock import FakeClock
from ._keeps import keeps
from ._kit import (
    ANN,
    BOB,
    after,
    changed,
    closed,
    delivery,
    dispatch,
    event,
    lease,
    served,
    stream,
    taken,
)

__all__ = ["BlobContract", "LookContract", "ReportContract", "SweepContract", "ValueContract"]

_DAY = 86_400.0


async def _is_there(store: Store, claim: ClaimCheck) -> bool:
    try:
        async with store.open(claim):
            return True
    except StoreError:
        return False


class ReportContract:
    @keeps("report-finds-its-message")
    async def test_a_delivery_is_found_by_our_id_else_theirs_else_its_address(self, store: Store) -> None:
        (one,) = await store.submit([dispatch("1")])
        await store.save(taken(one, "p1", "p2"))
        assert await store.find("c", delivery="1") == ("1", "1")
        assert await store.find("c", ids=["nobody", "p2"]) == ("1", "1")
        assert await store.find("c", address=ANN) == ("1", "1")
        assert await store.find("c", ids=["nobody"]) is None
        assert await store.find("c", address=BOB) is None
        assert await store.find("c") is None

    @keeps("report-finds-its-message")
    async def test_nothing_is_found_on_another_channel(self, store: Store) -> None:
        (one,) = await store.submit([dispatch("1")])
        await store.save(taken(one, "p"))
        assert await store.find("d", delivery="1", ids=["p"], address=ANN) is None

    @pytest.mark.parametrize("named", [{"ids": ["p9"]}, {"delivery": "9"}])
    @keeps("report-finds-its-message")
    async def test_a_report_that_names_a_message_is_never_guessed_to_be_about_another(
        self, store: Store, named: dict[str, Any]
    ) -> None:
        await store.submit([dispatch("1")])
        assert await store.find("c", address=ANN, **named) is None

    @keeps("report-finds-its-message")
    async def test_the_newest_to_an_address_stays_the_newest_when_an_older_one_changes(self, store: Store) -> None:
        older, _ = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(taken(older, "p"))
        assert await store.find("c", address=ANN) == ("2", "2")

    @keeps("report-finds-its-message")
    async def test_an_id_that_the_medium_uses_again_means_the_newest(self, store: Store) -> None:
        older, newer = await store.submit([dispatch("1"), dispatch("2")])
        older = await store.save(taken(older, "p")) or older
        await store.save(taken(newer, "p"))
        await store.save(taken(older, "q"))
        assert await store.find("c", ids=["p"]) == ("2", "2")
        assert await store.find("c", ids=["q"]) == ("1", "1")

    @keeps("report-finds-its-message")
    async def test_a_leg_that_was_never_opened_was_sent_to_nobody(self, store: Store) -> None:
        legs = [delivery("1a", dispatch="1"), delivery("1b", BOB, dispatch="1", leg=1, state=DeliveryState.WAITING)]
        (one,) = await store.submit([dispatch("1", deliveries=legs)])
        assert await store.find("c", address=BOB) is None
        opened = (legs[0], legs[1].model_copy(update={"state": DeliveryState.QUEUED}))
        await store.save(one.model_copy(update={"deliveries": opened}))
        assert await store.find("c", address=BOB) == ("1", "1b")

    @keeps("early-report-parked")
    async def test_a_parked_receipt_is_taken_out_once_by_any_of_its_ids(self, store: Store) -> None:
        receipt, other = Receipt(Status.SENT, ids=["a", "b"]), Receipt(Status.READ, ids=["b"])
        await store.park("c", receipt)
        await store.park("c", other)
        assert await store.unpark("d", ["a", "b"]) == []
        assert await store.unpark("c", ["a", "nobody"]) == [receipt]
        assert await store.unpark("c", ["a", "b"]) == [other]
        assert await store.unpark("c", ["a", "b"]) == []

    @keeps("early-report-parked")
    async def test_one_parked_receipt_is_one(self, store: Store) -> None:
        receipt = Receipt(Status.SENT, ids=["a", "b"])
        await store.park("c", receipt)
        assert await store.unpark("c", ["a", "b"]) == [receipt]

    @keeps("early-report-parked")
    async def test_what_is_parked_for_long_goes_when_others_are_parked(self, store: Store, clock: FakeClock) -> None:
        old, young = Receipt(Status.SENT, ids=["a"]), Receipt(Status.SENT, ids=["b"])
        await store.park("c", old)
        clock.advance(PARKED.total_seconds() - 1)
        await store.park("c", young)
        assert await store.unpark("c", ["a"]) == [old]
        await store.park("c", old)
        clock.advance(PARKED.total_seconds() + 1)
        await store.park("c", Receipt(Status.SENT, ids=["c"]))
        assert await store.unpark("c", ["a", "b"]) == []


class ValueContract:
    @keeps("compare-and-set")
    async def test_compare_and_set(self, store: Store) -> None:
        assert await store.get("s", "k") == (None, 0)
        assert await store.put("s", "k", {"a": 1}, version=0)
        value, version = await store.get("s", "k")
        assert value == {"a": 1}
        assert not await store.put("s", "k", {"a": 2}, version=0)
        assert await store.put("s", "k", {"a": 3}, version=version)
        assert (await store.get("s", "k"))[0] == {"a": 3}
        assert await store.put("s", "k", {"a": 4})
        assert (await store.get("s", "other"))[0] is None
        assert (await store.get("other", "k"))[0] is None

    @keeps("compare-and-set")
    async def test_a_deleted_value_is_not_mistaken_for_its_successor(self, store: Store) -> None:
        await store.put("s", "k", 1)
        _, old = await store.get("s", "k")
        await store.put("s", "k", None)
        value, version = await store.get("s", "k")
        assert value is None
        assert await store.put("s", "k", 2, version=version)
        assert not await store.put("s", "k", 3, version=old)
        assert (await store.get("s", "k"))[0] == 2

    @keeps("compare-and-set")
    async def test_a_value_is_changed_by_putting_it_only(self, store: Store) -> None:
        value = {"a": [1]}
        await store.put("s", "k", value)
        value["a"].append(2)
        (await store.get("s", "k"))[0]["a"].append(3)
        assert (await store.get("s", "k"))[0] == {"a": [1]}

    @keeps("compare-and-set")
    async def test_one_of_many_who_compare_and_set_wins(self, store: Store) -> None:
        won: list[int] = []

        async def attempt(number: int) -> None:
            if await store.put("s", "k", number, version=0):
                won.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(attempt, number)
        assert [(await store.get("s", "k"))[0]] == won


class BlobContract:
    @pytest.mark.parametrize(
        "chunks", [[], [b""], [b"a", b"", b"bc"], [bytes(300_000)]], ids=["none", "empty", "small", "large"]
    )
    @keeps("content-whole")
    async def test_bytes_come_back(self, store: Store, chunks: list[bytes]) -> None:
        content = b"".join(chunks)
        check = await store.keep(stream(*chunks))
        assert check.size == len(content)
        assert check.ref.startswith("sha256:")
        async with store.open(check) as found:
            assert b"".join([chunk async for chunk in found]) == content
        assert await store.keep(stream(content)) == check

    @keeps("content-whole")
    async def test_whoever_reads_may_stop(self, store: Store) -> None:
        check = await store.keep(stream(bytes(500_000)))
        async with store.open(check) as found:
            async for chunk in found:
                assert chunk
                break

    @keeps("content-whole")
    async def test_what_is_gone_is_a_store_error(self, store: Store) -> None:
        check = (await store.keep(stream(b"x"))).model_copy(update={"ref": "sha256:00"})
        with pytest.raises(StoreError, match="sha256:00"):
            async with store.open(check):
                pass

    @keeps("content-whole")
    async def test_a_stream_that_breaks_leaves_nothing(self, store: Store) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"x"
            raise OSError

        with pytest.raises(OSError):  # noqa: PT011
            await store.keep(broken())


class SweepContract:
    @keeps("content-swept")
    async def test_what_nothing_names_is_swept_a_day_later(self, store: Store, clock: FakeClock) -> None:
        """It may be that its row is just being stored; and whoever keeps it again has another day."""
        lost, again = [await store.keep(stream(each)) for each in (b"lost", b"again")]
        clock.advance(_DAY)
        await store.keep(stream(b"again"))
        assert await store.sweep() == 1
        assert (await _is_there(store, lost), await _is_there(store, again)) == (False, True)

    @pytest.mark.parametrize("how", ["erased", "old"])
    @keeps("content-swept")
    async def test_what_is_named_stays_until_the_last_that_names_it_is_gone(
        self, store: Store, clock: FakeClock, how: str
    ) -> None:
        """Of what came in and of what went out: attachments and originals alike."""
        ours, hers, original = [await store.keep(stream(each)) for each in (b"ours", b"hers", b"original")]
        files = [Attachment(claim=each, size=each.size) for each in (ours, hers)]
        await store.admit("c", [event("1", ANN, attachments=files[1:], native=original)])
        (said,) = await store.submit(
            [dispatch("1", ANN).model_copy(update={"message": Message("x", attachments=files)})]
        )
        await served(store)
        await store.save(closed(said))
        clock.advance(_DAY)
        later = dispatch("2", BOB).model_copy(update={"message": Message("x", attachments=files[:1])})
        await store.submit([later])
        clock.advance(_DAY)
        assert await store.sweep() == 0
        if how == "erased":
            await store.archive.erase(ANN)
        else:
            await store.archive.retain(1.5 * _DAY)
        assert [await _is_there(store, each) for each in (ours, hers, original)] == [True, False, False]


class LookContract:
    @keeps("lists-in-order")
    async def test_dispatches_newest_first(self, store: Store) -> None:
        one, *_ = await store.submit([dispatch("1"), dispatch("2", BOB), dispatch("3")])
        await store.save(closed(one))
        assert [each.id for each in await store.dispatches()] == ["3", "2", "1"]
        assert [each.id for each in await store.dispatches(limit=2)] == ["3", "2"]
        assert [each.id for each in await store.dispatches(recipient=ANN)] == ["3", "1"]

    @keeps("lists-in-order")
    async def test_dead_letters_oldest_first(self, store: Store) -> None:
        await store.admit("c", [event(str(number)) for number in range(3)])
        for _ in range(3):
            await store.bury(await lease(store), reason="x")
        assert [each.event.key for each in await store.dead_entries(limit=2)] == ["0", "1"]
        for one in await store.submit([dispatch(str(number)) for number in range(3)]):
            await store.save(changed(one, state=DeliveryState.DEAD))
        assert [each.id for each in await store.dead_deliveries(limit=2)] == ["0", "1"]

    @keeps("lists-in-order")
    async def test_dead_letters_page_by_page(self, store: Store) -> None:
        await store.admit("c", [event(str(number)) for number in range(3)])
        await store.admit("d", [event("3", channel="d")])
        for _ in range(4):
            await store.bury(await lease(store, limit=1), reason="x")
        first, second, third = await store.dead_entries(channel="c")
        assert [each.id for each in await store.dead_entries(start=second.id, channel="c")] == [second.id, third.id]
        assert [each.id for each in await store.dead_entries(start=first.id, limit=1)] == [first.id]
        assert [each.event.key for each in await store.dead_entries(channel="d")] == ["3"]
        for one in await store.submit([dispatch(str(number), channel="cd"[number % 2]) for number in range(4)]):
            await store.save(changed(one, state=DeliveryState.DEAD))
        assert [each.id for each in await store.dead_deliveries(start="1", limit=2)] == ["1", "2"]
        assert [each.id for each in await store.dead_deliveries(start="1", channel="c")] == ["2"]

    @keeps("lists-in-order")
    async def test_what_nobody_knows_is_listed_by_itself(self, store: Store) -> None:
        one, two = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(changed(one, state=DeliveryState.UNKNOWN))
        await store.save(changed(two, state=DeliveryState.DEAD))
        assert [each.id for each in await store.dead_deliveries()] == ["2"]
        assert [each.id for each in await store.dead_deliveries(unknown=True)] == ["1"]
        assert await store.dead_deliveries(unknown=True, channel="nobody") == []

    @keeps("lists-in-order")
    async def test_what_is_sent_again_with_other_words_is_found_by_these(self, store: Store) -> None:
        made = dispatch("1", state=DeliveryState.DEAD).model_copy(update={"message": Message("hello wrold")})
        (one,) = await store.submit([made])
        (old,) = one.deliveries
        again = delivery("2", dispatch="1", supersedes="1")
        edited = {"message": Message("hello world"), "deliveries": (changed(one).deliveries[0], again)}
        assert await store.save(one.model_copy(update=edited)) is not None
        assert [each.content for each in (await store.archive.search("world")).found] == [Message("hello world")]
        assert (await store.archive.search("wrold")).found == ()
        assert len((await store.archive.search(contact=old.address)).found) == 1
        assert (await store.archive.erase(old.address)).erased == 1
        for word in ("hello", "world", "wrold", ""):
            assert (await store.archive.search(word)).found == ()

    @keeps("lists-in-order")
    async def test_a_dead_event_says_since_when(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1")])
        clock.advance(5)
        await store.bury(await lease(store), reason="x")
        clock.advance(5)
        (dead,) = await store.dead_entries()
        assert dead.due == after(5)

    @keeps("lists-in-order")
    async def test_ids_that_are_none_are_found_nowhere(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        await store.bury(await lease(store), reason="x")
        for stranger in ("", "nobody", "f" * 32, "-1"):
            assert not await store.discard(stranger)
            assert not await store.revive(stranger)
            assert stranger not in [each.id for each in await store.dead_entries(start=stranger)]
            assert stranger not in [each.id for each in await store.dead_deliveries(start=stranger)]

    @keeps("dead-letters-dealt-with")
    async def test_a_dead_event_can_be_thrown_away(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        await store.bury(await lease(store), reason="x")
        (dead,) = await store.dead_entries()
        assert await store.discard(dead.id)
        assert not await store.discard(dead.id)
        assert not await store.discard("nobody")
        assert not await store.revive(dead.id)
        assert await store.dead_entries() == []
        assert await served(store) == []
        assert (await store.counts()).entries["c", EntryState.DONE] == 1
        assert await store.admit("c", [event("1")]) == (Admission.DUPLICATE,)

    @keeps("dead-letters-dealt-with")
    async def test_a_dead_event_can_be_handled_anew(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        await store.bury(await lease(store), reason="x")
        (dead,) = await store.dead_entries()
        assert await store.revive(dead.id)
        assert not await store.revive(dead.id)
        assert not await store.revive("nobody")
        assert await store.dead_entries() == []
        assert await served(store) == ["2", "1"]
        assert await store.admit("c", [event("1")]) == (Admission.DUPLICATE,)

    @keeps("lists-in-order")
    async def test_sums_by_channel_and_state(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2"), event("3")])
        await store.finish(await lease(store))
        await store.bury(await lease(store), reason="x")
        one, _ = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(closed(one))
        counts = await store.counts()
        assert counts.entries["c", EntryState.DONE] == 1
        assert counts.entries["c", EntryState.DEAD] == 1
        assert counts.entries["c", EntryState.READY] == 1
        assert counts.deliveries["c", "queued"] == 1
        assert counts.deliveries["c", "closed"] == 1
