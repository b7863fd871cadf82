"""What may be spent, and what was: by the day and the month, in UTC, as X counts them.

Rules kept here:

- What a request that writes costs is put down in the ledger before it goes, by compare-and-set: several workers, and
  one that dies, never spend the same dollar twice. What was refused is put back.
- What reading costs is known afterwards. One request at a time may cross the limit, so it is crossed by one page at
  most.
- The same object is charged once in a UTC day, as X does. Which ones those were is kept in memory, for so many, and
  counted again after a restart: we may believe that we have spent more than we did, never less.
- Without a limit nothing is counted, and the ledger is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import anyio

from convergekit.abc import ChannelContext
from convergekit.errors import ConvergeError, StoreError, ThrottledError
from convergekit.model import CustomReceived

from ..config import BudgetConfig
from .prices import Cost, price_list
from .spent import Spent
from .windows import Priority

__all__ = ["NOTHING", "Money", "Reserved"]

_KEY: Final = "budget"
_ZERO: Final = Decimal(0)
_SEEN: Final = 200_000
_WARNED: Final = 80
_USED_UP: Final = 100
_TRIES: Final = 50
#: Seconds for which one reading waits for another one to tell what it cost.
_IN_A_MOMENT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Reserved:
    """What one request was allowed.

    Args:
        amount: US dollars that were put down for it.
        page: US dollars that reading may cost at most.
        polling: Whether a poll spends it.
    """

    amount: Decimal = _ZERO
    page: Decimal = _ZERO
    polling: bool = False


#: What a request was allowed that costs nothing.
NOTHING: Final = Reserved()


class Money:
    """The budget of one channel.

    Args:
        config: The limits, and other prices.
        context: Clock, state and admission.
    """

    def __init__(self, config: BudgetConfig, context: ChannelContext) -> None:
        self._config = config
        self._context = context
        self._prices = price_list(config.prices)
        self._limits = {
            period: limit for period, limit in (("day", config.day), ("month", config.month)) if limit is not None
        }
        self._spent = Spent(self._today())
        self._version = 0
        self._unsaved: list[tuple[Decimal, bool]] = []
        self._reading = _ZERO
        self._seen: set[tuple[str, str]] = set()
        self._seen_on = ""
        self._told: set[str] = set()
        self._one_by_one = anyio.Lock()

    @property
    def is_limited(self) -> bool:
        """Whether there is a budget at all."""
        return bool(self._limits)

    @property
    def spent(self) -> Spent:
        """What is known here; nothing where there is no limit."""
        return self._spent.on(self._today())

    async def open(self) -> None:
        """Learn what was spent before."""
        if self._limits:
            await self._refresh()

    async def reserve(self, cost: Cost | None, priority: Priority) -> Reserved:
        """Put down what a request will cost.

        Raises:
            ThrottledError: The budget does not pay for it before the day or the month is over.
            StoreError: It could not be put down.
        """
        if cost is None or not self._limits:
            return NOTHING
        price = self._prices[cost.kind] * cost.most
        is_polling = priority is Priority.BACKGROUND
        if cost.is_read:
            await self._refuse_reading(price, polling=is_polling)
            self._reading += price
            return Reserved(page=price, polling=is_polling)
        async with self._one_by_one:
            await self._put(price, polling=is_polling, within_limits=True)
        await self._tell()
        return Reserved(price, polling=is_polling)

    async def settle(self, reserved: Reserved, items: Iterable[tuple[str, str]], *, refused: bool) -> None:
        """It was answered with *items*, or *refused*: X takes nothing for that. Never raises what the ledger does."""
        self._reading -= reserved.page
        if not self._limits:
            return
        amount = self._price_of(items) - (reserved.amount if refused else _ZERO)
        await self._book(amount, polling=reserved.polling)

    async def charge(self, items: Iterable[tuple[str, str]]) -> None:
        """X has told us of *items* by itself."""
        if self._limits:
            await self._book(self._price_of(items), polling=False)

    def wait(self) -> float:
        """Seconds until polling may spend again; 0 for now."""
        found = self._over(polling=True, price=_ZERO)
        return 0.0 if found is None else self._left_of(found)

    def _over(self, *, polling: bool, price: Decimal) -> str | None:
        """The period whose budget does not pay for *price*; what costs nothing yet has to leave something over."""
        spent = self.spent
        for period, limit in self._limits.items():
            used = spent.total.get(period, _ZERO)
            if used + price > limit or used >= limit:
                return period
            share = limit * Decimal(str(self._config.polling))
            if polling and spent.polling.get(period, _ZERO) + price >= share:
                return period
        return None

    async def _refuse_reading(self, price: Decimal, *, polling: bool) -> None:
        period = self._over(polling=polling, price=_ZERO)
        if period is not None:
            await self._refresh()  # another worker may have put something back
            period = self._over(polling=polling, price=_ZERO)
        if period is not None:
            await self._tell(period if not polling or self._is_used_up(period) else None)
            raise self._refused(period)
        if self._reading and self._over(polling=polling, price=self._reading + price) is not None:
            raise ThrottledError(
                "what others read now may use up the budget",
                retry_after=_IN_A_MOMENT,
                scope="conversation",
                channel=self._context.channel,
            )

    async def _put(self, amount: Decimal, *, polling: bool, within_limits: bool) -> None:
        """Add *amount* in the ledger, with what could not be stored before."""
        unsaved, is_fresh = tuple(self._unsaved), False
        for _ in range(_TRIES):
            if within_limits and (period := self._over(polling=polling, price=amount)) is not None:
                if is_fresh:
                    await self._tell(period)
                    raise self._refused(period)
                is_fresh = await self._refresh()
                continue
            after = self.spent
            for more, was_polling in (*unsaved, (amount, polling)):
                after = after.plus(more, polling=was_polling)
            if await self._context.state.put(_KEY, after.written(), version=self._version):
                self._spent, self._version = after, self._version + 1
                del self._unsaved[: len(unsaved)]
                return
            is_fresh = await self._refresh()
        raise StoreError("what was spent could not be put down: others did so all the time")

    async def _book(self, amount: Decimal, *, polling: bool) -> None:
        if not amount:
            return
        try:
            async with self._one_by_one:
                await self._put(amount, polling=polling, within_limits=False)
        except BaseException as error:  # also where the ledger hangs, and we are cut short
            # What was answered is answered: the ledger learns of it with what is spent next.
            self._unsaved.append((amount, polling))
            if not isinstance(error, StoreError):
                raise
            self._context.log.warning("what was spent is not stored yet: %s", error)
        await self._tell()

    async def _refresh(self) -> bool:
        value, self._version = await self._context.state.get(_KEY)
        self._spent = Spent.read(value, self._today())
        return True

    async def _tell(self, refused: str | None = None) -> None:
        """Events for 80 % and for 100 % of a budget; also once something waits for it."""
        for period, limit in self._limits.items():
            percent = self.spent.total.get(period, _ZERO) * 100 / limit
            for mark in (_WARNED, _USED_UP):
                if percent >= mark or refused == period:
                    await self._tell_once(period, limit, mark)

    async def _tell_once(self, period: str, limit: Decimal, mark: int) -> None:
        date = self._today()[: 10 if period == "day" else 7]
        key = f"x.budget:{period}:{date}:{mark}"
        if key in self._told:
            return
        spent = str(self.spent.total.get(period, _ZERO))
        data = {"period": period, "date": date, "percent": mark, "spent": spent, "budget": str(limit)}
        try:
            await self._context.admit(CustomReceived(key=key, name="x.budget", data=data))
            self._told.add(key)
        except ConvergeError as error:  # the ledger's, or that the hub closes: nothing of what goes out
            self._context.log.warning("nobody could be told of the budget: %s", type(error).__name__)

    def _price_of(self, items: Iterable[tuple[str, str]]) -> Decimal:
        if (today := self._today()) != self._seen_on:
            self._seen, self._seen_on = set(), today
        amount = _ZERO
        for item in items:
            if item in self._seen:
                continue
            if len(self._seen) < _SEEN:
                self._seen.add(item)
            amount += self._prices.get(item[0], _ZERO)
        return amount

    def _is_used_up(self, period: str) -> bool:
        return self.spent.total.get(period, _ZERO) >= self._limits[period]

    def _refused(self, period: str) -> ThrottledError:
        return ThrottledError(
            f"budget.{period} ({self._limits[period]} US dollars) does not pay for it",
            retry_after=self._left_of(period),
            scope="conversation",
            channel=self._context.channel,
        )

    def _left_of(self, period: str) -> float:
        now = self._context.clock.now().astimezone(UTC)
        tomorrow = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
        next_month = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        return ((tomorrow if period == "day" else next_month) - now).total_seconds()

    def _today(self) -> str:
        return self._context.clock.now().astimezone(UTC).date().isoformat()
