"""What a host hands to an adapter beside its settings, as far as the engine itself knows it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from convergekit.errors import ConfigurationError

__all__ = ["check_parts"]

#: What `context.http` takes, and the classes of httpx and of its successor, by name: neither is loaded for this.
_OF_HTTP: Final = {"transport": "AsyncBaseTransport", "http_client": "AsyncClient"}
#: A `convergekit.http.TokenStore`, by its methods.
_TOKEN_STORE: Final = "token_store"
_OF_TOKENS: Final = ("load", "save", "lock")
_KNOWN: Final = (*_OF_HTTP, _TOKEN_STORE)
_MISSPELT: Final = 0.85


def check_parts(channel: str, parts: Mapping[str, Any]) -> None:
    """Look at the parts that the engine knows; what an adapter calls its own is not our business.

    Raises:
        ConfigurationError: One is misspelt, so that it would be passed over, and the network used instead.
        TypeError: One is of another kind.
    """
    for name, part in parts.items():
        if name == _TOKEN_STORE:
            if part is not None and not all(callable(getattr(part, each, None)) for each in _OF_TOKENS):
                raise TypeError(
                    f"channel {channel!r}: {name}= has the methods load, save and lock, not a {_kind(part)}"
                )
        elif (wanted := _OF_HTTP.get(name)) is None:
            if near := difflib.get_close_matches(name, _KNOWN, n=1, cutoff=_MISSPELT):
                raise ConfigurationError(f"channel {channel!r}: nobody takes {name}=; did you mean {near[0]}=?")
        elif part is not None and wanted not in {base.__name__ for base in type(part).__mro__}:
            raise TypeError(f"channel {channel!r}: {name}= is an httpx.{wanted}, not a {_kind(part)}")


def _kind(part: object) -> str:
    return f"class: {part.__name__}" if isinstance(part, type) else type(part).__name__
