"""What comes in: a message becomes events. Pure; whatever it is given, it does not raise."""

from __future__ import annotations

from datetime import datetime
from xml.etree.ElementTree import Element

from .facts import Archived, Facts, Occupant, Reading, RoomFacts

__all__ = ["Archived", "Facts", "Occupant", "Reading", "RoomFacts", "read"]


def read(element: Element, facts: Facts, *, now: datetime, archived: Archived | None = None) -> Reading:
    """What *element*, a <message/> of jabber:client, says.

    Args:
        element: As it came; of an archive's result, what was forwarded.
        facts: What is known around it.
        now: When it came; an archive and a server that kept it say an earlier time.
        archived: Where it was found in an archive that we asked; None for what comes by itself.
    """
    return Reading()
