"""The way out, for one open account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from convergekit.abc import Health, Outgoing, Reconciliation
from convergekit.errors import NotSentError
from convergekit.model import Address, Attachment, Receipt

from ..session import Session
from .permission import Permission

__all__ = ["Outbound"]


class Outbound:
    """Posts, answers, writes and deletes.

    Args:
        session: The account, open.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def send(self, out: Outgoing) -> Receipt:
        """See `XAdapter.send`."""
        raise NotSentError("not there yet")

    async def retract(self, out: Outgoing) -> Receipt:
        """See `XAdapter.retract`."""
        raise NotSentError("not there yet")

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        """See `XAdapter.reconcile`."""
        raise NotSentError("not there yet")

    async def find(self, name: str) -> Address:
        """See `XAdapter.find`."""
        raise NotSentError("not there yet")

    def fetch(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `XAdapter.fetch`."""
        raise NotSentError("not there yet")

    async def can_reply(self, post: str) -> Permission:
        """See `XAdapter.can_reply`."""
        raise NotSentError("not there yet")

    async def can_dm(self, who: Address) -> Permission:
        """See `XAdapter.can_dm`."""
        raise NotSentError("not there yet")

    async def check(self) -> Health:
        """See `XAdapter.check`."""
        raise NotSentError("not there yet")
