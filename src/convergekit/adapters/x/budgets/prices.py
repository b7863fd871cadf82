"""What X charges, and for what: data, and how an answer is read for it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from convergekit.content.twitter_text import entities

__all__ = ["PRICES", "Cost", "cost_of", "items_of", "price_list"]

#: US dollars for one of each, of pay-per-use in August 2026. `budget.prices` has other ones.
PRICES: Final[Mapping[str, Decimal]] = {
    "post.read": Decimal("0.005"),
    "user.read": Decimal("0.010"),
    "dm.read": Decimal("0.010"),
    "own.read": Decimal("0.001"),  # what the account has written itself
    "post.create": Decimal("0.015"),
    "post.create_with_url": Decimal("0.200"),
    "post.reply_summoned": Decimal("0.010"),
    "dm.create": Decimal("0.015"),
    "delete": Decimal("0.010"),
    "media.metadata": Decimal("0.005"),
    "activity.post": Decimal("0.005"),
    "activity.dm": Decimal("0.010"),  # received, by webhook or stream; encrypted ones, too
}


#: US dollars that one of anything may cost; it is counted with.
_DEAREST: Final = 1_000_000
#: Objects in a page, at most.
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request is going to cost.

    Args:
        kind: A name of `PRICES`.
        most: How many of them: of a request that reads, at most so many.
    """

    kind: str
    most: int = 1

    @property
    def is_read(self) -> bool:
        """Whether the answer tells how many there were."""
        return self.kind.endswith(".read")

    @classmethod
    def of_post(cls, *, has_url: bool, summoned: bool = False) -> Cost:
        """A post; one with a URL in it is the dearest there is, also where it is an answer to whom summoned us."""
        if has_url:
            return cls("post.create_with_url")
        return cls("post.reply_summoned" if summoned else "post.create")


def cost_of(method: str, route: str, body: Any = None, *, summoned: bool = False) -> Cost | None:
    """What a request costs; None where X charges nothing for it.

    Args:
        method: In upper case.
        route: The path, or its template.
        body: What is posted, as JSON will have it.
        summoned: Whether who is answered is known to have summoned us.
    """
    if method == "GET":
        kind = _kind_of(route)
        return None if kind is None else Cost(kind, 1 if route.endswith("/me") else _PAGE)
    segments = route.split("/")
    if method == "DELETE":
        return Cost("delete") if {"tweets", "dm_events"} & set(segments) else None
    if "dm_conversations" in segments:
        return Cost("dm.create")
    if route == "/2/media/metadata":
        return Cost("media.metadata")
    if route != "/2/tweets":
        return None
    said = body if isinstance(body, Mapping) else {}
    # Only the post itself is looked at: whether X charges for its other fields is not known.
    has_url = bool(entities(str(said.get("text") or "")).urls)
    return Cost.of_post(has_url=has_url, summoned=summoned and "reply" in said)


def price_list(changed: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """`PRICES` with those of the settings.

    Raises:
        ValueError: One of them has no such name, or is below zero.
    """
    if unknown := sorted(changed.keys() - PRICES.keys()):
        raise ValueError(f"there is no {', '.join(unknown)}; there are {', '.join(PRICES)}")
    if wrong := sorted(name for name, price in changed.items() if not price.is_finite() or not 0 <= price <= _DEAREST):
        raise ValueError(f"{', '.join(wrong)} must be 0 to {_DEAREST}")
    return {**PRICES, **changed}


def items_of(route: str, body: Any, *, own: str | None = None) -> Iterator[tuple[str, str]]:
    """(kind, id) of each object in the answer *body* to a GET of *route*: what X charges for.

    Args:
        route: The path, or its template.
        body: As JSON had it.
        own: The account's id: what it wrote is cheaper.
    """
    if not isinstance(body, Mapping):
        return
    data, includes = body.get("data"), body.get("includes")
    if kind := _kind_of(route):
        for each in data if isinstance(data, list) else [data]:
            yield from _item(kind, each, own)
    if isinstance(includes, Mapping):
        for name, kind in (("tweets", "post.read"), ("posts", "post.read"), ("users", "user.read")):
            among = includes.get(name)
            for each in among if isinstance(among, list) else ():
                yield from _item(kind, each, own)


def _kind_of(route: str) -> str | None:
    segments = route.split("/")
    if "dm_events" in segments:
        return "dm.read"
    if {"tweets", "posts", "mentions"} & set(segments):
        return "post.read"
    return "user.read" if "users" in segments else None


def _item(kind: str, each: Any, own: str | None) -> Iterator[tuple[str, str]]:
    if isinstance(each, Mapping) and isinstance(found := each.get("id"), str):
        is_own = own is not None and own == (found if kind == "user.read" else each.get("author_id"))
        yield ("own.read" if is_own and kind != "dm.read" else kind, found)
