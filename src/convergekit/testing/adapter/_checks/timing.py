"""Whose time an adapter goes by."""

from __future__ import annotations

import time
from datetime import date, datetime
from types import FrameType
from typing import Any, Final

from .._bench import Bench
from ._calls import calls_in_c, packages_of
from ._registry import check, expect, listed
from ._tour import tour

__all__: list[str] = []

_CLOCKS: Final = frozenset({time.time, time.time_ns, time.monotonic, time.monotonic_ns})
_TODAY: Final = frozenset({"now", "utcnow", "today"})


@check("goes-by-our-clock")
async def _our_clock(bench: Bench) -> None:
    is_theirs, found = packages_of(bench.adapter_class), dict[str, None]()

    def see(frame: FrameType, function: Any) -> None:
        if _is_clock(function) and is_theirs(frame):
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            found[f"{function.__qualname__} at {place}"] = None

    with calls_in_c(see):
        await tour(bench)
    expect(not found, f"it asks another clock than `context.clock`: {listed(found)}")


def _is_clock(function: Any) -> bool:
    if function in _CLOCKS:
        return True
    kind = getattr(function, "__self__", None)
    return function.__name__ in _TODAY and isinstance(kind, type) and issubclass(kind, date | datetime)
