"""What was spent in a day and in its month, as the ledger has it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final

__all__ = ["Spent"]

_PERIODS: Final = ("day", "month")
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Spent:
    """US dollars of one day and its month.

    Args:
        day: "2026-11-22".
        total: On this day, and in its month.
        polling: What polls have cost of it.
    """

    day: str
    total: Mapping[str, Decimal] = field(default_factory=dict)
    polling: Mapping[str, Decimal] = field(default_factory=dict)

    def on(self, day: str) -> Spent:
        """It goes on with *day*: what is over is forgotten. Where a clock was put back, it is not over."""
        if day <= self.day:
            return replace(self, day=day)
        kept = ("month",) if day[:7] == self.day[:7] else ()
        return Spent(
            day,
            {period: self.total[period] for period in kept if period in self.total},
            {period: self.polling[period] for period in kept if period in self.polling},
        )

    def plus(self, amount: Decimal, *, polling: bool) -> Spent:
        """*amount* more, or less."""
        more = replace(self, total=_plus(self.total, amount))
        return replace(more, polling=_plus(self.polling, amount)) if polling else more

    @classmethod
    def read(cls, value: Any, day: str) -> Spent:
        """What `written` wrote; anything else is as if nothing was spent."""
        try:
            amounts = [
                {period: Decimal(value[name].get(period, 0)) for period in _PERIODS} for name in ("total", "polling")
            ]
            if not all(amount.is_finite() and amount >= 0 for each in amounts for amount in each.values()):
                return cls(day)
            return cls(str(value["day"]), *amounts)
        except (AttributeError, InvalidOperation, KeyError, TypeError, ValueError):
            return cls(day)

    def written(self) -> dict[str, Any]:
        """JSON-able."""
        amounts = {"total": self.total, "polling": self.polling}
        return {"day": self.day, **{name: {k: str(v) for k, v in each.items()} for name, each in amounts.items()}}


def _plus(amounts: Mapping[str, Decimal], amount: Decimal) -> dict[str, Decimal]:
    return {period: max(_ZERO, amounts.get(period, _ZERO) + amount) for period in _PERIODS}
