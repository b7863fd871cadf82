"""Paths, templates and conditions of rules, made ready to be asked of a call. Pure.

Whatever a path leads to, nothing is raised; what is no text, number or truth value is missing. Of a list all that is
text stands in a template, with commas between.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from convergekit.http.bodies import Item, Test, compiled, read_query, to_text

from .rules import Conditions, paths_in, place_of

__all__ = ["Call", "Holds", "Says", "about_entry", "line", "saying", "short", "test_of", "text_of", "value_of"]

#: Whether something is so of a call.
Holds: TypeAlias = "Callable[[Call], bool]"
#: What a template says about a call, or None.
Says: TypeAlias = "Callable[[Call], str | None]"
_Pieces: TypeAlias = "tuple[tuple[str, Says | None], ...]"

_LONGEST: Final = 262_144  # characters of a text: a template may name a long value many times
_SHORT: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ALONE: Final = "value"


class Call:
    """One call, as paths see it.

    Args:
        body: What came.
        raw: The same, as it came.
        headers: Looked up in lower case.
        query: Undecoded.
        id: What the signature scheme knows it by, or None.
    """

    __slots__ = ("_query", "body", "entry", "headers", "id", "index", "query", "raw")

    def __init__(
        self, body: Item, raw: bytes, headers: Mapping[str, str], query: str = "", id: str | None = None
    ) -> None:
        self.body, self.raw, self.headers, self.query, self.id = body, raw, headers, query, id
        self.entry: Item | None = None
        self.index: int | None = None
        self._query: Item | None = None

    def at(self, entry: Item, index: int) -> Call:
        """The same call, at one entry of a list of it."""
        inner = Call(self.body, self.raw, self.headers, self.query, self.id)
        inner.entry, inner.index, inner._query = entry, index, self._query
        return inner

    @property
    def item(self) -> Item:
        """What it is about: the entry, or else all of the body."""
        return self.body if self.entry is None else self.entry

    @property
    def fields(self) -> Item:
        """Of the query."""
        if self._query is None:
            self._query = read_query(self.query)
        return self._query

    def digest(self) -> str:
        """Of the body."""
        return "digest:" + hashlib.sha256(self.raw).hexdigest()


def value_of(path: str) -> Callable[[Call], Any]:
    """What *path* leads to, of any kind; None where that is nothing."""
    item, rest = _reached(path)
    return lambda call: item(call).get(rest)


def text_of(path: str) -> Says:
    """What *path* leads to, as text."""
    place, name = place_of(path)
    if place == "header":
        name = name.lower()
        return lambda call: call.headers.get(name) or None
    item, rest = _reached(path)

    def says(call: Call) -> str | None:
        value = item(call).get(rest)
        if type(value) is str:
            return value or None
        if isinstance(value, list):
            return ", ".join(text for each in value if (text := to_text(each))) or None
        return to_text(value)

    return says


def saying(templates: Iterable[str], *, holes: bool = False) -> Says:
    """What the first of *templates* says in which nothing is missing.

    Args:
        templates: In order.
        holes: Where there is none such, the last one of which any value is there counts, and those that are missing
            leave their places empty.
    """
    ready = [_pieces(template) for template in templates]

    def says(call: Call) -> str | None:
        last: str | None = None
        for pieces in ready:
            text, missing = _filled(pieces, call)
            if not missing:
                return text
            last = text or last
        return last if holes else None

    return says


def test_of(conditions: Conditions) -> Holds:
    """Whether all of one of the tables of *conditions* holds; of none at all it does."""
    tables = [_all_of([_holds(path, compiled([expected.of(_reached(path)[1])])) for path, expected in table.items()])
              for table in conditions]  # fmt: skip
    if len(tables) == 1:
        return tables[0]
    return lambda call: not tables or any(holds(call) for holds in tables)


def about_entry(template: str) -> bool:
    """Whether *template* says something about an entry."""
    return any(path is not None and place_of(path)[0] == "entry" for _, path in paths_in(template))


def line(text: str) -> str:
    """*text* as one line without control characters."""
    return (text if text.isprintable() else _NO_LINE.sub(" ", text)).strip()


def short(text: str) -> str:
    """*text* as a name of bounded length: itself as one line, or its digest."""
    text = line(text)
    return text if len(text) <= _SHORT else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _reached(path: str) -> tuple[Callable[[Call], Item], str]:
    """What of a call *path* leads into, and the way from there."""
    place, rest = place_of(path)
    match place:
        case "header":
            name = rest.lower()
            return (lambda call: Item({_ALONE: call.headers.get(name)})), _ALONE
        case "query":
            return (lambda call: call.fields), rest
        case "body" if rest:
            return (lambda call: call.body), rest
        case "body":
            return (lambda call: Item({_ALONE: call.body.value})), _ALONE
        case _ if rest:
            return (lambda call: call.item), rest
        case _:
            return (lambda call: Item({_ALONE: call.item.value})), _ALONE


def _holds(path: str, test: Test) -> Holds:
    item, _ = _reached(path)
    return lambda call: test(item(call))


def _all_of(tests: list[Holds]) -> Holds:
    def holds(call: Call) -> bool:
        for test in tests:  # noqa: SIM110 - the loop takes half the time
            if not test(call):
                return False
        return True

    return tests[0] if len(tests) == 1 else holds


def _pieces(template: str) -> _Pieces:
    return tuple((literal, None if path is None else text_of(path)) for literal, path in paths_in(template))


def _filled(pieces: _Pieces, call: Call) -> tuple[str | None, bool]:
    """The text, None where every value is missing; and whether one is."""
    said, room, values, found = list[str](), _LONGEST, 0, 0
    for literal, says in pieces:
        said.append(literal)
        if says is None:
            continue
        values += 1
        if (value := says(call)) is not None:
            found += 1
            said.append(value if len(value) <= room else value[:room])
            room -= min(len(value), room)
    return (_plain("".join(said)) if found or not values else None), found < values


def _plain(text: str) -> str:
    """*text* with lines that end as ours do, and no other control characters but tabs."""
    if text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.replace("\n", "").isprintable() else _CONTROL.sub("", text)
