"""Standard Webhooks, as a channel is set up for it."""

from __future__ import annotations

from convergekit.http import StandardWebhooks

from .config import WebhookConfig

__all__ = ["inbound", "outbound"]


def outbound(config: WebhookConfig) -> StandardWebhooks:
    """What signs; without secrets where the channel only receives."""
    return StandardWebhooks(config.secrets, tolerance=config.tolerance)


def inbound(config: WebhookConfig) -> StandardWebhooks:
    """What verifies."""
    return StandardWebhooks(config.inbound_secrets or config.secrets, tolerance=config.tolerance)
