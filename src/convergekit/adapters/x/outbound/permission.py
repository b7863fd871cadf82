"""Whether we may write there, known before it is tried."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Permission"]


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the account may write there.

    Args:
        ok: Whether it may.
        reason: Why, in words.
        alternative: Where it may not, the way that is open: an address, or words; or None.
    """

    ok: bool
    reason: str
    alternative: str | None = None

    def __bool__(self) -> bool:
        return self.ok
