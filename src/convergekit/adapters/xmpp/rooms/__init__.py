"""The rooms that we are in (XEP-0045): going in, staying in, and what owners and moderators do there."""

from __future__ import annotations

from .admin import Affiliation, Role, RoomAdmin
from .room import Room
from .rooms import Rooms

__all__ = ["Affiliation", "Role", "Room", "RoomAdmin", "Rooms"]
