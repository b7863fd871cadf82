"""How often one may ask: as X counts, with the headers in which it says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ._answers import Problem
from ._asked import Route
from ._oauth import Who

__all__ = ["LIMITS", "Limit", "Limits", "OverLimit"]

_QUARTER: Final = 900
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """How often a route may be asked.

    Attributes:
        user: By one account, in a quarter of an hour; None is that nobody counts.
        app: With the app's own token.
        user_day: By one account, in twenty-four hours.
        app_day: By all of an app's accounts together, in twenty-four hours.
    """

    user: int | None = None
    app: int | None = None
    user_day: int | None = None
    app_day: int | None = None


_DM_READS: Final = Limit(user=15)
_DM_SENDS: Final = Limit(user=15, user_day=1_440)
_CHUNKS: Final = Limit(user=1_875)

#: By method and template. What is not listed is not limited.
LIMITS: Final[dict[tuple[str, str], Limit]] = {
    ("GET", "/2/users/me"): Limit(user=75),
    ("GET", "/2/users/by/username/{username}"): Limit(user=900, app=300),
    ("GET", "/2/users/by"): Limit(user=900, app=300),
    ("GET", "/2/users/{id}"): Limit(user=900, app=300),
    ("GET", "/2/users"): Limit(user=900, app=300),
    ("GET", "/2/users/{id}/mentions"): Limit(user=300, app=450),
    ("GET", "/2/users/{id}/tweets"): Limit(user=900, app=10_000),
    ("POST", "/2/tweets"): Limit(user=100, app_day=10_000),
    ("GET", "/2/tweets"): Limit(user=5_000, app=3_500),
    ("GET", "/2/tweets/{id}"): Limit(user=900, app=450),
    ("DELETE", "/2/tweets/{id}"): Limit(user=50),
    ("GET", "/2/tweets/search/recent"): Limit(user=300, app=450),
    ("GET", "/2/dm_events"): _DM_READS,
    ("GET", "/2/dm_events/{event_id}"): _DM_READS,
    ("GET", "/2/dm_conversations/{id}/dm_events"): _DM_READS,
    ("GET", "/2/dm_conversations/with/{participant_id}/dm_events"): _DM_READS,
    ("POST", "/2/dm_conversations"): _DM_SENDS,
    ("POST", "/2/dm_conversations/with/{participant_id}/messages"): _DM_SENDS,
    ("POST", "/2/dm_conversations/{dm_conversation_id}/messages"): _DM_SENDS,
    ("DELETE", "/2/dm_events/{event_id}"): Limit(user=300, user_day=1_500),
    ("POST", "/2/media/upload"): Limit(user=500),
    ("GET", "/2/media/upload"): Limit(user=1_000),
    ("POST", "/2/media/upload/initialize"): _CHUNKS,
    ("POST", "/2/media/upload/{id}/append"): _CHUNKS,
    ("POST", "/2/media/upload/{id}/finalize"): _CHUNKS,
    ("POST", "/2/media/metadata"): Limit(user=500),
    ("GET", "/2/webhooks"): Limit(app=450),
    ("POST", "/2/webhooks"): Limit(user=450, app=450),
    ("PUT", "/2/webhooks/{webhook_id}"): Limit(user=450, app=450),
    ("DELETE", "/2/webhooks/{webhook_id}"): Limit(user=450, app=450),
    ("POST", "/2/webhooks/replay"): Limit(app=100),
    ("GET", "/2/activity/subscriptions"): Limit(app=500),
    ("POST", "/2/activity/subscriptions"): Limit(user=500, app=500),
    ("PUT", "/2/activity/subscriptions/{subscription_id}"): Limit(app=500),
    ("DELETE", "/2/activity/subscriptions/{subscription_id}"): Limit(app=500),
    ("GET", "/2/activity/stream"): Limit(app=50),
    ("GET", "/2/usage/tweets"): Limit(app=50),
}


@dataclass(slots=True)
class _Window:
    """Some calls in some time; it begins with the first."""

    until: float
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    family: str
    limit: int
    window: _Window

    @property
    def headers(self) -> dict[str, str]:
        left = max(self.limit - self.window.count, 0)
        values = {"limit": self.limit, "remaining": left, "reset": int(self.window.until)}
        return {f"{self.family}-{name}": str(value) for name, value in values.items()}


class Limits:
    """Counts.

    Attributes:
        table: By method and template; to be changed by tests.
    """

    def __init__(self) -> None:
        self.table = dict(LIMITS)
        self._windows: dict[tuple[str, ...], _Window] = {}

    def take(self, route: Route, who: Who, now: datetime) -> dict[str, str]:
        """Count one call.

        Returns:
            The headers that say what is left.

        Raises:
            OverLimit: It was one too many.
        """
        rows = self._rows(route, who, now.timestamp())
        is_over = any(row.window.count >= row.limit for row in rows)
        for row in rows:
            row.window.count += not is_over
        headers = {name: value for row in rows for name, value in row.headers.items()}
        if is_over:
            raise OverLimit(headers)
        return headers

    def _rows(self, route: Route, who: Who, now: float) -> list[_Row]:
        limit = self.table.get((route.method, route.template), Limit())
        name = who.account.id if who.account is not None else "app"
        quarter = limit.user if who.account is not None else limit.app
        families = (
            ("x-rate-limit", quarter, _QUARTER, name),
            ("x-user-limit-24hour", limit.user_day if who.account is not None else None, _DAY, name),
            ("x-app-limit-24hour", limit.app_day, _DAY, "all"),
        )
        rows = []
        for family, most, seconds, whose in families:
            if most is None:
                continue
            key = (family, route.method, route.template, whose)
            window = self._windows.get(key)
            if window is None or window.until <= now:
                window = self._windows[key] = _Window(float(int(now) + seconds))
            rows.append(_Row(family, most, window))
        return rows


class OverLimit(Problem):
    """429: it was one too many.

    Attributes:
        headers: What is left, and until when.
    """

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(429, "Too Many Requests")
        self.headers = headers
