"""The class and its settings."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from .._bench import Bench
from .._subject import Cannot
from ._registry import broken, check, expect

__all__ = ["secrets_of"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


@check("class-complete")
async def _class_complete(bench: Bench) -> None:
    adapter = bench.adapter_class
    expect(isinstance(getattr(adapter, "name", None), str) and adapter.name, "the class has no name")
    schemes = getattr(adapter, "schemes", None)
    expect(schemes, "the class has no schemes")
    wrong = [scheme for scheme in adapter.schemes if not _SCHEME.fullmatch(scheme)]
    expect(not wrong, f"schemes must be in lower case and without the colon: {wrong}")
    expect(adapter.backends and adapter.backends <= {"asyncio", "trio"}, f"backends is {set(adapter.backends)}")
    expect(issubclass(getattr(adapter, "Config", int), BaseModel), "Config is no pydantic model")


@check("config-frozen")
async def _config_frozen(bench: Bench) -> None:
    config = bench.config()
    for name in type(config).model_fields:
        try:
            setattr(config, name, getattr(config, name))
        except ValidationError:
            continue
        broken(f"{name} can be set: say model_config = ConfigDict(frozen=True)")
    try:
        bench.config({**bench.subject.settings, "no_such_setting": 1})
    except ValidationError:
        return
    broken('a setting that does not exist was taken: say model_config = ConfigDict(extra="forbid")')


@check("dsn-round-trip")
async def _dsn_round_trip(bench: Bench) -> None:
    config: Any = bench.config()
    if not hasattr(config, "from_dsn") or not hasattr(config, "to_dsn"):
        raise Cannot("its Config has no from_dsn and to_dsn")
    written = config.to_dsn()
    for secret in secrets_of(config):
        expect(secret not in written, "to_dsn shows a secret")


def secrets_of(config: BaseModel) -> set[str]:
    """Every secret in the settings."""
    found: set[str] = set()
    _collect(config, found)
    return {secret for secret in found if secret}


def _collect(value: object, found: set[str]) -> None:
    get = getattr(value, "get_secret_value", None)
    if get is not None:
        secret = get()
        found.add(secret.decode("latin-1") if isinstance(secret, bytes) else str(secret))
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            _collect(getattr(value, name), found)
    elif isinstance(value, dict):
        for each in value.values():
            _collect(each, found)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _collect(each, found)
