"""The way in by which X tells us at once: a webhook that is kept in order, a stream, or none."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from convergekit.abc import Clock, Request
from convergekit.errors import SignatureError
from convergekit.http.signatures import SignatureScheme
from convergekit.model import Event

from .. import reading
from ..arrivals import Arrivals
from ..session import Session
from .pulse import NOT_BEGUN, Pulse
from .stream import Stream
from .upkeep import Upkeep

__all__ = ["Activity", "Refusals"]

_SIGNATURE: Final = "x-twitter-webhooks-signature"
#: Seconds between two warnings.
_SELDOM: Final = 600.0


class Activity:
    """What X tells by itself, for one open account.

    Args:
        session: The account.
        arrivals: What becomes of what comes.
        pulse: Learns how it is.
    """

    def __init__(self, session: Session, arrivals: Arrivals, pulse: Pulse) -> None:
        self._session, self._arrivals, self._pulse = session, arrivals, pulse
        config = session.config
        self._upkeep = Upkeep(session, pulse) if config.activity == "webhook" and config.manage_webhook else None
        self._stream = Stream(session, arrivals, pulse) if config.activity == "stream" else None

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """See `Listens.listen`; it returns where there is nothing to listen to."""
        if self._upkeep is None and self._stream is None:
            if self._session.config.activity == "webhook" and self._pulse.trouble == NOT_BEGUN:
                self._pulse.down("it has not called yet")
            return task_status.started()
        self._pulse.down(NOT_BEGUN)  # another worker may have listened meanwhile
        if self._upkeep is not None:
            await self._upkeep.keep(task_status)
        elif self._stream is not None:
            await self._stream.read(task_status)

    async def parse(self, request: Request) -> Sequence[Event]:
        """What a call of X' tells.

        Raises:
            InvalidInputError: It is no JSON object.
        """
        now = self._session.context.clock.now()
        durable = await self._arrivals.told(reading.activity(request.body, own=self._session.own, now=now))
        if self._upkeep is None and self._session.config.activity == "webhook":
            self._pulse.up()  # nobody looks after it here: that X calls is all that we know of it
        await self._pulse.heard(durable)
        return durable

    @property
    def health(self) -> str | None:
        """How it is, in words; None where there is none, and where nobody listens here."""
        if self._session.config.activity == "none" or self._pulse.trouble == NOT_BEGUN:
            return None
        refused = next((each.subscriptions.refused for each in (self._upkeep, self._stream) if each is not None), {})
        state = "tells us at once" if self._pulse.is_alive else f"does not tell us at once: {self._pulse.trouble}"
        return f"X {state}" + (f"; not of {', '.join(sorted(refused))}" if refused else "")


class Refusals:
    """Calls whose signature does not fit, told now and then: anybody may make them, and each is refused.

    Who is not known writes nothing into the ledger, so it is no event.

    Args:
        scheme: How X signs.
        clock: Time.
        log: The channel's.
    """

    def __init__(self, scheme: SignatureScheme, clock: Clock, log: logging.Logger) -> None:
        self._scheme, self._clock, self._log = scheme, clock, log
        self._count, self._told = 0, -_SELDOM

    def verify(self, request: Request) -> None:
        """Check that X has signed the raw bytes.

        Raises:
            SignatureError: The call is not X' own.
        """
        try:
            self._scheme.verify(request, self._clock.now())
        except SignatureError:
            self._note(is_signed=_SIGNATURE in request.headers)
            raise

    def _note(self, *, is_signed: bool) -> None:
        self._count += is_signed
        now = self._clock.monotonic()
        if is_signed and now - self._told >= _SELDOM:
            self._log.warning(
                "%d calls have a signature that does not fit; if they are X' own, consumer_secrets is not what the "
                "app has now",
                self._count,
            )
            self._count, self._told = 0, now
