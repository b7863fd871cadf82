"""X: public posts and direct messages."""

from __future__ import annotations

from .adapter import XAdapter
from .config import BudgetConfig, OAuth1Config, OAuth2Config, XConfig

__all__ = ["BudgetConfig", "OAuth1Config", "OAuth2Config", "XAdapter", "XConfig"]
