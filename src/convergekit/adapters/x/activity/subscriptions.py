"""What X is asked to tell us of: one subscription for each kind of event, of our own account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from convergekit.errors import RejectedError

from ..auth import Auth
from ..budgets import Priority
from ..config import XConfig
from ..reading.values import mapping
from ..session import Session
from ..snowflakes import read_id
from .asking import App

__all__ = ["TAG", "Subscriptions", "kinds", "rows"]

#: How subscriptions are marked that are ours to change.
TAG: Final = "convergekit"

_ROUTE: Final = "/2/activity/subscriptions"
#: A mention is told only for an @ in the text, and a reply only to one of our posts: so both.
_PUBLIC: Final = ("post.mention.create", "post.reply.create", "post.quote.create", "post.delete")
_PRIVATE: Final = ("dm.received", "dm.read", "dm.indicate_typing", "chat.received")
_ALWAYS: Final = ("oauth.revoke",)
#: What X has refused is asked for again after so long.
_AGAIN: Final = timedelta(days=1)
#: Pages of subscriptions, of 100: an app has 1,500 at most.
_PAGES: Final = 20


def kinds(config: XConfig) -> tuple[str, ...]:
    """What we want to be told."""
    public = _PUBLIC if config.mentions else ()
    private = _PRIVATE if config.direct_messages else ()
    return (*public, *private, *_ALWAYS)


@dataclass(frozen=True, slots=True)
class _Subscription:
    id: str
    webhook: str | None
    is_ours: bool


class Subscriptions:
    """Those of one account.

    Args:
        session: The account.

    Attributes:
        refused: What X does not tell us, and why.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._app = App(session)
        # By the account itself: of what is private, the app may not let itself be told.
        # QUIRK(X): it is subscribed to by OAuth 1.0a, where the settings have that, too.
        auth = Auth.by_oauth1(session.config, session.context)
        self._user = session.client.acting(priority=Priority.BACKGROUND, auth=auth)
        self.refused: dict[str, str] = {}
        self._refused_at: dict[str, datetime] = {}

    async def mend(self, webhook: str | None) -> None:
        """Let there be one for each kind, which tells it to *webhook*; None for the stream.

        Raises:
            DeliveryError: X could not be asked.
        """
        found = await self._found()
        for kind in kinds(self._session.config):
            there = found.get(kind, [])
            if any(webhook is None or each.webhook == webhook for each in there) or self._was_refused(kind):
                continue
            ours = next((each for each in there if each.is_ours), None)
            try:
                await self._mended(kind, webhook, ours)
            except RejectedError as error:
                self._refuse(kind, error)
            else:
                self.refused.pop(kind, None)

    async def _mended(self, kind: str, webhook: str | None, ours: _Subscription | None) -> None:
        where = {} if webhook is None else {"webhook_id": webhook}
        if ours is not None:
            await self._app.request("PUT", f"{_ROUTE}/{ours.id}", json={"tag": TAG, **where})
            return
        about = {"event_type": kind, "filter": {"user_id": self._session.own}, "tag": TAG, **where}
        await self._user.request("POST", _ROUTE, json=about)

    async def _found(self) -> Mapping[str, list[_Subscription]]:
        """By kind, those of our account; others' are none of our business."""
        found: dict[str, list[_Subscription]] = {}
        token: str | None = None
        for _ in range(_PAGES):
            params = {"max_results": 100} if token is None else {"max_results": 100, "pagination_token": token}
            answer = await self._app.request("GET", _ROUTE, params=params)
            for row in rows(answer):
                kind, id = row.get("event_type"), read_id(row.get("subscription_id"))
                is_own = read_id(mapping(row.get("filter")).get("user_id")) == self._session.own
                if isinstance(kind, str) and is_own and id is not None:
                    subscription = _Subscription(id, read_id(row.get("webhook_id")), row.get("tag") == TAG)
                    found.setdefault(kind, []).append(subscription)
            following = mapping(answer.get("meta")).get("next_token")
            if not isinstance(following, str) or following == token:
                break
            token = following
        return found

    def _was_refused(self, kind: str) -> bool:
        at = self._refused_at.get(kind)
        return at is not None and self._session.context.clock.now() - at < _AGAIN

    def _refuse(self, kind: str, error: RejectedError) -> None:
        self._refused_at[kind] = self._session.context.clock.now()
        if kind not in self.refused:
            config = self._session.config
            hint = "; oauth1 beside oauth2 may help" if config.oauth1 is None and kind in _PRIVATE else ""
            self._session.context.log.warning("X does not tell us of %s: %s%s", kind, error.reason, hint)
        self.refused[kind] = error.reason


def rows(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects in *answer*. X' pages differ: a list at "data", one at "data" or below it, or the answer itself."""
    data = answer.get("data", answer)
    for row in data if isinstance(data, list) else [data]:
        if found := mapping(row):
            yield mapping(found.get("subscription")) or found
