"""The checks, by topic. Importing this notes all of them, in the order of the rules."""

from __future__ import annotations

from . import cancelling, outcomes, receiving, running, secrets, settings, webhooks
from ._registry import CHECKS, Broken, Check, broken, check, expect

__all__ = [
    "CHECKS",
    "Broken",
    "Check",
    "broken",
    "cancelling",
    "check",
    "expect",
    "outcomes",
    "receiving",
    "running",
    "secrets",
    "settings",
    "webhooks",
]
