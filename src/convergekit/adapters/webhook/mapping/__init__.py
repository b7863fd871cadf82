"""Webhooks of whatever system, as messages and events: by rules, which are settings, or by a preset, which has them.

The words of a rule are told in `rules`; `mapper` makes events of calls; `presets` holds the systems that are known by
name. All of it is pure.
"""

from __future__ import annotations

from .mapper import (
    Mapper,
)
from .mapping import (
    mapper_of,
    scheme_of,
    without_id,
)
from .presets import (
    Preset,
    load,
    names,
)
from .rules import (
    Ids,
    Rule,
    Templates,
)

__all__ = [
    "Ids",
    "Mapper",
    "Preset",
    "Rule",
    "Templates",
    "load",
    "mapper_of",
    "names",
    "scheme_of",
    "without_id",
]
