"""The adapter contract: one required verb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from anyio import AsyncContextManagerMixin
from pydantic import BaseModel

from convergekit.model import Address, Capabilities, ConversationRef, Message, Operation, Part, Receipt

from .context import ChannelContext

__all__ = ["Adapter", "ConfigT", "Health", "Outgoing", "RetryPolicy"]

ConfigT = TypeVar("ConfigT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a part that was not sent is tried again.

    Args:
        base: Seconds before the second attempt, at most.
        factor: Growth from one attempt to the next.
        cap: Seconds, the longest wait.
        attempts: After so many it goes to the dead letters.
        schedule: Seconds between attempts, in place of the four above; None for exponential.
        jitter: Share of each delay that is random. Of an exponential one that much may be missing: 1.0 is full jitter,
            [0, delay]. A schedule is kept on average: with 0.2 each delay is up to a fifth shorter, or longer.
    """

    base: float = 1.0
    factor: float = 2.0
    cap: float = 900.0
    attempts: int = 20
    schedule: tuple[float, ...] | None = None
    jitter: float = 1.0

    @property
    def limit(self) -> int:
        """Attempts in all."""
        return self.attempts if self.schedule is None else len(self.schedule) + 1

    @property
    def span(self) -> float:
        """Seconds from the first attempt to the last, at the longest."""
        return sum(self.delay(attempt, lambda: 1.0) for attempt in range(1, self.limit))

    def delay(self, attempt: int, random: Callable[[], float]) -> float:
        """Seconds to wait after attempt number *attempt* (from 1); *random* gives values in [0, 1)."""
        spread = self.jitter * random()
        if self.schedule is not None:
            return self.schedule[min(attempt, len(self.schedule)) - 1] * (1 - self.jitter + 2 * spread)
        return min(self.cap, self.base * self.factor ** min(attempt - 1, 64)) * (1 - self.jitter + spread)


@dataclass(frozen=True, slots=True)
class Health:
    """What `check` found.

    Args:
        ok: Whether the channel can do its work.
        detail: In words; never a secret.
    """

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One finished part to one recipient.

    Args:
        to: The recipient.
        part: What to hand over; rendered, split, within the limits of `capabilities`.
        key: For the medium to recognise a repeat; the same over all attempts at this part.
        delivery: Our id of the delivery, to be given to the medium where it hands it back.
        index: Number of this part, from 0.
        count: Parts in all.
        attempt: 1 for the first.
        maybe_sent: Whether an earlier attempt ended unknown.
        message: The message as it was written: headers, references, language, importance, `native`.
        conversation: In which conversation.
        operation: What is asked for; `send` sees only SEND.
        earlier: Of a part that is not the first, the provider's ids of the one before it: for media where the parts of
            one message are chained. Empty where nobody was told of any.
        first_attempt_at: When the first byte of the delivery may have left for the first time; what `reconcile` looks
            for is not older. None outside of a delivery.
        target: For the other operations, the provider's ids of the message they are about.
        native: `message.native` of this adapter, or None.
        automatic: Whether a program speaks, and not a person: what a handler sends. Media have marks for it, which
            keep programs from answering each other (RFC 3834 §5, RFC 2812 §3.3.2).
        group: Shared by what one submit sends to several recipients who are shown to each other, or None: where the
            medium has ids that the sender chooses, all of them get the same.
        started: Call it just before the first byte leaves. The HTTP seam does it.
    """

    to: Address
    part: Part
    key: str
    delivery: str = ""
    index: int = 0
    count: int = 1
    attempt: int = 1
    maybe_sent: bool = False
    message: Message = field(default_factory=Message)
    conversation: ConversationRef
    operation: Operation = Operation.SEND
    earlier: tuple[str, ...] = ()
    first_attempt_at: datetime | None = None
    target: tuple[str, ...] = ()
    native: Any = None
    automatic: bool = False
    group: str | None = None
    started: Callable[[], None] = lambda: None

    @property
    def text(self) -> str:
        """Text of the part."""
        return self.part.text


class Adapter(AsyncContextManagerMixin, ABC, Generic[ConfigT]):
    """Connects one kind of medium. Subclass it, set the class attributes, write `send`.

    The engine enters and leaves an adapter in one task of its own; connections live in `__asynccontextmanager__`.
    Inside, every method may be called from any number of tasks at once; one conversation's sends come one by one.
    Inbound, implement any of `Listens`, `Polls`, `ReceivesWebhooks`; further verbs, any of the `Supports...`.

    Attributes:
        name: What it is called in configuration: "sms".
        schemes: Which addresses it serves: {"sms", "tel"}.
        backends: Event loops that it runs on.
        Config: Its settings: a frozen model that refuses extra fields, with `SecretStr` for secrets.
        capabilities: Its limits.
        retry: When what was not sent is tried again.
        hold: Seconds for which a message that waits for its retry holds up its lane; then others pass it.
        send_timeout: Seconds after which an attempt is given up; the outcome is then uncertain, or not sent if it
            had not `started`.
        exclusive: Whether the account bears one connection only, sending included (XMPP). Of several workers on one
            ledger, one then enters the adapter, and it alone sends; the others stand by, and take over when it dies.
            Without it every worker sends, and one of them listens and polls.
        calls_started: Whether all its sending calls `out.started()`: what is cut short before that is known not to
            have left, also the first time. Without it the engine learns so from the first call.
    """

    name: ClassVar[str]
    schemes: ClassVar[frozenset[str]]
    backends: ClassVar[frozenset[str]] = frozenset({"asyncio", "trio"})
    Config: ClassVar[type[BaseModel]]
    capabilities: Capabilities = Capabilities()
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    hold: ClassVar[float] = 60.0
    send_timeout: ClassVar[float] = 60.0
    exclusive: ClassVar[bool] = False
    calls_started: ClassVar[bool] = False

    def __init__(self, config: ConfigT, context: ChannelContext) -> None:
        self.config = config
        self.context = context

    @classmethod
    def schemes_for(cls, config: ConfigT) -> frozenset[str]:
        """Which of `schemes` a channel with *config* sends to: none where it only receives. Nothing is opened yet."""
        return cls.schemes

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Connect, yield, disconnect. Raising `AccountError` here takes the channel down until a person acts."""
        yield self

    @abstractmethod
    async def send(self, out: Outgoing) -> Receipt:
        """Hand *out* to the medium; return once it has taken responsibility.

        Cancellation may come at any await; after `out.started()` the outcome is then uncertain, and the engine
        treats it so.

        Raises:
            NotSentError: The other side has not taken it; it is tried again.
            ThrottledError: Likewise, and not before `retry_after`; costs no attempt.
            RejectedError: Refused for good.
            AccountError: Not taken, and nothing will be until a person acts.
            UncertainError: It may have been taken. Any other exception after `out.started()`, or without it, counts
                as this; before it is called for the first time in a method that does call it, as a bug.
        """

    async def check(self) -> Health:
        """Whether credentials and connection are good, without sending anything to anybody."""
        return Health(ok=True, detail="this adapter has no check of its own")

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """The limits in *conversation*, where they depend on the peer or on a session window. No I/O."""
        return self.capabilities
