"""What anybody on the net may send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

__all__ = ["HEADERS", "HUGE", "NO_DOCUMENT", "ODD", "fuzzed", "variants"]

#: Bodies that are no document of any kind.
NO_DOCUMENT: Final[Mapping[str, bytes]] = {
    "bytes that are no text": b"\xff\xfe\x00\x80" * 4,
    "half a document": b'{"',
    "lists in lists": b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000,
}

#: Bodies that may be a document, and hardly one of this medium.
ODD: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "null": b"null",
    "a number": b"7",
    "a number of 5,000 digits": b"1" * 5000,
    "a string": b'"x"',
    "an empty list": b"[]",
    "a list of nothing": b"[null]",
    "an empty object": b"{}",
    "an object with a null byte": b'{"\\u0000": "\\u0000"}',
    "an empty form": b"=&=&;",
    "markup": b"<a><b>",
}

#: As large as a host takes.
HUGE: Final[Mapping[str, bytes]] = {
    "lists in lists": b"[" * 1_000_000,
    "objects in objects": b'{"a":' * 200_000,
    "one word": b"a" * 1_000_000,
    "a form": b"a=&" * 300_000,
}

#: Values of a header; `Headers` has latin-1.
HEADERS: Final = (
    "", " ", "=", ",", ";", ";;==", "v1,", "t=", "sha256=", "A", "\xff\x00\x80", "\xe9", "\xb2", "-1", "1e999", "NaN",
    "0x10", "9" * 400, "A" * 100_000, "%s%n{}",
)  # fmt: skip

_VALUES: Final[tuple[Any, ...]] = (
    None, True, -1, 10**400, float("inf"), "", "\0", "\ud800", "\r\nx: y", "x" * 100_000, [], {}, [[]], {"a": 1},
)  # fmt: skip


def variants(body: bytes) -> Iterator[tuple[str, bytes]]:
    """*body*, JSON or a form, with each of its values gone or another one; and how it differs."""
    try:
        document = json.loads(body)
    except ValueError:
        yield from _forms(body)
        return
    for path in _paths(document):
        name = ".".join(map(str, path))
        yield f"{name} missing", _written(document, path, lambda inside, last: inside.pop(last))
        for value in _VALUES:
            yield f"{name} = {str(value)[:12]!a}", _written(document, path, _setting(value))


def _forms(body: bytes) -> Iterator[tuple[str, bytes]]:
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    for index, (name, _) in enumerate(pairs):
        for what, other in (("missing", []), ("empty", [(name, "")]), ("twice", [pairs[index], pairs[index]])):
            yield f"{name} {what}", urlencode([*pairs[:index], *other, *pairs[index + 1 :]]).encode()


def fuzzed(body: bytes, *, times: int, random: Random) -> Iterator[bytes]:
    """*body* with a few of its bytes changed, or cut off."""
    for _ in range(times if body else 0):
        changed = bytearray(body)
        for _ in range(random.randint(1, 4)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        yield bytes(changed[: random.randint(0, 2 * len(changed))])


def _paths(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in *value*."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield (*place, name)
        yield from _paths(each, (*place, name))


def _setting(value: Any) -> Callable[[Any, Any], None]:
    def put(inside: Any, last: Any) -> None:
        inside[last] = value

    return put


def _written(document: Any, path: tuple[Any, ...], change: Callable[[Any, Any], Any]) -> bytes:
    changed = inside = deepcopy(document)
    for name in path[:-1]:
        inside = inside[name]
    change(inside, path[-1])
    return json.dumps(changed).encode()
