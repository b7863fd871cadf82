"""Routes: which way a message goes, as values that can be compared, hashed, printed and stored.

A string or an `Address` stands for `via(...)`. A list does not stand for anything: it says neither "the first that
works" (`first_of`) nor "all of them" (`all_of`), so it is a `TypeError`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, field_validator, model_validator

from convergekit.errors import InvalidInputError
from convergekit.model import Address, Line, Status

from ._calls import Called, call
from .conditions import Condition, is_condition

__all__ = [
    "AllOf",
    "FirstOf",
    "Preferred",
    "Route",
    "RouteLike",
    "SameThread",
    "Via",
    "When",
    "all_of",
    "first_of",
    "preferred",
    "route_from_json",
    "route_to_json",
    "same_thread",
    "to_route",
    "via",
    "when",
]

_DEFAULTS = {"until": Status.ACCEPTED, "tries": 1}


class _Route(Called):
    @field_validator("until", check_fields=False)
    @classmethod
    def _is_a_goal(cls, value: Status) -> Status:
        if value < Status.ACCEPTED or value is Status.FAILED:
            raise ValueError(f"{value} is nothing to wish for; a goal is ACCEPTED or above, and not FAILED")
        return value


class Via(_Route):
    """Over one channel, or to one address, or both."""

    kind: Literal["via"] = "via"
    channel: Line | None = None
    address: Address | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Via:
        if self.channel is None and self.address is None:
            raise ValueError("via() needs a channel or an address")
        return self

    def __repr__(self) -> str:
        if self.address is None:
            return call("via", self.channel)
        return call("via", self.address, channel=self.channel)


class Preferred(_Route):
    """The recipient's own order."""

    kind: Literal["preferred"] = "preferred"
    until: Status = Status.ACCEPTED
    within: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tries: int = Field(default=1, ge=1)

    def __repr__(self) -> str:
        return call("preferred", until=self.until, within=self.within, tries=self.tries, defaults=_DEFAULTS)


class SameThread(_Route):
    """Where the message that this one answers came from."""

    kind: Literal["same_thread"] = "same_thread"

    def __repr__(self) -> str:
        return call("same_thread")


class FirstOf(_Route):
    """One after another until one reaches the goal."""

    kind: Literal["first_of"] = "first_of"
    routes: tuple[Route, ...] = Field(min_length=1)
    until: Status = Status.ACCEPTED
    within: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tries: int = Field(default=1, ge=1)

    def __repr__(self) -> str:
        options = {"until": self.until, "within": self.within, "tries": self.tries}
        return call("first_of", *self.routes, **options, defaults=_DEFAULTS)


class AllOf(_Route):
    """All at once; each has to reach the goal."""

    kind: Literal["all_of"] = "all_of"
    routes: tuple[Route, ...] = Field(min_length=1)
    until: Status = Status.ACCEPTED

    def __repr__(self) -> str:
        return call("all_of", *self.routes, until=self.until, defaults=_DEFAULTS)


class When(_Route):
    """One way or another, by what is known when the send is planned."""

    kind: Literal["when"] = "when"
    condition: Condition
    then: Route
    otherwise: Route | None = None

    def __repr__(self) -> str:
        return call("when", self.condition, self.then, otherwise=self.otherwise)


Route = Annotated[Via | Preferred | SameThread | FirstOf | AllOf | When, Field(discriminator="kind")]
RouteLike = Via | Preferred | SameThread | FirstOf | AllOf | When | Address | str
FirstOf.model_rebuild()
AllOf.model_rebuild()
When.model_rebuild()
_ADAPTER: TypeAdapter[Route] = TypeAdapter(Route)


def to_route(value: RouteLike) -> Route:
    """*value* as a route; a string or an `Address` is `via(...)`.

    Raises:
        TypeError: It is a list, or something else that is no route.
        InvalidInputError: A string with a colon is no address.
    """
    match value:
        case str() | Address():
            return via(value)
        case Via() | Preferred() | SameThread() | FirstOf() | AllOf() | When():
            return value
        case _:
            raise _no_route(value)


def via(target: Address | str, *, channel: str | None = None) -> Via:
    """Over one channel, or to one address.

    Args:
        target: The name of a channel, which then takes the recipient's first address that it serves;
            or an address or its URI, which needs no other. What has a colon is a URI.
        channel: With an address, the channel to use, where several serve it.

    Raises:
        InvalidInputError: A URI is malformed.
    """
    if isinstance(target, Address):
        return Via(address=target, channel=channel)
    if ":" in target:
        return Via(address=Address.parse(target), channel=channel)
    if channel is not None:
        raise InvalidInputError(
            f"via({target!r}, channel={channel!r}) names two channels; the first has to be an address"
        )
    return Via(channel=target)


def preferred(*, until: Status = Status.ACCEPTED, within: float | None = None, tries: int = 1) -> Preferred:
    """The recipient's own order: the active conversation if there is one, their preferred medium, then the rest.

    `first_of` over all of these; for the arguments see there. Addresses that no channel serves are passed over,
    and the plan says so.
    """
    return Preferred(until=until, within=within, tries=tries)


def same_thread() -> SameThread:
    """The conversation that the message answers. Where there is none, `first_of(same_thread(), ...)` goes on."""
    return SameThread()


def first_of(
    *routes: RouteLike, until: Status = Status.ACCEPTED, within: float | None = None, tries: int = 1
) -> FirstOf:
    """One after another until one reaches *until*. It never moves on from an unknown outcome.

    Args:
        routes: In order.
        until: The goal; also of every route within that asks for less.
        within: Seconds after which a leg that has not reached the goal is left, or None. It may still arrive: a leg
            that was taken cannot be called back, and then two go out.
        tries: Attempts that were not sent after which a leg is left.

    Raises:
        TypeError: There is no route, or one of them is a list.
    """
    return FirstOf(routes=_routes("first_of", routes), until=until, within=within, tries=tries)


def all_of(*routes: RouteLike, until: Status = Status.ACCEPTED) -> AllOf:
    """All at once; satisfied when each one has reached *until*.

    Raises:
        TypeError: There is no route, or one of them is a list.
    """
    return AllOf(routes=_routes("all_of", routes), until=until)


def when(condition: Condition, then: RouteLike, otherwise: RouteLike | None = None) -> When:
    """*then* where *condition* holds, else *otherwise*; where that is None, nothing is sent.

    Args:
        condition: A value, such as `has_scheme("sms")` or `has_importance("urgent")`; it is stored with the plan,
            so a function would not do.
        then: The way if it holds.
        otherwise: The way if not.

    Raises:
        TypeError: *condition* is not a condition, or a route is none.
    """
    if not is_condition(condition):
        raise TypeError("a condition is a value such as has_scheme('sms'), not a function: it has to be stored")
    return When(condition=condition, then=to_route(then), otherwise=None if otherwise is None else to_route(otherwise))


def route_to_json(route: Route) -> dict[str, Any]:
    """The JSON-able form of *route*; fields that have their default are left out."""
    return route.model_dump(mode="json", exclude_defaults=True)


def route_from_json(data: Any) -> Route:
    """Read what `route_to_json` wrote; raises `pydantic.ValidationError`."""
    return _ADAPTER.validate_python(data)


def _routes(name: str, values: tuple[Any, ...]) -> tuple[Route, ...]:
    if not values:
        raise TypeError(f"{name}() needs at least one route")
    return tuple(map(to_route, values))


def _no_route(value: object) -> TypeError:
    if isinstance(value, list | tuple | set | frozenset):
        return TypeError("several routes do not say how: use first_of(...) for one after another, all_of(...) for all")
    return TypeError(f"{type(value).__name__} is no route: use via(...), preferred(), first_of(...), a channel's name")
