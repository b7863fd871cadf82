"""Archives (XEP-0313), our own and those of rooms: read up to now after each connect, and looked back into."""

from __future__ import annotations

from .archive import Archives, Page
from .catchup import CatchUp
from .history import History
from .place import Place, Places

__all__ = ["Archives", "CatchUp", "History", "Page", "Place", "Places"]
