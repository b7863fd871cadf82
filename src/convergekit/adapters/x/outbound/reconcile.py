"""What became of an attempt whose answer is lost: looked up among what the account has posted, or written to them.

Nothing but the text, the place and the time tells it: X has no key for a repeat. So what is known to be another
message's is no answer, and what is not there yet is not taken to be missing before X has had a minute to show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from convergekit.abc import Outgoing, Reconciliation
from convergekit.errors import InvalidInputError, NotSentError, ThrottledError
from convergekit.http import parse_http_date

from ..addresses import Destination, DestinationKind
from ..budgets import Priority
from ..memory import Bounded
from ..reading.names import direct_fields, fields, renamed
from ..reading.values import mapping, next_token, sequence
from ..session import Session
from ..snowflakes import first_id, moment_of, read_id
from .said import Said
from .sameness import digest, is_like, is_same, shown_text

__all__ = ["Lookup", "digest_of"]

#: By how much our clock and X' may differ, unless an answer tells that they differ by more.
_SKEW: Final = timedelta(minutes=2)
#: No clock goes further ahead.
_WRONG: Final = timedelta(days=3650)
#: How far back it is looked for where our clock was put back since, so that nobody knows when it was attempted.
_PUT_BACK: Final = timedelta(days=1)
#: A timeline may show a post only so long after it was made.
_LAG: Final = 60.0
_PAGES: Final = 8


class Lookup:
    """Finds what was sent.

    Args:
        session: The account, open.
        said: Which post is whose.
    """

    def __init__(self, session: Session, said: Said) -> None:
        self._session = session
        self._said = said
        self._attempts: Bounded[float] = Bounded()  # by what counts seconds: the time of day may be put forward
        self._repeats: Bounded[bool] = Bounded()

    def attempted(self, out: Outgoing) -> None:
        """An attempt at *out* begins now."""
        self._attempts.put(out.key, self._session.context.clock.monotonic())

    def repeated(self, out: Outgoing) -> None:
        """X has *out* already, or something that is like it: it will not be said that it does not."""
        self._repeats.put(out.key, True)

    async def became(self, out: Outgoing, to: Destination) -> str | Reconciliation:
        """The id of what was sent.

        Raises:
            ThrottledError: It may still show up: to be asked again then.
            DeliveryError: X could not be asked.
        """
        now = self._session.context.clock.monotonic()
        # Whoever attempted it may have been another process, or an earlier life of this one: then just now.
        attempt = self._attempts.get(out.key)
        if attempt is None:
            self._attempts.put(out.key, attempt := now)
        found = await self.find(out, to)
        if found is not Reconciliation.NOT_TAKEN:
            return found
        if (left := attempt + _LAG - now) > 0:  # each look is paid for, and of directs there are few
            reason = "X may not show it yet: it is asked again"
            raise ThrottledError(reason, retry_after=left, channel=self._session.context.channel)
        return Reconciliation.DONT_KNOW if self._repeats.get(out.key) else found

    async def find(self, out: Outgoing, to: Destination) -> str | Reconciliation:
        """The id of what was sent; NOT_TAKEN where nothing such is there now, DONT_KNOW where there is too much."""
        now = self._session.context.clock.now()
        since = (out.first_attempt_at or now) - _SKEW
        since = since if since <= now else now - _PUT_BACK
        whose = await self._said.of(digest_of(out, to))
        found: str | None = None
        asked = self._timeline(since) if to.kind is DestinationKind.POST else self._written(to)
        token: str | None = None
        for number in range(_PAGES):
            answer = await self._page(*asked, token)
            if number == 0 and (ahead := _ahead(answer, now)) > _SKEW:  # X' ids are told by its clock
                since -= ahead
                if to.kind is DestinationKind.POST:
                    asked = self._timeline(since)
                    continue
            items = self._items(answer)
            for item in items:  # the newest first; of several it is the oldest, for we came to look because of it
                id, shown = read_id(item.get("id")), shown_text(item)
                if id is not None and whose.get(id, self._said.here(id)) not in (None, out.key):
                    continue
                if not self._is_there(item, to, since):
                    continue
                if id is not None and is_same(out.text, shown):
                    found = id
                elif is_like(out.text, shown):
                    self.repeated(out)
            token = self._next(answer)
            if token is None or any(_is_before(item, since) for item in items):
                return found or Reconciliation.NOT_TAKEN
        return found or Reconciliation.DONT_KNOW

    def _items(self, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What is on a page. An answer that is none, or says that it does not show all, is no empty one."""
        is_empty = isinstance(answer.get("meta"), Mapping) and not answer.get("errors")
        data = answer.get("data", [] if is_empty else None)
        if not isinstance(data, list):
            raise NotSentError("X does not show what was sent", channel=self._session.context.channel)
        return [mapping(each) for each in data]

    def _next(self, answer: Mapping[str, Any]) -> str | None:
        try:
            return next_token(answer)
        except InvalidInputError as error:
            raise NotSentError(str(error), channel=self._session.context.channel) from error

    async def _page(self, route: str, params: Mapping[str, Any], token: str | None) -> Mapping[str, Any]:
        client = self._session.client.acting(priority=Priority.NORMAL)
        more = {} if token is None else {"pagination_token": token}
        return await client.request("GET", route, params={**params, **more})

    def _timeline(self, since: datetime) -> tuple[str, Mapping[str, Any]]:
        names = self._session.config.names
        asked = {f"{names}.fields": fields(names)[f"{names}.fields"], "since_id": first_id(since), "max_results": 100}
        if names == "post":  # there it is no field any more
            asked["expansions"] = "referenced_posts"
        return f"/2/users/{self._session.own}/tweets", asked

    def _written(self, to: Destination) -> tuple[str, Mapping[str, Any]]:
        name = "dm_event.fields"
        asked = {name: direct_fields(self._session.config.names)[name], "event_types": "MessageCreate"}
        with_whom = f"with/{to.id}" if to.kind is DestinationKind.DIRECT else to.id
        return f"/2/dm_conversations/{with_whom}/dm_events", {**asked, "max_results": 100}

    def _is_there(self, item: Mapping[str, Any], to: Destination, since: datetime) -> bool:
        if _is_before(item, since):
            return False
        if to.kind is not DestinationKind.POST:
            return read_id(item.get("sender_id")) == self._session.own
        if to.parent is None and to.thread is not None:  # it answers the newest of that thread then, whichever it was
            return read_id(item.get("conversation_id")) == to.thread
        return _parent(item) == to.parent


def digest_of(out: Outgoing, to: Destination) -> str:
    """Stands for what is said by *out*, and to whom; of posts, that it is one."""
    return digest(out.text, to.kind.value if to.kind is DestinationKind.POST else f"{to.kind.value} {to.id}")


def _parent(item: Mapping[str, Any]) -> str | None:
    referenced = map(mapping, sequence(renamed(item).get("referenced_posts")))
    return next((read_id(each.get("id")) for each in referenced if each.get("type") == "replied_to"), None)


def _is_before(item: Mapping[str, Any], since: datetime) -> bool:
    """By its id, which tells when it was given out."""
    id = read_id(item.get("id"))
    at = None if id is None else moment_of(id)
    return at is not None and at < since


def _ahead(answer: Mapping[str, Any], now: datetime) -> timedelta:
    """By how much our clock goes ahead of X', as an answer of now tells."""
    at = parse_http_date(getattr(answer, "date", None))
    return timedelta(0) if at is None else min(now - at, _WRONG)
