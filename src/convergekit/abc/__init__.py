"""What plugin authors implement, and what they are lent."""

from __future__ import annotations

from .adapter import (
    Adapter,
    ConfigT,
    Health,
    Outgoing,
    RetryPolicy,
)
from .context import (
    Admission,
    ChannelContext,
    Clock,
    Cursor,
    State,
)
from .http import (
    Headers,
    Request,
    Response,
)
from .inbound import (
    Listens,
    Polled,
    Polls,
    ReceivesWebhooks,
)
from .verbs import (
    Reconciliation,
    SupportsBatch,
    SupportsEdit,
    SupportsHistory,
    SupportsPresence,
    SupportsReactions,
    SupportsReadMarkers,
    SupportsReconcile,
    SupportsRetract,
    SupportsRooms,
    SupportsTyping,
    SupportsUpload,
)

__all__ = [
    "Adapter",
    "Admission",
    "ChannelContext",
    "Clock",
    "ConfigT",
    "Cursor",
    "Headers",
    "Health",
    "Listens",
    "Outgoing",
    "Polled",
    "Polls",
    "ReceivesWebhooks",
    "Reconciliation",
    "Request",
    "Response",
    "RetryPolicy",
    "State",
    "SupportsBatch",
    "SupportsEdit",
    "SupportsHistory",
    "SupportsPresence",
    "SupportsReactions",
    "SupportsReadMarkers",
    "SupportsReconcile",
    "SupportsRetract",
    "SupportsRooms",
    "SupportsTyping",
    "SupportsUpload",
]
