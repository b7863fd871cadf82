"""From what a caller wants to dispatches that can be stored: blobs, contacts, consents, routes, gates, rendering."""

from __future__ import annotations

from dataclasses import dataclass

from convergekit.model import (
    Address,
    Contact,
    ConversationRef,
    Dispatch,
    Event,
)

__all__ = ["Origin", "Planner", "Recipient", "Submission"]
Recipient = Address | Contact | ConversationRef


@dataclass(frozen=True, slots=True)
class Origin:
    event: Event


@dataclass(frozen=True, slots=True)
class Submission:
    dispatch: Dispatch


class Planner:
    def __init__(self, store, clock, ids, channels, *, gates, contacts, consents):
        self.contacts = contacts
        self.consents = consents

    async def consented(self, event): ...
    async def recheck(self, dispatch, delivery):
        return None

    async def counted(self, submissions, stored): ...
    async def submissions(self, *a, **k):
        raise NotImplementedError
