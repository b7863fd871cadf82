"""The far side of an X channel, for the contract and `convergekit verify`."""

from __future__ import annotations

from .subject import PublicXSubject, XSubject

__all__ = ["PublicXSubject", "XSubject"]
