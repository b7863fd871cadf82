"""Paths, templates and conditions of rules, made ready to be asked of a call. Pure.

Whatever a path leads to, nothing is raised; what is no text, number or truth value is missing. Of a list all that is
text stands in a template, with commas between.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from convergekit.http.bodies import Item, compiled, read_query, to_text

from .rules import Conditions, Expected, paths_in, place_of

__all__ = ["Call", "Holds", "Says", "about_entry", "line", "saying", "short", "test_of", "text_of", "value_of"]

#: Whether something is so of a call.
Holds: TypeAlias = "Callable[[Call], bool]"
#: What a template says about a call, or None.
Says: TypeAlias = "Callable[[Call], str | None]"

_LONGEST: Final = 262_144  # characters of a text: a template may name a long value many times
_SHORT: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ALONE: Final = "value"
_MANY: Final = re.compile(r"(^|\.)\*(\.|$)|#(\.|$)")


class Call:
    """One call, as paths see it.

    Args:
        body: What came.
        raw: The same, as it came.
        headers: Looked up in lower case.
        query: Undecoded.
        id: What the signature scheme knows it by, or None.
        entry: The entry of a list that it is about, or None.
        index: Its place in that list.
    """

    __slots__ = ("_fields", "_found", "body", "headers", "id", "index", "item", "query", "raw", "tree", "trunk")

    def __init__(
        self,
        body: Item,
        raw: bytes,
        headers: Mapping[str, str],
        query: str = "",
        id: str | None = None,
        *,
        entry: Item | None = None,
        index: int | None = None,
    ) -> None:
        self.body, self.raw, self.headers, self.query, self.id, self.index = body, raw, headers, query, id, index
        self.item = body if entry is None else entry  # what it is about
        # Of the body, and of the item, what plain steps lead into; None of a form, whose names are found otherwise.
        self.trunk = None if body.is_form else body.value
        self.tree = None if self.item.is_form else self.item.value
        self._found: dict[str, str | None] = {}
        self._fields: Item | None = None

    def at(self, entry: Item, index: int) -> Call:
        """The same call, at one entry of a list of it."""
        return Call(self.body, self.raw, self.headers, self.query, self.id, entry=entry, index=index)

    def header(self, name: str) -> str | None:
        """The header field *name*, in lower case; None where there is none, or nothing in it."""
        if name not in self._found:  # each rule asks for the same one
            self._found[name] = self.headers.get(name) or None
        return self._found[name]

    def fields(self) -> Item:
        """Of the query."""
        if self._fields is None:
            self._fields = read_query(self.query)
        return self._fields

    def digest(self) -> str:
        """Of the body."""
        return "digest:" + hashlib.sha256(self.raw).hexdigest()


def value_of(path: str) -> Callable[[Call], Any]:
    """What *path* leads to, of any kind; None where that is nothing."""
    place, rest = place_of(path)
    name = rest.lower()
    match place:
        case "header":
            return lambda call: call.header(name)
        case "query":
            return lambda call: call.fields().get(rest)
        case "body":
            return _inside(rest, lambda call: call.trunk, lambda call: call.body)
        case _:
            return _inside(rest, lambda call: call.tree, lambda call: call.item)


def _inside(path: str, tree: Callable[[Call], Any], item: Callable[[Call], Item]) -> Callable[[Call], Any]:
    """What *path* leads to inside of *item*, whose *tree* is looked through without further ado where there is one."""
    if not path:
        return lambda call: item(call).value
    steps = tuple(path.split("."))

    def value(call: Call) -> Any:
        found = tree(call)
        for step in steps:
            if type(found) is not dict:
                return None if found is None and tree(call) is not None else item(call).get(path)
            found = found.get(step)
        return found

    return value if not _MANY.search(path) else lambda call: item(call).get(path)


def text_of(path: str) -> Says:
    """What *path* leads to, as text."""
    if place_of(path)[0] == "header":
        return value_of(path)
    value = value_of(path)

    def says(call: Call) -> str | None:
        found = value(call)
        if type(found) is str:
            return found or None
        if isinstance(found, list):
            return ", ".join(text for each in found if (text := to_text(each))) or None
        return to_text(found)

    return says


def saying(templates: Iterable[str], *, holes: bool = False) -> Says:
    """What the first of *templates* says in which nothing is missing.

    Args:
        templates: In order.
        holes: Where there is none such, the last one of which any value is there counts, and those that are missing
            leave their places empty.
    """
    ready = [_filling(template) for template in templates]
    if not ready:
        return lambda call: None

    def says(call: Call) -> str | None:
        last: str | None = None
        for fill in ready:
            text, missing = fill(call)
            if not missing:
                return text
            last = text or last
        return last if holes else None

    return says


def test_of(conditions: Conditions) -> Holds:
    """Whether all of one of the tables of *conditions* holds; of none at all it does."""
    tables = [_all_of([_holds(path, expected) for path, expected in table.items()]) for table in conditions]
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


def _holds(path: str, expected: Expected) -> Holds:
    value, test = value_of(path), compiled([expected.of(_ALONE)])
    words = None if expected.equals is None else frozenset(map(str.casefold, expected.equals))
    if words is None or expected.matches is not None or expected.present is not None:
        return lambda call: test(Item({_ALONE: value(call)}))

    def holds(call: Call) -> bool:
        found = value(call)
        return found.casefold() in words if type(found) is str else test(Item({_ALONE: found}))

    return holds


def _all_of(tests: list[Holds]) -> Holds:
    def holds(call: Call) -> bool:
        for test in tests:  # noqa: SIM110 - the loop takes half the time
            if not test(call):
                return False
        return True

    return tests[0] if len(tests) == 1 else holds


def _filling(template: str) -> Callable[[Call], tuple[str | None, bool]]:
    """What gives the text, None where every value is missing; and whether one is."""
    pieces = [(literal, None if path is None else text_of(path)) for literal, path in paths_in(template)]
    if len(pieces) == 1 and not pieces[0][0] and (alone := pieces[0][1]) is not None:
        return lambda call: (None, True) if (text := alone(call)) is None else (_plain(text[:_LONGEST]), False)
    values = sum(says is not None for _, says in pieces)

    def fill(call: Call) -> tuple[str | None, bool]:
        said, room, found = list[str](), _LONGEST, 0
        for literal, says in pieces:
            said.append(literal)
            if says is not None and (value := says(call)) is not None:
                found += 1
                said.append(value[:room])
                room -= min(len(value), room)
        return (_plain("".join(said)) if found or not values else None), found < values

    return fill


def _plain(text: str) -> str:
    """*text* with lines that end as ours do, and no other control characters but tabs."""
    if text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.replace("\n", "").isprintable() else _CONTROL.sub("", text)
