"""The JSON form of values: documented, versioned, and kind to what it does not know.

An event is an object with its `type`; every document written by `to_json` is `{"v": 1, ...fields}`, and every one
written by `event_to_json` is `{"v": 1, "type": ..., ...fields}`.
Fields that have their default are left out. Bytes are base64, times RFC 3339, durations seconds.

Compatibility: a reader refuses a `v` that it does not know. Within one `v` fields are only ever added, and a reader
passes over those that it does not know; an event whose type it does not know is read as `UnknownEvent`, which writes
back what was read.
`native` may hold bytes anywhere inside; they are written as `{"$bytes": "..."}`. What the store holds in its place is
written as `{"$claim": {...}}`. An object that has such a key of its own is written as `{"$": {...}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json as parsed

from convergekit.errors import InvalidInputError

from ._base import Native, Value
from .event import Event, UnknownEvent, event_type

__all__ = [
    "VERSION",
    "event_from_json",
    "event_to_json",
    "from_json",
    "native_from_json",
    "native_to_json",
    "to_json",
]

VERSION: Final = 1
ValueT = TypeVar("ValueT", bound=Value)
_HEAD: Final = f'{{"v":{VERSION}'
_NAMED: Final = 5  # so many fields an error names at most
_NATIVE: Final[TypeAdapter[Any]] = TypeAdapter(Native)


def to_json(value: Value) -> str:
    """The JSON form of any value of the model but events. Raises `InvalidInputError` where there is none."""
    return _written(_HEAD, type(value), value)


def from_json(kind: type[ValueT], text: str | bytes) -> ValueT:
    """Read a *kind*; raises `InvalidInputError`, which names the fields and never shows their content."""
    _document(text)
    return _validated(kind, text)


def event_to_json(event: Event) -> str:
    """The JSON form of an event. Raises `InvalidInputError` where there is none."""
    if isinstance(event, UnknownEvent):
        return _written_back(event.original)
    if event.type == Event.type and type(event) is not Event:
        raise InvalidInputError(f"{type(event).__qualname__} has no `type` of its own to be written under")
    # A refinement travels as the event that it refines, with that one's fields and defaults.
    kind = event_type(event.type)
    if kind is None or not isinstance(event, kind):
        kind = type(event)
    return _written(f'{_HEAD},"type":{json.dumps(event.type)}', kind, event)


def event_from_json(text: str | bytes) -> Event:
    """Read an event; of a type that is not known, an `UnknownEvent`. Raises `InvalidInputError`."""
    fields = _document(text)
    name = fields.get("type")
    if not isinstance(name, str):
        raise InvalidInputError("not an event: it has no type")
    kind = event_type(name)
    if kind is not None and kind is not UnknownEvent:
        return _validated(kind, text)
    known = {field: fields[field] for field in ("key", "channel", "lane") if isinstance(fields.get(field), str)}
    try:
        return UnknownEvent(**known, original=fields)
    except ValidationError as exc:
        raise _invalid(UnknownEvent, exc) from exc


def native_to_json(native: Any) -> bytes:
    """The JSON form of a `native` on its own, without a version. Raises `InvalidInputError` where there is none."""
    try:
        return _NATIVE.dump_json(native)
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidInputError(f"native has no JSON form: {type(exc).__name__}") from exc


def native_from_json(text: str | bytes) -> Any:
    """Read a `native` that `native_to_json` has written. Raises `InvalidInputError`."""
    try:
        return _NATIVE.validate_json(text)
    except ValidationError as exc:
        raise InvalidInputError("not the JSON form of a native") from exc


def _document(text: str | bytes) -> dict[str, Any]:
    try:
        # Strict about surrogates, nesting and size of numbers; a str that has no UTF-8 is refused here.
        fields = parsed(text.encode() if isinstance(text, str) else text, allow_inf_nan=False)
    except ValueError as exc:
        raise InvalidInputError("not JSON") from exc
    if not isinstance(fields, dict):
        raise InvalidInputError("not a JSON object")
    version = fields.pop("v", VERSION)
    if version != VERSION:
        raise InvalidInputError(
            f"written in version {ascii(version)[:40]} of the JSON form; this library reads {VERSION}"
        )
    return fields


def _validated(kind: type[ValueT], text: str | bytes) -> ValueT:
    try:
        return kind.model_validate_json(text, extra="ignore")  # `v`, `type`, and what a later version has added
    except ValidationError as exc:
        raise _invalid(kind, exc) from exc


def _invalid(kind: type[Value], exc: ValidationError) -> InvalidInputError:
    errors = exc.errors(include_url=False, include_context=False, include_input=False)
    places = [".".join(map(str, error["loc"])) or kind.__name__ for error in errors[:_NAMED]]
    more = f" and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
    # A place may be a key of the document: foreign words, which must not reach a log as they are.
    return InvalidInputError(f"not a {kind.__name__}: {', '.join(ascii(place[:80])[1:-1] for place in places)}{more}")


def _written(head: str, kind: type[Value], value: Value) -> str:
    """The document that begins with *head*, and goes on with the fields of *value*."""
    try:
        fields = kind.__pydantic_serializer__.to_json(value, exclude_defaults=True)
        # As words of a text they may stand there, and as numbers not. To look for one letter costs next to nothing.
        if (b"N" in fields and b"NaN" in fields) or (b"I" in fields and b"Infinity" in fields):
            parsed(fields, allow_inf_nan=False)
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidInputError(f"a {type(value).__name__} has no JSON form: {exc}") from exc
    assert fields.startswith(b"{")
    return head + "}" if fields == b"{}" else f"{head},{fields[1:].decode()}"


def _written_back(fields: Mapping[str, Any]) -> str:
    try:
        text = json.dumps({"v": VERSION, **fields}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()  # what has no UTF-8 could be written, and never read again
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidInputError(f"it has no JSON form: {type(exc).__name__}") from exc
    return text
