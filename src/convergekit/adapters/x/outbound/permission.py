"""Whether we may write there, known before it is tried.

Since 2026-02-23 self-serve accounts may answer only whoever mentions or quotes them; and people choose from whom they
take direct messages. What reading has found is believed; else X is asked, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from convergekit.errors import DeliveryError, InvalidInputError, NotPermittedError, NotSentError

from .. import reading
from ..addresses import user
from ..budgets import Priority
from ..memory import Known
from ..reading.values import mapping
from ..session import Session
from ..snowflakes import read_id

__all__ = ["Permission", "Permissions"]

_RULE: Final = "X lets this account answer only who mentions or quotes it, and that post does neither"
_IF_THEY_LET_US: Final = "a direct message, once they have written one"
_IN_PUBLIC: Final = "an answer in public, to a post that mentions or quotes the account"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the account may write there. True and false as `ok` is.

    Args:
        ok: Whether it may.
        reason: Why, in words.
        alternative: Where it may not, the way that is open: an address, or words; or None.
        code: Where it may not, a name for why: "not-summoned", "not-found", "dm-closed".
    """

    ok: bool
    reason: str
    alternative: str | None = None
    code: str | None = None

    def __bool__(self) -> bool:
        return self.ok


class Permissions:
    """Asks memory, then X.

    Args:
        session: The account, open.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def to_answer(self, post: str, priority: Priority = Priority.NORMAL) -> Permission:
        """Whether *post* may be answered in public."""
        if self._session.config.replies == "any":
            return Permission(True, "replies = any: X itself will say")
        known = self._session.memory.known(post) or await self._looked_up(post, priority)
        if known is None:
            return Permission(
                False, "X does not show that post: it is deleted, or not for this account", code="not-found"
            )
        if known.summoned:
            return Permission(True, "it mentions or quotes the account, or is its own")
        return Permission(False, _RULE, await self.instead(known.author), "not-summoned")

    async def to_write(self, who: str, priority: Priority = Priority.NORMAL) -> Permission:
        """Whether the account with the id *who* takes direct messages of ours."""
        if self._session.memory.writes(who):
            return Permission(True, "they have written to the account")
        client = self._session.client.acting(priority=priority)
        answer = await client.request("GET", f"/2/users/{who}", params={"user.fields": "receives_your_dm"})
        data = mapping(answer.get("data"))
        if not data:
            return Permission(False, "X does not show that account: it is gone, or suspended", code="not-found")
        if data.get("receives_your_dm") is False:
            return Permission(False, "they take no direct messages of this account", _IN_PUBLIC, "dm-closed")
        is_said = data.get("receives_your_dm") is True
        return Permission(True, "they take direct messages" if is_said else "X does not say before it is tried")

    async def instead(self, author: str | None) -> str | None:
        """The way that is open to *author*, whom we may not answer in public: an address, or words."""
        if author is None:
            return None
        try:
            may = await self.to_write(author)
        except DeliveryError:  # the refusal stands, whether or not X can be asked now
            may = Permission(False, "it is not known")
        return user(author).uri if may else _IF_THEY_LET_US

    async def demand(self, post: str, priority: Priority) -> None:
        """Raise `NotPermittedError` where *post* may not be answered."""
        permission = await self.to_answer(post, priority)
        if not permission:
            raise NotPermittedError(
                permission.reason,
                alternative=permission.alternative,
                code=permission.code,
                channel=self._session.context.channel,
            )

    async def _looked_up(self, post: str, priority: Priority) -> Known | None:
        """What X says of *post*, read as if it had come in; None where it shows no such post."""
        session = self._session
        client = session.client.acting(priority=priority)
        answer = await client.request("GET", f"/2/tweets/{post}", params=reading.fields(session.config.names))
        data = mapping(answer.get("data"))
        if not data:
            return None
        if read_id(data.get("author_id")) == session.own:
            session.memory.posted(post, read_id(data.get("conversation_id")), session.own, summoned=True)
        else:
            try:
                session.memory.heard(reading.posts(answer, own=session.own, now=session.context.clock.now()))
            except InvalidInputError as error:
                raise NotSentError(f"X' answer cannot be read: {error}", channel=session.context.channel) from error
        return session.memory.known(post)
