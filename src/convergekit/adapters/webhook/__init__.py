"""Webhooks, signed both ways: by Standard Webhooks 1.0.0, or by the scheme that the settings name.

Sends: a JSON document `{"type", "timestamp", "data"}` by POST to any http(s) address; the same `webhook-id` over all
attempts, so that the other side can tell a repeat. Receives: the same form, through `convergekit.asgi`; a
`message.created` becomes a `MessageReceived`, any other type a `CustomReceived`. Cannot promise that anybody read it:
a 2xx says that the other side has it, and there is no later report. Where the settings say so, all of it is
CloudEvents 1.0 instead; and by rules, or by a preset that has them, what any other system sends is read.
"""

from __future__ import annotations

from .adapter import (
    WebhookAdapter,
)
from .config import (
    WebhookConfig,
)

__all__ = [
    "WebhookAdapter",
    "WebhookConfig",
]
