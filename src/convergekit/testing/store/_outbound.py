"""What every store promises of what goes out."""

from __future__ import annotations

import pytest

from convergekit.abc import Admission, Store
from convergekit.errors import KeyConflictError, LeaseLostError
from convergekit.model import DeliveryState

from ..clock import FakeClock
from ._keeps import keeps
from ._kit import (
    BOB,
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
)

__all__ = ["SaveContract", "ScheduleContract", "SubmitContract", "TimerContract"]


class SubmitContract:
    @keeps("submitted-once")
    async def test_a_key_is_unique_per_recipient_for_good(self, store: Store) -> None:
        first = dispatch("1", key="k", fingerprint="f")
        assert await store.submit([first]) == (first,)
        assert await store.submit([dispatch("2", key="k", fingerprint="f")]) == (first,)
        assert len(await store.submit([dispatch("3", BOB, key="k", fingerprint="g")])) == 1
        assert sorted(await served(store, "out")) == ["1", "3"]
        (known,) = await store.submit([dispatch("4", key="k", fingerprint="f")])
        assert (known.id, known.deliveries[0].state) == ("1", DeliveryState.CLOSED)

    @keeps("other-content-refused")
    async def test_other_content_under_a_key_is_a_conflict_and_nothing_is_stored(self, store: Store) -> None:
        await store.submit([dispatch("1", key="k", fingerprint="f")])
        with pytest.raises(KeyConflictError, match="'k'"):
            await store.submit([dispatch("2", BOB), dispatch("3", key="k", fingerprint="g")])
        assert await store.load("2") is None
        assert await served(store, "out") == ["1"]

    @keeps("other-content-refused")
    async def test_one_call_may_not_hold_two_contents_for_one_key(self, store: Store) -> None:
        pair = [dispatch("1", key="k", fingerprint="f"), dispatch("2", key="k", fingerprint="g")]
        with pytest.raises(KeyConflictError):
            await store.submit(pair)
        assert await store.dispatches() == []

    @keeps("submitted-once")
    async def test_one_call_may_hold_one_content_twice(self, store: Store) -> None:
        first = dispatch("1", key="k", fingerprint="f")
        assert await store.submit([first, dispatch("2", key="k", fingerprint="f")]) == (first, first)

    @keeps("submitted-once")
    async def test_what_a_handler_submits_again_is_what_is_there(self, store: Store) -> None:
        """Its second run may say something else; what the first one said has gone out."""
        first = dispatch("1", key="k", fingerprint="f", origin="event")
        await store.submit([first])
        assert await store.submit([dispatch("2", key="k", fingerprint="g", origin="event")]) == (first,)

    @keeps("unless-known")
    async def test_nothing_is_stored_where_a_small_value_says_otherwise(self, store: Store) -> None:
        """What was planned without it, to spare a question, may not go out once it is there; a deleted one is not."""
        await store.put("scope", "other", 1)
        await store.put("scope", "gone", 1)
        await store.put("scope", "gone", None)
        unless = [("scope", "none"), ("other", "other"), ("scope", "gone")]
        assert len(await store.submit([dispatch("1")], unless=unless)) == 1
        await store.put("scope", "none", False)
        assert await store.submit([dispatch("2"), dispatch("3")], unless=unless) == ()
        assert len(await store.submit([dispatch("4")])) == 1
        assert sorted(await served(store, "out")) == ["1", "4"]

    @keeps("reply-with-done")
    async def test_a_reply_commits_with_done(self, store: Store) -> None:
        await store.admit("c", [event("1")])
        held = await lease(store)
        (stored,) = await store.finish(held, dispatches=[dispatch("r", origin="1")])
        assert stored.id == "r"
        assert keys((await claim(store, "out")).leases) == ["r"]

    @keeps("reply-with-done")
    async def test_neither_reply_nor_done_without_the_other(self, store: Store) -> None:
        await store.submit([dispatch("1", key="k", fingerprint="f")])
        await store.admit("c", [event("1")])
        held = await lease(store)
        with pytest.raises(KeyConflictError):
            await store.finish(held, dispatches=[dispatch("2", BOB), dispatch("3", key="k", fingerprint="g")])
        assert await store.load("2") is None
        await store.postpone(held, due=after(0), hold=0, reason="conflict")
        assert await served(store) == ["1"]

    @keeps("lost-lease-changes-nothing")
    async def test_no_reply_where_the_lease_was_lost(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1")])
        old = await lease(store, seconds=1)
        clock.advance(1)
        await lease(store)
        with pytest.raises(LeaseLostError):
            await store.finish(old, dispatches=[dispatch("r")])
        assert await store.load("r") is None

    @keeps("out-as-it-went-in")
    async def test_a_dispatch_comes_out_as_it_went_in(self, store: Store) -> None:
        first = dispatch("1", wake=5)
        await store.submit([first])
        assert await store.load("1") == first
        assert await store.load("nobody") is None
        assert (await lease(store, "out")).dispatch == first


class ScheduleContract:
    @keeps("scheduled-waits-outside")
    async def test_what_is_scheduled_enters_its_lane_when_it_is_due(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("later", due=100), dispatch("now")])
        assert await served(store, "out") == ["now"]
        found = await claim(store, "out")
        assert (found.leases, found.next_due) == ([], after(100))
        clock.advance(100)
        assert await served(store, "out") == ["later"]

    @keeps("scheduled-waits-outside")
    async def test_it_stands_behind_what_came_before_it_was_due(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("later", due=10)])
        await store.submit([dispatch("now")])
        clock.advance(20)
        await store.submit([dispatch("after")])
        assert await served(store, "out") == ["now", "later", "after"]

    @keeps("scheduled-waits-outside")
    async def test_a_scheduled_one_holds_up_nobody(self, store: Store) -> None:
        await store.submit([dispatch("later", due=100, hold_until=after(100))])
        await store.submit([dispatch("now")])
        assert await served(store, "out") == ["now"]

    @keeps("scheduled-waits-outside")
    async def test_a_scheduled_one_that_was_cancelled_stays_away(self, store: Store, clock: FakeClock) -> None:
        (later,) = await store.submit([dispatch("later", due=100)])
        await store.save(changed(later, state=DeliveryState.CANCELLED))
        clock.advance(100)
        assert await served(store, "out") == []

    @keeps("scheduled-waits-outside")
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

    @keeps("legs-one-by-one")
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
    @keeps("stopped-lets-go")
    async def test_what_has_stopped_never_holds_up_its_lane(self, store: Store, state: DeliveryState) -> None:
        await store.submit([dispatch("1"), dispatch("2")])
        held = await lease(store, "out")
        assert held.dispatch is not None
        stopped = await store.save(changed(held.dispatch, state=state), lease=held, release=True)
        assert await served(store, "out") == ["2"]
        assert stopped is not None
        await store.save(changed(stopped, state=DeliveryState.QUEUED))
        assert await served(store, "out") == ["1"]

    @keeps("ended-lease-passes-on")
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

    @keeps("stopped-lets-go")
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
    @keeps("changed-by-version")
    async def test_a_change_counts_up_and_an_older_snapshot_is_refused(self, store: Store) -> None:
        (first,) = await store.submit([dispatch("1")])
        saved = await store.save(changed(first, reason="a"))
        assert saved is not None
        assert saved.version == first.version + 1
        assert await store.save(changed(first, reason="b"), events=[event("e")]) is None
        assert await store.load("1") == saved
        assert (await claim(store)).leases == []

    @keeps("changed-by-version")
    async def test_a_refused_change_gives_nothing_back(self, store: Store) -> None:
        (first,) = await store.submit([dispatch("1")])
        held = await lease(store, "out")
        await store.save(changed(first, reason="a"))
        assert await store.save(closed(first), lease=held, release=True) is None
        assert (await claim(store, "out")).leases == []
        current = await store.load("1")
        assert current is not None
        assert await store.save(closed(current), lease=held, release=True) is not None

    @keeps("changed-by-version")
    async def test_a_change_of_an_unknown_dispatch_is_refused(self, store: Store) -> None:
        assert await store.save(dispatch("1")) is None
        assert await store.load("1") is None

    @keeps("events-with-change")
    async def test_events_are_admitted_with_a_change(self, store: Store) -> None:
        (first,) = await store.submit([dispatch("1")])
        await store.save(closed(first), events=[event("e"), event("e")])
        assert await served(store) == ["e"]
        assert await store.admit("c", [event("e")]) == (Admission.DUPLICATE,)

    @keeps("lease-kept")
    async def test_a_lease_outlasts_a_change_that_does_not_release_it(self, store: Store) -> None:
        await store.submit([dispatch("1")])
        held = await lease(store, "out")
        assert held.dispatch is not None
        saved = await store.save(changed(held.dispatch, state=DeliveryState.SENDING), lease=held)
        assert (await claim(store, "out")).leases == []
        assert saved is not None
        assert await store.save(closed(saved), lease=held, release=True) is not None


class TimerContract:
    @keeps("wakes-until-changed")
    async def test_a_dispatch_wakes_when_its_time_has_come(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch("1", wake=10), dispatch("2", BOB, wake=20), dispatch("3", "tg:c")])
        assert await store.awake() == ([], after(10))
        clock.advance(10)
        assert await store.awake() == (["1"], after(20))

    @keeps("wakes-until-changed")
    async def test_it_is_told_until_it_has_changed(self, store: Store, clock: FakeClock) -> None:
        """Whoever was told may have gone away."""
        (one,) = await store.submit([dispatch("1", wake=10)])
        clock.advance(10)
        assert await store.awake() == await store.awake() == (["1"], None)
        await store.save(one.model_copy(update={"wake_at": None}))
        assert await store.awake() == ([], None)

    @keeps("wakes-until-changed")
    async def test_a_timer_may_be_moved(self, store: Store, clock: FakeClock) -> None:
        (one,) = await store.submit([dispatch("1", wake=10)])
        one = await store.save(one.model_copy(update={"wake_at": after(30)})) or one
        clock.advance(10)
        assert await store.awake() == ([], after(30))
        one = await store.save(one.model_copy(update={"wake_at": after(10)})) or one
        assert await store.awake() == (["1"], None)

    @keeps("wakes-until-changed")
    async def test_the_limit_is_kept(self, store: Store, clock: FakeClock) -> None:
        await store.submit([dispatch(str(number), f"tg:{number}", wake=number) for number in range(5)])
        clock.advance(10)
        due, rest = await store.awake(3)
        assert list(due) == ["0", "1", "2"]
        assert rest == after(3)
