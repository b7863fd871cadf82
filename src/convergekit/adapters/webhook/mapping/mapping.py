"""From a channel's settings to what reads its calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from convergekit.errors import ConfigurationError

from .mapper import Mapper
from .presets import load
from .rules import Rule

__all__ = ["Settings", "flaw", "mapper_of", "scheme_of"]


class Settings(Protocol):
    """What the settings of a channel say about what it receives; `WebhookConfig` has them."""

    @property
    def url(self) -> str | None:
        """Where answers go."""
        ...

    @property
    def preset(self) -> str | None:
        """The system that calls, by name."""
        ...

    @property
    def messages(self) -> tuple[Rule, ...]:
        """Rules, which come before those of the preset."""
        ...

    @property
    def call_id(self) -> tuple[str, ...]:
        """What tells calls apart; the preset's where it is not said."""
        ...

    @property
    def call_name(self) -> tuple[str, ...]:
        """What events are called; likewise."""
        ...


def mapper_of(settings: Settings, *, channel: str) -> Mapper | None:
    """What reads the calls of the channel called *channel*; None where they are read as our own documents.

    Raises:
        ConfigurationError: There is no such preset.
    """
    if settings.preset is None and not settings.messages:
        return None
    preset = load(settings.preset) if settings.preset is not None else None
    rules = settings.messages if preset is None else (*settings.messages, *preset.messages)
    return Mapper(
        rules,
        ids=settings.call_id or (preset.call_id if preset is not None else ()),
        names=settings.call_name or (preset.call_name if preset is not None else ()),
        channel=channel,
        home=settings.url,
    )


def scheme_of(preset: object) -> str | Mapping[str, Any] | None:
    """How the system called *preset* signs; None where it says none, or is none."""
    try:
        return load(preset).scheme if isinstance(preset, str) else None
    except ConfigurationError:  # which is told where the preset is looked at
        return None


def flaw(settings: Settings) -> str | None:
    """Where two calls could not be told from one that is repeated, if the scheme knows no id; None where they can."""
    if settings.call_id or (settings.preset is not None and load(settings.preset).call_id):
        return None
    if not settings.messages:
        return None
    for index, rule in enumerate(settings.messages):
        if not rule.id and rule.kind != "ignored":
            return f"messages[{index}] has no id"
    has_all = any(not rule.when and rule.each is None for rule in settings.messages)
    return None if has_all else "what no rule maps has no id"
