"""What is wrong with a profile, in the words of whoever writes TOML rather than Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["told"]

_TABLE: Final = "must be a table"
_LIST: Final = "must be a list; one of tables is written [{ ... }, { ... }], or begins with [[...]]"
_SAID: Final[Mapping[str, str]] = {
    "extra_forbidden": "there is no such key",
    "missing": "it is missing",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _TABLE,
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
}


def told(error: Mapping[str, Any], *where: str) -> str:
    """One of pydantic's errors as "key: what is wrong", the key below *where*; the model may have named it itself."""
    place = ".".join((*where, *map(str, error["loc"])))
    said = _SAID.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
