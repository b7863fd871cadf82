"""What a channel can carry: content and capabilities to finished parts and a report. Pure functions, cheap to import.

`render` is what the engine calls. `convergekit.content.markdown` and `.html` read and convert, `.split` cuts text,
`.segmentation` and `.gsm7` know what text takes up as SMS, `.septets` and `.udh` how it is written there,
`.twitter_text` what it weighs on X and what becomes a link there, `.graphemes` what a reader takes for one character.
"""

from __future__ import annotations

from ._body import Measure
from .graphemes import clusters
from .measure import Unit, length
from .render import Policy, Rendering, render
from .segmentation import Segmentation, segmentation, split_segments

__all__ = [
    "Measure",
    "Policy",
    "Rendering",
    "Segmentation",
    "Unit",
    "clusters",
    "length",
    "render",
    "segmentation",
    "split_segments",
]
