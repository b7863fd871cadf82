"""The webhook channel: translate, sign, hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from convergekit.abc import (
    Adapter,
    Admission,
    ChannelContext,
    Health,
    Outgoing,
    Request,
    Response,
    RetryPolicy,
)
from convergekit.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    RejectedError,
    SignatureError,
    ThrottledError,
    UnsupportedContentError,
)
from convergekit.http.signatures import SignatureScheme, optional_id
from convergekit.model import (
    Address,
    AttachmentLimit,
    Capabilities,
    Event,
    Idempotency,
    IdempotencyKind,
    Markup,
    Receipt,
    Status,
)

from . import cloudevents, signature, translator
from .config import WebhookConfig, is_allowed
from .endpoints import Endpoints
from .mapping import mapper_of
from .own_secrets import own_secrets
from .transport import GONE, Transport

__all__ = ["WebhookAdapter"]

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_MOST_IDS: Final = 1024
_TAKEN: Final = Response(204)
_JSON: Final = {"content-type": "application/json"}


class WebhookAdapter(Adapter[WebhookConfig]):
    """Sends and receives webhooks, signed both ways: by Standard Webhooks 1.0.0, or as the settings say.

    Enter it once; inside, `send` may be called from any number of tasks.

    Args:
        config: The partner.
        context: What the engine lends. Its `parts` may have `scheme` and `inbound_scheme`, ways to sign of the host's,
            and `secrets`: what finds those of single endpoints (`own_secrets.Lookup`).
    """

    name = "webhook"
    schemes = frozenset({"http", "https"})
    Config = WebhookConfig
    capabilities = Capabilities(
        markup=Markup(format="plain", html_alternative=True),
        attachments=AttachmentLimit(count=100, total=262_144),
        subject=True,
        cc=True,
        threads=True,
        replies=True,
        receipts=frozenset({Status.ACCEPTED, Status.DELIVERED, Status.FAILED}),
        # The other side knows a repeat by its `webhook-id`.
        idempotency=Idempotency(kind=IdempotencyKind.KEY),
    )
    #: About 76 hours, as the specification proposes.
    retry = RetryPolicy(
        schedule=(
            5.0,
            5 * _MINUTE,
            30 * _MINUTE,
            2 * _HOUR,
            5 * _HOUR,
            10 * _HOUR,
            14 * _HOUR,
            20 * _HOUR,
            24 * _HOUR,
        ),
        jitter=0.2,
    )
    hold = 0.0  # an endpoint that is away for hours must not hold up what comes after
    calls_started = True
    send_timeout = 65.0  # above the longest `timeout` of the settings, which tells better what happened

    def __init__(self, config: WebhookConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        limit = AttachmentLimit(count=100, total=config.inline_limit) if config.inline_limit else AttachmentLimit()
        self.capabilities = type(self).capabilities.model_copy(update={"attachments": limit})
        self._signs, self._verifies = signature.schemes(config, context.parts)
        self._own_secrets = own_secrets(config, context.parts, self._signs)
        self._unsigned = signature.flaw(self._signs) if self._own_secrets is None else None
        self._transport = Transport(config, context.http)
        self._ids: dict[int, str | None] = {}  # what `verify` learns and `parse` needs, by the request
        self._mapper = mapper_of(config, channel=context.channel)
        self._endpoints = Endpoints(context, breaker=config.breaker)

    async def send(self, out: Outgoing) -> Receipt:
        """Sign *out* and post it; a 2xx means that the endpoint has it."""
        self._refuse_what_cannot_go(out)
        endpoint = await self._endpoints.find(out.to)
        now = self.context.clock.now()
        id = translator.webhook_id(out.key)
        headers, body = self._written(await self._document(out, now), out, id)
        if len(body) > self.config.max_body:
            raise UnsupportedContentError(f"the document has {len(body)} bytes; max_body is {self.config.max_body}")
        scheme = self._signs if self._own_secrets is None else await self._own_secrets.scheme_for(out.to)
        signed = _signed(scheme, id, now, body, out.to.uri, headers)
        try:
            with endpoint:
                await self._transport.post(out, signed, body)
        except ThrottledError as exc:
            if not exc.asked:
                raise
            raise self._clamped(exc, out.attempt) from exc
        except RejectedError as exc:
            if exc.code == GONE:
                await self._endpoints.disable(out.to)
            raise
        return translator.to_receipt(out, id)

    async def enable(self, address: Address) -> bool:
        """Write again to an endpoint that has answered 410; tells whether it was disabled."""
        return await self._endpoints.enable(address)

    async def check(self) -> Health:
        """Whether the configured endpoint can be reached, and something be signed for it."""
        if self.config.url is None:
            return Health(ok=True, detail="there is no url; this channel receives, and sends where it is told to")
        if self._unsigned is not None:
            return Health(ok=False, detail=self._cannot_sign)
        return await self._transport.probe(self.config.url)

    def challenge(self, request: Request) -> Response | None:
        """What the scheme, or a sender of CloudEvents, asks before it calls; Standard Webhooks has none."""
        answer = self._verifies.challenge(request, self.context.clock.now())
        if answer is not None:
            return Response(*answer)
        # Most calls are no question, and are not looked at any closer.
        return cloudevents.handshake(request, self.config.allowed_origins) if request.method == "OPTIONS" else None

    async def verify(self, request: Request) -> None:
        """Check the signature over the raw bytes, of which there may be so many, and that they are fresh."""
        if len(request.body) > self.config.max_body:
            raise SignatureError(f"the document is larger than max_body, {self.config.max_body} bytes")
        verified = self._verifies.verify(request, self.context.clock.now())
        if len(self._ids) >= _MOST_IDS:  # nobody parsed it
            self._ids.pop(next(iter(self._ids)))
        self._ids[id(request)] = verified.id

    def parse(self, request: Request) -> Sequence[Event]:
        """One document, one event, whose key is the id of the call; of other systems, what the rules make of it."""
        known = self._ids.pop(id(request), None)
        if self._mapper is not None:
            return self._mapper.events(request, self.context.clock.now(), id=known)
        if self.config.format != "standard":
            return cloudevents.to_events(
                request,
                id=known,
                type=self.config.event_type,
                channel=self.context.channel,
                home=self.config.url,
                body_only=signature.Scheme.of(self.config.inbound_scheme or self.config.scheme).signs_body_only,
            )
        event = translator.to_event(
            request.body,
            key=known or _named(request),
            type=self.config.event_type,
            channel=self.context.channel,
            home=self.config.url,
        )
        return (event,)

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        """The same for what is new and for what we have already."""
        return _TAKEN

    @property
    def _cannot_sign(self) -> str:
        return f"nothing can be signed: {self._unsigned}; see `scheme` and `secrets`"

    def _refuse_what_cannot_go(self, out: Outgoing) -> None:
        if out.to.scheme not in self.schemes:  # an answer to a document that came without a way back
            raise RejectedError("there is nowhere to answer to: set `url`")
        if self._unsigned is not None:
            raise AuthenticationError(self._cannot_sign, channel=self.context.channel)
        if not is_allowed(out.to.uri, allow_http=self.config.allow_http):
            raise RejectedError("plain http is refused: use https, or set `allow_http = true`")

    async def _document(self, out: Outgoing, now: datetime) -> dict[str, Any]:
        at, kind = out.first_attempt_at or now, self.config.event_type  # the same bytes each time
        if self.config.payload == "thin":
            return translator.to_thin_document(out, type=kind, at=at)
        return translator.to_document(out, await self._attachments(out), type=kind, sender=self.config.sender, at=at)

    def _written(self, document: Mapping[str, Any], out: Outgoing, id: str) -> tuple[Mapping[str, str], bytes]:
        """Headers and body that say what *document* says."""
        attributes = translator.attributes_of(out)
        if self.config.format != "standard":
            source, structured = self.config.source or self.config.sender, self.config.format != "cloudevents"
            if source is None:
                raise UnsupportedContentError("a CloudEvent says where it comes from: set `source`")
            return cloudevents.to_request(document, attributes, id=id, source=source, structured=structured)
        if attributes:
            raise UnsupportedContentError("native attributes are for CloudEvents: set `format`")
        return _JSON, translator.to_body(document)

    async def _attachments(self, out: Outgoing) -> list[dict[str, Any]]:
        found, left = [], self.config.inline_limit
        for attachment in out.part.attachments:
            content = None
            if attachment.url is None:
                content = await self.context.read(attachment, limit=left)
                left -= len(content)
            found.append(translator.to_attachment(attachment, content))
        return found

    def _clamped(self, exc: ThrottledError, attempt: int) -> ThrottledError:
        """Between what we would have waited and a bound: an endpoint may slow us down, and not for days."""
        scheduled = self.retry.delay(attempt, lambda: 0.5)
        seconds = min(max(exc.retry_after, scheduled), max(2 * scheduled, _HOUR))
        return ThrottledError(
            exc.reason, retry_after=seconds, scope="conversation", code=exc.code, channel=self.context.channel
        )


def _signed(
    scheme: SignatureScheme, id: str, at: datetime, body: bytes, url: str, headers: Mapping[str, str]
) -> Mapping[str, str]:
    """All headers. The id is there whatever the scheme: the other side knows a repeat by it."""
    try:
        return {"webhook-id": id, **headers, **scheme.sign(id, at, body, url=url, headers=headers)}
    except ConfigurationError as exc:
        raise RejectedError(f"this cannot be signed: {exc}") from None


def _named(request: Request) -> str:
    """The id that a call says it has, where its scheme knows none: nobody vouches for it."""
    id = optional_id(request, "webhook-id")
    if id is None:
        raise InvalidInputError("the call has no webhook-id, and its scheme knows none")
    return id
