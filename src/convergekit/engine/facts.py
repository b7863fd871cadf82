"""What is known of whoever something goes to, as the gates and the plan ask for it: contacts, consents, counts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from convergekit.abc import Clock, Store
from convergekit.model import Address, Contact, Dispatch, Message
from convergekit.router import (
    ConsentStore,
    ContactResolver,
    Gate,
    GateInput,
    PlannedLeg,
    StoredConsents,
    StoredContacts,
)
from convergekit.router.gates import LoopGuard

from .context import StoredState
from .drafts import Origin

__all__ = ["Facts", "Granted"]

_log = logging.getLogger(__name__)
_WINDOW: Final = 3600.0
_AUTOMATIC: Final = "automatic"
_CONTACTS: Final = "contacts"
_CONSENTS: Final = "consents"


class Granted(list[tuple[str, str]]):
    """What a plan took for granted: that nothing stands under these (scope, key) of the store."""


class Facts:
    """See the module.

    Args:
        store: The ledger.
        clock: Time.
        gates: Who asks; the loop guard says for how long messages count.
        contacts: Who is behind an address; None for those kept in the store.
        consents: What people agreed to; None for those kept in the store.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        gates: Sequence[Gate],
        *,
        contacts: ContactResolver | None = None,
        consents: ConsentStore | None = None,
    ) -> None:
        self.contacts: ContactResolver = contacts or StoredContacts(StoredState(store, _CONTACTS))
        self.consents: ConsentStore = consents or StoredConsents(StoredState(store, _CONSENTS))
        self._has_contacts, self._has_consents = contacts is None, consents is None  # in our store, and not the host's
        self._clock = clock
        self._window = max((gate.per for gate in gates if isinstance(gate, LoopGuard)), default=_WINDOW)
        self._counts = StoredState(store, _AUTOMATIC)

    @property
    def are_stored(self) -> bool:
        """Whether all of them are in our store, and none the host's."""
        return self._has_contacts and self._has_consents

    def grant(self, address: Address, granted: Granted) -> None:
        """Take for granted that nothing is known of *address*, where facts `are_stored`."""
        granted += [(_CONTACTS, StoredContacts.place(address)), (_CONSENTS, StoredConsents.place(address))]

    async def of_leg(
        self,
        message: Message,
        leg: PlannedLeg,
        contact: Contact | None,
        origin: Origin | None,
        granted: Granted | None = None,
    ) -> GateInput:
        """What the gates of *leg* are asked with.

        Args:
            message: What to send.
            leg: Which way.
            contact: Who it goes to, where the caller knows.
            origin: In whose handler this is, or what it answers.
            granted: Take for granted what most often holds, and note it here; without it the store is asked.
        """
        if contact is None:
            contact = await self._contact(leg.address, granted)
        event = None if origin is None else origin.event
        return GateInput(
            message=message,
            address=leg.address,
            channel=leg.channel,
            conversation=leg.conversation,
            now=self._clock.now(),
            automatic=origin is not None and origin.automatic,
            replying=event is not None and event.conversation == leg.conversation,
            in_reply_to_automated=event is not None and event.automated,
            recent_automatic=0 if event is None else (await self._recent(leg.channel, leg.address))[0],
            consents=await self.agreed(leg.address, contact, granted),
        )

    async def _contact(self, address: Address, granted: Granted | None) -> Contact | None:
        if granted is None or not self._has_contacts:
            return await self.contacts.by_address(address)
        granted.append((_CONTACTS, StoredContacts.place(address)))
        return None

    async def agreed(
        self, address: Address, contact: Contact | None, granted: Granted | None
    ) -> Mapping[str | None, bool]:
        """What was agreed to by category; None is all of them."""
        if granted is None or not self._has_consents:
            return await self.consents.consents(address, contact)
        granted.append((_CONSENTS, StoredConsents.place(address)))
        return {} if contact is None else dict[str | None, bool](contact.consents.items())

    # The loop guard's counts: a window that begins with the first message in it

    async def counted(self, made: Sequence[Dispatch], stored: Sequence[Dispatch]) -> None:
        """Count the automatic messages that were really new, for the loop guard."""
        for wanted, dispatch in zip(made, stored, strict=True):
            if wanted.fingerprint != dispatch.fingerprint:
                # Only a derived key comes here; the first run's message stands, or there would be two.
                _log.warning(
                    "a second run of %s would have sent something else; dispatch %s stands", wanted.key, dispatch.id
                )
            if dispatch.automatic and dispatch.id == wanted.id:
                for delivery in dispatch.deliveries:
                    await self._count(delivery.channel, delivery.address)

    async def _recent(self, channel: str, address: Address) -> tuple[int, datetime, int]:
        """(messages, begin of the window, version)."""
        now = self._clock.now()
        value, version = await self._counts.get(f"{channel}|{address.uri}")
        if value is not None:
            since = datetime.fromisoformat(value["since"])
            if now - since < timedelta(seconds=self._window):
                return value["count"], since, version
        return 0, now, version

    async def _count(self, channel: str, address: Address) -> None:
        while True:
            number, since, version = await self._recent(channel, address)
            value = {"since": since.isoformat(), "count": number + 1}
            if await self._counts.put(f"{channel}|{address.uri}", value, version=version):
                return
