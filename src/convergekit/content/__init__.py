"""What a channel can carry: content and capabilities to finished parts and a report. Pure functions, cheap to import.

`render` is what the engine calls. `convergekit.content.markdown` and `.html` read and convert, `.split` cuts text,
`.gsm7` knows what text costs in an SMS, `.graphemes` what a reader takes for one character.
"""

from __future__ import annotations

from ._body import Measure
from .graphemes import clusters
from .measure import Unit, length
from .render import Policy, Rendering, render

__all__ = ["Measure", "Policy", "Rendering", "Unit", "clusters", "length", "render"]
