"""What every store promises of lanes: once in, in order, one holder, retries."""

from __future__ import annotations

from datetime import timedelta

import anyio

from convergekit.abc import Admission, Cursor, EntryState, Store
from convergekit.model import DeadLettered, Importance

from ..clock import FakeClock
from ._keeps import keeps
from ._kit import (
    ANN,
    BOB,
    after,
    changed,
    claim,
    dispatch,
    event,
    keys,
    lease,
    served,
    urgent,
)

__all__ = ["AdmissionContract", "LaneContract", "RetryContract"]


class AdmissionContract:
    @keeps("admitted-once")
    async def test_an_event_is_admitted_once_for_good(self, store: Store, clock: FakeClock) -> None:
        assert await store.admit("c", [event("1")]) == (Admission.NEW,)
        assert await store.admit("c", [event("1"), event("2")]) == (Admission.DUPLICATE, Admission.NEW)
        assert await served(store) == ["1", "2"]
        clock.advance(10**7)
        assert await store.admit("c", [event("1")]) == (Admission.DUPLICATE,)
        assert await served(store) == []

    @keeps("admitted-once")
    async def test_one_call_may_hold_the_same_event_twice(self, store: Store) -> None:
        assert await store.admit("c", [event("1"), event("1")]) == (Admission.NEW, Admission.DUPLICATE)
        assert await served(store) == ["1"]

    @keeps("admitted-once")
    async def test_keys_are_scoped_by_channel(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        assert await store.admit("d", [event("1", channel="d")]) == (Admission.NEW,)

    @keeps("admitted-once")
    async def test_a_dead_event_is_still_a_duplicate(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        await store.bury(await lease(store), reason="x")
        assert await store.admit("c", [event("1")]) == (Admission.DUPLICATE,)

    @keeps("cursor-with-events")
    async def test_a_cursor_is_stored_with_its_events(self, store: Store) -> None:
        assert await store.cursor("c", "inbox") is None
        await store.admit("c", [event("1")], Cursor({"uid": 7}, "inbox"))
        await store.admit("c", [], Cursor("other"))
        assert await store.cursor("c", "inbox") == {"uid": 7}
        assert await store.cursor("c", "") == "other"
        assert await store.cursor("d", "inbox") is None

    @keeps("cursor-with-events")
    async def test_a_cursor_advances_over_duplicates(self, store: Store) -> None:
        await store.admit("c", [event("1")], Cursor(1))
        await store.admit("c", [event("1")], Cursor(2))
        assert await store.cursor("c", "") == 2

    @keeps("out-as-it-went-in")
    async def test_what_is_stored_is_not_the_callers_object(self, store: Store) -> None:
        value = {"uid": [1]}
        await store.admit("c", [], Cursor(value))
        value["uid"].append(2)
        (await store.cursor("c", ""))["uid"].append(3)
        assert await store.cursor("c", "") == {"uid": [1]}

    @keeps("out-as-it-went-in")
    async def test_an_event_comes_out_as_it_went_in(self, store: Store) -> None:
        one = event("1", native={"raw": b"\x00", "$": 1}, headers={"X-A": "1"}, reply_to="0")
        await store.admit("c", [one])
        entry = (await lease(store)).entry
        assert entry is not None
        assert entry.event == one
        assert (entry.state, entry.attempts, entry.passed, entry.due) == (EntryState.READY, 0, False, after(0))


class LaneContract:
    @keeps("lane-in-order")
    async def test_a_lane_is_first_in_first_out(self, store: Store) -> None:
        await store.admit("c", [event(str(number)) for number in range(20)])
        assert await served(store) == [str(number) for number in range(20)]

    @keeps("lane-in-order")
    async def test_a_lane_has_one_holder_at_a_time(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        held = await lease(store)
        assert (await claim(store)).leases == []
        await store.finish(held)
        assert keys((await claim(store)).leases) == ["2"]

    @keeps("lanes-do-not-starve")
    async def test_lanes_are_parallel(self, store: Store) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b"), event("3", "tg:a")])
        assert sorted(keys((await claim(store)).leases)) == ["1", "2"]

    @keeps("lane-in-order")
    async def test_what_makes_a_lane(self, store: Store) -> None:
        """Direction, channel, conversation and class; an event may name another lane than its conversation."""
        await store.admit("c", [event("1"), event("2", lane="own"), event("3", BOB, lane="own")])
        await store.admit("d", [event("4", channel="d")])
        await store.submit([dispatch("5"), urgent("6", ANN)])
        assert sorted(keys((await claim(store)).leases)) == ["1", "2", "4"]
        assert sorted(keys((await claim(store, "out")).leases)) == ["5", "6"]

    @keeps("lane-in-order")
    async def test_a_delivery_names_its_lane(self, store: Store) -> None:
        """`lane_key`: with an order key one of its own, for each address."""
        await store.submit([dispatch("1", order_key="a"), dispatch("2", order_key="b"), dispatch("3")])
        await store.submit([dispatch("4", order_key="a"), dispatch("5", BOB, order_key="a"), dispatch("6")])
        assert sorted(keys((await claim(store, "out")).leases)) == ["1", "2", "3", "5"]

    @keeps("claim-in-limits")
    async def test_the_limit_is_kept_and_told(self, store: Store) -> None:
        await store.admit("c", [event(str(number), f"tg:{number}") for number in range(3)])
        found = await claim(store, limit=2)
        assert (len(found.leases), found.more) == (2, True)
        found = await claim(store, limit=2)
        assert (len(found.leases), found.more) == (1, False)

    @keeps("claim-in-limits")
    async def test_slots_limit_channels_and_close_others(self, store: Store) -> None:
        for channel in ("a", "b", "c"):
            await store.admit(channel, [event(f"{channel}{n}", f"tg:{n}", channel=channel) for n in range(3)])
        found = await claim(store, slots={"a": 1, "b": 2, "nobody": 5, "c": 0})
        assert sorted(each.lane.channel for each in found.leases) == ["a", "b", "b"]
        assert not found.more
        assert (await claim(store, slots={})).leases == []
        assert len((await claim(store)).leases) == 6

    @keeps("lanes-do-not-starve")
    async def test_no_channel_starves(self, store: Store) -> None:
        """However long the backlog of another one is, and however few lanes one claim asks for."""
        await store.admit("a", [event(f"a{number}", f"tg:{number}", channel="a") for number in range(50)])
        await store.admit("b", [event("b", channel="b")])
        order = await served(store)
        assert order.index("b") <= 2

    @keeps("lanes-do-not-starve")
    async def test_no_lane_starves(self, store: Store) -> None:
        await store.admit("c", [event(f"a{number}") for number in range(50)])
        await store.admit("c", [event("b", BOB)])
        assert (await served(store)).index("b") <= 2

    @keeps("lanes-do-not-starve")
    async def test_urgent_overtakes_normal_overtakes_bulk_and_bulk_does_not_starve(self, store: Store) -> None:
        for kind, count in ((Importance.BULK, 3), (Importance.NORMAL, 3), (Importance.URGENT, 30)):
            await store.submit([dispatch(f"{kind}{n}", f"tg:{kind}{n}", importance=kind) for n in range(count)])
        order = await served(store, "out")
        assert order[0] == "urgent0"
        assert order.index("urgent5") < order.index("normal0")
        assert order.index("bulk0") < order.index("urgent29")

    @keeps("waiting-is-cheap")
    async def test_many_that_wait_do_not_slow_down_one_that_does_not(self, store: Store, clock: FakeClock) -> None:
        """They have stepped aside: a claim looks at what can be served."""
        many = [dispatch(str(number).zfill(5)) for number in range(200)]
        await store.submit(many)
        for _ in many:
            held = await lease(store, "out")
            assert held.dispatch is not None
            waits = changed(held.dispatch, due=after(1000), hold_until=after(0))
            await store.save(waits, lease=held, release=True)
        await store.submit([dispatch("last")])
        with anyio.fail_after(30):
            for _ in range(50):
                held = await lease(store, "out")
                assert held.delivery == "last"
                await store.release(held)
        clock.advance(1000)
        assert await served(store, "out", most=2) == ["00000", "00001"]


class RetryContract:
    @keeps("waiting-holds-its-lane")
    async def test_a_head_that_waits_blocks_its_lane_until_it_is_due(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2")])
        await store.postpone(await lease(store), due=after(5), hold=60, reason="ValueError")
        found = await claim(store)
        assert (found.leases, found.next_due) == ([], after(5))
        clock.advance(5)
        held = await lease(store)
        entry = held.entry
        assert entry is not None
        assert (entry.event.key, entry.attempts, entry.reason, entry.passed) == ("1", 1, "ValueError", False)
        assert not held.recovered

    @keeps("waiting-holds-its-lane")
    async def test_what_is_held_until_it_is_due_is_never_passed(self, store: Store, clock: FakeClock) -> None:
        """However often, and however long: so what has an order key waits."""
        await store.submit([dispatch("1", order_key="a"), dispatch("2", order_key="a")])
        for _ in range(3):
            held = await lease(store, "out")
            assert held.dispatch is not None
            assert held.delivery == "1"
            due = clock.now() + timedelta(days=1)
            await store.save(changed(held.dispatch, due=due, hold_until=due), lease=held, release=True)
            clock.advance(86_399)
            found = await claim(store, "out")
            assert (found.leases, found.next_due) == ([], due)
            clock.advance(1)
        assert await served(store, "out") == ["1", "2"]

    @keeps("waiting-holds-its-lane")
    async def test_after_its_hold_it_is_passed_and_the_ledger_says_so(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2"), event("3")])
        first = await lease(store)
        await store.postpone(first, due=after(3600), hold=60, reason="x")
        found = await claim(store)
        assert (found.leases, found.next_due) == ([], after(60))
        clock.advance(60)
        assert await served(store) == ["2", "3"]
        assert (await claim(store)).next_due == after(3600)
        clock.advance(3540)
        entry = (await lease(store)).entry
        assert entry is not None
        assert (entry.event.key, entry.passed) == ("1", True)

    @keeps("waiting-holds-its-lane")
    async def test_a_hold_of_nothing_lets_the_others_pass_at_once(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        await store.postpone(await lease(store), due=after(60), hold=0, reason="x")
        assert await served(store) == ["2"]

    @keeps("waiting-holds-its-lane")
    async def test_one_that_was_never_overtaken_was_not_passed(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1")])
        await store.postpone(await lease(store), due=after(60), hold=0, reason="x")
        assert (await claim(store)).leases == []
        clock.advance(60)
        await store.admit("c", [event("2")])
        entry = (await lease(store)).entry
        assert entry is not None
        assert (entry.event.key, entry.passed) == ("1", False)

    @keeps("passed-comes-back")
    async def test_an_older_one_that_comes_back_overtakes_nobody(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2")])
        for seconds in (100, 200):
            await store.postpone(await lease(store), due=after(seconds), hold=0, reason="x")
        assert (await claim(store)).leases == []
        clock.advance(100)
        assert await served(store) == ["1"]
        clock.advance(100)
        entry = (await lease(store)).entry
        assert entry is not None
        assert (entry.event.key, entry.passed) == ("2", False)

    @keeps("waiting-holds-its-lane")
    async def test_a_second_failure_does_not_prolong_the_hold(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2")])
        await store.postpone(await lease(store), due=after(30), hold=60, reason="x")
        clock.advance(30)
        await store.postpone(await lease(store), due=after(300), hold=60, reason="x")
        clock.advance(29)
        assert (await claim(store)).leases == []
        clock.advance(1)
        assert await served(store) == ["2"]

    @keeps("passed-comes-back")
    async def test_the_oldest_that_is_due_comes_first_again(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2"), event("3")])
        await store.postpone(await lease(store), due=after(10), hold=0, reason="x")
        await store.postpone(await lease(store), due=after(5), hold=0, reason="x")
        clock.advance(10)
        assert await served(store) == ["1", "2", "3"]

    @keeps("passed-comes-back")
    async def test_a_passed_one_that_waits_again_with_a_hold_blocks_again(self, store: Store, clock: FakeClock) -> None:
        """Of a delivery, whose next part begins a new time of waiting."""
        await store.submit([dispatch("1"), dispatch("2")])
        held = await lease(store, "out")
        assert held.dispatch is not None
        await store.save(changed(held.dispatch, due=after(10), hold_until=after(0)), lease=held, release=True)
        clock.advance(10)
        held = await lease(store, "out")
        assert held.dispatch is not None
        assert held.delivery == "1"
        await store.save(changed(held.dispatch, due=after(30), hold_until=after(20)), lease=held, release=True)
        assert (await claim(store, "out")).next_due == after(20)
        clock.advance(10)
        assert keys((await claim(store, "out")).leases) == ["2"]
        passed = await store.load("1")
        assert passed is not None
        assert passed.deliveries[0].passed

    @keeps("waiting-holds-its-lane")
    async def test_a_wait_may_be_cut_short(self, store: Store, clock: FakeClock) -> None:
        """A person retries, or the account works again: it is due now, whatever it waited for."""
        await store.submit([dispatch("1"), dispatch("2")])
        held = await lease(store, "out")
        assert held.dispatch is not None
        await store.save(changed(held.dispatch, due=after(1000), hold_until=after(0)), lease=held, release=True)
        assert await served(store, "out") == ["2"]
        current = await store.load("1")
        assert current is not None
        await store.save(changed(current, due=after(0)))
        assert await served(store, "out") == ["1"]
        clock.advance(2000)
        assert await served(store, "out") == []

    @keeps("buried-lets-go")
    async def test_a_buried_event_is_kept_and_lets_the_others_go_on(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        told = DeadLettered(key="dead:1", channel="c", lane="dead", direction="in", id="1", reason="x")
        await store.bury(await lease(store), reason="gave up", events=[told])
        assert sorted(await served(store)) == ["2", "dead:1"]
        (dead,) = await store.dead_entries()
        assert (dead.event.key, dead.state, dead.reason, dead.attempts) == ("1", EntryState.DEAD, "gave up", 1)
