"""From what a caller wants to dispatches that can be stored.

`router.prepare` decides; this module has it told what it has to know (`facts`), has large content kept by the store,
and has the result written down (`drafts`). What `plan` says is what `dispatches` would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from anyio import to_thread

from convergekit.abc import Clock, Store
from convergekit.content import Policy, Rendering, render
from convergekit.errors import (
    ConfigurationError,
    ConvergeError,
    UnsupportedContentError,
)
from convergekit.model import (
    Address,
    Capabilities,
    Contact,
    ConversationRef,
    Dispatch,
    LegStep,
    Message,
    Operation,
    Part,
    to_json,
)
from convergekit.router import (
    AllOf,
    FirstOf,
    Gate,
    GateInput,
    Plan,
    PlannedLeg,
    Prepared,
    Recipient,
    RouteLike,
    When,
    expiry,
    prepare,
    recipient_key,
    resolve,
    via,
)
from convergekit.router.advance import advance
from convergekit.router.gates import Consent, LoopGuard, NotBefore, Ttl

from .blobs import checked_in
from .channels import VERBS, ChannelRuntime, ChannelState
from .clock import Ids
from .drafts import Draft, Origin, content_of, fingerprint
from .facts import Facts, Granted

__all__ = ["Planner"]

_LARGE: Final = 65_536
#: Nearly every plan.
_ONE_LEG: Final = LegStep(leg=0)


@dataclass(frozen=True, slots=True)
class _View:
    """A channel as planning sees it."""

    runtime: ChannelRuntime = field(repr=False)

    @property
    def name(self) -> str:
        return self.runtime.name

    @property
    def schemes(self) -> frozenset[str]:
        return self.runtime.schemes

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
        facts: What the gates are told.
        gates: Asked before each leg, in this order.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        channels: Mapping[str, ChannelRuntime],
        facts: Facts,
        gates: Sequence[Gate],
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._channels = channels
        self._facts = facts
        self._gates = gates
        self._needs_consent = any(isinstance(gate, Consent) and gate.category is not None for gate in gates)
        self._has_own_gates = any(type(gate) not in (LoopGuard, Ttl, Consent, NotBefore) for gate in gates)
        self._limits = tuple(gate for gate in gates if isinstance(gate, Ttl))
        own_limits = any(limit.seconds is not None for limit in self._limits)
        self._is_plain = not (self._has_own_gates or self._needs_consent or own_limits)

    # What the hub asks

    async def plan(
        self, message: Message, recipients: Sequence[Recipient], route: RouteLike | None, origin: Origin | None
    ) -> Plan:
        """What `dispatches` would do."""
        prepared = [await self._prepare(message, recipient, route, origin) for recipient in recipients]
        shown = _only_shown(message, recipients)
        told = (each._replace(warnings=(*each.warnings, *shown)) if shown else each for each in prepared)
        return Plan(recipients=tuple(each.summary() for each in told))

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
        is_shown = len(recipients) > 1 and bool(message.to or message.cc)
        group = self._ids() if is_shown else None
        found = []
        for index, recipient in enumerate(recipients):
            key = None if keys is None else keys[index]
            is_plain = route is None and origin is None and group is None
            if granted is not None and is_plain and isinstance(recipient, Address):
                straight = self._straight(message, recipient, key, granted)
                if straight is not None:
                    found.append(straight)
                    continue
            prepared = await self._granting(message, recipient, route, origin, granted)
            if prepared.error is not None:
                raise prepared.error
            draft = Draft(self._ids, message, self._clock.now())
            fields = draft.legs(prepared, expiry(self._limits, message, draft.created_at))
            if key is not None:
                fields["fingerprint"] = content_of(message, prepared.route)
            made = draft.dispatch(prepared.recipient, key, origin, derived=derived, group=group, **fields)
            found.append(advance(made, draft.created_at, self._is_down))
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
        draft = Draft(self._ids, message, self._clock.now())
        delivery = draft.delivery(0, ref, parts, draft.created_at, operation=operation, about=about, target=target)
        content = fingerprint(operation.value, about, target, to_json(message)) if key is not None else ""
        made = draft.dispatch(
            recipient_key(ref),
            key,
            origin,
            derived=derived,
            plan=_ONE_LEG,
            deliveries=(delivery,),
            fingerprint=content,
        )
        return advance(made, draft.created_at)

    def channel_for(self, address: Address) -> str:
        """The only channel that serves *address*, or the default one; raises `ConfigurationError`."""
        found = resolve(via(address), recipient=address, message=Message(), channels=self._views())
        return found.legs[0].channel

    # Preparing

    def _straight(self, message: Message, address: Address, key: str | None, granted: Granted) -> Dispatch | None:
        """What `prepare`, the gates and `advance` come to where there is nothing to decide, at a third of their price.

        That is how most messages are: to one address, of which nothing is known, by the only channel for it, now. None
        where it is not so, or where something is wrong, which the long way says in words.
        """
        if not self._is_plain or message.category or message.not_before or message.expires_at or _is_large(message):
            return None
        serving = [each for each in self._channels.values() if address.scheme in each.schemes]
        if len(serving) != 1 or not self._facts.are_stored:
            return None
        (runtime,) = serving
        ref = ConversationRef(channel=runtime.name, address=address)
        try:
            rendering = render(message, runtime.capabilities_for(ref), policy=runtime.options.degrade)
        except UnsupportedContentError:
            return None
        self._facts.grant(address, granted)
        draft = Draft(self._ids, message, self._clock.now())
        at, degradations = draft.created_at, rendering.degradations
        leg = draft.delivery(0, ref, rendering.parts, at, degradations=degradations, opened_at=at)
        content = "" if key is None else content_of(message, via(address))
        return draft.dispatch(address.uri, key, plan=_ONE_LEG, deliveries=(leg,), fingerprint=content)

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
        consents = await self._facts.agreed(address, contact, granted) if may_ask and address is not None else {}

        async def facts(leg: PlannedLeg) -> GateInput:
            return await self._facts.of_leg(message, leg, contact, origin, granted)

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

    def _is_down(self, channel: str) -> bool:
        runtime = self._channels.get(channel)
        return runtime is not None and runtime.is_down

    def _views(self) -> dict[str, _View]:
        return {name: _View(runtime) for name, runtime in self._channels.items()}


async def _rendered(message: Message, capabilities: Capabilities, *, policy: Policy) -> Rendering:
    """Render; what is large, in a thread: it takes seconds a megabyte, in which nobody else would be served."""
    if not _is_large(message):
        return render(message, capabilities, policy=policy)
    return await to_thread.run_sync(partial(render, message, capabilities, policy=policy))


def _only_shown(message: Message, recipients: Sequence[Recipient]) -> tuple[str, ...]:
    """Of whom the message shows without going to them, as whoever writes `cc` elsewhere may expect that it does."""
    reached: set[Address] = set()
    for recipient in recipients:
        reached.update(recipient.addresses if isinstance(recipient, Contact) else (_address(recipient),))
    only = (each for each in (*message.to, *message.cc) if each not in reached)
    return tuple(f"{each} is shown as a recipient and not sent to; to= of the send says who is" for each in only)


def _address(recipient: Address | ConversationRef) -> Address:
    return recipient if isinstance(recipient, Address) else recipient.address


def _is_large(message: Message) -> bool:
    return len(message.text or "") + len(message.markdown or "") + len(message.html or "") > _LARGE
