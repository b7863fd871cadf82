"""402: the account has no credit, and nothing is asked until it may have some again.

Rules kept here:

- X goes on to tell of rate limits with plenty left in them while it answers 402 to everything: so 402 stops every
  request of the account.
- After a quarter of an hour one request goes, and tells. If there is no credit yet, the next one goes after half an
  hour, then each hour: whoever has bought some waits no longer than that.
- Both are in the ledger: neither a restart, nor the engine, which enters a channel that is down every five minutes,
  nor another worker asks before that.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import anyio

from convergekit.abc import ChannelContext
from convergekit.errors import CreditError, StoreError

from ..kept import kept_moment

__all__ = ["Breaker"]

_KEY: Final = "breaker"
_FIRST: Final = 900.0
_LONGEST: Final = 3600.0
_TRIES: Final = 10
#: Seconds for which others wait for what the one request tells.
_ANSWERED: Final = 60.0
_PAYMENT_REQUIRED: Final = 402
#: What says nothing of credit: X may not have looked.
_SILENT: Final = frozenset({401, 408, 429})


class _Stop(NamedTuple):
    """No request before `until`; then one."""

    until: datetime
    times: int
    """How often X has said so in a row."""

    def after(self, now: datetime, times: int, random: float) -> _Stop:
        seconds = min(_FIRST * 2.0 ** min(times - 1, 16), _LONGEST)
        return _Stop(now + timedelta(seconds=seconds * (1 + 0.1 * random)), times)

    @classmethod
    def read(cls, value: Any) -> _Stop | None:
        try:
            until, times = kept_moment(value["until"]), max(1, int(value["times"]))
        except (KeyError, OverflowError, TypeError, ValueError):
            return None
        return None if until is None else cls(until, times)

    def written(self) -> dict[str, Any]:
        return {"until": self.until.isoformat(), "times": self.times}


class Breaker:
    """Stops an account that has no credit.

    Args:
        context: Clock and state.
        random: Values in [0, 1), so that two accounts do not ask at the same moment.
    """

    def __init__(self, context: ChannelContext, random: Callable[[], float]) -> None:
        self._context = context
        self._random = random
        self._stop: _Stop | None = None
        self._asking: anyio.Event | None = None

    @property
    def until(self) -> datetime | None:
        """When the next request may go, or None while nothing is stopped."""
        return None if self._stop is None else self._stop.until

    async def open(self) -> None:
        """Learn whether it is stopped.

        Raises:
            CreditError: It is.
        """
        self._stop = self._read((await self._context.state.get(_KEY))[0])
        self.check()

    def check(self) -> None:
        """Raises `CreditError` while it is certain that nothing may go."""
        if self._stop is not None and self._asking is None and self._context.clock.now() < self._stop.until:
            raise self._error(self._stop)

    async def enter(self) -> bool:
        """Let a request through; tells whether it is the one that finds out. Then `leave` has to be called.

        Raises:
            CreditError: There is no credit.
        """
        while self._stop is not None:
            if self._asking is not None:
                with anyio.move_on_after(_ANSWERED):
                    await self._asking.wait()
                    continue
                self._asking = None  # whoever asked did not come back
            self.check()
            asking = self._asking = anyio.Event()
            is_ours = False
            try:
                is_ours = await self._claim()
            finally:
                if not is_ours:
                    self._answered(asking)
            if is_ours:
                return True
        return False

    async def leave(self, status: int | None, *, asked: bool) -> None:
        """A request was answered with *status*, or not at all; *asked*: it was the one that finds out."""
        try:
            if status == _PAYMENT_REQUIRED:
                await self._trip(again=asked)
            elif asked and status is not None and status < 500 and status not in _SILENT:
                self._stop = None
                await self._context.state.put(_KEY, None)
        except StoreError as error:
            self._context.log.warning("whether there is credit is not stored: %s", error)
        finally:
            if asked and self._asking is not None:
                self._answered(self._asking)

    async def _claim(self) -> bool:
        """Of all workers, one asks: it puts off the next request before it makes its own."""
        now = self._context.clock.now()
        value, version = await self._context.state.get(_KEY)
        self._stop = self._read(value)
        if self._stop is None or now < self._stop.until:
            return False
        later = self._stop.after(now, self._stop.times, self._random())
        if not await self._context.state.put(_KEY, later.written(), version=version):
            return False
        self._stop = later
        return True

    async def _trip(self, *, again: bool) -> None:
        now = self._context.clock.now()
        known = self._stop
        self._stop = known or _Stop(now, 1).after(now, 1, self._random())  # also where the ledger is away
        for _ in range(_TRIES):
            value, version = await self._context.state.get(_KEY)
            stored = self._read(value)
            if stored is not None and not again and now < stored.until:
                self._stop = stored  # another one of those that were under way has said so
                return
            times = 1 if stored is None else stored.times + again
            self._stop = _Stop(now, times).after(now, times, self._random())
            if await self._context.state.put(_KEY, self._stop.written(), version=version):
                return

    def _read(self, value: Any) -> _Stop | None:
        """What the ledger says. What is further off than any pause was written by a clock that was wrong: it is now."""
        stop, now = _Stop.read(value), self._context.clock.now()
        is_wrong = stop is not None and stop.until - now > timedelta(seconds=1.1 * _LONGEST)
        return stop._replace(until=now) if stop is not None and is_wrong else stop

    def _answered(self, asking: anyio.Event) -> None:
        self._asking = None
        asking.set()

    def _error(self, stop: _Stop) -> CreditError:
        when = stop.until.strftime("%Y-%m-%d %H:%M UTC")
        return CreditError(
            f"the account has no credit left at X, and X is asked again at {when}; credit is bought in its console",
            channel=self._context.channel,
            code="402",
        )
