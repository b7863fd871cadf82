"""The stream of activity: lines of JSON on a connection that X keeps open.

Rules kept here:

- Whatever ends it, is told: this returns never, and raises for the engine to start it again with back-off. X allows 50
  connections in 15 minutes, so there are fewer, even where each of them is accepted and closed at once.
- A line is gone once it is read. So what was read is admitted before the next is, and where that fails, or the
  connection does, polls are due at once; what polls do not bring is a gap.
- X says something every 20 seconds, if only a blank line; who hears nothing for a minute has lost the connection.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from convergekit.errors import AuthenticationError, DeliveryError, NotSentError, ThrottledError
from convergekit.model import Event

from .. import reading
from ..arrivals import Arrivals
from ..budgets import Priority, Ticket
from ..reading.items import unreadable
from ..session import Session
from .asking import App
from .coverage import Coverage
from .lines import Lines
from .pulse import Pulse
from .subscriptions import Subscriptions

__all__ = ["Stream"]

_ROUTE: Final = "/2/activity/stream"
#: Connections in so many seconds: X allows 50.
_CONNECTIONS: Final = 45
_WINDOW: Final = 900.0
_LONGEST: Final = 1_048_576
#: Seconds for which it has to hold before it is believed, and between two notes that it does.
_HOLDS: Final = 30.0
_INTERVAL: Final = 600.0
_FIRST_PAUSE: Final = 60.0


class Stream:
    """Reads the stream of one account.

    Args:
        session: The account.
        arrivals: What becomes of what comes.
        pulse: Learns how it is.
        silence: Seconds without a byte after which the connection is lost.
    """

    def __init__(self, session: Session, arrivals: Arrivals, pulse: Pulse, *, silence: float = 60.0) -> None:
        self._session, self._context = session, session.context
        self._arrivals, self._pulse, self._silence = arrivals, pulse, silence
        self._app = App(session)
        self._client = session.client.acting(identity="app")
        self.subscriptions = Subscriptions(session)
        self._coverage = Coverage(self._context)
        self._connected: deque[float] = deque(maxlen=_CONNECTIONS)

    async def read(self, task_status: TaskStatus[None]) -> None:
        """Read until it ends.

        Raises:
            DeliveryError: It has ended, or there is no connection; start it again.
            StoreError: The ledger failed.
        """
        await self._coverage.open()
        try:
            await self._paced()
            await self.subscriptions.mend(None)
            await self._while_connected(task_status)
        except AuthenticationError as error:
            self._pulse.down(error.reason)
            raise self._app.refused(error) from error
        except DeliveryError as error:
            self._pulse.down(error.reason)
            raise
        except Exception as error:
            self._pulse.down(type(error).__name__)
            raise

    async def _paced(self) -> None:
        clock = self._context.clock
        if len(self._connected) == _CONNECTIONS:
            await clock.sleep(self._connected[0] + _WINDOW - clock.monotonic())
        self._connected.append(clock.monotonic())

    # The connection

    async def _while_connected(self, task_status: TaskStatus[None]) -> None:
        url, authorization = await self._client.signed("GET", _ROUTE)
        ticket: Ticket | None = await self._session.budgets.before(
            "GET", _ROUTE, priority=Priority.BACKGROUND, identity="app"
        )
        try:
            headers = {"authorization": authorization}
            async with self._context.http.download(url, headers=headers, timeout=math.inf) as chunks:
                await self._settled(ticket, 200)
                ticket = None
                self._pulse.up()
                task_status.started()
                await self._heard(chunks)
        except DeliveryError as error:
            if ticket is None:
                raise
            status = int(error.code) if error.code is not None and error.code.isdecimal() else None
            told, ticket = ticket, None
            await self._refused(told, status, error)
        finally:
            if ticket is not None:  # cancelled
                await self._settled(ticket, None)

    async def _settled(self, ticket: Ticket | None, status: int | None) -> float:
        return 0.0 if ticket is None else await self._session.budgets.after(ticket, status=status)

    async def _refused(self, ticket: Ticket, status: int | None, error: DeliveryError) -> None:
        seconds = await self._settled(ticket, status)
        if isinstance(error, ThrottledError):
            # What X says about its limit stands in headers that nobody hands us here.
            seconds = max(seconds, error.retry_after, _FIRST_PAUSE)
            raise ThrottledError(error.reason, retry_after=seconds, code=error.code) from error
        raise error

    async def _heard(self, chunks: AsyncIterator[bytes]) -> None:
        lines, clock = Lines(_LONGEST), self._context.clock
        began = noted = clock.monotonic()
        while True:
            await self._taken(lines, await self._next(chunks))
            now = clock.monotonic()
            if now - began >= _HOLDS and (noted == began or now - noted >= _INTERVAL):
                noted = now
                await self._coverage.good(None)
            self._coverage.told()

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes:
        with anyio.move_on_after(self._silence):
            async for chunk in chunks:
                return chunk
            raise self._ended("X has ended the stream")
        raise self._ended(f"nothing came for {self._silence:g} s")

    def _ended(self, reason: str) -> NotSentError:
        return NotSentError(reason, channel=self._context.channel)

    # What it says

    async def _taken(self, lines: Lines, chunk: bytes) -> None:
        before = lines.too_long
        events = [event for line in lines.feed(chunk) for event in self._events(line)]
        if lines.too_long > before:
            self._context.log.warning("a line of the stream is longer than %d bytes, and was left out", _LONGEST)
        if not events:
            return
        durable = await self._arrivals.told(events)
        if durable:
            await self._context.admit(*durable)
        await self._pulse.heard(durable)

    def _events(self, line: bytes) -> Iterator[Event]:
        try:
            if b'"data"' not in line and self._is_notice(json.loads(line)):
                return
            yield from reading.activity(line, own=self._session.own, now=self._context.clock.now())
        except (ValueError, RecursionError):  # InvalidInputError is one
            yield unreadable(line.decode("utf-8", "replace"))

    def _is_notice(self, told: Any) -> bool:
        """Whether X speaks about the stream itself, such as why it ends."""
        errors = told.get("errors") if isinstance(told, dict) else None
        if not isinstance(errors, list):
            return False
        titles = [str(each.get("title"))[:80] for each in errors[:5] if isinstance(each, dict)]
        self._context.log.warning("the stream says: %s", ascii(", ".join(titles)))
        return True
