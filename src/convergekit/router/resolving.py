"""From a route to legs: which addresses, over which channels, to which goal.

Rules kept here:

- What the settings cannot do is refused: no channel for an address that the route names, several and no default,
  a channel that is not there, a goal that a channel can never report.
- What this recipient cannot have is passed over where the route has another way, and the plan says so: no address that
  a channel serves, no thread to answer in.
- A conversation is used only for whom it belongs to: an answer to one person never lands with another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from convergekit.content import Policy
from convergekit.errors import ConfigurationError, InvalidInputError
from convergekit.model import (
    Address,
    Capabilities,
    Contact,
    ConversationKind,
    ConversationRef,
    LegStep,
    Message,
    ParallelStep,
    SequenceStep,
    Status,
    Step,
)

from .conditions import Situation
from .plan import PlannedLeg
from .routes import AllOf, FirstOf, Preferred, Route, RouteLike, SameThread, Via, When, preferred, to_route, via

__all__ = [
    "ChannelView",
    "Recipient",
    "Resolved",
    "default_route",
    "grouped",
    "recipient_key",
    "resolve",
]

Recipient = Address | Contact | ConversationRef


#: Whose adapter comes with us: scheme to the adapter's name, and the extra that brings its client library.
_OURS: Final[Mapping[str, tuple[str, str | None]]] = {
    "mailto": ("email", "email"),
    "sms": ("sms", None),
    "tel": ("sms", None),
    "whatsapp": ("sms", None),
    "rcs": ("sms", None),
    "xmpp": ("xmpp", "xmpp"),
    "x": ("x", "x"),
    "http": ("webhook", None),
    "https": ("webhook", None),
    "loopback": ("loopback", None),
}


class ChannelView(Protocol):
    """What planning has to know of an open channel."""

    @property
    def name(self) -> str:
        """As the hub knows it."""
        ...

    @property
    def schemes(self) -> frozenset[str]:
        """Which addresses it serves."""
        ...

    @property
    def default(self) -> bool:
        """Whether it is taken where several serve an address."""
        ...

    @property
    def degrade(self) -> Policy:
        """What it does with content that it cannot carry as it was written."""
        ...

    @property
    def state(self) -> str:
        """Empty when it is well; else what is wrong, in words: "down: the credentials are refused"."""
        ...

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """Its limits there."""
        ...


class Resolved(NamedTuple):
    """What a route has come to.

    Args:
        step: The tree of legs, or None where a `when` has left nothing.
        legs: In the order of their numbers.
        warnings: What was passed over.
    """

    step: Step | None
    legs: tuple[PlannedLeg, ...]
    warnings: tuple[str, ...] = ()


def recipient_key(recipient: Recipient) -> str:
    """How the ledger names *recipient*: an address's URI, "contact:ID", or "CHANNEL/CONVERSATION"."""
    match recipient:
        case Address():
            return recipient.uri
        case Contact():
            return f"contact:{recipient.id}"
        case ConversationRef():
            return f"{recipient.channel}/{recipient.key}"


def default_route(recipient: Recipient) -> Route:
    """The way where nobody has named one: the address, the contact's own order, the conversation."""
    match recipient:
        case Address():
            return via(recipient)
        case Contact():
            return preferred()
        case ConversationRef():
            return SameThread()


def resolve(
    route: RouteLike,
    *,
    recipient: Recipient,
    message: Message,
    channels: Mapping[str, ChannelView],
    conversation: ConversationRef | None = None,
    consents: Mapping[str | None, bool] | None = None,
    first_leg: int = 0,
    goal: Status = Status.ACCEPTED,
) -> Resolved:
    """Turn *route* into legs.

    Args:
        route: The way.
        recipient: To whom.
        message: What is to be sent; conditions look at it.
        channels: The open ones by name.
        conversation: The one that the message answers, or that is active with the recipient, or None.
        consents: What is known of the recipient; conditions look at it.
        first_leg: Number of the first leg.
        goal: The least that each leg has to reach.

    Raises:
        ConfigurationError: The settings cannot do it: no channel for an address, or several and none is the default;
            a channel that is not there; a goal that a channel can never report.
        InvalidInputError: This recipient cannot be reached that way.
        TypeError: *route* is a list, or no route at all.
    """
    situation = Situation(_addresses(recipient), message, consents or {})
    resolver = _Resolver(recipient, situation, channels, conversation, first_leg)
    step = resolver.step(to_route(route), goal)
    resolver.warn_of_doubles()
    return Resolved(step, tuple(resolver.legs), tuple(resolver.warnings))


def grouped(group: Callable[[tuple[Step, ...]], Step], steps: Sequence[Step]) -> Step | None:
    """*steps* as one step; a single one needs no *group* around it, and without any there is nothing to do."""
    if len(steps) < 2:
        return steps[0] if steps else None
    return group(tuple(steps))


def _sequence(route: FirstOf | Preferred) -> Callable[[tuple[Step, ...]], Step]:
    return lambda steps: SequenceStep(steps=steps, within=route.within, tries=route.tries)


def _parallel(steps: tuple[Step, ...]) -> Step:
    return ParallelStep(steps=steps)


def _addresses(recipient: Recipient) -> tuple[Address, ...]:
    match recipient:
        case Address():
            return (recipient,)
        case Contact():
            return recipient.ordered()
        case ConversationRef():
            return (recipient.address,)


class _NoWayError(InvalidInputError):
    """This recipient cannot be reached that way; another one of the route may do."""


@lru_cache(maxsize=256)
def _leg_step(number: int, goal: Status) -> LegStep:
    """Nearly every plan is the same one leaf: a value, made once."""
    return LegStep(leg=number, goal=goal)


class _Resolver:
    def __init__(
        self,
        recipient: Recipient,
        situation: Situation,
        channels: Mapping[str, ChannelView],
        conversation: ConversationRef | None,
        first_leg: int,
    ) -> None:
        self.recipient, self.situation, self.channels = recipient, situation, channels
        self.conversation, self.first_leg = conversation, first_leg
        self.legs: list[PlannedLeg] = []
        self.warnings: list[str] = []

    # -- routes ---------------------------------------------------------------------------------------------------

    def step(self, route: Route, goal: Status) -> Step | None:
        match route:
            case Via():
                return self.via(route, goal)
            case SameThread():
                return self.same_thread(goal)
            case Preferred():
                goal = max(goal, route.until)
                legs: list[Step] = [self.leg(ref, goal) for ref in self.preferred()]
                return grouped(_sequence(route), legs)
            case FirstOf():
                return self.first_of(route, max(goal, route.until))
            case AllOf():
                found = [self.step(child, max(goal, route.until)) for child in route.routes]
                return grouped(_parallel, [child for child in found if child is not None])
            case When():
                way = route.then if route.condition.holds(self.situation) else route.otherwise
                if way is None:
                    self.warnings.append(f"{route.condition} does not hold, and the route names no other way")
                return None if way is None else self.step(way, goal)

    def via(self, route: Via, goal: Status) -> Step:
        if route.address is not None:
            channel = self.choose(route.address) if route.channel is None else self.channel(route.channel)
            if route.address.scheme not in channel.schemes:
                raise ConfigurationError(f"{route!r}: {channel.name} serves {_list(channel.schemes)} and not that")
            return self.leg(self.direct(channel, route.address), goal)
        channel = self.channel(route.channel or "")
        for address in self.situation.addresses:
            if address.scheme in channel.schemes:
                return self.leg(self.direct(channel, address), goal)
        raise _NoWayError(
            f"{recipient_key(self.recipient)} has no address that {channel.name} serves ({_list(channel.schemes)})"
        )

    def same_thread(self, goal: Status) -> Step:
        ref = self.recipient if isinstance(self.recipient, ConversationRef) else self.conversation
        if ref is None:
            raise _NoWayError("same_thread() needs a conversation: reply in one, or name one as the recipient")
        if ref.channel not in self.channels and ref.channel:
            raise _NoWayError(f"same_thread(): its channel {ref.channel!r} is not open")
        channel = self.channel(ref.channel) if ref.channel else self.choose(ref.address)
        return self.leg(ref.model_copy(update={"channel": channel.name}), goal)

    def preferred(self) -> list[ConversationRef]:
        """The ways to the recipient, in their own order, each once."""
        if isinstance(self.recipient, ConversationRef):
            return [self.recipient] if self.recipient.channel else [self.direct_to(self.recipient.address)]
        refs = [self.conversation] if self.conversation is not None and self.is_theirs(self.conversation) else []
        unserved: list[ConfigurationError] = []
        for address in self.situation.addresses:
            if self.serving(address):
                refs.append(self.direct_to(address))
            else:
                unserved.append(self.no_channel(address))
        if not refs and unserved:
            raise unserved[0]
        if not refs:
            raise _NoWayError(f"{recipient_key(self.recipient)} has no address at all")
        self.warnings += map(str, unserved)
        ways: dict[tuple[str, Address], ConversationRef] = {}
        for ref in refs:
            ways.setdefault((ref.channel, ref.address), ref)
        return list(ways.values())

    def first_of(self, route: FirstOf, goal: Status) -> Step | None:
        steps: list[Step] = []
        missed: list[_NoWayError] = []
        for child in route.routes:
            before = len(self.legs)
            try:
                step = self.step(child, goal)
            except _NoWayError as exc:
                del self.legs[before:]
                missed.append(exc)
            else:
                steps += [] if step is None else [step]
        if missed and not steps:
            raise _NoWayError("; ".join(map(str, missed)))
        self.warnings += map(str, missed)
        return grouped(_sequence(route), steps)

    # -- legs -----------------------------------------------------------------------------------------------------

    def leg(self, ref: ConversationRef, goal: Status) -> LegStep:
        channel = self.channel(ref.channel)
        # Whatever a channel declares, its `send` returns once the message is accepted.
        if goal > Status.ACCEPTED:
            best = max(channel.capabilities_for(ref).receipts - {Status.FAILED}, default=Status.ACCEPTED)
            if goal > best:
                raise ConfigurationError(
                    f"until=Status.{goal.name} can never be reached over {channel.name}, which reports no more than "
                    f"{best.name}: ask for until=Status.{best.name}, or take another channel"
                )
        number = self.first_leg + len(self.legs)
        self.legs.append(PlannedLeg(leg=number, channel=channel.name, address=ref.address, conversation=ref, goal=goal))
        return _leg_step(number, goal)

    def direct(self, channel: ChannelView, address: Address) -> ConversationRef:
        ref = self.recipient
        if isinstance(ref, ConversationRef) and ref.address == address and ref.channel in ("", channel.name):
            return ref.model_copy(update={"channel": channel.name})
        return ConversationRef(channel=channel.name, address=address)

    def direct_to(self, address: Address) -> ConversationRef:
        return self.direct(self.choose(address), address)

    def is_theirs(self, conversation: ConversationRef) -> bool:
        """Whether to write in *conversation* is to write to the recipient, and to nobody else."""
        return (
            conversation.kind is ConversationKind.DIRECT
            and conversation.channel in self.channels
            and conversation.address in self.situation.addresses
        )

    # -- channels -------------------------------------------------------------------------------------------------

    def channel(self, name: str) -> ChannelView:
        found = self.channels.get(name)
        if found is None:
            raise ConfigurationError(f"there is no open channel {name!r}; there are: {_list(self.channels)}")
        return found

    def serving(self, address: Address) -> list[ChannelView]:
        return [channel for channel in self.channels.values() if address.scheme in channel.schemes]

    def choose(self, address: Address) -> ChannelView:
        serving = self.serving(address)
        if not serving:
            raise self.no_channel(address)
        chosen = serving if len(serving) == 1 else [channel for channel in serving if channel.default]
        if len(chosen) == 1:
            return chosen[0]
        names = _list(channel.name for channel in chosen or serving)
        which = "are all the default" if chosen else "and none is the default"
        raise ConfigurationError(
            f"several channels serve {address.scheme}: {names} {which}; set default = true in one "
            f"[channels.NAME], or name the channel: via({min(channel.name for channel in serving)!r})"
        )

    def no_channel(self, address: Address) -> ConfigurationError:
        served = [f"{channel.name} ({_list(channel.schemes)})" for channel in self.channels.values()]
        adapter, extra = _OURS.get(address.scheme, (None, None))
        if adapter is None:
            way = "an adapter for it has to be installed (`convergekit adapters` lists those that are)"
        else:
            install = f" (pip install 'convergekit[{extra}]')" if extra else ""
            # One that is there may carry it once it knows who we are there.
            also = f" and {address.scheme} = WHO WE ARE THERE" if address.scheme in ("whatsapp", "rcs") else ""
            way = f'add one: [channels.NAME] with adapter = "{adapter}"{also}{install}'
        return ConfigurationError(
            f"no channel serves {address.scheme}: addresses; configured: {', '.join(served) or 'none'}; {way}"
        )

    def warn_of_doubles(self) -> None:
        if len(self.legs) < 2:
            return
        seen: dict[tuple[str, Address, str | None], int] = {}
        for leg in self.legs:
            first = seen.setdefault((leg.channel, leg.address, leg.conversation.thread), leg.leg)
            if first != leg.leg:
                self.warnings.append(f"legs {first} and {leg.leg} go to the same address over {leg.channel}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
