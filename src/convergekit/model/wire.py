"""The JSON form of values: documented, versioned, and kind to what it does not know.

An event is an object with its `type`; every document written by `to_json` is `{"v": 1, "type": ..., ...fields}`.
Fields that have their default are left out. Bytes are base64, times RFC 3339, durations seconds.

Compatibility: a reader refuses a `v` that it does not know; within one `v` fields are only ever added, and an event
whose type is not known is read as `UnknownEvent`, which writes back what was read.
`native` may hold bytes anywhere inside; they are written as `{"$bytes": "..."}`, and an object that has such a key
of its own is written as `{"$": {...}}`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from convergekit.errors import InvalidInputError

from ._base import Value
from .event import Event, UnknownEvent, event_type

__all__ = ["VERSION", "event_from_json", "event_to_json", "from_json", "to_json"]

VERSION: Final = 1
ValueT = TypeVar("ValueT", bound=Value)
_BYTES: Final = "$bytes"
_QUOTED: Final = "$"


def to_json(value: Value) -> str:
    """The JSON form of any value of the model but events."""
    return json.dumps({"v": VERSION, **_dumped(value)}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(kind: type[ValueT], text: str | bytes) -> ValueT:
    """Read a *kind*; raises `InvalidInputError`, which names the fields and never shows their content."""
    return _validated(kind, _document(text))


def event_to_json(event: Event) -> str:
    """The JSON form of an event."""
    if isinstance(event, UnknownEvent):
        fields: Mapping[str, Any] = event.original
    else:
        fields = {"type": event.type, **_dumped(event)}
    return json.dumps({"v": VERSION, **fields}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def event_from_json(text: str | bytes) -> Event:
    """Read an event; of a type that is not known, an `UnknownEvent`. Raises `InvalidInputError`."""
    fields = _document(text)
    name = fields.pop("type", None)
    if not isinstance(name, str):
        raise InvalidInputError("not an event: it has no type")
    kind = event_type(name)
    if kind is None or kind is UnknownEvent:
        known = {field: fields[field] for field in ("key", "channel", "lane") if isinstance(fields.get(field), str)}
        return UnknownEvent(**known, original={"type": name, **fields})
    return _validated(kind, fields)


def _document(text: str | bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as exc:  # ValueError: JSONDecodeError and UnicodeDecodeError alike
        raise InvalidInputError("not JSON") from exc
    if not isinstance(fields, dict):
        raise InvalidInputError("not a JSON object")
    version = fields.pop("v", VERSION)
    if version != VERSION:
        raise InvalidInputError(f"written in version {version!r} of the JSON form; this library reads {VERSION}")
    return fields


def _validated(kind: type[ValueT], fields: dict[str, Any]) -> ValueT:
    if "native" in fields:
        fields["native"] = _unpacked(fields["native"])
    try:
        return kind.model_validate(fields)
    except ValidationError as exc:
        where = ", ".join(".".join(map(str, error["loc"])) or kind.__name__ for error in exc.errors())
        raise InvalidInputError(f"not a {kind.__name__}: {where}") from exc


def _dumped(value: Value) -> dict[str, Any]:
    try:
        fields = value.model_dump(mode="json", exclude_defaults=True, exclude={"native"})
        native = getattr(value, "native", None)
        if native:
            fields["native"] = _packed(native)
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidInputError(f"a {type(value).__name__} has no JSON form: {exc}") from exc
    return fields


def _packed(native: Any) -> Any:
    if isinstance(native, bytes):
        return {_BYTES: base64.b64encode(native).decode("ascii")}
    if isinstance(native, Mapping):
        packed = {str(key): _packed(value) for key, value in native.items()}
        return {_QUOTED: packed} if packed.keys() & {_BYTES, _QUOTED} else packed
    if isinstance(native, list | tuple):
        return [_packed(item) for item in native]
    if native is None or isinstance(native, str | int | float | bool):
        return native
    raise TypeError(f"native holds a {type(native).__name__}, which is neither JSON nor bytes")


def _unpacked(native: Any) -> Any:
    if isinstance(native, dict):
        if native.keys() == {_BYTES}:
            return base64.b64decode(native[_BYTES])
        inner = native[_QUOTED] if native.keys() == {_QUOTED} else native
        return {key: _unpacked(value) for key, value in inner.items()}
    if isinstance(native, list):
        return [_unpacked(item) for item in native]
    return native
