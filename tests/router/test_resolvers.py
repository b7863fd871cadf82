"""Contacts and consents in a State: nobody is taken for somebody else, and a no is never lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from convergekit.errors import StoreError
from convergekit.model import Address, ConsentChanged, Contact
from convergekit.router import ConsentStore, ContactResolver, StoredConsents, StoredContacts

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SMS, MAIL = Address("sms:+4915112345678"), Address("mailto:ann@example.org")
ANN = Contact(id="ann", addresses=(MAIL, SMS), name="Ann", consents={"news": True})


class Small:
    """A State in memory, which lets others go first at each step."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[Any, int]] = {}
        self.refuse = False
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def get(self, key: str) -> tuple[Any, int]:
        await anyio.lowlevel.checkpoint()
        return self.values.get(key, (None, 0))

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        await anyio.lowlevel.checkpoint()
        current = self.values.get(key, (None, 0))[1]
        if self.refuse or (version is not None and version != current):
            return False
        self.values[key] = (value, current + 1)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return True


def changed(granted: bool, category: str | None = None, *, after: float | None = None) -> ConsentChanged:
    at = None if after is None else NOW + timedelta(seconds=after)
    return ConsentChanged(address=SMS, granted=granted, category=category, at=at)


class TestContacts:
    async def test_they_are_found_by_id_and_by_each_address(self) -> None:
        contacts = StoredContacts(Small())
        await contacts.put(ANN)
        assert await contacts.get("ann") == ANN
        assert await contacts.by_address(Address("mailto:ann@EXAMPLE.org")) == ANN
        assert await contacts.by_address(SMS) == ANN
        assert await contacts.by_address(Address("sms:+4930999999")) is None
        assert await contacts.get("bob") is None
        assert isinstance(contacts, ContactResolver)

    async def test_an_address_that_was_given_up_belongs_to_nobody(self) -> None:
        state = Small()
        contacts = StoredContacts(state)
        await contacts.put(ANN)
        await contacts.put(ANN.model_copy(update={"addresses": (MAIL,)}))
        assert await contacts.by_address(SMS) is None
        assert [value for value, _ in state.values.values()].count("ann") == 1  # and nothing is kept of it

    async def test_who_is_interrupted_half_way_leaves_nobody_taken_for_somebody_else(self) -> None:
        async def interrupted() -> None:
            raise StoreError("the disk is full")

        state = Small()
        contacts = StoredContacts(state)
        await contacts.put(ANN)
        state.meanwhile = interrupted
        with pytest.raises(StoreError):
            await contacts.put(ANN.model_copy(update={"addresses": (MAIL,)}))
        assert await contacts.by_address(SMS) is None

    async def test_an_address_that_somebody_else_gives_back_meanwhile_is_not_lost(self) -> None:
        state = Small()
        contacts = StoredContacts(state)
        await contacts.put(ANN)
        state.meanwhile = lambda: contacts.put(ANN)
        await contacts.put(ANN.model_copy(update={"addresses": (MAIL,)}))
        assert await contacts.by_address(SMS) == ANN

    async def test_an_address_goes_to_whom_it_was_given_last(self) -> None:
        contacts = StoredContacts(Small())
        bob = Contact(id="bob", addresses=(SMS,))
        await contacts.put(ANN)
        await contacts.put(bob)
        await contacts.put(ANN.model_copy(update={"addresses": (MAIL,)}))
        assert await contacts.by_address(SMS) == bob

    async def test_who_was_removed_is_gone_with_every_address(self) -> None:
        state = Small()
        contacts = StoredContacts(state)
        await contacts.put(ANN)
        assert await contacts.remove("ann")
        assert not await contacts.remove("ann")
        assert await contacts.by_address(SMS) is None
        assert {value for value, _ in state.values.values()} == {None}

    async def test_two_at_once_end_with_one_of_both(self) -> None:
        contacts = StoredContacts(Small())
        await contacts.put(ANN)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(contacts.put, ANN.model_copy(update={"addresses": (MAIL,)}))
            tasks.start_soon(contacts.put, ANN.model_copy(update={"addresses": (SMS,)}))
        stored = await contacts.get("ann")
        assert stored is not None
        for address in (MAIL, SMS):
            assert await contacts.by_address(address) == (stored if address in stored.addresses else None)


class TestConsents:
    async def test_what_was_never_asked_is_missing(self) -> None:
        consents = StoredConsents(Small())
        assert await consents.consents(SMS) == {}
        assert await consents.consents(SMS, ANN) == {"news": True}
        assert isinstance(consents, ConsentStore)

    async def test_the_last_word_counts(self) -> None:
        consents = StoredConsents(Small())
        for event in (changed(True, "news"), changed(False), changed(False, "news"), changed(True)):
            await consents.record(event)
        assert await consents.consents(SMS) == {"news": False, None: True}
        assert await consents.consents(MAIL) == {}

    @pytest.mark.parametrize("order", [lambda both: both, lambda both: both[::-1]], ids=["in order", "crossed"])
    async def test_events_that_cross_end_as_if_they_had_not(self, order: Callable[[Any], Any]) -> None:
        consents = StoredConsents(Small())
        for event in order([changed(True, after=1), changed(False, after=2)]):
            await consents.record(event)
        assert await consents.consents(SMS) == {None: False}

    @pytest.mark.parametrize("granted", [True, False])
    async def test_between_the_host_and_the_medium_the_no_is_right(self, granted: bool) -> None:
        consents = StoredConsents(Small())
        await consents.record(changed(granted, "news"))
        contact = ANN.model_copy(update={"consents": {"news": not granted}})
        assert await consents.consents(SMS, contact) == {"news": False}

    async def test_nothing_is_lost_when_all_speak_at_once(self) -> None:
        consents = StoredConsents(Small())
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(consents.record, changed(bool(number % 2), f"c{number}"))
        assert await consents.consents(SMS) == {f"c{number}": bool(number % 2) for number in range(20)}

    async def test_a_store_that_never_yields_is_an_error_and_no_loop(self) -> None:
        state = Small()
        state.refuse = True
        with pytest.raises(StoreError, match="compare-and-set"):
            await StoredConsents(state).record(changed(False))

    async def test_keys_show_no_address(self) -> None:
        state = Small()
        await StoredConsents(state).record(changed(False))
        assert not any("49151" in key for key in state.values)
