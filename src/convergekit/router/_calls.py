"""Values that print as the call that made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convergekit.model import Address, Importance, Status, Tagged

__all__ = ["Called", "call", "shown"]


class Called(Tagged):
    """A value whose repr, read as Python, makes it again."""

    def __repr__(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return repr(self)


def call(name: str, *args: Any, defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> str:
    """`name(args, key=value)`, without the keywords that have their default (None where *defaults* names no other)."""
    said = [f"{key}={shown(value)}" for key, value in kwargs.items() if value != (defaults or {}).get(key)]
    return f"{name}({', '.join([*map(shown, args), *said])})"


def shown(value: Any) -> str:
    """How a reader would write *value*."""
    if isinstance(value, Status):
        return f"Status.{value.name}"
    if isinstance(value, Importance):
        return repr(value.value)
    if isinstance(value, Address) and value.display_name is None:
        return repr(value.uri)
    return repr(value)
