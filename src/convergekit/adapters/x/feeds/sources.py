"""What is polled, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from convergekit.model import Event

from .. import reading
from ..config import XConfig
from .walk import PAGE

__all__ = ["DIRECTS", "MENTIONS", "Reader", "Source", "feeds_of", "sources"]

MENTIONS: Final = "mentions"
DIRECTS: Final = "dms"
#: X shows the newest 800 mentions of an account ...
_SHOWN: Final = 800
#: ... of which it leaves some out, so that a page may be empty and is none the less not the last.
_MENTION_PAGES: Final = 2 * _SHOWN // PAGE
#: Ten thousand direct messages, in half an hour of its limit of requests.
_DIRECT_PAGES: Final = 100
_KEPT: Final = timedelta(days=30)


class Reader(Protocol):
    """Makes events of a page."""

    def __call__(self, page: Mapping[str, Any], *, own: str, now: datetime) -> Sequence[Event]:
        """The events in *page*; *own* is the account's id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One feed.

    Args:
        feed: Its name.
        kind: What is in it, as keys of events say it.
        route: As the limits know it.
        path: Where it is.
        params: What is asked for with each page.
        read: Makes events of a page.
        most_pages: Of one walk.
        least: Of what a page may be asked for.
        shown: How many items X shows, or None.
        kept: For how long it shows them, or None.
        takes_since: Whether X can be told from where on.
    """

    feed: str
    kind: Literal["post", "dm"]
    route: str
    path: str
    params: Mapping[str, Any]
    read: Reader
    most_pages: int
    least: int
    shown: int | None = None
    kept: timedelta | None = None
    takes_since: bool = False


def feeds_of(config: XConfig) -> tuple[str, ...]:
    """Names of what is polled by these settings."""
    wanted = ((MENTIONS, config.mentions), (DIRECTS, config.direct_messages))
    return tuple(name for name, is_on in wanted if is_on)


def sources(config: XConfig, own: str) -> Mapping[str, Source]:
    """What is polled by these settings, by its name."""
    mentions = Source(
        feed=MENTIONS,
        kind="post",
        route="/2/users/:id/mentions",
        path=f"/2/users/{own}/mentions",
        params=reading.fields(config.names),
        read=reading.posts,
        most_pages=_MENTION_PAGES,
        least=5,
        shown=_SHOWN,
        takes_since=True,
    )
    directs = Source(
        feed=DIRECTS,
        kind="dm",
        route="/2/dm_events",
        path="/2/dm_events",
        params=reading.direct_fields(config.names),
        read=reading.directs,
        most_pages=_DIRECT_PAGES,
        least=1,
        kept=_KEPT,
    )
    return {source.feed: source for source in (mentions, directs) if source.feed in feeds_of(config)}
