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
from .store import (
    PARKED,
    Claim,
    Direction,
    Entry,
    EntryState,
    Fence,
    Lane,
    Lease,
    LedgerCounts,
    Store,
    Write,
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
    "PARKED",
    "Adapter",
    "Admission",
    "ChannelContext",
    "Claim",
    "Clock",
    "ConfigT",
    "Cursor",
    "Direction",
    "Entry",
    "EntryState",
    "Fence",
    "Headers",
    "Health",
    "Lane",
    "Lease",
    "LedgerCounts",
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
    "Store",
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
    "Write",
]
