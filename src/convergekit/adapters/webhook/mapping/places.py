"""Paths, templates and conditions of rules, made ready to be asked of a call. Pure.

Whatever a path leads to, nothing is raised; what is no text, number or truth value is missing. Of a list all that is
text stands in a template, with commas between.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from convergekit.http.bodies import Item, compiled, read_query, to_text

from .rules import Conditions, Expected, paths_in, place_of

__all__ = [
    "Call",
    "Holds",
    "Says",
    "about_entry",
    "digest",
    "line",
    "saying",
    "short",
    "test_of",
    "text_of",
    "value_of",
]

#: Whether something is so of a call.
Holds: TypeAlias = "Callable[[Call], bool]"
#: What a template says about a call, or None.
Says: TypeAlias = "Callable[[Call], str | None]"

_LONGEST: Final = 262_144  # characters of a text: a template may name a long value many times
_ALL: Final = 4_194_304  # ... and of all those of one call, each of which may have
_LEAST: Final = 4096
_SHORT: Final = 500
_FAR_TOO_LONG: Final = 2 * _SHORT
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LOOKED_AT: Final = 8192
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
    """

    __slots__ = ("body", "headers", "id", "index", "item", "memo", "query", "raw", "room", "tree", "trunk")

    def __init__(
        self, body: Item, raw: bytes, headers: Mapping[str, str], query: str = "", id: str | None = None
    ) -> None:
        self.body, self.raw, self.headers, self.query, self.id = body, raw, headers, query, id
        #: What it is about: all of it, or one entry of a list, and its place there.
        self.item, self.index = body, cast("int | None", None)
        # Of the body, and of the item, what plain steps lead into; None of a form, whose names are found otherwise.
        self.trunk = self.tree = None if body.is_form else body.value
        #: Characters that a text may have.
        self.room = _LONGEST
        #: What was found out once, for all rules and entries: there may be thousands of them.
        self.memo: dict[Any, Any] = {}

    def entries(self, values: Sequence[Any]) -> Iterator[Call]:
        """The same call, at each entry of a list of it. All their texts together are bounded, too."""
        # Counted over all lists of the call: by its place an entry is told from those of another list, too.
        first: int = self.memo.get("entries", 0)
        self.memo["entries"] = first + len(values)
        for index, value in enumerate(values, first):
            inner = Call(self.body, self.raw, self.headers, self.query, self.id)
            inner.item, inner.index, inner.tree, inner.memo = Item(value, self.body), index, value, self.memo
            inner.room = min(_LONGEST, max(_ALL // len(values), _LEAST))
            yield inner


def value_of(path: str) -> Callable[[Call], Any]:
    """What *path* leads to, of any kind; None where that is nothing."""
    place, rest = place_of(path)
    name = rest.lower()
    match place:
        case "header":
            return _once(path, lambda call: call.headers.get(name) or None)
        case "query":
            return _once(path, lambda call: read_query(call.query).get(rest))
        case "body" if _MANY.search(rest):
            return _once(path, lambda call: call.body.get(rest))
        case "body":
            return _inside(rest, lambda call: call.trunk, lambda call: call.body)
        case _:
            return _inside(rest, lambda call: call.tree, lambda call: call.item)


def _once(key: str, make: Callable[[Call], Any]) -> Callable[[Call], Any]:
    def value(call: Call) -> Any:
        if key not in call.memo:
            call.memo[key] = make(call)
        return call.memo[key]

    return value


#: Of the body.
digest: Final[Says] = _once("digest", lambda call: "digest:" + hashlib.sha256(call.raw).hexdigest())


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
    value, place = value_of(path), place_of(path)[0]
    if place == "header":
        return value
    joined: Says = lambda call: ", ".join(text for each in value(call) if (text := to_text(each))) or None  # noqa: E731
    if place != "entry":
        joined = _once(f"text of {path}", joined)

    def says(call: Call) -> str | None:
        found = value(call)
        if type(found) is str:
            return found or None
        return joined(call) if isinstance(found, list) else to_text(found)

    return says


def saying(templates: Iterable[str], *, holes: bool = False, then: Callable[[str], str] = str) -> Says:
    """What the first of *templates* says in which nothing is missing.

    Args:
        templates: In order.
        holes: Where there is none such, the last one of which any value is there counts, and those that are missing
            leave their places empty.
        then: What is done with it.
    """
    templates = tuple(templates)
    ready = [_filling(template) for template in templates]
    if not ready:
        return lambda call: None

    def says(call: Call) -> str | None:
        last: str | None = None
        for fill in ready:
            text, missing = fill(call)
            if not missing:
                return then(text) if text else text
            last = text or last
        return then(last) if holes and last else None

    def says_once(call: Call) -> str | None:
        if call.index is None:
            return says(call)
        key = says, call.room  # the same of all entries of a list, which may be thousands
        if key not in call.memo:
            call.memo[key] = says(call)
        found: str | None = call.memo[key]
        return found

    return says if any(map(about_entry, templates)) else says_once


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
    text = text if len(text) > _FAR_TOO_LONG else line(text)
    return text if len(text) <= _SHORT else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _holds(path: str, expected: Expected) -> Holds:
    value, test = value_of(path), compiled([expected.of(_ALONE)])
    words = None if expected.equals is None else frozenset(map(str.casefold, expected.equals))
    if words is None or expected.matches is not None or expected.present is not None:
        return lambda call: test(Item({_ALONE: _beginning(value(call))}))

    longest = max(map(len, words), default=0)  # folding makes nothing shorter

    def holds(call: Call) -> bool:
        found = value(call)
        if type(found) is str:
            return len(found) <= longest and found.casefold() in words
        return test(Item({_ALONE: found}))

    return holds


def _beginning(value: Any) -> Any:
    """As much of a text as a regular expression is given."""
    return value[:_LOOKED_AT] if type(value) is str else value


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
        return lambda call: (None, True) if (text := alone(call)) is None else (_plain(text[: call.room]), False)
    values = sum(says is not None for _, says in pieces)

    def fill(call: Call) -> tuple[str | None, bool]:
        said, room, found = list[str](), call.room, 0
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
