"""Whom an address belongs to, and what they agreed to: protocols for the host, and simple defaults kept in a `State`.

The defaults keep small values under hashed keys and change them by compare-and-set, so that any number of processes
may use them at once. A host that has contacts and consents of its own implements the protocols instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol, runtime_checkable

from convergekit.abc import State
from convergekit.errors import ConfigurationError, StoreError
from convergekit.model import Address, ConsentChanged, Contact, from_json, to_json

__all__ = ["ConsentStore", "ContactBook", "ContactResolver", "StoredConsents", "StoredContacts"]

#: A compare-and-set that loses so often is not a race but a broken store.
_TRIES: Final = 100


@runtime_checkable
class ContactResolver(Protocol):
    """Who somebody is. The host decides it; nothing is ever merged here."""

    async def by_address(self, address: Address) -> Contact | None:
        """Whom *address* belongs to, or None."""
        ...

    async def get(self, id: str) -> Contact | None:
        """The contact with that id, or None."""
        ...


@runtime_checkable
class ConsentStore(Protocol):
    """What people agreed to, and what they opted out of."""

    async def consents(self, address: Address, contact: Contact | None = None) -> Mapping[str | None, bool]:
        """Per category what is known for writing to *address*, which belongs to *contact*.

        The category None is everything. What is missing was never asked.
        """
        ...

    async def record(self, event: ConsentChanged) -> None:
        """Remember *event*. It may come more than once, and changes nothing then."""
        ...


class StoredContacts:
    """Contacts in a `State`: for trials, and for hosts that have no contacts of their own.

    Args:
        state: Where they are kept; not shared with anything else under the same keys.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def put(self, contact: Contact) -> None:
        """Store *contact* in place of what was stored under its id.

        An address belongs to the contact that was stored with it last. Interrupted half-way, an address may be known
        to nobody until the same contact is put again; it is never known to the wrong one.
        """
        before = await self.get(contact.id)
        await self._state.put(_key("contact", contact.id), to_json(contact))
        for address in set(before.addresses if before is not None else ()) - set(contact.addresses):
            await self._disown(address, contact.id)
        # Read again: whoever stored the same contact meanwhile may have had back an address that was disowned here.
        current = await self.get(contact.id)
        for address in current.addresses if current is not None else ():
            await self._state.put(_key("address", address.uri), contact.id)

    async def remove(self, id: str) -> bool:
        """Forget a contact; tells whether there was one."""
        before = await self.get(id)
        if before is None:
            return False
        await self._state.put(_key("contact", id), None)
        for address in before.addresses:
            await self._disown(address, id)
        return True

    @staticmethod
    def place(address: Address) -> str:
        """Where it stands whom *address* belongs to: while nothing is there, it is nobody."""
        return _key("address", address.uri)

    async def by_address(self, address: Address) -> Contact | None:
        """Whom *address* belongs to, or None."""
        id, _ = await self._state.get(self.place(address))
        contact = None if id is None else await self.get(id)
        # The index is written after the contact; where the two differ, the contact is right.
        return contact if contact is not None and address in contact.addresses else None

    async def get(self, id: str) -> Contact | None:
        """The contact with that id, or None."""
        stored, _ = await self._state.get(_key("contact", id))
        return None if stored is None else from_json(Contact, stored)

    async def _disown(self, address: Address, id: str) -> None:
        await _change(self._state, _key("address", address.uri), lambda owner: None if owner == id else owner)


class ContactBook:
    """The contacts that a hub asks: of the host, or those in its store, which can be changed here.

    Args:
        resolver: Who is asked.
    """

    def __init__(self, resolver: ContactResolver) -> None:
        self.resolver = resolver

    async def by_address(self, address: Address) -> Contact | None:
        """Whom *address* belongs to, or None."""
        return await self.resolver.by_address(address)

    async def get(self, id: str) -> Contact | None:
        """The contact with that id, or None."""
        return await self.resolver.get(id)

    async def put(self, contact: Contact) -> None:
        """See `StoredContacts.put`.

        Raises:
            ConfigurationError: The contacts are the host's own.
        """
        await self._stored.put(contact)

    async def remove(self, id: str) -> bool:
        """See `StoredContacts.remove`.

        Raises:
            ConfigurationError: The contacts are the host's own.
        """
        return await self._stored.remove(id)

    @property
    def _stored(self) -> StoredContacts:
        if isinstance(self.resolver, StoredContacts):
            return self.resolver
        raise ConfigurationError(
            f"the contacts of this hub are in a {type(self.resolver).__name__} of the host's own: change them there, "
            "or make the hub without contacts= to have them in its ledger"
        )


class StoredConsents:
    """Consents in a `State`: per address, what was said last about each category.

    What a contact brings along (`Contact.consents`) counts too; where the two differ, the no is right.
    A STOP over SMS is about that number: it does not unsubscribe the person's mail address.

    Args:
        state: Where they are kept; not shared with anything else under the same keys.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @staticmethod
    def place(address: Address) -> str:
        """Where it stands what was said about *address*: while nothing is there, it is what the contact brings."""
        return _key("consent", address.uri)

    async def consents(self, address: Address, contact: Contact | None = None) -> Mapping[str | None, bool]:
        """Per category what is known; the category None is everything."""
        stored, _ = await self._state.get(self.place(address))
        found: dict[str | None, bool] = {}
        if contact is not None:
            found.update(contact.consents.items())
        for category, granted, _at in stored or ():
            found[category] = granted and found.get(category, True)
        return found

    async def record(self, event: ConsentChanged) -> None:
        """Remember *event*, unless something later is known of the same category.

        Events without a time count in the order in which they are recorded.
        """
        at = event.at.timestamp() if event.at is not None else None

        def changed(stored: Any) -> Any:
            known = {category: (granted, when) for category, granted, when in stored or ()}
            last = known.get(event.category, (None, None))[1]
            if at is not None and last is not None and at < last:
                return stored
            known[event.category] = (event.granted, at if at is not None else last)
            return [[category, granted, when] for category, (granted, when) in known.items()]

        await _change(self._state, _key("consent", event.address.uri), changed)


async def _change(state: State, key: str, changed: Callable[[Any], Any]) -> None:
    """Replace the value under *key* by what *changed* makes of it, however many do so at once."""
    for _ in range(_TRIES):
        value, version = await state.get(key)
        new = changed(value)
        if new == value or await state.put(key, new, version=version):
            return
    raise StoreError(f"a value was changed by others {_TRIES} times in a row; is compare-and-set working?")


@lru_cache(maxsize=4096)
def _key(kind: str, name: str) -> str:
    """A key of fixed length that shows no address."""
    return f"{kind}:{hashlib.sha256(name.encode()).hexdigest()}"
