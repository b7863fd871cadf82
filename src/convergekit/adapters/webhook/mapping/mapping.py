"""From a channel's settings to what reads its calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from convergekit.errors import ConfigurationError

from .mapper import Mapper
from .presets import Preset, load

if TYPE_CHECKING:
    from ..config import WebhookConfig

__all__ = ["mapper_of", "scheme_of", "without_id"]

#: Of what no system is known by name: nothing.
_NO_PRESET: Final = Preset(title="")


def mapper_of(config: WebhookConfig, *, channel: str) -> Mapper | None:
    """What reads the calls of the channel called *channel*; None where they are read as our own documents.

    Raises:
        ConfigurationError: There is no such preset.
    """
    if config.preset is None and not config.messages:
        return None
    preset = _preset_of(config)
    return Mapper(
        (*config.messages, *preset.messages),
        ids=config.call_id or preset.call_id,
        names=config.call_name or preset.call_name,
        channel=channel,
        home=config.url,
    )


def scheme_of(preset: object) -> str | Mapping[str, Any] | None:
    """How the system called *preset* signs; None where it says none, or is none."""
    try:
        return load(preset).scheme if isinstance(preset, str) else None
    except ConfigurationError:  # which is told where the preset is looked at
        return None


def without_id(config: WebhookConfig) -> str | None:
    """What could not be told from its repeat, were the scheme to know no id; None where all can."""
    if config.call_id or _preset_of(config).call_id or not config.messages:
        return None
    for index, rule in enumerate(config.messages):
        if not rule.id and rule.kind != "ignored":
            return f"messages[{index}] has no id"
    has_all = any(not rule.when and rule.each is None for rule in config.messages)
    return None if has_all else "what no rule maps has no id"


def _preset_of(config: WebhookConfig) -> Preset:
    return _NO_PRESET if config.preset is None else load(config.preset)
