"""What comes in: a message becomes events. Pure; whatever it is given, it does not raise.

Presence and roster pushes are read elsewhere (`stanzas.presence`, `stanzas.roster`).
"""

from __future__ import annotations

from .facts import Archived, Facts, Occupant, Reading, RoomFacts
from .reader import read

__all__ = ["Archived", "Facts", "Occupant", "Reading", "RoomFacts", "read"]
