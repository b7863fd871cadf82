"""All that comes in, for one open account."""

from __future__ import annotations

from .activity import Activity, Pulse
from .arrivals import Arrivals
from .feeds import Feeds
from .session import Session

__all__ = ["Inbound"]


class Inbound:
    """Polls, and what X tells by itself; each knows of the other.

    Args:
        session: The account.

    Attributes:
        feeds: What is polled.
        activity: What X tells.
    """

    def __init__(self, session: Session) -> None:
        arrivals, pulse = Arrivals(session), Pulse(session.context)
        self.feeds = Feeds(session, arrivals, pulse)
        self.activity = Activity(session, arrivals, pulse)
