"""What a gateway sent, as fields that paths lead to: forms, JSON, multipart and queries. Pure.

Rules kept here:

- What a body looks like counts for more than what its Content-Type says: "{" or "[" begins JSON, everything else is a
  form. Gateways send the one and call it the other.
- Where a name comes several times, the first counts, and in a form `*` takes all of them. Names in forms and queries
  compare without case.
- A query beside a form adds what the form lacks; beside JSON it is what encloses the body ("^status").
- Text is cleaned and never a reason to refuse: lone surrogates become U+FFFD, and NUL characters go. Bytes that are
  neither UTF-8 nor in the charset that is declared for them are read as latin-1, which loses none of them.
- Whatever comes, the time is linear in the size of the body, and nothing but `InvalidInputError` is raised.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

from convergekit.abc import Request
from convergekit.errors import InvalidInputError

from .profile import Condition

__all__ = ["Item", "Reader", "Test", "compiled", "read_body", "read_json", "reader", "to_text"]

#: Whether something is so of an item.
Test: TypeAlias = "Callable[[Item], bool]"
#: Finds a text in an item.
Reader: TypeAlias = "Callable[[Item], str | None]"

_MOST_FIELDS: Final = 2000
_DEEPEST: Final = 100  # what is `native` may be nested 180 levels deep
_LOOKED_AT: Final = 4096  # characters of a value that a profile's regular expression sees
_LONE: Final = re.compile("[\ud800-\udfff]")
_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:+-]{1,40})""", re.IGNORECASE)
#: Those of Python's codecs that are charsets and not, say, idna or zip; UTF-7 hides what it says.
_CODECS: Final = re.compile(r"utf-?(8|16|32)(-[bl]e)?|iso8859-\d+|cp\d+|ascii|koi8-\w|gb\w+|big5\w*|shift_\w+|euc_\w+")
_PLAIN: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.:+ "
_BOUNDARY: Final = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;,"]{1,200}))""", re.IGNORECASE)
_FIELD_NAME: Final = re.compile(
    rb"""(?:\A|\n)content-disposition:[^\r\n]*?[;\s]name\s*=\s*(?:"([^"\r\n]*)"|([^\s;"]+))""", re.I
)
_FILE_NAME: Final = re.compile(rb"(?:\A|\n)content-disposition:[^\r\n]*?[;\s]filename\*?\s*=", re.IGNORECASE)


class Item:
    """Something that came, or a piece of it, into which paths lead (see `convergekit.adapters.sms.profile`).

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
    def of(cls, value: Any) -> Item:
        """JSON that has been read already."""
        return cls(value)

    @classmethod
    def of_form(cls, pairs: Iterable[tuple[str, bytes]], charset: str | None = None) -> Item:
        """The fields of a form: names, and what stands behind them once it is percent-decoded."""
        item, fields, folded = cls({}), dict[str, Any](), dict[str, list[str]]()
        for name, content in pairs:
            text = _decoded(content, charset)
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

    def fits(self, conditions: Iterable[Condition]) -> bool:
        """Whether all of *conditions* hold; `compiled` is quicker where they are asked often."""
        return compiled(conditions)(self)

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


def read_body(request: Request) -> Item:
    """The fields of *request*: of its query, and of its body unless it is a GET.

    Raises:
        InvalidInputError: There is nothing, or nothing that can be read.
    """
    query = _pairs(request.query.encode("latin-1", "replace")) if request.query else []
    body = b"" if request.method in ("GET", "HEAD") else request.body.strip()
    if not body and not query:
        raise InvalidInputError("there is nothing in the call: neither a body nor a query")
    if not body:
        return Item.of_form(query)
    if body[:1] in (b"{", b"[") or body[:3] == b"\xef\xbb\xbf" or b"\0" in body[:4]:
        # What it says of its charset counts only for what is in none that JSON knows.
        item = read_json(body, None if body.isascii() else _charset(request.headers.get("content-type", "")))
        item.outer = Item.of_form(query) if query else None
        return item
    content_type = request.headers.get("content-type", "")
    charset = _charset(content_type)
    if "json" in content_type.lower() and b"=" not in body:
        raise InvalidInputError("the body says that it is JSON, and is neither an object nor a list")
    if content_type.lower().lstrip().startswith("multipart/"):
        pairs = _parts(body, content_type)
    elif body[:1] == b"<":
        raise InvalidInputError("the body is XML or HTML; gateways are to send forms or JSON here")
    else:
        pairs = _pairs(body)
    taken = {name.lower() for name, _ in pairs}
    return Item.of_form(pairs + [each for each in query if each[0].lower() not in taken], charset)


def read_json(body: bytes | str, charset: str | None = None) -> Item:
    """The value that *body* is in JSON; in UTF-8, UTF-16 or UTF-32, or in *charset* where it is none of them.

    Numbers that JSON could not write again (NaN, 1e999) stay as text.

    Raises:
        InvalidInputError: It is no JSON, or is nested more than 100 levels deep.
    """
    try:
        text = body if isinstance(body, str) else _json_text(body, charset)
        value = _read(text)
    except (ValueError, RecursionError):
        raise InvalidInputError("the body is not JSON") from None  # the cause might show it
    # Most bodies have fewer brackets than would be too deep, and no escape that could be half of a pair.
    if text.count("[") + text.count("{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise InvalidInputError(f"the body is nested more than {_DEEPEST} levels deep")
    return Item(_cleaned(value) if "\\u" in text and ("\\ud" in text or "\\uD" in text) else value)


def _json_text(body: bytes, charset: str | None) -> str:
    try:
        is_plain = body[:1] in (b"{", b"[") and b"\0" not in body[:4]
        return str(body, "utf-8" if is_plain else json.detect_encoding(body))
    except UnicodeDecodeError:
        return _decoded(body, charset)


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


def _pairs(body: bytes) -> list[tuple[str, bytes]]:
    """WHATWG URL §5.1, in bytes: which charset they are in is another question."""
    if not body:
        return []
    if body.count(b"&") >= _MOST_FIELDS:
        raise InvalidInputError(f"the form has more than {_MOST_FIELDS} fields")
    pairs = []
    for piece in body.split(b"&"):
        name, _, content = piece.replace(b"+", b" ").partition(b"=")
        if name:
            pairs.append((_name(unquote_to_bytes(name)), unquote_to_bytes(content) if b"%" in content else content))
    return pairs


def _parts(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """RFC 7578, without files."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise InvalidInputError("the body is multipart, and its Content-Type names no boundary")
    delimiter = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    if body.count(delimiter) > _MOST_FIELDS:
        raise InvalidInputError(f"the form has more than {_MOST_FIELDS} fields")
    pairs = []
    for part in body.split(delimiter)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head[:_LOOKED_AT])
        if name is not None and not _FILE_NAME.search(head[:_LOOKED_AT]):
            pairs.append((_name(name[1] or name[2] or b""), content.removesuffix(b"\r\n")))
    if not pairs:
        raise InvalidInputError("the body is multipart, and has no field in it")
    return pairs


def _name(name: bytes) -> str:
    return _decoded(name, None)


def _decoded(content: bytes, charset: str | None) -> str:
    codec = _codec(charset) if charset is not None else None
    try:
        return content.decode(codec or "utf-8")
    except UnicodeDecodeError:
        return content.decode(codec or "latin-1", "replace")


@lru_cache(maxsize=64)
def _charset(content_type: str) -> str | None:
    found = _CHARSET.search(content_type)
    return found and found[1]


@lru_cache(maxsize=64)
def _codec(charset: str) -> str | None:
    """Python's name for *charset*, or None where it is UTF-8 in other words, or nothing that we read."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    if name in ("utf-8", "ascii") or not _CODECS.fullmatch(name):
        return None
    # No signature covers what is declared. Where digits were others than in ASCII, an id would be another one.
    return name if _PLAIN.decode(name, "replace") == _PLAIN.decode() else None


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


def _finite(number: str) -> float | str:
    return value if math.isfinite(value := float(number)) else number


def _whole(number: str) -> int | str:
    return int(number) if len(number) < 1000 else number


_JSON: Final = json.JSONDecoder(object_pairs_hook=_first, parse_float=_finite, parse_constant=str)
#: Python reads no number of thousands of digits.
_JSON_OF_LONG_NUMBERS: Final = json.JSONDecoder(
    object_pairs_hook=_first, parse_float=_finite, parse_constant=str, parse_int=_whole
)


def _read(text: str) -> Any:
    try:
        return _JSON.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _JSON_OF_LONG_NUMBERS.decode(text)


def _depth(value: Any) -> int:
    """How deep *value* is nested, by steps rather than calls."""
    depth, level = 0, [value]
    while level:
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


def _cleaned(value: Any) -> Any:
    """*value*, in which every text has UTF-8."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_LONE.sub("\ufffd", key): _cleaned(each) for key, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value
