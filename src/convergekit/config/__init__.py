"""From TOML, the environment, DSNs and code to typed channel settings; and which adapters there are."""

from __future__ import annotations

from .channel import (
    ChannelSettings,
    channel_settings,
)
from .discovery import (
    AdapterEntry,
    EntryPoints,
    adapter_class,
    adapter_entries,
)
from .schema import (
    json_schema,
)
from .settings import (
    Settings,
    load,
    load_store,
)
from .store import (
    StoreSettings,
)

__all__ = [
    "AdapterEntry",
    "ChannelSettings",
    "EntryPoints",
    "Settings",
    "StoreSettings",
    "adapter_class",
    "adapter_entries",
    "channel_settings",
    "json_schema",
    "load",
    "load_store",
]
