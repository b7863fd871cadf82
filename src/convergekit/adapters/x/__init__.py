"""X: public posts and direct messages."""

from __future__ import annotations

from .adapter import XAdapter
from .config import BudgetConfig, OAuth1Config, OAuth2Config, XConfig
from .details import OtherPost, Poll, PollOption, X
from .outbound import Permission

__all__ = [
    "BudgetConfig",
    "OAuth1Config",
    "OAuth2Config",
    "OtherPost",
    "Permission",
    "Poll",
    "PollOption",
    "X",
    "XAdapter",
    "XConfig",
]
