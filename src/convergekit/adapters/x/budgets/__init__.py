"""What may be asked of X, when, and at what price: rate limits, money, and the account that has run out of it.

Each request is announced by `before`, which lets it go or says when to come back, and settled by `after`. Whoever has
announced one settles it, whatever happens: in a `finally`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import random
from typing import Any, Final, Literal, NamedTuple

import anyio

from convergekit.abc import ChannelContext
from convergekit.errors import ThrottledError

from ..config import XConfig
from .breaker import Breaker
from .limits import Limits, Route, template
from .money import NOTHING, Money, Reserved
from .prices import PRICES, Cost, cost_of, items_of
from .spent import Spent
from .windows import Priority

__all__ = ["PRICES", "Budgets", "Cost", "Priority", "Spent", "Ticket", "cost_of", "items_of", "template"]

_STORING: Final = 10.0


class Ticket(NamedTuple):
    """One request that may go.

    Args:
        route: What X counts it with.
        priority: How urgent it is.
        at: When it was let go (monotonic).
        reserved: What it may cost.
        asks: Whether it is the one that finds out if there is credit again.
    """

    route: Route
    priority: Priority
    at: float
    reserved: Reserved
    asks: bool = False


class Budgets:
    """The limits of one channel.

    Args:
        config: Its settings.
        context: Clock, state and admission.
        random: Values in [0, 1), for jitter.
    """

    def __init__(self, config: XConfig, context: ChannelContext, *, random: Callable[[], float] = random) -> None:
        self._summoned = config.replies == "summoned"
        self._context = context
        self._limits = Limits(context.clock, config.reserve, random)
        self._money = Money(config.budget, context)
        self._breaker = Breaker(context, random)

    async def open(self) -> None:
        """Learn what was spent, and whether the account is stopped.

        Raises:
            CreditError: It is, and it is too early to ask whether there is credit again: no request goes.
        """
        await self._money.open()
        await self._breaker.open()

    @property
    def spent(self) -> Spent:
        """US dollars of today and of this month, where there is a budget."""
        return self._money.spent

    async def before(
        self,
        method: str,
        route: str,
        *,
        priority: Priority = Priority.NORMAL,
        cost: Cost | None = None,
        json: Any = None,
        identity: Literal["user", "app"] = "user",
        first: bool = False,
    ) -> Ticket:
        """Announce a request.

        Args:
            method: In upper case.
            route: Its path, or the template of it.
            priority: How urgent it is.
            cost: What it costs, where the route and *json* do not tell.
            json: What is posted.
            identity: Who signs it.
            first: Whether it is tried for the first time: then it stands behind those that wait for their turn. Who
                comes back is let through where there is room.

        Raises:
            ThrottledError: Not yet. `scope` is "conversation": what has room elsewhere goes on.
            CreditError: The account has no credit.
            StoreError: What it costs could not be put down.
        """
        self._breaker.check()
        key = Route(method, template(route), identity)
        self._take(key, priority, first=first)
        try:
            reserved = NOTHING
            if self._money.is_limited:
                cost = cost or cost_of(method, key.template, json, summoned=self._summoned)
                reserved = await self._money.reserve(cost, priority)
            try:
                asks = self._breaker.until is not None and await self._breaker.enter()
            except BaseException:
                with anyio.move_on_after(_STORING, shield=True):
                    await self._money.settle(reserved, (), refused=True)
                raise
        except BaseException:
            self._limits.give_back(key)
            raise
        return Ticket(key, priority, self._context.clock.monotonic(), reserved, asks)

    async def after(
        self,
        ticket: Ticket,
        *,
        status: int | None,
        headers: Mapping[str, str] | None = None,
        items: Iterable[tuple[str, str]] = (),
        sent: bool = True,
    ) -> float:
        """Settle a request. Raises nothing: what was answered is answered.

        Args:
            ticket: From `before`.
            status: Of the answer; None where there was none.
            headers: Of the answer; their names in lower case.
            items: (kind, id) of what was read; see `items_of`.
            sent: Whether it may have left us.

        Returns:
            Seconds after which to come back, where X refused it for now (429); else 0.
        """
        if sent:
            self._limits.learn(ticket.route, status, headers or {}, asked_at=ticket.at)
        else:
            self._limits.give_back(ticket.route)
        if self._money.is_limited or ticket.asks or status == 402:
            is_refused = not sent or (status is not None and 400 <= status < 500)
            # What is known now must not be forgotten because somebody has gone; and a ledger that hangs keeps nobody.
            with anyio.move_on_after(_STORING, shield=True):
                await self._breaker.leave(status, asked=ticket.asks)
                await self._money.settle(ticket.reserved, items, refused=is_refused)
        return self._limits.pause(ticket.route, ticket.priority) if status == 429 else 0.0

    async def received(self, items: Iterable[tuple[str, str]]) -> None:
        """X told us of *items*, ("activity.post", id) or ("activity.dm", id), by webhook or stream: they cost, too."""
        await self._money.charge(items)

    def wait(self, route: str, interval: float, *, identity: Literal["user", "app"] = "user") -> float:
        """Seconds until the next of polls that are wanted every *interval* seconds: more where limits or money ask."""
        key = Route("GET", template(route), identity)
        seconds = self._limits.wait(key, Priority.BACKGROUND, interval)
        return max(seconds, self._money.wait())

    def _take(self, route: Route, priority: Priority, *, first: bool) -> None:
        seconds = self._limits.take(route, priority, first=first)
        if seconds > 0:
            raise ThrottledError(
                f"X' limit for {route} leaves no room now; the next turn is in {seconds:.0f} s",
                retry_after=seconds,
                scope="conversation",
                channel=self._context.channel,
            )
