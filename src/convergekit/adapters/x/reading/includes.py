"""Whom and what a post or a message names, as far as X shows it beside. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from convergekit.model import Address

from .. import addresses
from ..details import OtherPost
from ..snowflakes import read_id
from .names import renamed
from .values import first_of, line, mapping, sequence
from .words import shown

__all__ = ["Includes", "Person", "Reading"]

#: What X puts on accounts that say of themselves that a program writes there.
_AUTOMATED: Final = "Automated"
_HANDLE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_LONGEST_HANDLE: Final = 50


@dataclass(frozen=True, slots=True)
class Person:
    """An account, as X shows it.

    Args:
        id: Stays.
        handle: What it is called, without the @; None where X does not say.
        name: What its owner calls themselves, or None.
        verified: The kind of its badge, or None.
        automated: Whether X has it marked as run by a program.
    """

    id: str
    handle: str | None = None
    name: str | None = None
    verified: str | None = None
    automated: bool = False

    @property
    def address(self) -> Address:
        """Where they can be reached, with what they are called."""
        return addresses.user(self.id, f"@{self.handle}" if self.handle else self.name)

    @classmethod
    def of(cls, raw: Mapping[str, Any], id: str) -> Self:
        """The account *id*, which *raw* describes."""
        handle = first_of(raw, "username", "screen_name")
        is_handle = isinstance(handle, str) and 0 < len(handle) <= _LONGEST_HANDLE and _HANDLE.issuperset(handle)
        badge = line(raw.get("verified_type"), 40)
        return cls(
            id,
            handle=handle if is_handle else None,
            name=line(raw.get("name"), 200),
            verified=badge if badge != "none" else None,
            automated=_is_automated(mapping(raw.get("affiliation"))),
        )


def _is_automated(affiliation: Mapping[str, Any]) -> bool:
    """A company could call itself so; its badge leads to the company, and X' own label leads nowhere."""
    return (
        affiliation.get("description") == _AUTOMATED and not affiliation.get("user_id") and not affiliation.get("url")
    )


@dataclass(frozen=True, slots=True)
class Includes:
    """What X shows beside posts and messages, by its id or key: as it came."""

    users: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    posts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    media: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    polls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    named: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, includes: Any, users: Any = None) -> Self:
        """Of an answer's *includes*, and of a map of *users* by id; whoever is in it may be wrapped in "data"."""
        said = renamed(mapping(includes))
        people = [_unwrapped(each) for each in sequence(said.get("users"))]
        people += [{"id": id, **_unwrapped(each)} for id, each in mapping(users).items()]
        posts = (renamed(mapping(each)) for each in sequence(said.get("posts")))
        return cls(
            users=_by_id(people),
            posts=_by_id(posts),
            media=_by_key(mapping(each) for each in sequence(said.get("media"))),
            polls=_by_id(mapping(each) for each in sequence(said.get("polls"))),
        )

    def naming(self, people: Iterable[Mapping[str, Any]]) -> Self:
        """With *people*, whom a text names by id and handle: where X does not show them, that much is known."""
        return replace(self, named=_by_id(people))

    def person(self, id: str) -> Person:
        """The account *id*: with nothing but that where X does not show it."""
        return Person.of(self.users.get(id) or self.named.get(id, {}), id)

    def post(self, id: str | None) -> OtherPost | None:
        """The post *id*: with nothing but that where X does not show it; None for None."""
        if id is None:
            return None
        raw = self.posts.get(id, {})
        author = read_id(raw.get("author_id"))
        if author is None:
            return OtherPost(id=id)
        person = self.person(author)
        return OtherPost(id=id, author=person.address.uri, handle=person.handle, text=shown(raw).text)

    def author_of(self, id: str | None) -> str | None:
        """Who wrote the post *id*, as far as X shows it."""
        return read_id(self.posts.get(id, {}).get("author_id")) if id is not None else None

    def picked(self, *, users: Iterable[str], posts: Iterable[str], media: Iterable[str], polls: Iterable[str]) -> Any:
        """Those that are named, as X would show them beside one post: for `native`."""
        wanted = {
            "users": _picked(self.users, users),
            "posts": _picked(self.posts, posts),
            "media": _picked(self.media, media),
            "polls": _picked(self.polls, polls),
        }
        return {name: found for name, found in wanted.items() if found}


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom, and when, something is read, and what X shows beside it.

    Args:
        own: The account's id.
        now: When it came.
        includes: What X shows beside.
    """

    own: str
    now: datetime
    includes: Includes = field(default_factory=Includes)

    def beside(self, includes: Includes) -> Self:
        """The same, of what has other *includes*."""
        return replace(self, includes=includes)


def _unwrapped(person: Any) -> Mapping[str, Any]:
    return mapping(mapping(person).get("data")) or mapping(person)


def _picked(known: Mapping[str, Mapping[str, Any]], keys: Iterable[str]) -> list[Any]:
    return [known[key] for key in dict.fromkeys(keys) if key in known]


def _by_id(items: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {id: each for each in items if (id := read_id(first_of(each, "id", "id_str"))) is not None}


def _by_key(items: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {key: each for each in items if isinstance(key := each.get("media_key"), str)}
