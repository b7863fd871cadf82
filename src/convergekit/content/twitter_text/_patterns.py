"""Regular expressions that are compiled when they are first used: most text asks for few of them, and many are long."""

from __future__ import annotations

import re
from typing import Any, cast

__all__ = ["pattern"]


def pattern(source: str) -> re.Pattern[str]:
    """What `re.compile` makes of *source*, once anything is asked of it."""
    return cast("re.Pattern[str]", _Pattern(source))


class _Pattern:
    def __init__(self, source: str) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._source), name)  # `re` remembers what it compiled
        setattr(self, name, value)  # and from now on nobody comes here
        return value
