"""What every store promises of those who hold something: a lane, a name, a lock."""

from __future__ import annotations

import pytest

from convergekit.abc import Admission, Cursor, Store
from convergekit.errors import LeaseLostError

from ..clock import FakeClock
from ._keeps import keeps
from ._kit import (
    after,
    changed,
    claim,
    closed,
    dispatch,
    event,
    keys,
    lease,
    served,
)

__all__ = ["LeaseContract", "OwnerContract"]


class LeaseContract:
    @keeps("ended-lease-passes-on")
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

    @keeps("crash-counted-apart")
    async def test_what_failed_and_what_was_cut_off_are_counted_apart(self, store: Store, clock: FakeClock) -> None:
        """Whoever had it in hand may have died of something else."""
        await store.admit("c", [event("1")])
        await store.postpone(await lease(store, seconds=10), due=after(0), hold=60, reason="ValueError")
        for number in range(2):
            await lease(store, seconds=10)
            clock.advance(10)
            cut_off = await lease(store, seconds=10)
            assert cut_off.recovered
            await store.postpone(cut_off, due=after(0), hold=60, reason="gone")
            again = await lease(store, seconds=10)
            assert again.entry is not None
            assert (again.entry.attempts, again.entry.crashes, again.recovered) == (1, number + 1, False)
            await store.release(again)
        await lease(store, seconds=10)
        clock.advance(10)
        await store.bury(await lease(store), reason="gone")
        (dead,) = await store.dead_entries()
        assert (dead.attempts, dead.crashes) == (1, 3)
        await store.revive(dead.id)
        anew = await lease(store)
        assert anew.entry is not None
        assert (anew.entry.attempts, anew.entry.crashes) == (0, 0)

    @keeps("ended-lease-passes-on")
    async def test_when_a_lease_ends_is_told_to_whoever_finds_nothing(self, store: Store) -> None:
        """Or the work of one who went away would wait for the next traffic."""
        await store.admit("c", [event("1")])
        await lease(store, seconds=10)
        assert (await claim(store)).next_due == after(10)
        assert (await claim(store, "out")).next_due is None

    @keeps("ended-lease-passes-on")
    async def test_a_shorter_lease_that_began_later_ends_earlier(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b")])
        await claim(store, limit=1, seconds=1000)
        shorter = (await claim(store, limit=1, seconds=10)).leases
        clock.advance(10)
        assert keys((await claim(store)).leases) == keys(shorter)

    @keeps("lost-lease-changes-nothing")
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

    @keeps("lost-lease-changes-nothing")
    async def test_a_lease_that_was_used_up_is_lost(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        used = await lease(store)
        await store.finish(used)
        with pytest.raises(LeaseLostError):
            await store.finish(used)
        assert await served(store) == ["2"]

    @keeps("lease-kept")
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

    @keeps("lost-lease-changes-nothing")
    async def test_a_lost_lease_is_not_renewed_and_does_no_harm_to_others(self, store: Store, clock: FakeClock) -> None:
        await store.admit("c", [event("1", "tg:a"), event("2", "tg:b")])
        lost, kept = (await claim(store, seconds=10)).leases
        clock.advance(5)
        await store.renew([kept], 10)
        clock.advance(5)
        await lease(store)
        await store.renew([lost, kept], 100)
        assert (lost.until, kept.until) == (after(10), after(110))

    @keeps("lease-kept")
    async def test_what_is_released_goes_back_as_it_was(self, store: Store) -> None:
        await store.admit("c", [event("1"), event("2")])
        held = await lease(store)
        await store.release(held)
        await store.release(held)
        again = await lease(store)
        assert again.entry is not None
        assert (again.entry.event.key, again.entry.attempts, again.recovered) == ("1", 0, False)

    @keeps("lost-lease-changes-nothing")
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


class OwnerContract:
    @keeps("one-owner")
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

    @keeps("one-owner")
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

    @keeps("stale-owner-fenced")
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

    @keeps("versions-told")
    async def test_versions_of_those_that_are_there(self, store: Store) -> None:
        one, two = await store.submit([dispatch("1"), dispatch("2")])
        await store.save(changed(one, reason="a"))
        assert await store.versions(["1", "2", "3"]) == {"1": one.version + 1, "2": two.version}
