"""The far side of an email channel, for the contract and `convergekit verify`: a submission server and a mailbox."""

from __future__ import annotations

from .subject import EmailSubject

__all__ = ["EmailSubject"]
