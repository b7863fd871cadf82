"""The way back through a feed: its pages come newest first, and are walked until what is known. Pure.

Older items come later, so nothing is handed on before the walk has come to its end. Whoever is held up on the way keeps
the walk and goes on from where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from convergekit.errors import InvalidInputError

from ..reading.values import next_token
from ..snowflakes import read_id

__all__ = ["PAGE", "Item", "Walk", "pages"]

#: Items that a page holds at most.
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a feed.

    Args:
        id: What it is put in order by; of something whose own cannot be read, that of the one after it.
        raw: As X tells it.
        beside: What its page tells beside its items.
    """

    id: int
    raw: Any
    beside: Mapping[str, Any]


class Walk:
    """One walk, from the newest page back.

    Args:
        since: Id of the newest item that need not be looked at; 0 where there is none.
        known: Id of the newest item that was handed on when it began.
        is_aided: Whether X is told *since*, and so shows nothing older.
        most_pages: It ends there, whatever X says.
        shown: How many items X shows at all, or None where it does not count them.

    Attributes:
        token: Of the next page; None on the first.
        pages: How many there were.
        is_done: Whether it has come to its end.
        has_met: Whether it came to what is known; X may also have ended before.
        cut: Why something may be missing before its oldest item, or None.
    """

    def __init__(
        self,
        since: int,
        *,
        most_pages: int,
        known: int | None = None,
        shown: int | None = None,
        is_aided: bool = False,
    ) -> None:
        self.since, self.known, self.is_aided = since, since if known is None else known, is_aided
        self.token: str | None = None
        self.pages = 0
        self.is_done = self.has_met = False
        self.cut: str | None = None
        self._most_pages, self._shown = most_pages, shown
        self._seen: set[int] = set()
        self._tokens: set[str] = set()
        self._items: list[tuple[int, int, Item]] = []

    def take(self, page: Any) -> None:
        """Go on by one page, as X answered it.

        Raises:
            InvalidInputError: It is no page; the walk stands where it stood.
        """
        data, token = _read(page)
        self.pages += 1
        beside = {name: value for name, value in page.items() if name not in ("data", "meta", "errors")}
        for raw in data:
            self._put(raw, beside)
        self._go_on(token)

    def new(self, is_new: Callable[[int], bool], most: int = PAGE) -> Sequence[Item]:
        """The oldest items of which *is_new*, about *most* of them, the oldest first; of a walk that is done."""
        items = [item for id, _, item in sorted(self._items, key=lambda each: each[:2]) if is_new(id)]
        while most < len(items) and items[most].id == items[most - 1].id:
            most += 1  # what stands under one id is handed on at once, for a cursor says no more than an id
        return items[:most]

    @property
    def oldest(self) -> int | None:
        """The least id, or None where it is empty."""
        return min((id for id, _, _ in self._items), default=None)

    def _put(self, raw: Any, beside: Mapping[str, Any]) -> None:
        said = read_id(raw.get("id")) if isinstance(raw, Mapping) else None
        # What cannot be read is told all the same, in the place where it stood.
        id = int(said) if said is not None else self._items[-1][0] if self._items else self.since + 1
        if id <= self.since:
            self.has_met = True
        elif said is None or id not in self._seen:  # pages shift while new items come: some are seen twice
            self._items.append((id, -len(self._items), Item(id, raw, beside)))
            if said is not None:
                self._seen.add(id)

    def _go_on(self, token: str | None) -> None:
        if self.has_met or token is None:
            self.is_done = True
            if not self.has_met and self.since and self._is_full():
                self.cut = f"X shows no more than the newest {self._shown}"
        elif token in self._tokens:
            self.is_done, self.cut = True, "X led the same way back twice"
        elif self.pages >= self._most_pages:
            self.is_done, self.cut = True, f"after {self.pages} pages there was still no end"
        else:
            self._tokens.add(token)
            self.token = token

    def _is_full(self) -> bool:
        """Whether X may have stopped since it had shown all that it shows; it drops some of what it counts."""
        return self._shown is not None and (len(self._seen) >= self._shown or self.pages >= self._shown // PAGE)


def pages(items: Iterable[Item]) -> Iterator[Mapping[str, Any]]:
    """*items*, in their order, as pages again: those that X told together are together."""
    for _, group in groupby(items, lambda item: id(item.beside)):
        told = list(group)
        yield {**told[0].beside, "data": [item.raw for item in told]}


def _read(page: Any) -> tuple[Sequence[Any], str | None]:
    """The items of *page*, and the token of the next one; a feed with nothing in it has no `data`."""
    meta = page.get("meta") if isinstance(page, Mapping) else None
    data = page.get("data", [] if isinstance(meta, Mapping) else None) if isinstance(page, Mapping) else None
    if not isinstance(data, list):
        raise InvalidInputError("the answer is no page of a feed")
    return data, next_token(page)
