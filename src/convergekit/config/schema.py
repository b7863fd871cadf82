"""The JSON Schema of the TOML file, for editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from convergekit.abc import Adapter
from convergekit.engine.options import ChannelOptions
from convergekit.errors import ConfigurationError

from .discovery import EntryPoints, adapter_class, adapter_entries, installed
from .store import StoreSettings

__all__ = ["json_schema"]

_REF: Final = "#/$defs/{model}"
_ENV: Final = {
    "type": "object",
    "description": "The value of an environment variable.",
    "properties": {"env": {"type": "string"}},
    "required": ["env"],
    "additionalProperties": False,
}


def json_schema(entry_points: EntryPoints = installed) -> dict[str, Any]:
    """The schema of a whole file: for each channel the settings of the adapter that it names, and everybody's.

    Every adapter that is installed is imported; one that is broken is left out.
    """
    adapters = _adapters(entry_points)
    models: list[type[BaseModel]] = [ChannelOptions, StoreSettings, *(kind.Config for kind in adapters.values())]
    references, shared = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    definitions = {name: _or_env(schema) for name, schema in shared.get("$defs", {}).items()}
    found = {model: definitions[_name(reference)] for (model, _), reference in references.items()}
    options = found[ChannelOptions]["properties"]
    channels = {f"channel.{name}": _channel(kind, found[kind.Config], options) for name, kind in adapters.items()}
    by_dsn = {"type": "object", "required": ["dsn"], "properties": {"adapter": False, "dsn": _DSN, **options}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "convergekit.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "store": found[StoreSettings],
            "channels": {
                "type": "object",
                "additionalProperties": {
                    "oneOf": [*({"$ref": f"#/$defs/{name}"} for name in channels), by_dsn],
                },
            },
        },
        "$defs": {"env": _ENV, **definitions, **channels},
    }


_DSN: Final = {
    "anyOf": [{"type": "string"}, {"$ref": "#/$defs/env"}],
    "description": "All settings in one line: scheme://user:password@host?name=value.",
}


def _adapters(entry_points: EntryPoints) -> Mapping[str, type[Adapter[Any]]]:
    found = {}
    for name in sorted({entry.name for entry in adapter_entries(entry_points)}):
        try:
            found[name] = adapter_class(name, entry_points)
        except ConfigurationError:
            continue
    return found


def _name(reference: Mapping[str, Any]) -> str:
    return str(reference["$ref"]).removeprefix("#/$defs/")


def _channel(kind: type[Adapter[Any]], own: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """One channel of *kind*: the settings of its own, and those of every channel."""
    takes_dsn = hasattr(kind.Config, "from_dsn")
    required = list(own.get("required", ()))
    schema = {
        **own,
        "type": "object",
        "properties": {
            "adapter": {"const": kind.name},
            **({"dsn": _DSN} if takes_dsn else {}),
            **own.get("properties", {}),
            **options,
        },
        "required": ["adapter"] if takes_dsn else ["adapter", *required],
    }
    if takes_dsn and required:
        schema["anyOf"] = [{"required": ["dsn"]}, {"required": required}]
    return schema


def _or_env(schema: Any) -> Any:
    """*schema*, where every value may also be `{ env = "NAME" }`."""
    if not isinstance(schema, Mapping):
        return schema
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {name: _wrapped(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("items"), Mapping):
        result["items"] = _wrapped(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        result["additionalProperties"] = _wrapped(schema["additionalProperties"])
    for union in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if union in schema:
            result[union] = [_or_env(member) for member in schema[union]]
    return result


def _wrapped(value: Mapping[str, Any]) -> dict[str, Any]:
    about = {key: value[key] for key in ("title", "description", "default") if key in value}
    bare = {key: item for key, item in value.items() if key not in about}
    return {**about, "anyOf": [_or_env(bare), {"$ref": "#/$defs/env"}]}
