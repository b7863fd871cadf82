"""The checks, by topic. Importing this notes all of them, in the order of the rules."""

from __future__ import annotations

from . import arriving, calls, cancelling, feeds, outcomes, receiving, reports, running, secrets, settings, webhooks
from ._registry import CHECKS, Broken, Check, broken, check, expect

__all__ = [
    "CHECKS",
    "Broken",
    "Check",
    "arriving",
    "broken",
    "calls",
    "cancelling",
    "check",
    "expect",
    "feeds",
    "outcomes",
    "receiving",
    "reports",
    "running",
    "secrets",
    "settings",
    "webhooks",
]
