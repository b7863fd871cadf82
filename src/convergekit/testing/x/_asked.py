"""A request as the endpoints see it: checked for what it may say, which X is strict about."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import httpx

from ._answers import Problem, invalid
from ._fields import EXPANSIONS, FIELDS
from ._oauth import Who
from ._people import Account
from ._shown import Shown, old_names

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["APP", "USER", "Asked", "Handler", "Page", "Route", "page", "same_route"]

T = TypeVar("T")

#: Ways to say who one is, as routes allow them.
USER: Final = frozenset({"oauth1", "oauth2"})
APP: Final = frozenset({"app"})

_ID: Final = re.compile(r"[0-9]{1,19}\Z")
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "boolean": (bool,),
    "integer": (int,),
}


@dataclass(slots=True)
class Asked:
    """One request.

    Attributes:
        request: As it came.
        route: Where it leads.
        args: What stands in its path.
        query: Behind the question mark, in the names before 2.167.
        who: Who asks.
    """

    request: httpx.Request
    route: Route
    args: Mapping[str, str]
    query: Mapping[str, str]
    who: Who

    @property
    def account(self) -> Account:
        """Who asks; the route lets no others in."""
        assert self.who.account is not None
        return self.who.account

    def body(self, allowed: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
        """The JSON that came, of which nothing is unknown.

        Args:
            allowed: Name to type (`"string"`, `"array"` ...), or to such a mapping for what is inside.
            required: Names that must be there.

        Raises:
            Problem: 400.
        """
        try:
            body = json.loads(self.request.content or b"{}")
        except ValueError:
            raise invalid("The body is not valid JSON.") from None
        _check(body, allowed, required, "$")
        assert isinstance(body, dict)
        return body

    def shown(self) -> Shown:
        """What the answer is to show."""
        return Shown(
            posts=self._names("tweet.fields"),
            users=self._names("user.fields"),
            directs=self._names("dm_event.fields"),
            media=self._names("media.fields"),
            polls=self._names("poll.fields"),
            expansions=self._expansions(),
        )

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """A number behind the question mark."""
        text = self.query.get(name, str(default))
        if not text.isdigit() or not low <= int(text) <= high:
            message = f"The `{name}` query parameter value [{text}] is not between {low} and {high}"
            raise invalid(message, **{name: text})
        return int(text)

    def id(self, name: str) -> str | None:
        """An id behind the question mark."""
        text = self.query.get(name)
        if text is not None and not _ID.match(text):
            raise invalid(f"The `{name}` query parameter value [{text}] is not valid", **{name: text})
        return text

    def time(self, name: str) -> datetime | None:
        """A moment behind the question mark."""
        text = self.query.get(name)
        try:
            found = None if text is None else datetime.fromisoformat(text)
        except ValueError:
            found = None
        if text is not None and (found is None or found.tzinfo is None):
            raise invalid(f"The `{name}` query parameter value [{text}] is not a valid date-time", **{name: text})
        return found

    def _names(self, name: str) -> list[str]:
        values = old_names(filter(None, self.query.get(name, "").split(",")))
        for value in values:
            if value not in FIELDS[name]:
                raise invalid(f"The `{name}` query parameter value [{value}] is not one of them", **{name: value})
        return values

    def _expansions(self) -> list[str]:
        values = old_names(filter(None, self.query.get("expansions", "").split(",")))
        values = ["referenced_tweets.id" if each == "referenced_tweets" else each for each in values]
        for value in values:
            if value not in EXPANSIONS:
                raise invalid(f"The `expansions` query parameter value [{value}] is not one of them", expansions=value)
        return values


Handler: TypeAlias = "Callable[[XServer, Asked], httpx.Response | Awaitable[httpx.Response]]"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    Attributes:
        method: As `POST`.
        template: As `/2/users/{id}/mentions`.
        handler: Answers.
        query: What may stand behind the question mark.
        ways: How one may say who one is; none is that it does not matter.
        scopes: What a token of OAuth 2.0 must allow.
    """

    method: str
    template: str
    handler: Handler
    query: frozenset[str] = frozenset()
    ways: frozenset[str] = USER
    scopes: frozenset[str] = frozenset()

    def match(self, path: str) -> dict[str, str] | None:
        """What stands in *path* in the places of the template; None where it leads elsewhere."""
        given, parts = path.strip("/").split("/"), self.template.strip("/").split("/")
        if len(given) != len(parts):
            return None
        found = {}
        for part, value in zip(parts, given, strict=True):
            if part.startswith("{"):
                found[part[1:-1]] = value
            elif part != value:
                return None
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """Some of many.

    Attributes:
        items: Newest first.
        token: For the next page.
        earlier: For the one before.
    """

    items: Sequence[Any]
    token: str | None
    earlier: str | None

    @property
    def meta(self) -> dict[str, Any]:
        """How many there are, and how the others are asked for."""
        said = {"result_count": len(self.items), "next_token": self.token, "previous_token": self.earlier}
        return {name: value for name, value in said.items() if value is not None}


#: Before the position: tokens are opaque, and those for messages are at least 16 characters long.
_OPAQUE: Final = "7140dibdnow9c7bt"


def page(asked: Asked, found: Sequence[T], size: int, *, by_offset: bool, key: Callable[[T], str]) -> Page:
    """The part of *found*, which is newest first, that *asked* wants.

    A token says before which id the page begins; *by_offset* it says how many have been shown, so that what comes
    meanwhile moves the pages.
    """
    token = asked.query.get("pagination_token") or asked.query.get("next_token")
    begin = 0
    if token is not None:
        place = token.removeprefix(_OPAQUE)
        if place == token or not place.isdigit():
            raise invalid(f"The `pagination_token` query parameter value [{token}] is not valid")
        begin = int(place) if by_offset else sum(1 for each in found if int(key(each)) >= int(place))
    items = found[begin : begin + size]
    more = begin + size < len(found)
    after = str(begin + size) if by_offset else key(items[-1]) if items else "0"
    before = max(begin - size, 0)
    earlier = str(before) if by_offset else str(int(key(found[before])) + 1) if found else "0"
    return Page(items, _OPAQUE + after if more else None, _OPAQUE + earlier if begin else None)


def same_route(one: str, other: str) -> bool:
    """Whether two templates are one, however they write places: `/2/users/:id` or `/2/users/{id}`."""
    return _bare(one) == _bare(other)


def _bare(template: str) -> str:
    return re.sub(r"\{[^}]*\}|:[a-z_]+", "*", template)


def _check(value: Any, allowed: Mapping[str, Any], required: Sequence[str], where: str) -> None:
    if not isinstance(value, dict):
        raise invalid(f"{where}: object expected")
    for name, each in value.items():
        if name not in allowed:
            message = f"[{where}: object has properties which are not allowed by the schema: [{name}]]"
            raise Problem(400, message, "invalid-request", errors=[{"message": message, "parameters": {name: []}}])
        kind = allowed[name]
        if isinstance(kind, Mapping):
            _check(each, kind, (), f"{where}.{name}")
        elif not isinstance(each, _TYPES[kind]) or (kind == "integer" and isinstance(each, bool)):
            raise invalid(f"{where}.{name}: {kind} expected", **{name: str(each)})
    for name in required:
        if name not in value:
            raise invalid(f"{where}.{name}: is missing but it is required")
