"""What the author of an adapter tells the contract: the adapter, its settings, and the far side of the medium."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from convergekit.abc import Adapter
from convergekit.errors import (
    AccountError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.model import Event, Receipt, Status

__all__ = ["ENDINGS", "Call", "Cannot", "Ending", "Fault", "Sample", "Subject", "Untold"]


class Cannot(Exception):
    """The subject cannot play this; the text says why. What needs it is shown as skipped, for that reason."""


class Untold(Cannot):
    """The subject leaves it out: whether the adapter keeps what needs it is not proven."""


class Fault(StrEnum):
    """What the far side does with the next send in place of taking it and saying so."""

    UNREACHABLE = "unreachable"
    """There is no connection: nothing left us."""
    REFUSED = "refused"
    """It refuses this message for good."""
    ACCOUNT = "account"
    """It refuses the account."""
    THROTTLED = "throttled"
    """Not now: in 7 seconds."""
    THROTTLED_DATE = "throttled-date"
    """Not now: at a time, 7 seconds from `Subject.now`."""
    THROTTLED_UNSAID = "throttled-unsaid"
    """Not now, and it does not say when."""
    SERVER_ERROR = "server-error"
    """It failed, and may have taken it."""
    ERROR_PAGE = "error-page"
    """Likewise, with a page of HTML for people."""
    NONSENSE = "nonsense"
    """It takes it, and answers what makes no sense."""
    EMPTY = "empty"
    """It takes it, and answers nothing where something belongs."""
    ANSWER_LOST = "answer-lost"
    """It takes it, and closes the connection before it answers."""
    RESET = "reset"
    """It takes it, and resets the connection."""
    SILENT = "silent"
    """It takes it, and never answers."""


#: How an attempt ends, as the engine tells it.
Ending = type[Receipt] | type[Exception]

#: How an attempt has to end. A medium whose documents say more overrides `Subject.ending`.
ENDINGS: Final[Mapping[Fault, tuple[Ending, ...]]] = {
    Fault.UNREACHABLE: (NotSentError,),
    Fault.REFUSED: (RejectedError,),
    Fault.ACCOUNT: (AccountError,),
    Fault.THROTTLED: (ThrottledError,),
    Fault.THROTTLED_DATE: (ThrottledError,),
    Fault.THROTTLED_UNSAID: (ThrottledError,),
    Fault.SERVER_ERROR: (UncertainError,),
    Fault.ERROR_PAGE: (UncertainError,),
    Fault.NONSENSE: (UncertainError, Receipt),  # a receipt, where the status alone says that it was taken
    Fault.EMPTY: (UncertainError, Receipt),
    Fault.ANSWER_LOST: (UncertainError,),
    Fault.RESET: (UncertainError,),
    Fault.SILENT: (UncertainError,),
}


@dataclass(frozen=True, slots=True)
class Call:
    """What the medium calls us with, unsigned.

    Args:
        body: The body.
        headers: Beside those of the signature.
        path: Behind the channel's own prefix.
        query: Undecoded.
        method: In upper case.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    query: str = ""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded payload, and what it stands for.

    Args:
        name: For the report.
        said: What the medium says, as `Subject.message` gives it.
        events: What it becomes: all fields that are set are compared, and no others.
    """

    name: str
    said: Any
    events: Sequence[Event]


class Subject:
    """One adapter and the far side of its medium; made anew for each check, and played by the author.

    Only the attributes are required. Each method that is left out is something that this subject cannot play: the
    checks that need it are skipped, for the reason that is said. A medium over HTTP starts from `HttpSubject`.

    Attributes:
        adapter: The class.
        settings: Settings that are valid, as in a table of the configuration.
        to: The URI of somebody who can be written to.
        senders: URIs of two people who write to us.
        secret: What signs webhooks: one of `settings`.
        other_secret: Another of the same form, which nobody has.
        statuses: The medium's words for what became of a message, and what they mean; None is no news.
        samples: Recorded payloads, and what they stand for.
        page: How many messages a poll fetches at most: a check feeds one more.
        dsn: What stands for `settings` as a DSN, where the adapter reads such.
        other_settings: Those of another account, for two channels side by side; None for the same with other secrets.
        native: What `Message.native` of this adapter may hold, or None where it takes nothing.
        patience: Real seconds within which the far side does what it is to do; what has not come by then never comes.
        cannot: Ids of rules that cannot be checked here, with the reason.
        now: Tells the time of the check: its clock does not move by itself.
        trouble: What the far side raised by itself, where the adapter got that in place of an answer.
    """

    adapter: ClassVar[type[Adapter[Any]]]
    settings: Mapping[str, Any] = {}
    to: str
    senders: tuple[str, str] | None = None
    secret: str | None = None
    other_secret: str = "another secret, which nobody has"
    statuses: Mapping[str, Status | None] = {}
    samples: Sequence[Sample] = ()
    page: int = 100
    dsn: str | None = None
    other_settings: Mapping[str, Any] | None = None
    native: Mapping[str, Any] | None = None
    patience: float = 3.0
    cannot: Mapping[str, str] = {}
    now: Callable[[], datetime]
    trouble: Exception | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """The far side is there: start a server, stop it. Around everything else."""
        yield

    def parts(self) -> Mapping[str, Any]:
        """What the host would pass to `add_channel` beside the settings: a transport, a medium."""
        return {}

    # What goes out

    def fault(self, fault: Fault) -> None:
        """Do *fault* with the next send."""
        raise Untold(f"this subject cannot play a far side that is {fault.value}")

    def attempted(self) -> None:
        """An attempt has ended: only a far side that does not see by itself that it was not reached has to know."""

    def received(self) -> Sequence[bytes]:
        """What the far side was handed, as it came, one for each message; also where it did not answer.

        What is about a message, an edit for one, counts as a message.
        """
        raise Untold("this subject does not tell what the far side got")

    def identity(self, message: bytes) -> object:
        """By what the medium knows that *message*, one of `received()`, repeats another: its id, its key."""
        raise Untold("this subject does not say by what its medium knows a repeat")

    def text_of(self, message: bytes) -> str:
        """The text of *message*, one of `received()`, as the medium shows it to its reader."""
        raise Untold("this subject does not say what is read where a message arrives")

    def media(self) -> tuple[str, bytes]:
        """The URL under which the medium serves an attachment that came in, and the content that is served."""
        raise Untold("this subject serves nothing")

    def ending(self, fault: Fault) -> tuple[Ending, ...]:
        """How an attempt ends that meets *fault*; to be overridden where the medium's documents say more."""
        return ENDINGS[fault]

    # What comes in

    def message(self, *, id: str, sender: str, text: str) -> Any:
        """What the medium says when *sender*, one of `senders`, writes *text*, and calls it *id*."""
        raise Untold("this subject does not say what a message looks like when it comes in")

    def report(self, *, id: str, word: str) -> Any:
        """What the medium says when the message that it called *id* has come to the status *word*."""
        raise Untold("this subject does not say what a report looks like")

    def echo(self, *, id: str, text: str) -> Any:
        """What the medium says when it hands us back what we wrote ourselves: *text*, which it called *id*."""
        raise Untold("this medium does not hand back what we wrote, or the subject does not say how")

    def nonsense(self) -> Sequence[Any]:
        """What the medium might say that makes no sense, on a connection or in a feed."""
        raise Untold("this subject does not say what makes no sense on this medium")

    async def push(self, said: Any) -> None:
        """Say *said* on the connection on which the adapter listens, behind all that was said before.

        Where there is no connection just now, on the next one.
        """
        raise Untold("this subject cannot say anything on the connection")

    def acknowledged(self) -> int:
        """How much of what was pushed the adapter has acknowledged."""
        raise Untold("this medium knows no acknowledgement, or the subject does not see it")

    async def drop(self) -> None:
        """Drop the connection on which the adapter listens."""
        raise Untold("this subject cannot drop the connection")

    def refuse_login(self) -> None:
        """Refuse the credentials from now on."""
        raise Untold("there is no login, or this subject cannot refuse it")

    async def feed(self, said: Any) -> None:
        """Put *said* where the adapter polls."""
        raise Untold("this subject has no feed")

    def fail_poll(self, fault: Fault) -> None:
        """Do *fault* with the next request that fetches something: a poll."""
        raise Untold(f"this subject cannot play a far side that is {fault.value} when it is polled")

    def call(self, said: Any) -> Call:
        """The webhook that says *said*, unsigned."""
        if isinstance(said, Call):
            return said
        if isinstance(said, bytes):
            return Call(said)
        raise Untold("this subject does not say how a webhook carries that")

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        """The headers that sign *call*, made at *at*, by *secret*."""
        raise Untold("this subject cannot sign")

    def rotating(self) -> Mapping[str, Any]:
        """The settings while `secret` is being replaced by `other_secret`: both are good."""
        raise Untold("this subject does not say how a secret is replaced")

    def probe(self) -> tuple[Call, bytes]:
        """The medium's probe of an endpoint, and the body that it wants to hear."""
        raise Untold("this medium does not probe")
