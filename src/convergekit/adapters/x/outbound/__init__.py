"""What goes out: posts, direct messages, media, and what became of them."""

from __future__ import annotations

from .outbound import Outbound
from .permission import Permission

__all__ = ["Outbound", "Permission"]
