"""The three ways in. An adapter implements any of them, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from convergekit.model import Event

from .context import Admission
from .http import Request, Response

__all__ = ["Listens", "Polled", "Polls", "ReceivesWebhooks"]


@runtime_checkable
class Listens(Protocol):
    """Push: a connection on which the medium speaks (IMAP IDLE, XMPP, an LMTP listener)."""

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Admit what comes in, in order, until cancelled; call `task_status.started()` once connected.

        Acknowledge to the medium only after `context.admit` returned. Raising means "start me again": the engine
        waits with exponential back-off, full jitter and a cap. An `AccountError` stops it until a person acts.
        Returning means that there is nothing more to hear, ever.
        """
        ...


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll found.

    Args:
        events: In order.
        cursor: JSON-able; where the next poll goes on. Stored together with the events.
        more: Whether there is more to fetch at once.
        wait: Seconds before the next poll where the medium asks for that, or None for the adapter's interval.
    """

    events: Sequence[Event] = ()
    cursor: Any = None
    more: bool = False
    wait: float | None = None


@runtime_checkable
class Polls(Protocol):
    """Pull: the engine owns the schedule, the cursor and the admission.

    Attributes:
        feeds: Names of what is polled, each with a cursor of its own; none where the settings leave nothing to poll.
        poll_interval: Seconds between polls of one feed.
    """

    feeds: Sequence[str]
    poll_interval: float

    async def poll(self, feed: str, cursor: Any) -> Polled:
        """Fetch what came since *cursor* (None at first). Raises as `Adapter.send` does."""
        ...


@runtime_checkable
class ReceivesWebhooks(Protocol):
    """The medium calls us. The order is fixed: `challenge`, `verify`, `parse`, admission, `reply`.

    It calls by POST. An adapter whose medium also reports by GET says so with an attribute `webhook_methods`, a set of
    {"POST", "GET"}.
    """

    def challenge(self, request: Request) -> Response | None:
        """Answer a probe (X's CRC, `hub.challenge`), which comes before verification; None when it is none."""
        ...

    async def verify(self, request: Request) -> None:
        """Prove that *request* is genuine, from its raw bytes; raise `SignatureError` and nothing else."""
        ...

    def parse(self, request: Request) -> Sequence[Event] | Awaitable[Sequence[Event]]:
        """Translate; only ever called for a verified request. Nothing of interest is an empty sequence.

        Mostly it is a plain function. It is a coroutine where it has to ask what it stored: parts of one message that
        come in several calls.

        Raises:
            InvalidInputError: It makes no sense; answered with 400, an `UnsupportedMediaTypeError` with 415.
        """
        ...

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        """What the medium is told once the events are safe; a duplicate is told the same."""
        ...
