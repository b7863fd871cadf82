"""What every store promises. A store's tests inherit `StoreContract` and give it a `store` that is open on `clock`."""

from contextlib import suppress
from datetime import timedelta

import anyio
import pytest

from convergekit.abc import PARKED, Admission, Cursor, EntryState, Store
from convergekit.errors import KeyConflictError, LeaseLostError, StoreError
from convergekit.model import DeadLettered, DeliveryState, Importance, Receipt, Status
from convergekit.testing import FakeClock

from .kit import (
    ANN,
    after,
    changed,
    claim,
    closed,
    delivery,
    dispatch,
    event,
    keys,
    lease,
    served,
    stream,
    taken,
    urgent,
)

BOB = "tg:bob"
pytestmark = pytest.mark.anyio


class AdmissionContract:
    async def test_an_event_is_admitted_once_for_good(self, store: Store, clock: FakeClock) -> None:
        assert await store.admit("c", [event("1")]) == (Admission.NEW,)
        assert await store.admit("c", [event("1"), event("2")]) == (Admission.DUPLICATE, Admission.NEW)
        assert await served(store) == ["1", "2"]
        clock.advance(10**7)
        assert await store.admit("c", [event("1")]) == (Admission.DUPLICATE,)
        assert await served(store) == []

    async def test_one_call_may_hold_the_same_event_twice(self, store: Store) -> None:
        assert await store.admit("c", [event("1"), event("1")]) == (Admission.NEW, Admission.DUPLICATE)
        assert await served(store) == ["1"]

    async def test_keys_are_scoped_by_channel(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        assert await store.admit("d", [event("1", channel="d")]) == (Admission.NEW,)

    async def test_a_dead_event_is_still_a_duplicate(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        await store.bury(await lease(store), reason="x")
        assert await store.admit("c", [event("1")]) == (Admission.DUPLICATE,)

    async def test_a_cursor_is_stored_with_its_events(self, store: Store) -> None:
        assert await store.cursor("c", "inbox") is None
        await store.admit("c", [event("1")], Cursor({"uid": 7}, "inbox"))
        await store.admit("c", [], Cursor("other"))
        assert await store.cursor("c", "inbox") == {"uid": 7}
        assert await store.cursor("c", "") == "other"
        assert await store.cursor("d", "inbox") is None

    async def test_a_cursor_advances_over_duplicates(self, store: Store) -> None:
        await store.admit("c", [event("1")], Cursor(1))
        await store.admit("c", [event("1")], Cursor(2))
        assert await store.cursor("c", "") == 2

    async def test_what_is_stored_is_not_the_callers_object(self, store: Store) -> None:
        value = {"uid": [1]}
        await store.admit("c", [], Cursor(value))
        value["uid"].append(2)
        (await store.cursor("c", ""))["uid"].append(3)
        assert await store.cursor("c", "") == {"uid": [1]}

    async def test_an_event_comes_out_as_it_went_in(self, store: Store) -> None:
        one = event("1", native={"raw": b"\x00", "$": 1}, headers={"X-A": "1"}, reply_to="0")
        await store.admit("c", [one])
        entry = (await lease(store)).entry
        assert entry is not None
        assert entry.event == one
        assert (entry.state, entry.attempts, entry.passed, entry.due) == (EntryState.READY, 0, False, after(0))


class LaneContract:
    async def test_a_lane_is_first_in_first_out(self, store: Store) -> None:
        await store.admit("c", [event(str(number)) for number in range(20)])
        assert await served(store) == [str(number) for number in range(20)]

    async def test_a_lane_has_one_holder_at_a_time(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        held = await lease(store)
        assert (await claim(store)).leases == []
        await store.finish(held)
        assert keys((await claim(store)).leases) == ["2"]

    async def test_lanes_are_parallel(self, store: Store) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b"), event("3", "tg:a")])
        assert sorted(keys((await claim(store)).leases)) == ["1", "2"]

    async def test_what_makes_a_lane(self, store: Store) -> None:
        """Direction, channel, conversation and class; an event may name another lane than its conversation."""
        await store.admit("c", [event("1"), event("2", lane="own"), event("3", BOB, lane="own")])
        await store.admit("d", [event("4", channel="d")])
        await store.submit([dispatch("5"), urgent("6", ANN)])
        assert sorted(keys((await claim(store)).leases)) == ["1", "2", "4"]
        assert sorted(keys((await claim(store, "out")).leases)) == ["5", "6"]

    async def test_the_limit_is_kept_and_told(self, store: Store) -> None:
        await store.admit("c", [event(str(number), f"tg:{number}") for number in range(3)])
        found = await claim(store, limit=2)
        assert (len(found.leases), found.more) == (2, True)
        found = await claim(store, limit=2)
        assert (len(found.leases), found.more) == (1, False)

    async def test_slots_limit_channels_and_close_others(self, store: Store) -> None:
        for channel in ("a", "b", "c"):
            await store.admit(channel, [event(f"{channel}{n}", f"tg:{n}", channel=channel) for n in range(3)])
        found = await claim(store, slots={"a": 1, "b": 2, "nobody": 5, "c": 0})
        assert sorted(each.lane.channel for each in found.leases) == ["a", "b", "b"]
        assert not found.more
        assert (await claim(store, slots={})).leases == []
        assert len((await claim(store)).leases) == 6

    async def test_no_channel_starves(self, store: Store) -> None:
        """However long the backlog of another one is, and however few lanes one claim asks for."""
        await store.admit("a", [event(f"a{number}", f"tg:{number}", channel="a") for number in range(50)])
        await store.admit("b", [event("b", channel="b")])
        order = await served(store)
        assert order.index("b") <= 2

    async def test_no_lane_starves(self, store: Store) -> None:
        await store.admit("c", [event(f"a{number}") for number in range(50)])
        await store.admit("c", [event("b", BOB)])
        assert (await served(store)).index("b") <= 2

    async def test_urgent_overtakes_normal_overtakes_bulk_and_bulk_does_not_starve(self, store: Store) -> None:
        for kind, count in ((Importance.BULK, 3), (Importance.NORMAL, 3), (Importance.URGENT, 30)):
            await store.submit([dispatch(f"{kind}{n}", f"tg:{kind}{n}", importance=kind) for n in range(count)])
        order = await served(store, "out")
        assert order[0] == "urgent0"
        assert order.index("urgent5") < order.index("normal0")
        assert order.index("bulk0") < order.index("urgent29")

    async def test_many_that_wait_do_not_slow_down_one_that_does_not(self, store: Store, clock: FakeClock) -> None:
        """They have stepped aside: a claim looks at what can be served."""
        many = [dispatch(str(number).zfill(5)) for number in range(2000)]
        await store.submit(many)
        for _ in many:
            held = await lease(store, "out")
            assert held.dispatch is not None
            waits = changed(held.dispatch, due=after(1000), hold_until=after(0))
            await store.save(waits, lease=held, release=True)
        await store.submit([dispatch("last")])
        with anyio.fail_after(5):
            for _ in range(1000):
                held = await lease(store, "out")
                assert held.delivery == "last"
                await store.release(held)
        clock.advance(1000)
        assert (await served(store, "out"))[:2] == ["00000", "00001"]


class RetryContract:
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

    async def test_a_hold_of_nothing_lets_the_others_pass_at_once(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        await store.postpone(await lease(store), due=after(60), hold=0, reason="x")
        assert await served(store) == ["2"]

    async def test_one_that_was_never_overtaken_was_not_passed(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1")])
        await store.postpone(await lease(store), due=after(60), hold=0, reason="x")
        assert (await claim(store)).leases == []
        clock.advance(60)
        await store.admit("c", [event("2")])
        entry = (await lease(store)).entry
        assert entry is not None
        assert (entry.event.key, entry.passed) == ("1", False)

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

    async def test_a_second_failure_does_not_prolong_the_hold(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2")])
        await store.postpone(await lease(store), due=after(30), hold=60, reason="x")
        clock.advance(30)
        await store.postpone(await lease(store), due=after(300), hold=60, reason="x")
        clock.advance(29)
        assert (await claim(store)).leases == []
        clock.advance(1)
        assert await served(store) == ["2"]

    async def test_the_oldest_that_is_due_comes_first_again(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1"), event("2"), event("3")])
        await store.postpone(await lease(store), due=after(10), hold=0, reason="x")
        await store.postpone(await lease(store), due=after(5), hold=0, reason="x")
        clock.advance(10)
        assert await served(store) == ["1", "2", "3"]

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

    async def test_a_buried_event_is_kept_and_lets_the_others_go_on(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        told = DeadLettered(key="dead:1", channel="c", lane="dead", direction="in", id="1", reason="x")
        await store.bury(await lease(store), reason="gave up", events=[told])
        assert sorted(await served(store)) == ["2", "dead:1"]
        (dead,) = await store.dead_entries()
        assert (dead.event.key, dead.state, dead.reason, dead.attempts) == ("1", EntryState.DEAD, "gave up", 1)


class LeaseContract:
    async def test_an_ended_lease_is_given_to_the_next_who_is_told(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1")])
        old = await lease(store, seconds=10)
        assert (old.until, old.recovered) == (after(10), False)
        clock.advance(9)
        assert (await claim(store)).leases == []
        clock.advance(1)
        new = await lease(store)
        assert new.recovered
        assert new.token > old.token
        for report in (
            store.finish(old),
            store.postpone(old, due=after(0), hold=0, reason="x"),
            store.bury(old, reason="x"),
        ):
            with pytest.raises(LeaseLostError):
                await report
        await store.finish(new)
        assert await served(store) == []

    async def test_when_a_lease_ends_is_told_to_whoever_finds_nothing(self, store: Store) -> None:
        """Or the work of one who went away would wait for the next traffic."""
        await store.admit("c", [event("1")])
        await lease(store, seconds=10)
        assert (await claim(store)).next_due == after(10)
        assert (await claim(store, "out")).next_due is None

    async def test_a_shorter_lease_that_began_later_ends_earlier(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b")])
        await claim(store, limit=1, seconds=1000)
        await claim(store, limit=1, seconds=10)
        clock.advance(10)
        assert keys((await claim(store)).leases) == ["2"]

    async def test_a_lost_lease_changes_nothing(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("1")])
        old = await lease(store, "out", seconds=10)
        assert old.dispatch is not None
        clock.advance(10)
        new = await lease(store, "out")
        with pytest.raises(LeaseLostError):
            await store.save(closed(old.dispatch), lease=old, release=True, events=[event("e")])
        assert new.dispatch is not None
        assert await store.load("1") == new.dispatch
        assert (await claim(store)).leases == []
        assert await store.save(closed(new.dispatch), lease=new, release=True) is not None

    async def test_a_lease_that_was_used_up_is_lost(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        used = await lease(store)
        await store.finish(used)
        with pytest.raises(LeaseLostError):
            await store.finish(used)
        assert await served(store) == ["2"]

    async def test_a_renewed_lease_holds_on(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b")])
        kept, lost = (await claim(store, seconds=10)).leases
        clock.advance(9)
        await store.renew([kept], 10)
        assert (kept.until, lost.until) == (after(19), after(10))
        clock.advance(9)
        taken_over = await lease(store)
        assert taken_over.entry is lost.entry or keys([taken_over]) == keys([lost])
        await store.finish(kept)

    async def test_a_lost_lease_is_not_renewed_and_does_no_harm_to_others(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b")])
        lost, kept = (await claim(store, seconds=10)).leases
        clock.advance(5)
        await store.renew([kept], 10)
        clock.advance(5)
        await lease(store)
        await store.renew([lost, kept], 100)
        assert (lost.until, kept.until) == (after(10), after(110))

    async def test_what_is_released_goes_back_as_it_was(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        held = await lease(store)
        await store.release(held)
        await store.release(held)
        again = await lease(store)
        assert again.entry is not None
        assert (again.entry.event.key, again.entry.attempts, again.recovered) == ("1", 0, False)

    async def test_releasing_a_lost_lease_takes_nothing_from_its_new_holder(
        self, store: Store, clock: FakeClock
    ) -> None:
        await store.admit("c", [event("1")])
        old = await lease(store, seconds=10)
        clock.advance(10)
        new = await lease(store)
        await store.release(old)
        assert (await claim(store)).leases == []
        await store.finish(new)


class SubmitContract:
    async def test_a_key_is_unique_per_recipient_for_good(self, store: Store) -> None:
        first = dispatch("1", key="k", fingerprint="f")
        assert await store.submit([first]) == (first,)
        assert await store.submit([dispatch("2", key="k", fingerprint="f")]) == (first,)
        assert len(await store.submit([dispatch("3", BOB, key="k", fingerprint="g")])) == 1
        assert sorted(await served(store, "out")) == ["1", "3"]
        (known,) = await store.submit([dispatch("4", key="k", fingerprint="f")])
        assert (known.id, known.deliveries[0].state) == ("1", DeliveryState.CLOSED)

    async def test_other_content_under_a_key_is_a_conflict_and_nothing_is_stored(self, store: Store) -> None:
        await store.submit([dispatch("1", key="k", fingerprint="f")])
        with pytest.raises(KeyConflictError, match="'k'"):
            await store.submit([dispatch("2", BOB), dispatch("3", key="k", fingerprint="g")])
        assert await store.load("2") is None
        assert await served(store, "out") == ["1"]

    async def test_one_call_may_not_hold_two_contents_for_one_key(self, store: Store) -> None:
        pair = [dispatch("1", key="k", fingerprint="f"), dispatch("2", key="k", fingerprint="g")]
        with pytest.raises(KeyConflictError):
            await store.submit(pair)
        assert await store.dispatches() == []

    async def test_one_call_may_hold_one_content_twice(self, store: Store) -> None:
        first = dispatch("1", key="k", fingerprint="f")
        assert await store.submit([first, dispatch("2", key="k", fingerprint="f")]) == (first, first)

    async def test_what_a_handler_submits_again_is_what_is_there(self, store: Store) -> None:
        """Its second run may say something else; what the first one said has gone out."""
        first = dispatch("1", key="k", fingerprint="f", origin="event")
        await store.submit([first])
        assert await store.submit([dispatch("2", key="k", fingerprint="g", origin="event")]) == (first,)

    async def test_a_reply_commits_with_done(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        held = await lease(store)
        (stored,) = await store.finish(held, dispatches=[dispatch("r", origin="1")])
        assert stored.id == "r"
        assert keys((await claim(store, "out")).leases) == ["r"]

    async def test_neither_reply_nor_done_without_the_other(self, store: Store) -> None:
        await store.submit([dispatch("1", key="k", fingerprint="f")])
        await store.admit("c", [event("1")])
        held = await lease(store)
        with pytest.raises(KeyConflictError):
            await store.finish(held, dispatches=[dispatch("2", BOB), dispatch("3", key="k", fingerprint="g")])
        assert await store.load("2") is None
        await store.postpone(held, due=after(0), hold=0, reason="conflict")
        assert await served(store) == ["1"]

    async def test_no_reply_where_the_lease_was_lost(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1")])
        old = await lease(store, seconds=1)
        clock.advance(1)
        await lease(store)
        with pytest.raises(LeaseLostError):
            await store.finish(old, dispatches=[dispatch("r")])
        assert await store.load("r") is None

    async def test_a_dispatch_comes_out_as_it_went_in(self, store: Store) -> None:
        first = dispatch("1", wake=5)
        await store.submit([first])
        assert await store.load("1") == first
        assert await store.load("nobody") is None
        assert (await lease(store, "out")).dispatch == first


class ScheduleContract:
    async def test_what_is_scheduled_enters_its_lane_when_it_is_due(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("later", due=100), dispatch("now")])
        assert await served(store, "out") == ["now"]
        found = await claim(store, "out")
        assert (found.leases, found.next_due) == ([], after(100))
        clock.advance(100)
        assert await served(store, "out") == ["later"]

    async def test_it_stands_behind_what_came_before_it_was_due(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("later", due=10)])
        await store.submit([dispatch("now")])
        clock.advance(20)
        await store.submit([dispatch("after")])
        assert await served(store, "out") == ["now", "later", "after"]

    async def test_a_scheduled_one_holds_up_nobody(self, store: Store) -> None:
        await store.submit([dispatch("later", due=100, hold_until=after(100))])
        await store.submit([dispatch("now")])
        assert await served(store, "out") == ["now"]

    async def test_a_scheduled_one_that_was_cancelled_stays_away(self, store: Store, clock: FakeClock) -> None:
        (later,) = await store.submit([dispatch("later", due=100)])
        await store.save(changed(later, state=DeliveryState.CANCELLED))
        clock.advance(100)
        assert await served(store, "out") == []

    async def test_a_scheduled_one_may_be_moved(self, store: Store, clock: FakeClock) -> None:
        (later,) = await store.submit([dispatch("1", due=100)])
        moved = await store.save(changed(later, due=after(200)))
        clock.advance(100)
        assert await served(store, "out") == []
        assert moved is not None
        await store.save(changed(moved, due=after(150)))
        clock.advance(50)
        assert await served(store, "out") == ["1"]
        clock.advance(50)
        assert await served(store, "out") == []

    async def test_later_legs_are_not_served_before_they_are_opened(self, store: Store) -> None:
        legs = [delivery("1a", dispatch="1"), delivery("1b", BOB, dispatch="1", leg=1, state=DeliveryState.WAITING)]
        await store.submit([dispatch("1", deliveries=legs)])
        held = await lease(store, "out")
        assert held.delivery == "1a"
        assert held.dispatch is not None
        opened = [
            legs[0].model_copy(update={"state": DeliveryState.CLOSED}),
            legs[1].model_copy(update={"state": DeliveryState.QUEUED}),
        ]
        await store.save(held.dispatch.model_copy(update={"deliveries": tuple(opened)}), lease=held, release=True)
        assert keys((await claim(store, "out")).leases) == ["1b"]

    @pytest.mark.parametrize(
        "state", [DeliveryState.UNKNOWN, DeliveryState.DEAD, DeliveryState.CANCELLED, DeliveryState.CLOSED]
    )
    async def test_what_has_stopped_never_holds_up_its_lane(self, store: Store, state: DeliveryState) -> None:
        await store.submit([dispatch("1"), dispatch("2")])
        held = await lease(store, "out")
        assert held.dispatch is not None
        stopped = await store.save(changed(held.dispatch, state=state), lease=held, release=True)
        assert await served(store, "out") == ["2"]
        assert stopped is not None
        await store.save(changed(stopped, state=DeliveryState.QUEUED))
        assert await served(store, "out") == ["1"]

    async def test_the_mark_of_one_who_went_away_is_served_again(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("1"), dispatch("2")])
        held = await lease(store, "out", seconds=10)
        assert held.dispatch is not None
        await store.save(changed(held.dispatch, state=DeliveryState.SENDING, sending=0), lease=held)
        clock.advance(10)
        again = await lease(store, "out")
        assert (again.delivery, again.recovered) == ("1", True)
        assert again.dispatch is not None
        assert again.dispatch.deliveries[0].state is DeliveryState.SENDING

    async def test_one_that_was_cancelled_while_it_was_held_is_gone(self, store: Store, clock: FakeClock) -> None:
        (one,) = await store.submit([dispatch("1")])
        await lease(store, "out", seconds=10)
        await store.save(changed(one, state=DeliveryState.CANCELLED))
        clock.advance(10)
        assert (await claim(store, "out")).leases == []
        await store.submit([dispatch("2")])
        held = await lease(store, "out")
        assert (held.delivery, held.recovered) == ("2", False)


class SaveContract:
    async def test_a_change_counts_up_and_an_older_snapshot_is_refused(self, store: Store) -> None:
        (first,) = await store.submit([dispatch("1")])
        saved = await store.save(changed(first, reason="a"))
        assert saved is not None
        assert saved.version == first.version + 1
        assert await store.save(changed(first, reason="b"), events=[event("e")]) is None
        assert await store.load("1") == saved
        assert (await claim(store)).leases == []

    async def test_a_refused_change_gives_nothing_back(self, store: Store) -> None:
        (first,) = await store.submit([dispatch("1")])
        held = await lease(store, "out")
        await store.save(changed(first, reason="a"))
        assert await store.save(closed(first), lease=held, release=True) is None
        assert (await claim(store, "out")).leases == []
        current = await store.load("1")
        assert current is not None
        assert await store.save(closed(current), lease=held, release=True) is not None

    async def test_a_change_of_an_unknown_dispatch_is_refused(self, store: Store) -> None:
        assert await store.save(dispatch("1")) is None
        assert await store.load("1") is None

    async def test_events_are_admitted_with_a_change(self, store: Store) -> None:
        (first,) = await store.submit([dispatch("1")])
        await store.save(closed(first), events=[event("e"), event("e")])
        assert await served(store) == ["e"]
        assert await store.admit("c", [event("e")]) == (Admission.DUPLICATE,)

    async def test_a_lease_outlasts_a_change_that_does_not_release_it(self, store: Store) -> None:
        await store.submit([dispatch("1")])
        held = await lease(store, "out")
        assert held.dispatch is not None
        saved = await store.save(changed(held.dispatch, state=DeliveryState.SENDING), lease=held)
        assert (await claim(store, "out")).leases == []
        assert saved is not None
        assert await store.save(closed(saved), lease=held, release=True) is not None


class TimerContract:
    async def test_a_dispatch_wakes_when_its_time_has_come(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("1", wake=10), dispatch("2", BOB, wake=20), dispatch("3", "tg:c")])
        assert await store.awake() == ([], after(10))
        clock.advance(10)
        assert await store.awake() == (["1"], after(20))

    async def test_it_is_told_until_it_has_changed(self, store: Store, clock: FakeClock) -> None:
        """Whoever was told may have gone away."""
        (one,) = await store.submit([dispatch("1", wake=10)])
        clock.advance(10)
        assert await store.awake() == await store.awake() == (["1"], None)
        await store.save(one.model_copy(update={"wake_at": None}))
        assert await store.awake() == ([], None)

    async def test_a_timer_may_be_moved(self, store: Store, clock: FakeClock) -> None:
        (one,) = await store.submit([dispatch("1", wake=10)])
        one = await store.save(one.model_copy(update={"wake_at": after(30)})) or one
        clock.advance(10)
        assert await store.awake() == ([], after(30))
        one = await store.save(one.model_copy(update={"wake_at": after(10)})) or one
        assert await store.awake() == (["1"], None)

    async def test_the_limit_is_kept(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch(str(number), f"tg:{number}", wake=number) for number in range(5)])
        clock.advance(10)
        due, rest = await store.awake(3)
        assert list(due) == ["0", "1", "2"]
        assert rest == after(3)


class ReportContract:
    async def test_a_delivery_is_found_by_our_id_else_theirs_else_its_address(self, store: Store) -> None:
        (one,) = await store.submit([dispatch("1")])
        await store.save(taken(one, "p1", "p2"))
        assert await store.find("c", delivery="1") == ("1", "1")
        assert await store.find("c", ids=["nobody", "p2"]) == ("1", "1")
        assert await store.find("c", address=ANN) == ("1", "1")
        assert await store.find("c", ids=["nobody"]) is None
        assert await store.find("c", address=BOB) is None
        assert await store.find("c") is None

    async def test_nothing_is_found_on_another_channel(self, store: Store) -> None:
        (one,) = await store.submit([dispatch("1")])
        await store.save(taken(one, "p"))
        assert await store.find("d", delivery="1", ids=["p"], address=ANN) is None

    @pytest.mark.parametrize("named", [{"ids": ["p9"]}, {"delivery": "9"}])
    async def test_a_report_that_names_a_message_is_never_guessed_to_be_about_another(
        self, store: Store, named: dict[str, object]
    ) -> None:
        await store.submit([dispatch("1")])
        assert await store.find("c", address=ANN, **named) is None  # type: ignore[arg-type]

    async def test_the_newest_to_an_address_stays_the_newest_when_an_older_one_changes(self, store: Store) -> None:
        older, _ = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(taken(older, "p"))
        assert await store.find("c", address=ANN) == ("2", "2")

    async def test_an_id_that_the_medium_uses_again_means_the_newest(self, store: Store) -> None:
        older, newer = await store.submit([dispatch("1"), dispatch("2")])
        older = await store.save(taken(older, "p")) or older
        await store.save(taken(newer, "p"))
        await store.save(taken(older, "q"))
        assert await store.find("c", ids=["p"]) == ("2", "2")
        assert await store.find("c", ids=["q"]) == ("1", "1")

    async def test_a_leg_that_was_never_opened_was_sent_to_nobody(self, store: Store) -> None:
        legs = [delivery("1a", dispatch="1"), delivery("1b", BOB, dispatch="1", leg=1, state=DeliveryState.WAITING)]
        (one,) = await store.submit([dispatch("1", deliveries=legs)])
        assert await store.find("c", address=BOB) is None
        opened = (legs[0], legs[1].model_copy(update={"state": DeliveryState.QUEUED}))
        await store.save(one.model_copy(update={"deliveries": opened}))
        assert await store.find("c", address=BOB) == ("1", "1b")

    async def test_a_parked_receipt_is_taken_out_once_by_any_of_its_ids(self, store: Store) -> None:
        receipt, other = Receipt(Status.SENT, ids=["a", "b"]), Receipt(Status.READ, ids=["b"])
        await store.park("c", receipt)
        await store.park("c", other)
        assert await store.unpark("d", ["a", "b"]) == []
        assert await store.unpark("c", ["a", "nobody"]) == [receipt]
        assert await store.unpark("c", ["a", "b"]) == [other]
        assert await store.unpark("c", ["a", "b"]) == []

    async def test_one_parked_receipt_is_one(self, store: Store) -> None:
        receipt = Receipt(Status.SENT, ids=["a", "b"])
        await store.park("c", receipt)
        assert await store.unpark("c", ["a", "b"]) == [receipt]

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

    async def test_a_deleted_value_is_not_mistaken_for_its_successor(self, store: Store) -> None:
        await store.put("s", "k", 1)
        _, old = await store.get("s", "k")
        await store.put("s", "k", None)
        value, version = await store.get("s", "k")
        assert value is None
        assert await store.put("s", "k", 2, version=version)
        assert not await store.put("s", "k", 3, version=old)
        assert (await store.get("s", "k"))[0] == 2

    async def test_a_value_is_changed_by_putting_it_only(self, store: Store) -> None:
        value = {"a": [1]}
        await store.put("s", "k", value)
        value["a"].append(2)
        (await store.get("s", "k"))[0]["a"].append(3)
        assert (await store.get("s", "k"))[0] == {"a": [1]}

    async def test_one_of_many_who_compare_and_set_wins(self, store: Store) -> None:
        won: list[int] = []

        async def attempt(number: int) -> None:
            if await store.put("s", "k", number, version=0):
                won.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(attempt, number)
        assert [(await store.get("s", "k"))[0]] == won


class LockContract:
    async def test_a_lock_excludes_and_other_names_do_not_wait(self, store: Store) -> None:
        inside: list[str] = []

        async def work(name: str) -> None:
            async with store.lock(name):
                assert name not in inside
                inside.append(name)
                await anyio.lowlevel.checkpoint()
                inside.remove(name)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(work, "ab"[number % 2])
        async with store.lock("a"), store.lock("b"):
            pass

    async def test_a_lock_is_let_go_by_whoever_fails_or_is_cancelled(self, store: Store) -> None:
        with suppress(ValueError):
            async with store.lock("a"):
                raise ValueError
        given_up = anyio.Event()

        async def impatient() -> None:
            with anyio.move_on_after(0):
                async with store.lock("a"):
                    pytest.fail("two are inside")
            given_up.set()

        async with anyio.create_task_group() as tasks, store.lock("a"):
            tasks.start_soon(impatient)
            await given_up.wait()
        with anyio.fail_after(1):
            async with store.lock("a"):
                pass


class BlobContract:
    @pytest.mark.parametrize(
        "chunks", [[], [b""], [b"a", b"", b"bc"], [bytes(300_000)]], ids=["none", "empty", "small", "large"]
    )
    async def test_bytes_come_back(self, store: Store, chunks: list[bytes]) -> None:
        content = b"".join(chunks)
        check = await store.keep(stream(*chunks))
        assert check.size == len(content)
        assert check.ref.startswith("sha256:")
        async with store.open(check) as found:
            assert b"".join([chunk async for chunk in found]) == content
        assert await store.keep(stream(content)) == check

    async def test_whoever_reads_may_stop(self, store: Store) -> None:
        check = await store.keep(stream(bytes(500_000)))
        async with store.open(check) as found:
            async for chunk in found:
                assert chunk
                break

    async def test_what_is_gone_is_a_store_error(self, store: Store) -> None:
        check = (await store.keep(stream(b"x"))).model_copy(update={"ref": "sha256:00"})
        with pytest.raises(StoreError, match="sha256:00"):
            async with store.open(check):
                pass

    async def test_a_stream_that_breaks_leaves_nothing(self, store: Store) -> None:
        async def broken() -> object:
            yield b"x"
            raise OSError

        with pytest.raises(OSError):  # noqa: PT011
            await store.keep(broken())  # type: ignore[arg-type]


class OwnerContract:
    async def test_a_name_has_one_owner_at_a_time(self, store: Store, clock: FakeClock) -> None:
        first = await store.own("n", "a", 10)
        assert first is not None
        assert first.until == after(10)
        assert await store.own("n", "b", 10) is None
        assert await store.own("m", "b", 10) is not None
        clock.advance(5)
        assert await store.own("n", "a", 10) == first._replace(until=after(15))
        clock.advance(10)
        second = await store.own("n", "b", 10)
        assert second is not None
        assert second.token > first.token

    async def test_what_is_given_up_can_be_owned_at_once(self, store: Store) -> None:
        first = await store.own("n", "a", 10)
        assert first is not None
        await store.disown(first)
        await store.disown(first)
        second = await store.own("n", "b", 10)
        assert second is not None
        assert second.token > first.token
        await store.disown(first)
        assert await store.own("n", "a", 10) is None

    async def test_a_stale_owner_admits_nothing(self, store: Store, clock: FakeClock) -> None:
        stale = await store.own("n", "a", 10)
        clock.advance(10)
        assert await store.admit("c", [event("1")], Cursor(1), fence=stale) == (Admission.NEW,)
        owner = await store.own("n", "b", 10)
        with pytest.raises(LeaseLostError, match="n"):
            await store.admit("c", [event("2")], Cursor(2), fence=stale)
        assert await store.cursor("c", "") == 1
        assert await store.admit("c", [event("2")], Cursor(3), fence=owner) == (Admission.NEW,)
        assert owner is not None
        await store.disown(owner)
        with pytest.raises(LeaseLostError):
            await store.admit("c", [event("3")], fence=owner)

    async def test_versions_of_those_that_are_there(self, store: Store) -> None:
        one, two = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(changed(one, reason="a"))
        assert await store.versions(["1", "2", "3"]) == {"1": one.version + 1, "2": two.version}


class LookContract:
    async def test_dispatches_newest_first(self, store: Store) -> None:
        one, *_ = await store.submit([dispatch("1"), dispatch("2", BOB), dispatch("3")])
        await store.save(closed(one))
        assert [each.id for each in await store.dispatches()] == ["3", "2", "1"]
        assert [each.id for each in await store.dispatches(limit=2)] == ["3", "2"]
        assert [each.id for each in await store.dispatches(recipient=ANN)] == ["3", "1"]

    async def test_dead_letters_oldest_first(self, store: Store) -> None:
        await store.admit("c", [event(str(number)) for number in range(3)])
        for _ in range(3):
            await store.bury(await lease(store), reason="x")
        assert [each.event.key for each in await store.dead_entries(limit=2)] == ["0", "1"]
        for one in await store.submit([dispatch(str(number)) for number in range(3)]):
            await store.save(changed(one, state=DeliveryState.DEAD))
        assert [each.id for each in await store.dead_deliveries(limit=2)] == ["0", "1"]

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

    async def test_what_nobody_knows_is_listed_by_itself(self, store: Store) -> None:
        one, two = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(changed(one, state=DeliveryState.UNKNOWN))
        await store.save(changed(two, state=DeliveryState.DEAD))
        assert [each.id for each in await store.dead_deliveries()] == ["2"]
        assert [each.id for each in await store.dead_deliveries(unknown=True)] == ["1"]
        assert await store.dead_deliveries(unknown=True, channel="nobody") == []

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


class StoreContract(
    AdmissionContract, LaneContract, RetryContract, LeaseContract, SubmitContract, ScheduleContract, SaveContract,
    TimerContract, ReportContract, OwnerContract, ValueContract, LockContract, BlobContract, LookContract,
):  # fmt: skip
    """Every promise of `convergekit.abc.store`.

    Give it a fixture `clock`, a `FakeClock` at its start, and a fixture `store`: empty, and open on that clock.
    """

    async def test_it_says_how_many_lanes_to_ask_for(self, store: Store) -> None:
        assert store.batch >= 1

    async def test_the_clock_is_at_the_start(self, clock: FakeClock) -> None:
        assert clock.now() - timedelta(0) == after(0)
