"""A courier: calls are proven by a key that is asked for when it is needed, and kept for a while.

So what signs is none of the settings. The original of an event is the call's own bytes, and limits depend on whom it is
for. The adapter's class is made of parts.
"""

# ruff: noqa: RUF012  the attributes of a subject are the same for each instance, and nobody changes them

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convergekit.abc import Adapter, Admission, ChannelContext, Outgoing, Request, Response
from convergekit.errors import DeliveryError, InvalidInputError, SignatureError, UncertainError, UnsupportedContentError
from convergekit.model import (
    Address,
    Capabilities,
    ConversationRef,
    Event,
    Markup,
    MessageReceived,
    Receipt,
    Status,
    TextLimit,
)
from convergekit.testing.adapter import Call, HttpSubject

__all__ = ["CourierAdapter", "CourierConfig", "CourierSubject"]

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_KEPT = 600.0


class Patience(BaseModel):
    model_config = _FROZEN

    seconds: float = Field(default=30.0, description="For which an answer is waited for.")


class CourierConfig(BaseModel):
    model_config = _FROZEN

    url: str = Field(default="https://far.example", description="Where the courier is.")
    token: SecretStr = Field(description="Lets us in.")
    patience: Patience = Field(default=Patience(), description="How long we wait.")


class Talking(Adapter[CourierConfig]):
    """What both halves need."""

    async def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}"}
        timeout = self.config.patience.seconds
        answer = await self.context.http.request(
            method, f"{self.config.url}{path}", headers=headers, timeout=timeout, expect="json", **options
        )
        return answer.json()


class Sending(Talking):
    """One half: it has no name, and is no adapter yet."""

    async def send(self, out: Outgoing) -> Receipt:
        if out.native is not None:
            raise UnsupportedContentError("a courier has no native fields", channel=self.context.channel)
        note = {"to": out.to.value, "html": out.text, "thread": out.message.thread or out.conversation.thread}
        answer = await self.call("POST", "/notes", out=out, json=note)
        try:
            return Receipt(Status.SENT, ids=(answer["id"],))
        except (LookupError, TypeError, ValueError):
            raise UncertainError("its answer makes no sense", channel=self.context.channel) from None


class CourierAdapter(Sending):
    __slots__ = ("_keys",)

    name = "courier"
    schemes = frozenset({"courier", "messenger"})
    Config = CourierConfig
    capabilities = Capabilities(
        text=TextLimit(max=60, overflow="refuse"),
        markup=Markup(format="html"),
        threads=True,
        receipts=frozenset({Status.ACCEPTED, Status.SENT}),
    )
    send_timeout = 35

    def __init__(self, config: CourierConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        self._keys: dict[str, tuple[bytes, float]] = {}

    def capabilities_for(self, conversation: ConversationRef) -> Capabilities:
        """Ann has a good memory."""
        is_long = conversation.address.value == "ann"
        return self.capabilities.model_copy(update={"text": TextLimit(max=400)}) if is_long else self.capabilities

    def challenge(self, request: Request) -> Response | None:
        return None

    async def verify(self, request: Request) -> None:
        name, given = request.headers.get("courier-key", ""), request.headers.get("courier-signature", "")
        if not name.isascii() or not name.isalnum() or len(name) > 20:
            raise SignatureError("no key is named")
        wanted = hmac.digest(await self._key(name), request.body, "sha512").hex()
        if not hmac.compare_digest(wanted.encode(), given.encode("latin-1", "replace")):
            raise SignatureError("it was signed by another key, or changed under way")

    async def _key(self, name: str) -> bytes:
        key, until = self._keys.get(name, (b"", 0.0))
        if not key or self.context.clock.monotonic() > until:
            try:
                key = bytes.fromhex((await self.call("GET", f"/keys/{name}"))["key"])
            except (DeliveryError, ValueError, LookupError, TypeError):
                raise SignatureError("the key cannot be had") from None
            self._keys[name] = key, self.context.clock.monotonic() + _KEPT
        return key

    def parse(self, request: Request) -> Sequence[Event]:
        try:
            note = json.loads(request.body)
            sender = Address.build("courier", note["from"])
            return (MessageReceived(key=note["id"], sender=sender, html=note["html"], native=request.body),)
        except (ValueError, LookupError, TypeError, RecursionError):
            raise InvalidInputError("this is no note") from None

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        return Response(202, b"thanks")


class CourierSubject(HttpSubject):
    """The courier, who has one key."""

    adapter = CourierAdapter
    secret, other_secret = "aa" * 32, "bb" * 32
    settings = {"url": HttpSubject.url, "token": "t0ken-of-the-courier"}
    to = "courier:ann"
    senders = ("courier:ann", "courier:bob")
    statuses = {"on its way": Status.SENT}
    cannot = dict.fromkeys(
        ("status-words", "reports-in-any-order", "unknown-word-noted"), "its only word is its answer to a send"
    )

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def accept(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"key": self.secret})
        self._taken += 1
        return httpx.Response(200, json={"id": f"c-{self._taken}"})

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        return json.dumps({"id": id, "from": sender.removeprefix("courier:"), "html": text}).encode()

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        signature = hmac.digest(bytes.fromhex(secret), call.body, "sha512").hex()
        return {"courier-key": "k1", "courier-signature": signature}
