"""How X tells at once what happens: a webhook and subscriptions that are kept in order, or a stream."""

from __future__ import annotations

from .activity import Activity, Refusals
from .pulse import Pulse

__all__ = ["Activity", "Pulse", "Refusals"]
