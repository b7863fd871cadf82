"""The far side of a gateway, played from its profile: for the contract and for `convergekit verify sms`."""

from __future__ import annotations

from .subject import SmsSubject

__all__ = ["SmsSubject"]
