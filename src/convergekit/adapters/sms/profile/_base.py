"""What all tables of a profile are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


def strings_in(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in *value*, and where it stands."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield f"{where}.{key}", str(key)
            yield from strings_in(f"{where}.{key}", each)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from strings_in(f"{where}.{index}", each)


class Model(BaseModel):
    """A table of a profile."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)
