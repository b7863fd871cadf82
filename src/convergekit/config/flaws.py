"""What keeps a class from being an adapter, as one clear line for whoever wrote it.

What is looked at is the class, and nothing is made of it: a listing, `add_channel` and the contract all ask here.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Set
from typing import Any, Final, get_args

from pydantic import BaseModel, RootModel

from convergekit.abc import Adapter, RetryPolicy
from convergekit.engine.options import ChannelOptions
from convergekit.model import Capabilities, Status

__all__ = ["RESERVED", "class_flaw", "models_of", "settings_flaw"]

#: Settings of every channel, which an adapter's own must not hide.
RESERVED: Final = frozenset({"adapter", "dsn", *ChannelOptions.model_fields})

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]*")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")  # RFC 3986 §3.1, in the form that an `Address` has
_BACKENDS: Final = frozenset({"asyncio", "trio"})
_SAY: Final = 'say model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)'


def class_flaw(found: Any) -> str | None:
    """What is missing in *found*, or makes no sense; None where it can be used as an adapter."""
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        return f"{_shown(found)} is not a subclass of convergekit.abc.Adapter"
    if inspect.isabstract(found):
        return f"{found.__name__} does not implement {', '.join(sorted(found.__abstractmethods__))}"
    if missing := [each for each in ("name", "schemes", "Config") if not hasattr(found, each)]:
        return f"{found.__name__} has no {' and no '.join(missing)}"
    return next((f"{found.__name__}.{flaw}" for flaw in _declared(found)), None)


def _declared(found: Any) -> Iterator[str]:
    """What the attributes of *found* say that makes no sense."""
    if not (isinstance(found.name, str) and _NAME.fullmatch(found.name)):
        yield f"name is {_shown(found.name)}: it is lower case, with digits and . _ - behind the first letter"
    yield from _schemes(found.schemes)
    if not (isinstance(found.backends, Set) and found.backends and found.backends <= _BACKENDS):
        yield f"backends is {_shown(found.backends)}: it is a set of {' and '.join(map(repr, sorted(_BACKENDS)))}"
    if not (isinstance(found.Config, type) and issubclass(found.Config, BaseModel)):
        yield "Config is not a pydantic model"
    yield from _limits(found.capabilities)
    if not isinstance(found.retry, RetryPolicy):
        yield f"retry is {_shown(found.retry)}, and not a RetryPolicy"
    if not _is_seconds(found.hold):
        yield f"hold is {_shown(found.hold)}: it is seconds, 0 or more"
    if not (_is_seconds(found.send_timeout) and found.send_timeout):
        yield f"send_timeout is {_shown(found.send_timeout)}: it is seconds, more than 0"


def _schemes(schemes: Any) -> Iterator[str]:
    if not schemes or not isinstance(schemes, Set):
        yield f"schemes must be a set of address schemes, and is {_shown(schemes)}"
    elif wrong := sorted(_shown(each) for each in schemes if not (isinstance(each, str) and _SCHEME.fullmatch(each))):
        yield f"schemes names {', '.join(wrong)}: a scheme is in lower case and without the colon"


def _limits(limits: Any) -> Iterator[str]:
    if not isinstance(limits, Capabilities):
        # The engine plans by what the class says while the channel is closed.
        yield f"capabilities is {_shown(limits)}, and not a Capabilities; what depends on settings is set in __init__"
    elif wrong := sorted(str(each) for each in limits.receipts if each < Status.ACCEPTED):
        yield f"capabilities.receipts names {', '.join(wrong)}, of which no medium reports"


def settings_flaw(config: type[BaseModel]) -> str | None:
    """What is wrong with *config* as the settings of an adapter, or None."""
    for path, model in models_of(config):
        if not model.model_config.get("frozen"):
            return f"{path} is not frozen: {_SAY}"
        if model.model_config.get("extra") != "forbid":
            return f"{path} takes names that it does not know: {_SAY}"
    if hidden := sorted(RESERVED & _names(config)):
        return f"its setting {', '.join(map(repr, hidden))} has the name of one that every channel has; rename it"
    return None


def models_of(config: type[BaseModel], path: str = "Config") -> Iterator[tuple[str, type[BaseModel]]]:
    """*config* and every model that its fields are made of, each with where it stands: "Config.server"."""
    yield from _models(config, path, set())


def _models(model: type[BaseModel], path: str, seen: set[type[Any]]) -> Iterator[tuple[str, type[BaseModel]]]:
    if model in seen:
        return
    seen.add(model)
    if not issubclass(model, RootModel):  # which has one field, of any name
        yield path, model
    for name, field in model.model_fields.items():
        for kind in _parts(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _models(kind, f"{path}.{name}", seen)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _parts(argument)


def _names(config: type[BaseModel]) -> set[str]:
    return {str(name) for field, info in config.model_fields.items() for name in (field, info.alias) if name}


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _shown(value: object) -> str:
    """On one line, and not too much of it."""
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
