"""What came in a body, as something that paths lead into. Pure.

Rules kept here:

- Where a name comes several times, the first counts, and in a form `*` takes all of them. Names in forms and queries
  compare without case.
- NUL characters go out of text. Whatever a path leads to, nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final, NamedTuple, TypeAlias

from .charsets import decoded
from .words import Condition

__all__ = ["Item", "Reader", "Test", "compiled", "reader", "to_text"]

#: Whether something is so of an item.
Test: TypeAlias = "Callable[[Item], bool]"
#: Finds a text in an item.
Reader: TypeAlias = "Callable[[Item], str | None]"

_LOOKED_AT: Final = 4096  # characters of a value that a condition's regular expression sees


class Item:
    """Something that came, or a piece of it, into which paths lead (see `convergekit.http.bodies`).

    Args:
        value: As it came: of JSON, any value of it; of a form, its fields, with a list where a name came several times.
        outer: What encloses it, for paths that begin with "^"; or None.
    """

    __slots__ = ("_bytes", "_folded", "outer", "value")

    def __init__(self, value: Any, outer: Item | None = None) -> None:
        self.value, self.outer = value, outer
        self._folded: dict[str, list[str]] | None = None  # of a form: by their names in lower case
        self._bytes: dict[str, bytes] = {}

    @classmethod
    def of_form(cls, pairs: Iterable[tuple[str, bytes]], charset: str | None = None) -> Item:
        """The fields of a form: names, and what stands behind them once it is percent-decoded."""
        item, fields, folded = cls({}), dict[str, Any](), dict[str, list[str]]()
        for name, content in pairs:
            text = decoded(content, charset)
            lower = name.lower()
            folded.setdefault(lower, []).append(text)
            item._bytes.setdefault(lower, content)
            if name not in fields:
                fields[name] = text
            elif isinstance(fields[name], list):
                fields[name].append(text)
            else:
                fields[name] = [fields[name], text]
        item.value, item._folded = fields, folded
        return item

    @property
    def is_form(self) -> bool:
        """Whether these are the fields of a form."""
        return self._folded is not None

    def get(self, path: str) -> Any:
        """What *path* leads to, or None; with `*` or `#` in it, the list of all that it leads to."""
        way, start = _way(path), self
        if way.from_outside:
            if self.outer is None:
                return None
            start = self.outer
        if way.many:
            if start._folded is None and _led(start.value, way.head) is None:
                return []
            return [value for value in start._spread(way) if value is not None]
        value, steps = start.value, way.steps
        if start._folded is not None:
            if found := start._folded.get(way.name):
                return found[0]
            value, steps = start._folded, way.lower
        return _led(value, steps)

    def all(self, path: str) -> list[Any]:
        """Everything that *path* leads to; a list at its end is opened."""
        if self._folded is None and self.get(path) in (None, []):
            return []
        return [value for value in self.row(path) if value is not None]

    def row(self, path: str) -> list[Any]:
        """The same with None for every gap, to lay two paths side by side."""
        way = _way(path)
        start = self.outer if way.from_outside else self
        if start is None:
            return []
        values = start._spread(way) if way.many else (start._folded or {}).get(way.name) or [self.get(path)]
        return [inner for value in values for inner in (value if isinstance(value, list) else (value,))]

    def text(self, paths: str | Sequence[str]) -> str | None:
        """What the first of *paths* leads to that leads to a text, or to something with a text; or None."""
        for path in (paths,) if isinstance(paths, str) else paths:
            way = _way(path)
            value = _led(self.value, way.steps) if way.is_plain and self._folded is None else self.get(path)
            if type(value) is str and value and "\0" not in value:
                return value
            for each in value if isinstance(value, list) else (value,):
                if text := to_text(each):
                    return text
        return None

    def bytes(self, path: str) -> bytes | None:
        """What a form had there behind its percent signs, whatever its charset; None of what is no form."""
        way = _way(path)
        start = self.outer if way.from_outside else self
        return None if start is None else start._bytes.get(way.name)

    def items(self, each: str | Sequence[str] = ()) -> Iterator[Item]:
        """The entries of the first list that one of *each* leads to; else of what is a list, else itself.

        An object stands for a list of it.
        """
        for path in (each,) if isinstance(each, str) else each:
            entries = self.get(path)
            if isinstance(entries, dict):
                entries = [entries]
            if isinstance(entries, list) and (entries or not _way(path).many):
                flat = (one for entry in entries for one in (entry if isinstance(entry, list) else (entry,)))
                yield from (Item(entry, self) for entry in flat)
                return
        if isinstance(self.value, list):  # it has no names that could be asked for
            yield from (Item(entry, self.outer) for entry in self.value)
        else:
            yield self

    def _spread(self, way: _Way) -> list[Any]:
        values: list[Any] = [self.value if self._folded is None else self._folded]
        for step in way.steps if self._folded is None else way.lower:
            if step == "*":
                values = [inner for value in values for inner in (value if isinstance(value, list) else (value,))]
            elif step.endswith("#"):
                values = [inner for value in values for inner in _numbered(value, step[:-1])]
            else:
                values = [_entry(value, step) for value in values]
        return values

    def __repr__(self) -> str:
        return f"Item({type(self.value).__name__})"  # what somebody wrote is in no log


def compiled(conditions: Iterable[Condition]) -> Test:
    """A test whether all of *conditions* hold."""
    tests = tuple(map(_test, conditions))
    if len(tests) == 1:
        return tests[0]

    def hold(item: Item) -> bool:
        for test in tests:  # noqa: SIM110 - the loop takes half the time
            if not test(item):
                return False
        return True

    return hold


def reader(paths: str | Sequence[str]) -> Reader:
    """`Item.text` of *paths*, for where it is asked of every call; of one path into JSON it is quicker."""
    paths = (paths,) if isinstance(paths, str) else tuple(paths)
    if len(paths) != 1 or not (way := _way(paths[0])).is_plain:
        return (lambda item: item.text(paths)) if paths else (lambda item: None)
    steps = way.steps

    def read(item: Item) -> str | None:
        if item._folded is not None:
            return item.text(paths)
        value = item.value
        for step in steps:
            if type(value) is not dict:
                break
            value = value.get(step)
        if value is None or (type(value) is str and value and "\0" not in value):
            return value
        return item.text(paths)

    return read


def to_text(value: Any) -> str | None:
    """A text, a number or a truth value as text; None of anything else."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _test(condition: Condition) -> Test:
    path, present = condition.path, condition.present
    words = None if condition.equals is None else frozenset(map(str.casefold, condition.equals))
    pattern = None if condition.matches is None else re.compile(condition.matches)

    def holds(item: Item) -> bool:
        found = item.get(path)
        if present is not None and present is (found is None or found == "" or found == [] or found == {}):
            return False
        if words is None and pattern is None:
            return True
        if type(found) is str:  # as nearly always
            found = found.replace("\0", "")
            if words is not None and found.casefold() not in words:
                return False
            return pattern is None or pattern.search(found[:_LOOKED_AT]) is not None
        texts = [
            text for each in (found if isinstance(found, list) else (found,)) if (text := to_text(each)) is not None
        ]
        if words is not None and not any(text.casefold() in words for text in texts):
            return False
        return pattern is None or any(pattern.search(text[:_LOOKED_AT]) for text in texts)

    return holds


class _Way(NamedTuple):
    steps: tuple[str, ...]
    lower: tuple[str, ...]
    name: str
    """The whole path as the name of a form's field: such names have dots in them, too."""
    many: bool
    from_outside: bool
    head: tuple[str, ...]
    """The steps before the first that leads to several."""
    is_plain: bool
    """Whether it leads to one place inside."""


@lru_cache(maxsize=4096)
def _way(path: str) -> _Way:
    rest = path.removeprefix("^")
    steps = tuple(rest.split("."))
    head = tuple(takewhile(lambda step: step != "*" and not step.endswith("#"), steps))
    many, from_outside = len(head) < len(steps), path.startswith("^")
    is_plain = not many and not from_outside
    return _Way(steps, tuple(map(str.lower, steps)), rest.lower(), many, from_outside, head, is_plain)


def _led(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = value.get(step) if type(value) is dict else _entry(value, step)
        if value is None:
            return None
    return value


def _entry(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 6 and int(step) < len(value):
        return value[int(step)]
    return None


def _numbered(value: Any, name: str) -> list[Any]:
    """Of *name*0, *name*1 ...; None for those between that are missing."""
    if not isinstance(value, dict):
        return []
    found: dict[int, Any] = {}
    for key, entry in value.items():
        number = key[len(name) :]
        if key.startswith(name) and number.isascii() and number.isdigit() and len(number) < 4:
            found[int(number)] = entry[0] if isinstance(entry, list) and entry else entry
    return [found.get(index) for index in range(max(found, default=-1) + 1)]
