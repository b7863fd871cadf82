"""The checks, by topic: each module notes its own when it is imported."""

from __future__ import annotations

from . import (  # noqa: F401
    again,
    arriving,
    blocking,
    calls,
    cancelling,
    carrying,
    connection,
    content,
    dsn,
    feeds,
    leaving,
    making,
    manners,
    meeting,
    outcomes,
    proving,
    receiving,
    reports,
    running,
    secrets,
    sending,
    settings,
    silence,
    timing,
    verbs,
    webhooks,
    wording,
)
from ._registry import CHECKS, Broken, Check

__all__ = ["CHECKS", "Broken", "Check"]
