"""SMS and its relatives, over HTTP gateways that are described by data."""

from __future__ import annotations

from .adapter import SmsAdapter
from .config import SmsConfig
from .details import Sms
from .profile import Profile

__all__ = ["Profile", "Sms", "SmsAdapter", "SmsConfig"]
