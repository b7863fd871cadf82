"""A call that is no `Request`, so that its headers may hold what no server would let in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """An `Incoming`; header names in lower case."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    query: str = ""
    path: str = ""
    url: str | None = None
