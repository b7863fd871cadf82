"""X' rate limits: a token bucket for each route and each window that X counts it in.

Rules kept here:

- Until X has said something, its documented limits are believed (`SEEDS`); from then on its headers.
- What a header says is believed where it makes sense. When a window ends is measured from the answer's own `Date`, so
  a clock that is wrong here does no harm.
- 429 shuts a route until X says; where it does not say, for a minute, then two, up to a quarter of an hour. A server
  that fails shuts it for seconds, then minutes. After either, one request goes first, and the rest once it came back.
- All of this is in memory: a process that starts anew learns it from the first answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from convergekit.abc import Clock
from convergekit.http import parse_http_date

from .windows import Priority, Window, shares

__all__ = ["SEEDS", "Limits", "Route", "template"]

_QUARTER: Final = 900.0
_DAY: Final = 86_400.0
#: Families of headers, and how long the windows are that they speak of.
_FAMILIES: Final[Mapping[str, float]] = {
    "x-rate-limit": _QUARTER,
    "x-user-limit-24hour": _DAY,
    "x-app-limit-24hour": _DAY,
}
_PLAIN: Final = "x-rate-limit"
_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    family: [f"{family}-{name}" for name in ("limit", "remaining", "reset")] for family in _FAMILIES
}
#: No window is longer than a day; a reset that is further away is no reset.
_LONGEST: Final = _DAY + 3600
#: A reset is told in whole seconds: it may be so much later.
_WHOLE_SECONDS: Final = 1.0
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_ID: Final = re.compile(r"[0-9]+([-_][0-9]+)*")
_ROUTES: Final = 256
#: Seconds by which those who wait are spread at least.
_JITTER: Final = 1.0
#: Seconds after which a request that was never said to be answered is forgotten.
_ANSWERED: Final = 120.0
_TROUBLED: Final = 500

#: Requests a quarter of an hour for each account, as X documents them (August 2026) ...
SEEDS: Final[Mapping[str, int]] = {
    "POST /2/tweets": 100,
    "DELETE /2/tweets/:id": 50,
    "GET /2/tweets/search/recent": 300,
    "GET /2/users/me": 75,
    "GET /2/users/:id/mentions": 300,
    "GET /2/dm_events": 15,
    "GET /2/dm_events/:id": 15,
    "GET /2/dm_conversations/:id/dm_events": 15,
    "GET /2/dm_conversations/with/:id/dm_events": 15,
    "POST /2/dm_conversations": 15,
    "POST /2/dm_conversations/:id/messages": 15,
    "POST /2/dm_conversations/with/:id/messages": 15,
    "POST /2/media/upload": 500,
    "GET /2/media/upload": 1875,
    "POST /2/media/upload/initialize": 1875,
    "POST /2/media/upload/:id/append": 1875,
    "POST /2/media/upload/:id/finalize": 1875,
    "GET /2/webhooks": 450,
    "POST /2/webhooks": 450,
    "PUT /2/webhooks/:id": 450,
    "DELETE /2/webhooks/:id": 450,
    "GET /2/activity/subscriptions": 500,
    "POST /2/activity/subscriptions": 500,
    "DELETE /2/activity/subscriptions/:id": 500,
    "GET /2/activity/stream": 50,
}
#: ... and what a day has for them beside that: of the account, or of all accounts of the app.
_DAILY: Final[Mapping[str, tuple[str, int]]] = {
    "POST /2/tweets": ("x-app-limit-24hour", 10_000),
    "POST /2/dm_conversations": ("x-user-limit-24hour", 1440),
    "POST /2/dm_conversations/:id/messages": ("x-user-limit-24hour", 1440),
    "POST /2/dm_conversations/with/:id/messages": ("x-user-limit-24hour", 1440),
}
#: What is believed of a route that is not listed, until X says what it is.
_UNKNOWN: Final = 75


@lru_cache(maxsize=1024)
def template(path: str) -> str:
    """The route that *path* belongs to: "/2/users/12345/mentions" is "/2/users/:id/mentions"; a template is itself."""
    segments = path.partition("?")[0].split("/")
    return "/".join(_name(segment, before) for before, segment in zip(["", *segments], segments, strict=False))


def _name(segment: str, before: str) -> str:
    if before in ("username", "usernames"):
        return ":username"
    # "2" is the version of the API, and stands where no id does.
    return ":id" if _ID.fullmatch(segment) and before != "" else segment


class Route(NamedTuple):
    """What X counts together.

    Args:
        method: In upper case.
        template: See `template`.
        identity: Whose limit it is: the account's, or that of the app's own token.
    """

    method: str
    template: str
    identity: str = "user"

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


class _Pause(NamedTuple):
    first: float
    longest: float

    def after(self, times: int) -> float:
        return min(self.first * 2.0 ** min(times - 1, 16), self.longest)


_THROTTLED: Final = _Pause(60.0, 900.0)
_FAILING: Final = _Pause(5.0, 300.0)


@dataclass(slots=True)
class _Known:
    """What is known of one route."""

    windows: dict[str, Window]
    shut_until: float = 0.0
    troubles: int = 0
    """Failures in a row, and 429 without saying until when; those of requests that went together count once."""
    troubled_at: float = float("-inf")
    under_way: int = 0
    """Requests that are not answered yet. While there is trouble, there is only one."""
    tried_at: float = 0.0
    """When the last of them went."""


class Limits:
    """What may be asked, and when.

    Args:
        clock: Time.
        reserve: Share of each limit that is kept for answers.
        random: Values in [0, 1), for jitter.
    """

    def __init__(self, clock: Clock, reserve: float, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._shares = shares(reserve)
        self._routes: dict[Route, _Known] = {}

    def take(self, route: Route, priority: Priority, *, first: bool) -> float:
        """Let a request go, and return 0; or return the seconds after which it has its turn, and let it not."""
        now, known = self._clock.monotonic(), self._of(route)
        if (until := max(known.shut_until, self._turn(known, priority, now, first=first))) > now:
            return self._queue(known, priority, now, until, first=first)
        if known.troubles and known.under_way and now < known.tried_at + _ANSWERED:
            return self._later(_FAILING.first, _FAILING.after(known.troubles))
        known.under_way, known.tried_at = known.under_way + 1, now
        for window in known.windows.values():
            window.take(first=first, now=now)
        return 0.0

    def give_back(self, route: Route) -> None:
        """What was let go has not gone."""
        known = self._of(route)
        known.under_way = max(0, known.under_way - 1)
        for window in known.windows.values():
            window.give_back()

    def learn(self, route: Route, status: int | None, headers: Mapping[str, str], *, asked_at: float) -> None:
        """Learn from the answer to a request of *asked_at* (monotonic); None where there was none."""
        known, now = self._of(route), self._clock.monotonic()
        known.under_way = max(0, known.under_way - 1)
        told = _told(headers, self._clock)
        for family, (limit, remaining, left) in told.items():
            window = known.windows.get(family)
            if window is None:
                window = known.windows[family] = Window(limit, _FAMILIES[family], self._shares)
            window.learn(limit, remaining, left, asked_at=asked_at, now=now, under_way=known.under_way)
        if status == 429:
            self._shut(known, told, asked_at, now)
        elif status is None or status >= _TROUBLED:
            self._troubled(known, asked_at, now)
            if known.troubles > 1:  # one lost answer is no reason to keep the next one waiting
                known.shut_until = max(known.shut_until, known.troubled_at + _FAILING.after(known.troubles - 1))
        elif asked_at >= known.troubled_at:
            known.troubles = 0

    def pause(self, route: Route, priority: Priority) -> float:
        """Seconds until who was just refused has a turn; at least a second."""
        known, now = self._of(route), self._clock.monotonic()
        until = max(known.shut_until, self._turn(known, priority, now, first=False))
        return max(1.0, self._queue(known, priority, now, until, first=False))

    def wait(self, route: Route, priority: Priority, interval: float) -> float:
        """Seconds until the next of requests that come every *interval* seconds, as far as the limits allow that."""
        known, now = self._of(route), self._clock.monotonic()
        turn = max(known.shut_until, self._turn(known, priority, now, first=False))
        return max(interval, turn - now, *(window.spacing(priority, now) for window in known.windows.values()))

    def _of(self, route: Route) -> _Known:
        known = self._routes.get(route)
        if known is None:
            if len(self._routes) >= _ROUTES:
                del self._routes[next(iter(self._routes))]
            seeds = dict([(_PLAIN, SEEDS.get(str(route), _UNKNOWN)), *filter(None, [_DAILY.get(str(route))])])
            windows = {family: Window(limit, _FAMILIES[family], self._shares) for family, limit in seeds.items()}
            known = self._routes[route] = _Known(windows)
        return known

    def _shut(self, known: _Known, told: Mapping[str, tuple[int, int, float]], asked_at: float, now: float) -> None:
        """X said 429: of the windows that it told of, those that are used up; or the short one; or we guess."""
        if any(remaining == 0 for _, remaining, _ in told.values()):
            known.troubles = 0
        elif _PLAIN in told:
            known.troubles = 0
            known.windows[_PLAIN].exhaust(now + told[_PLAIN][2])
        else:
            self._troubled(known, asked_at, now)
            known.windows[_PLAIN].exhaust(known.troubled_at + _THROTTLED.after(known.troubles))

    def _troubled(self, known: _Known, asked_at: float, now: float) -> None:
        if asked_at > known.troubled_at:
            known.troubles, known.troubled_at = known.troubles + 1, now

    def _turn(self, known: _Known, priority: Priority, now: float, *, first: bool) -> float:
        return max([window.turn(priority, first=first, now=now) for window in known.windows.values()])

    def _queue(self, known: _Known, priority: Priority, now: float, until: float, *, first: bool) -> float:
        turns = [window.queue(priority, first=first, now=now) for window in known.windows.values()]
        # Those who wait for a route that is shut come back one after the other, and not all at the same moment.
        # Not much later than X has said, though: a tenth of the time that it named.
        spread = max(_JITTER, (known.shut_until - now) / 10)
        return self._later(max(until, *turns) - now, spread)

    def _later(self, seconds: float, spread: float) -> float:
        return max(0.0, seconds) + min(spread, 300.0) * self._random()


def _told(headers: Mapping[str, str], clock: Clock) -> dict[str, tuple[int, int, float]]:
    """What X said of each family: (limit, remaining, seconds until it begins anew); what makes no sense is left out."""
    told: dict[str, tuple[int, int, float]] = {}
    for family, names in _FIELDS.items():
        if names[0] not in headers:
            continue
        values = [headers.get(name, "") for name in names]
        if not all(map(_NUMBER.fullmatch, values)):
            continue
        limit, remaining, reset = map(int, values)
        left = reset - (_epoch(headers.get("date")) or clock.now().timestamp())
        if limit > 0 and remaining <= limit and 0 < left <= _LONGEST:
            told[family] = (limit, remaining, left + _WHOLE_SECONDS)
    return told


@lru_cache(maxsize=8)  # all answers of a second say the same
def _epoch(date: str | None) -> float | None:
    moment = parse_http_date(date)
    return None if moment is None else moment.timestamp()
