"""The router: which handler gets what comes in, and which way a message goes out."""

from __future__ import annotations

from .dispatch import (
    CallNext,
    Dispatcher,
    Middleware,
)
from .filters import (
    Filter,
    FilterArgs,
)
from .handling import (
    Handled,
    Handling,
    Reply,
    Scope,
    Skip,
)
from .inbound import (
    Router,
)
from .injection import (
    Depends,
)

__all__ = [
    "CallNext",
    "Depends",
    "Dispatcher",
    "Filter",
    "FilterArgs",
    "Handled",
    "Handling",
    "Middleware",
    "Reply",
    "Router",
    "Scope",
    "Skip",
]
