"""What is wrong with a mail, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["Defects"]

_MOST: Final = 100
_LONGEST: Final = 200


class Defects:
    """Each once, in the order in which they were found, and a hundred at most."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def add(self, *defects: str | None) -> None:
        """Note them; None is none."""
        for defect in defects:
            if defect is not None and len(self._found) < _MOST:
                self._found[defect[:_LONGEST]] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)
