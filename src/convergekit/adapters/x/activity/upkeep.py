"""The webhook, kept in order: registered, valid, subscribed to, and what it missed told again.

Rules kept here:

- The channel does not wait for it: the server that X calls may open after the hub. Whatever is wrong, it is tried
  again, and the channel is degraded meanwhile; polling goes on.
- Only a webhook with our own URL is touched. Another one, which an app of self-serve has only one of, is named.
- What was told while nobody could hear it is told again (replay): polls bring mentions and messages, and not what was
  deleted or revoked. Where X does not tell it again, that is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from anyio.abc import TaskStatus

from convergekit.errors import DeliveryError, NotSentError, RejectedError

from ..session import Session
from ..snowflakes import read_id
from .asking import App
from .coverage import Coverage
from .pulse import Pulse
from .subscriptions import Subscriptions, rows

__all__ = ["Upkeep"]

_ROUTE: Final = "/2/webhooks"
#: Seconds between two looks.
_INTERVAL: Final = 600.0
#: Seconds between the first tries: X calls us as soon as it is told to, and the server may still be opening.
_OPENING: Final = (2.0, 5.0, 15.0)
#: Seconds that X gets for calling us, and once more; it wants to be answered within three.
_CALLING: Final = (3.0, 7.0)


class _UnreachableError(NotSentError):
    """X cannot reach us, yet."""


class Upkeep:
    """Looks after the webhook of one channel.

    Args:
        session: The account.
        pulse: Learns what is found.
    """

    def __init__(self, session: Session, pulse: Pulse) -> None:
        self._session, self._context, self._pulse = session, session.context, pulse
        self._channel = session.context.channel
        self._app = App(session)
        self.subscriptions = Subscriptions(session)
        self._coverage = Coverage(self._context)
        self._is_new = True
        self._others: list[str] = []

    async def keep(self, task_status: TaskStatus[None]) -> None:
        """Look after it until cancelled.

        Raises:
            DeliveryError: It is not in order, and the text says why; start it again.
        """
        task_status.started()
        await self._coverage.open()
        while True:
            try:
                webhook = await self._valid()
                await self.subscriptions.mend(webhook)
                await self._in_order(webhook)
            except DeliveryError as error:
                self._pulse.down(error.reason)
                raise
            await self._pulse.rest(_INTERVAL)

    async def _in_order(self, webhook: str) -> None:
        self._is_new = False
        if self._pulse.silent_since is not None:
            self._coverage.lost(self._pulse.silent_since)
        self._pulse.up()

        async def replay(since: datetime, until: datetime) -> None:
            said = {"from_date": f"{since:%Y%m%d%H%M}", "to_date": f"{until:%Y%m%d%H%M}"}
            await self._app.request("POST", f"{_ROUTE}/replay", json={"webhook_id": webhook, **said})

        await self._coverage.good(replay)

    # The webhook

    async def _valid(self) -> str:
        """Its id, once X calls it."""
        for seconds in (*_OPENING, None) if self._is_new else (None,):
            try:
                return await self._reached()
            except _UnreachableError as error:
                if seconds is None:
                    raise
                self._pulse.down(error.reason)
            await self._context.clock.sleep(seconds)
        raise AssertionError

    async def _reached(self) -> str:
        there = await self._ours()
        found = there or await self._registered()
        id = read_id(found.get("id"))
        if id is None:
            raise NotSentError("X' answer names no webhook", channel=self._channel)
        # What X believes is of before we began: the server that it calls may not be open yet.
        if found.get("valid") is False or (self._is_new and there is not None):
            await self._called(id)
        return id

    async def _called(self, id: str) -> None:
        """Let X call us, now, with a challenge."""
        await self._app.request("PUT", f"{_ROUTE}/{id}")
        for seconds in _CALLING:
            await self._context.clock.sleep(seconds)
            again = await self._ours()
            if again is not None and again.get("valid") is not False:
                return
        raise _UnreachableError(
            "X calls webhook_url, and is not answered as it wants: it tells nothing there", channel=self._channel
        )

    async def _ours(self) -> Mapping[str, Any] | None:
        answer = await self._app.request("GET", _ROUTE)
        there = [row for row in rows(answer) if isinstance(row.get("url"), str)]
        self._others = [urlsplit(row["url"]).hostname or "" for row in there if row["url"].rstrip("/") != self._url]
        return next((row for row in there if row["url"].rstrip("/") == self._url), None)

    async def _registered(self) -> Mapping[str, Any]:
        try:
            answer = await self._app.request("POST", _ROUTE, json={"url": self._url})
        except RejectedError as error:
            reason = f"X does not take webhook_url: {error.reason}"
            if self._others:
                elsewhere = f"the app has one at {self._others[0]}, and may have no second: delete that, or use it"
                raise NotSentError(f"{reason}; {elsewhere}", channel=self._channel) from error
            where = f"it is the public URL of the webhook app, with /{self._channel} behind it"
            raise _UnreachableError(f"{reason}; {where}", channel=self._channel) from error
        return next(rows(answer), {})

    @property
    def _url(self) -> str:
        return self._session.config.webhook_url or ""
