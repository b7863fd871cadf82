"""From what a caller wants to dispatches that can be stored.

`router.prepare` decides; this module fetches what it has to know (contacts, consents, counts), has large content kept
by the store, and writes the result down as the legs of a dispatch. What `plan` says is what `dispatches` would do.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from anyio import to_thread

from convergekit.abc import Clock, Store
from convergekit.content import Policy, Rendering, render
from convergekit.errors import (
    ConfigurationError,
    ConvergeError,
    DeliveryError,
    InvalidInputError,
    UnsupportedContentError,
)
from convergekit.model import (
    Address,
    Capabilities,
    ConsentChanged,
    Contact,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Event,
    LegStep,
    Message,
    Operation,
    Part,
    to_json,
)
from convergekit.router import (
    STANDARD,
    AllOf,
    ConsentStore,
    ContactResolver,
    Defer,
    Divert,
    Drop,
    FirstOf,
    Gate,
    GateInput,
    Plan,
    PlannedLeg,
    Prepared,
    PreparedLeg,
    Recipient,
    Route,
    RouteLike,
    StoredConsents,
    StoredContacts,
    When,
    decide_all,
    expiry,
    prepare,
    recipient_key,
    resolve,
    route_to_json,
    to_route,
    via,
)
from convergekit.router.advance import advance
from convergekit.router.gates import Consent, LoopGuard, NotBefore, Ttl

from .blobs import checked_in
from .channels import VERBS, ChannelRuntime, ChannelState
from .clock import Ids
from .context import StoredState
from .ledger import Change

__all__ = ["Granted", "Origin", "Planner"]

_ASKED: Final = timedelta(seconds=60)
_WINDOW: Final = 3600.0
_AUTOMATIC: Final = "automatic"
_CONTACTS: Final = "contacts"
_CONSENTS: Final = "consents"
_LARGE: Final = 65_536
_log = logging.getLogger(__name__)
#: Nearly every plan.
_ONE_LEG: Final = LegStep(leg=0)


class Granted(list[tuple[str, str]]):
    """What a plan took for granted: that nothing stands under these (scope, key) of the store."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something that is sent comes from.

    Args:
        event: What is being handled, or answered.
        automatic: Whether a program speaks: inside a handler.
    """

    event: Event
    automatic: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """A dispatch before its legs are known, so that it and they are made once."""

    id: str
    message: Message
    created_at: datetime

    def delivery(
        self, id: str, leg: int, ref: ConversationRef, parts: Sequence[Part], due: datetime, **fields: Any
    ) -> Delivery:
        """One of its legs."""
        return Delivery(
            id=id,
            dispatch=self.id,
            leg=leg,
            channel=ref.channel,
            address=ref.address,
            conversation=ref,
            parts=tuple(parts),
            key=id,
            importance=self.message.importance,
            due=due,
            **fields,
        )

    def dispatch(
        self, recipient: str, key: str | None, origin: Origin | None = None, *, derived: bool = False, **fields: Any
    ) -> Dispatch:
        """All of it."""
        return Dispatch(
            id=self.id,
            key=key or self.id,
            recipient=recipient,
            message=self.message,
            created_at=self.created_at,
            origin=origin.event.key if origin is not None and derived else None,
            automatic=origin is not None and origin.automatic,
            **fields,
        )


@dataclass(frozen=True, slots=True)
class _View:
    """A channel as planning sees it."""

    runtime: ChannelRuntime = field(repr=False)

    @property
    def name(self) -> str:
        return self.runtime.name

    @property
    def schemes(self) -> frozenset[str]:
        return self.runtime.adapter_class.schemes

    @property
    def default(self) -> bool:
        return self.runtime.options.default

    @property
    def degrade(self) -> Any:
        return self.runtime.options.degrade

    @property
    def state(self) -> str:
        if self.runtime.state is ChannelState.UP:
            return ""
        return self.runtime.state.value + (f": {self.runtime.reason}" if self.runtime.reason else "")

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        return self.runtime.capabilities_for(conversation)


class Planner:
    """Makes dispatches.

    Args:
        store: The ledger.
        clock: Time.
        ids: Makes ids.
        channels: Those of the engine, by name.
        submit: Stores dispatches, and has them served.
        gates: Asked before each leg; None for the standard ones.
        contacts: Who is behind an address; None for those kept in the store.
        consents: What people agreed to; None for those kept in the store.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        channels: Mapping[str, ChannelRuntime],
        *,
        submit: Callable[[Sequence[Dispatch]], Awaitable[Sequence[Dispatch]]],
        gates: Sequence[Gate] | None = None,
        contacts: ContactResolver | None = None,
        consents: ConsentStore | None = None,
    ) -> None:
        self.contacts: ContactResolver = contacts or StoredContacts(StoredState(store, _CONTACTS))
        self.consents: ConsentStore = consents or StoredConsents(StoredState(store, _CONSENTS))
        self._has_contacts, self._has_consents = contacts is None, consents is None  # in our store, and not the host's
        self._store = store
        self._clock = clock
        self._ids = ids
        self._channels = channels
        self._submit = submit
        self._gates = STANDARD if gates is None else tuple(gates)
        self._needs_consent = any(isinstance(gate, Consent) and gate.category is not None for gate in self._gates)
        self._has_own_gates = any(type(gate) not in (LoopGuard, Ttl, Consent, NotBefore) for gate in self._gates)
        self._window = max((gate.per for gate in self._gates if isinstance(gate, LoopGuard)), default=_WINDOW)
        self._limits = tuple(gate for gate in self._gates if isinstance(gate, Ttl))
        own_limits = any(limit.seconds is not None for limit in self._limits)
        self._is_plain = not (self._has_own_gates or self._needs_consent or own_limits)
        self._counts = StoredState(store, _AUTOMATIC)

    # What the hub asks

    async def plan(
        self, message: Message, recipients: Sequence[Recipient], route: RouteLike | None, origin: Origin | None
    ) -> Plan:
        """What `dispatches` would do."""
        prepared = [await self._prepare(message, recipient, route, origin) for recipient in recipients]
        return Plan(recipients=tuple(each.summary() for each in prepared))

    async def dispatches(
        self,
        message: Message,
        recipients: Sequence[Recipient],
        route: RouteLike | None,
        keys: Sequence[str] | None,
        origin: Origin | None,
        *,
        derived: bool = False,
        granted: Granted | None = None,
    ) -> list[Dispatch]:
        """One dispatch for each of *recipients*, ready to be stored.

        Args:
            message: What to send.
            recipients: To whom.
            route: Which way; None for the recipient's own.
            keys: For each of *recipients*, or None.
            origin: In whose handler this is, or what it answers.
            derived: Whether *keys* were made from the event that is handled.
            granted: Take for granted what most often holds, and note it here; without it the store is asked.

        Raises:
            ConfigurationError: No way leads there.
            InvalidInputError: There is nothing to send, or this recipient cannot be reached.
            UnsupportedContentError: The channel cannot carry the content.
        """
        message = await checked_in(message, self._store)
        found = []
        for index, recipient in enumerate(recipients):
            key = None if keys is None else keys[index]
            if granted is not None and route is None and origin is None and isinstance(recipient, Address):
                straight = self._straight(message, recipient, key, granted)
                if straight is not None:
                    found.append(straight)
                    continue
            prepared = await self._granting(message, recipient, route, origin, granted)
            if prepared.error is not None:
                raise prepared.error
            draft = self._draft(message)
            fields = self._legs(draft, prepared)
            if key is not None:
                fields["fingerprint"] = _content_of(message, prepared.route)
            made = draft.dispatch(prepared.recipient, key, origin, derived=derived, **fields)
            found.append(advance(made, draft.created_at))
        return found

    async def operation(
        self,
        ref: ConversationRef,
        operation: Operation,
        message: Message,
        about: str | None,
        target: tuple[str, ...],
        key: str | None,
        origin: Origin | None,
        *,
        derived: bool = False,
    ) -> Dispatch:
        """An edit, a retraction, a reaction or a read marker, as a dispatch of one leg."""
        runtime = self._channels.get(ref.channel)
        if runtime is None:
            raise ConfigurationError(f"there is no open channel {ref.channel!r}")
        if getattr(runtime.adapter_class, VERBS[operation][1], None) is None:
            raise UnsupportedContentError(f"{runtime.adapter_class.name} cannot {operation.value}", channel=ref.channel)
        parts: tuple[Part, ...] = (Part(text=message.text or ""),)
        if operation is Operation.EDIT:
            message = await checked_in(message, self._store)
            view = _View(runtime)
            parts = (await _rendered(message, view.capabilities_for(ref), policy=view.degrade)).parts
        draft = self._draft(message)
        delivery = draft.delivery(
            self._ids(), 0, ref, parts, draft.created_at, operation=operation, about=about, target=target
        )
        fingerprint = _fingerprint(operation.value, about, target, to_json(message)) if key is not None else ""
        made = draft.dispatch(
            recipient_key(ref),
            key,
            origin,
            derived=derived,
            plan=_ONE_LEG,
            deliveries=(delivery,),
            fingerprint=fingerprint,
        )
        return advance(made, draft.created_at)

    def channel_for(self, address: Address) -> str:
        """The only channel that serves *address*, or the default one; raises `ConfigurationError`."""
        found = resolve(via(address), recipient=address, message=Message(), channels=self._views())
        return found.legs[0].channel

    # What the engine asks

    async def consented(self, event: ConsentChanged) -> None:
        """Remember what somebody agreed to."""
        await self.consents.record(event)

    async def recheck(self, dispatch: Dispatch, delivery: Delivery) -> Change | None:
        """Ask the gates again about what has waited; what is to be done instead of sending, or None."""
        if delivery.due <= dispatch.created_at and self._clock.now() < dispatch.created_at + _ASKED:
            return None  # asked a moment ago, when it was submitted
        leg = PlannedLeg(
            leg=delivery.leg,
            channel=delivery.channel,
            address=delivery.address,
            conversation=delivery.conversation,
        )
        facts = await self._facts(dispatch.message, leg, None, None)
        gates = [gate for gate in self._gates if not isinstance(gate, LoopGuard)]  # it has counted this one already
        # They had agreed when it was submitted, maybe by a contact that only the caller knows; what is known now wins.
        agreed = {dispatch.message.category or gate.category: True for gate in gates if isinstance(gate, Consent)}
        agreed.pop(None, None)
        consents = {**agreed, **facts.consents}
        # What a person sends again is as old as their decision.
        since = dispatch.created_at if delivery.supersedes is None else delivery.opened_at or delivery.due
        facts = replace(facts, automatic=dispatch.automatic, created_at=since, consents=consents)
        records = decide_all(gates, facts)
        decision = records[-1].decision if records else None
        match decision:
            case Defer():
                # The time in which the leg has to reach its goal starts when it may first be served.
                later = {"due": decision.until, "opened_at": decision.until, "reason": decision.reason}
                return _on_leg(delivery.id, later)
            case Drop():
                return _suppressed(delivery.id, f"{records[-1].gate}: {decision.reason}")
            case Divert():
                return await self._diverted(dispatch, delivery, decision)
        return None

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

    # Preparing

    def _straight(self, message: Message, address: Address, key: str | None, granted: Granted) -> Dispatch | None:
        """What `prepare`, the gates and `advance` come to where there is nothing to decide, at a third of their price.

        That is how most messages are: to one address, of which nothing is known, by the only channel for it, now. None
        where it is not so, or where something is wrong, which the long way says in words.
        """
        if not self._is_plain or message.category or message.not_before or message.expires_at or _is_large(message):
            return None
        serving = [each for each in self._channels.values() if address.scheme in each.adapter_class.schemes]
        if len(serving) != 1 or not (self._has_contacts and self._has_consents):
            return None
        (runtime,) = serving
        ref = ConversationRef(channel=runtime.name, address=address)
        try:
            rendering = render(message, runtime.capabilities_for(ref), policy=runtime.options.degrade)
        except UnsupportedContentError:
            return None
        granted += [(_CONTACTS, StoredContacts.place(address)), (_CONSENTS, StoredConsents.place(address))]
        draft = self._draft(message)
        at, degradations = draft.created_at, rendering.degradations
        leg = draft.delivery(self._ids(), 0, ref, rendering.parts, at, degradations=degradations, opened_at=at)
        fingerprint = "" if key is None else _content_of(message, via(address))
        return draft.dispatch(address.uri, key, plan=_ONE_LEG, deliveries=(leg,), fingerprint=fingerprint)

    async def _granting(
        self,
        message: Message,
        recipient: Recipient,
        route: RouteLike | None,
        origin: Origin | None,
        granted: Granted | None,
    ) -> Prepared:
        # Where an agreement is needed, something is known of whoever it goes to.
        if granted is not None and message.category is None and not self._needs_consent:
            with suppress(ConvergeError):  # what is known may lead another way
                prepared = await self._prepare(message, recipient, route, origin, granted)
                if prepared.error is None:
                    return prepared
        return await self._prepare(message, recipient, route, origin)

    async def _prepare(
        self,
        message: Message,
        recipient: Recipient,
        route: RouteLike | None,
        origin: Origin | None,
        granted: Granted | None = None,
    ) -> Prepared:
        contact = recipient if isinstance(recipient, Contact) else None
        address = contact.addresses[0] if contact is not None and contact.addresses else None
        if isinstance(recipient, Address):
            address = recipient
        elif isinstance(recipient, ConversationRef):
            address = recipient.address
        may_ask = self._has_own_gates or isinstance(route, FirstOf | AllOf | When)  # conditions, or a way to some
        consents = await self._consents(address, contact, granted) if may_ask and address is not None else {}

        async def facts(leg: PlannedLeg) -> GateInput:
            return await self._facts(message, leg, contact, origin, granted)

        return await prepare(
            message,
            recipient=recipient,
            channels=self._views(),
            gates=self._gates,
            facts=facts,
            render=_rendered,
            route=route,
            conversation=None if origin is None else origin.event.conversation,
            consents=consents,
        )

    async def _facts(
        self,
        message: Message,
        leg: PlannedLeg,
        contact: Contact | None,
        origin: Origin | None,
        granted: Granted | None = None,
    ) -> GateInput:
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
            consents=await self._consents(leg.address, contact, granted),
        )

    async def _contact(self, address: Address, granted: Granted | None) -> Contact | None:
        if granted is None or not self._has_contacts:
            return await self.contacts.by_address(address)
        granted.append((_CONTACTS, StoredContacts.place(address)))
        return None

    async def _consents(
        self, address: Address, contact: Contact | None, granted: Granted | None
    ) -> Mapping[str | None, bool]:
        if granted is None or not self._has_consents:
            return await self.consents.consents(address, contact)
        granted.append((_CONSENTS, StoredConsents.place(address)))
        return {} if contact is None else dict[str | None, bool](contact.consents.items())

    def _views(self) -> dict[str, _View]:
        return {name: _View(runtime) for name, runtime in self._channels.items()}

    # Writing down

    def _draft(self, message: Message) -> _Draft:
        return _Draft(self._ids(), message, self._clock.now())

    def _legs(self, draft: _Draft, prepared: Prepared) -> dict[str, Any]:
        if prepared.step is None:
            return {"state": DispatchState.SUPPRESSED, "reason": prepared.reason}
        expires = expiry(self._limits, draft.message, draft.created_at)
        # The plan opens a leg when it is reached. Where there is but one, that is now, and spares it a copy of all.
        is_open = isinstance(prepared.step, LegStep)
        return {
            "plan": prepared.step,
            "deliveries": tuple([self._leg(draft, leg, expires, is_open=is_open) for leg in prepared.legs]),
        }

    def _leg(self, draft: _Draft, prepared: PreparedLeg, expires: datetime | None, *, is_open: bool) -> Delivery:
        leg, decision = prepared.leg, prepared.decision
        due = prepared.due(draft.created_at)
        return draft.delivery(
            self._ids(),
            leg.leg,
            leg.conversation,
            prepared.parts,
            due,
            degradations=prepared.degradations,
            expires_at=expires,
            state=DeliveryState.QUEUED if is_open else DeliveryState.WAITING,
            opened_at=due if is_open else None,
            reason=decision.reason if isinstance(decision, Defer) else None,
        )

    async def _diverted(self, dispatch: Dispatch, delivery: Delivery, decision: Divert) -> Change:
        """A leg that is diverted when it wakes becomes a dispatch of its own, whose key finds it the second time."""
        route, key = to_route(decision.route), f"{dispatch.key}|diverted"
        try:
            made = await self.dispatches(dispatch.message, [delivery.address], route, [key], None)
        except (ConfigurationError, InvalidInputError, DeliveryError) as error:
            return _suppressed(delivery.id, f"{decision.reason}; it cannot be diverted: {error}")
        (stored,) = await self._submit(made)
        return _suppressed(delivery.id, f"diverted to dispatch {stored.id}: {decision.reason}")

    # The loop guard's counts: a window that begins with the first message in it

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


async def _rendered(message: Message, capabilities: Capabilities, *, policy: Policy) -> Rendering:
    """Render; what is large, in a thread: it takes seconds a megabyte, in which nobody else would be served."""
    if not _is_large(message):
        return render(message, capabilities, policy=policy)
    return await to_thread.run_sync(partial(render, message, capabilities, policy=policy))


def _is_large(message: Message) -> bool:
    return len(message.text or "") + len(message.markdown or "") + len(message.html or "") > _LARGE


def _on_leg(delivery: str, update: Mapping[str, Any]) -> Change:
    def change(dispatch: Dispatch) -> Dispatch:
        changed = dispatch.by_id(delivery).model_copy(update=update)
        return dispatch.model_copy(update={"deliveries": dispatch.replaced(changed)})

    return change


def _suppressed(delivery: str, reason: str) -> Change:
    cancel = _on_leg(delivery, {"state": DeliveryState.CANCELLED, "reason": reason})

    def change(dispatch: Dispatch) -> Dispatch | None:
        cancelled = cancel(dispatch)
        if cancelled is None or any(each.id != delivery for each in dispatch.current):
            return cancelled  # the plan decides what that means
        return cancelled.model_copy(update={"state": DispatchState.SUPPRESSED, "reason": reason})

    return change


def _content_of(message: Message, route: Route) -> str:
    """The fingerprint of what is sent, and of the way."""
    return _fingerprint(to_json(message), json.dumps(route_to_json(route)))


def _fingerprint(*content: object) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()
