"""The X channel: lifetime and wiring."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, Self

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from convergekit.abc import (
    Adapter,
    Admission,
    ChannelContext,
    Health,
    Outgoing,
    Polled,
    Reconciliation,
    Request,
    Response,
)
from convergekit.errors import ConfigurationError, NotRunningError, NotSentError
from convergekit.http.signatures import X
from convergekit.model import Address, Attachment, Capabilities, ConversationRef, Event, Message, Receipt

from .activity import Refusals
from .addresses import is_public
from .capabilities import direct_capabilities, public_capabilities
from .config import XConfig
from .feeds import feeds_of
from .files import fetched
from .handovers import handed_over
from .inbound import Inbound
from .outbound import Outbound, Permission
from .session import Session, opened

__all__ = ["XAdapter"]

_NEEDED: Final = ("tweepy", "aiohttp", "async_lru")  # of the extra; imported where they are used

_HEARD: Final = Response(200)


class _Parts(NamedTuple):
    """What there is while the channel is open."""

    session: Session
    outbound: Outbound
    inbound: Inbound


class XAdapter(Adapter[XConfig]):
    """Posts, answers and writes to people at X, and hears them.

    Enter it once; inside, every method may be called from any number of tasks.

    Args:
        config: The account.
        context: What the engine lends.
    """

    name = "x"
    schemes = frozenset({"x"})
    Config = XConfig
    capabilities = direct_capabilities()
    calls_started = True
    #: A video is uploaded, and waited for, before its post goes; but below the shortest lease.
    send_timeout: ClassVar[float] = 110.0

    def __init__(self, config: XConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        if not all(map(_is_installed, _NEEDED)):
            raise ConfigurationError("the x channel needs an extra: pip install 'convergekit[x]'")
        self._public = public_capabilities(config)
        self._parts: _Parts | None = None
        self._signature = X(config.secrets)
        self._refusals = Refusals(self._signature, context.clock, context.log)
        self.feeds: Sequence[str] = feeds_of(config)
        self.poll_interval = config.poll_interval

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        """Find out whose account it is; each request makes its own connection where there is none."""
        async with opened(self.config, self.context) as session:
            self._parts = _Parts(session, Outbound(session), Inbound(session))
            try:
                yield self
            finally:
                self._parts = None

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """Those of a post where everybody reads, else those of a direct message."""
        return self._public if is_public(conversation) else self.capabilities

    # Out

    async def send(self, out: Outgoing) -> Receipt:
        """Post, answer or write, by what the conversation is; never among others than that."""
        return await self._open.outbound.send(out)

    async def retract(self, out: Outgoing) -> Receipt:
        """Delete a post. A direct message can be deleted for oneself only, and so is refused."""
        return await self._open.outbound.retract(out)

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        """Look among what we posted, or wrote to them, for what may have been sent."""
        return await self._open.outbound.reconcile(out)

    async def find(self, name: str) -> Address:
        """Whose handle *name* is now, with or without the @."""
        return await self._open.outbound.find(name)

    def hand_over(self, conversation: ConversationRef, message: Message) -> tuple[ConversationRef, Message]:
        """The direct conversation with whom *conversation* is with, and *message* with a link that begins it."""
        return handed_over(conversation, message)

    def fetch(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What X serves at `attachment.url`, with credentials where it asks for them, and to its own hosts only."""
        return fetched(self._open.session, attachment)

    async def can_reply(self, post: str) -> Permission:
        """Whether the account may answer *post*, by its id, in public; asks X where reading it did not tell.

        Raises:
            DeliveryError: X could not be asked.
        """
        return await self._open.outbound.can_reply(post)

    async def can_dm(self, who: Address | str) -> Permission:
        """Whether the account may write to *who* (`x:12345`), as far as X tells before it is tried.

        Raises:
            DeliveryError: X could not be asked.
        """
        return await self._open.outbound.can_dm(who if isinstance(who, Address) else Address.parse(who))

    @property
    def spent(self) -> Mapping[str, Decimal]:
        """US dollars of this "day" and "month" (UTC), of all workers as far as this one knows; {} without a budget.

        Raises:
            NotSentError: The channel is not open.
        """
        return MappingProxyType(self._open.session.budgets.spent.total)

    async def check(self) -> Health:
        """Whether X knows the account, and what is missing for it to work."""
        parts = self._open
        health, told = await parts.outbound.check(), parts.inbound.activity.health
        return health if told is None else Health(health.ok, f"{health.detail}; {told}")

    # In

    async def poll(self, feed: str, cursor: Any) -> Polled:
        """What came to *feed* since *cursor*: mentions, or direct messages."""
        return await self._open.inbound.feeds.poll(feed, cursor)

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Keep the webhook in order, or read the stream; where there is neither, there is nothing to hear by it."""
        await self._open.inbound.activity.listen(task_status=task_status)

    def challenge(self, request: Request) -> Response | None:
        """Prove to X that we know the secret, by a token that can be no event."""
        answer = self._signature.challenge(request, self.context.clock.now())
        return None if answer is None else Response(*answer)

    async def verify(self, request: Request) -> None:
        """Check that X has signed the raw bytes."""
        self._refusals.verify(request)

    async def parse(self, request: Request) -> Sequence[Event]:
        """What X tells by one call."""
        if self._parts is None:
            raise NotRunningError("the channel is not open")
        return await self._parts.inbound.activity.parse(request)

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        """The same for what is new and for what we have already."""
        return _HEARD

    @property
    def _open(self) -> _Parts:
        if self._parts is None:
            raise NotSentError("the channel is not open", channel=self.context.channel)
        return self._parts


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
