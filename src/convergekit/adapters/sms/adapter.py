"""The SMS channel: whatever its profile says, the same steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

from convergekit.abc import Adapter, Admission, ChannelContext, Health, Outgoing, Polled, Request, Response
from convergekit.errors import DeliveryError
from convergekit.http import Outcome, origin_of, outcome_for
from convergekit.model import (
    Attachment,
    Capabilities,
    ConversationRef,
    Event,
    Receipt,
    TextLimit,
)

from .answer import Answers
from .assembly import Assembly
from .callbacks import Callbacks
from .config import SmsConfig
from .consent import told
from .limits import capabilities_by_scheme, served
from .request import Requests
from .verify import unheard, verifier

__all__ = ["SmsAdapter"]

_PROBED: Final = Response(200, b"ok")
_MOST: Final = 65_536  # bytes of an answer


class SmsAdapter(Adapter[SmsConfig]):
    """Sends and receives by an SMS gateway that is described by its profile.

    Enter it once; inside, `send` may be called from any number of tasks.

    Args:
        config: The account.
        context: What the engine lends.

    Attributes:
        webhook_methods: By which the gateway calls.
        feeds: One, where parts of longer messages come one by one: what is overdue.
    """

    name = "sms"
    schemes = frozenset({"sms", "tel", "whatsapp", "rcs"})
    Config = SmsConfig
    capabilities = Capabilities(text=TextLimit(max=1530, unit="gsm7"))
    calls_started = True
    #: Above the longest `timeout` of the settings, which tells better what happened.
    send_timeout: ClassVar[float] = 65.0
    poll_interval: float = 60.0

    def __init__(self, config: SmsConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        profile = config.loaded
        self._limits = capabilities_by_scheme(config)
        self.capabilities = self._limits["sms"]
        self._requests = Requests(config)
        secrets = [each for name in profile.settings for each in config.values(name)]
        self._answers = Answers(profile, secrets=[*secrets, *config.tokens()])
        self._callbacks = Callbacks(config, context.channel)
        self._verify = verifier(config)
        self._assembly = Assembly(context, deadline=config.assembly_deadline, told=lambda each: told(each, config))
        ack = profile.callbacks.ack
        self._ack = Response(ack.status, ack.body.encode(), {"content-type": ack.media_type} if ack.body else {})
        self.webhook_methods = frozenset(profile.callbacks.methods)
        comes_in_parts = any(rule.parts is not None for rule in profile.callbacks.inbound)
        self.feeds: Sequence[str] = ("parts",) if comes_in_parts else ()

    @classmethod
    def schemes_for(cls, config: SmsConfig) -> frozenset[str]:
        """Those of media that the gateway carries; WhatsApp and RCS only where we have a name there."""
        return served(config)

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """The limits of the medium that the address names."""
        return self._limits.get(conversation.address.scheme, self.capabilities)

    # Out

    async def send(self, out: Outgoing) -> Receipt:
        """Ask the gateway to send *out*."""
        request = self._requests.build(out, now=self.context.clock.now())
        answer = await self.context.http.request(
            request.method,
            request.url,
            out=out,
            headers=request.headers,
            content=request.content,
            expect="anything",
            outcomes=self._answers.outcomes,
            timeout=self.config.timeout,
            limit=_MOST,
        )
        return self._answers.receipt(answer, out, self.context.channel)

    async def check(self) -> Health:
        """Whether the gateway knows the account, where its profile says how to ask; and what keeps it from calling."""
        health, why = await self._asked(), unheard(self.config)
        return health if why is None else Health(ok=health.ok, detail=f"{health.detail}; {why}")

    async def _asked(self) -> Health:
        request, check = self._requests.check(), self.config.loaded.check
        if request is None or check is None:
            return Health(ok=True, detail=f"not asked: the profile of {self.config.loaded.title} has no `check`")
        try:
            answer = await self.context.http.request(
                request.method, request.url, headers=request.headers, expect="anything", timeout=self.config.timeout
            )
        except DeliveryError as exc:
            return Health(ok=False, detail=f"{origin_of(request.url)}: {exc.reason}")
        ok = outcome_for(answer.status) is Outcome.TAKEN or answer.status in check.good
        return Health(ok=ok, detail=f"the gateway answered {answer.status}" + ("" if ok else f": {answer.reason}"))

    def fetch(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What the gateway serves at `attachment.url`, with the credentials that it asks for. A redirect gets none."""
        url = attachment.url or ""
        headers = self._requests.credentials(url)
        return self.context.http.download(url, headers=headers, follow=lambda target: target.startswith("https://"))

    # In

    def challenge(self, request: Request) -> Response | None:
        """A look at the URL, without anything in it, is answered: consoles try whether somebody is there."""
        is_empty = not request.query and not request.body
        return _PROBED if request.method in ("GET", "HEAD") and is_empty else None

    async def verify(self, request: Request) -> None:
        """Check what the profile says that proves a call."""
        self._verify(request, self.context.clock.now())

    async def parse(self, request: Request) -> Sequence[Event]:
        """Messages and reports; parts of a longer message wait for the others."""
        read = self._callbacks.read(request, now=self.context.clock.now())
        events = list(read.events)
        for piece in read.pieces:
            whole = await self._assembly.add(piece)
            events += () if whole is None else told(whole, self.config)
        return events

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        """What the gateway wants to hear; the same for what we have already."""
        return self._ack

    async def poll(self, feed: str, cursor: Any) -> Polled:
        """Give out parts of messages whose others have not come in time."""
        await self._assembly.overdue()
        return Polled()
