"""All that X makes a link of, in one text."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple, TypeVar

from . import _tags, _urls
from ._tags import Cashtag, Hashtag, Mention

__all__ = ["Entities", "Url", "entities"]


class Url(NamedTuple):
    """A URL from `start` up to `end` (code points), as it is written: without a protocol perhaps."""

    start: int
    end: int
    url: str


class Entities(NamedTuple):
    """What X makes a link of; in order, and none of them inside of another."""

    urls: tuple[Url, ...] = ()
    mentions: tuple[Mention, ...] = ()
    hashtags: tuple[Hashtag, ...] = ()
    cashtags: tuple[Cashtag, ...] = ()


_Entity = TypeVar("_Entity", Url, Mention, Hashtag, Cashtag)


def entities(text: str) -> Entities:
    """The URLs, mentions, hashtags and cashtags of *text*, as it is given: nothing is composed or decoded."""
    found = Entities(
        tuple(Url(start, end, text[start:end]) for start, end in _urls.spans(text)),
        tuple(_tags.mentions(text)),
        tuple(_tags.hashtags(text)),
        tuple(_tags.cashtags(text)),
    )
    overlapping = _overlapping(found) if sum(map(bool, found)) > 1 else None
    if not overlapping:
        return found
    return Entities(
        _without(overlapping, found.urls),
        _without(overlapping, found.mentions),
        _without(overlapping, found.hashtags),
        _without(overlapping, found.cashtags),
    )


def _overlapping(found: Entities) -> set[int]:
    """Where those begin that do so inside of another. No two begin in one place, since each has a sign of its own."""
    inside, last = set[int](), 0
    for start, end, *_ in sorted([each for kind in found for each in kind]):
        if start < last:
            inside.add(start)
        else:
            last = end
    return inside


def _without(starts: Container[int], kind: Iterable[_Entity]) -> tuple[_Entity, ...]:
    return tuple(each for each in kind if each.start not in starts)
