"""The far side of loopback, for the contract and for `convergekit verify loopback`."""

# ruff: noqa: D102, RUF012  `Subject` says what each method is for; attributes are the same for all instances

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import anyio

from convergekit.abc import Outgoing
from convergekit.errors import AuthenticationError, NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.http import hmac_signature
from convergekit.model import Address, ConversationRef, MessageReceived, ReactionChanged, Receipt, Status
from convergekit.testing.adapter import Call, Cannot, Fault, Sample, Subject

from .adapter import LoopbackAdapter
from .medium import Medium, Sent

__all__ = ["LoopbackSubject"]

_ROOM: Final = ConversationRef(address="loopback:room")


class LoopbackSubject(Subject):
    """All three ways in, and a medium that is an object."""

    adapter = LoopbackAdapter
    secret = "how loopback signs"
    settings = {"secret": secret}
    dsn = "loopback://how%20loopback%20signs@here?poll_interval=1"
    to = "loopback:ann"
    senders = ("loopback:ann", "loopback:bob")
    patience = 0.2  # it is in memory: what does not happen at once never happens
    statuses = {"sent": Status.SENT, "delivered": Status.DELIVERED, "read": Status.READ}
    samples = (
        Sample(
            "what Ann says in a room",
            {"key": "1", "sender": "loopback:ann", "conversation": {"address": "loopback:room"}, "text": "Hello."},
            [MessageReceived(key="1", sender="loopback:ann", conversation=_ROOM, text="Hello.")],
        ),
        Sample(
            "a reaction",
            {"type": "reaction.changed", "key": "2", "sender": "loopback:ann", "target": "1", "reactions": ["+1"]},
            [ReactionChanged(key="2", sender=Address("loopback:ann"), target="1", reactions=("+1",))],
        ),
    )
    cannot = {"unknown-word-noted": "loopback speaks in words of ours: there is none that it does not know"}

    def __init__(self) -> None:
        self.medium = Medium(remembers=True)
        self._pushed = 0

    def parts(self) -> Mapping[str, Any]:
        return {"medium": self.medium}

    def fault(self, fault: Fault) -> None:
        match fault:
            case Fault.UNREACHABLE:
                self.medium.script(NotSentError("nobody there"))
            case Fault.REFUSED:
                self.medium.script(RejectedError("no", code="550"))
            case Fault.ACCOUNT:
                self.medium.script(AuthenticationError("who are you"))
            case Fault.THROTTLED:
                self.medium.script(ThrottledError("later", retry_after=7))
            case Fault.SERVER_ERROR | Fault.ANSWER_LOST | Fault.RESET:
                self.medium.script(UncertainError(fault.value))
            case Fault.SILENT:
                self.medium.script(self._never)
            case _:
                raise Cannot("answers in memory have no form that could be wrong")

    async def _never(self, out: Outgoing) -> Receipt:
        self.medium.accept(out)
        await anyio.sleep_forever()
        raise AssertionError

    def received(self) -> Sequence[bytes]:
        return [_written(sent) for sent in self.medium.sent]

    def media(self) -> tuple[str, bytes]:
        self.medium.uploads["loopback:served"] = b"what is served"
        return "loopback:served", b"what is served"

    def message(self, *, id: str, sender: str, text: str) -> Mapping[str, Any]:
        said = {"key": id, "message_id": id, "sender": sender, "text": text}
        return {**said, "native": said}

    def report(self, *, id: str, word: str) -> Mapping[str, Any]:
        return {"type": "receipt.received", "key": f"{id}:{word}", "receipt": {"status": word, "ids": [id]}}

    def nonsense(self) -> Sequence[Any]:
        return [{"key": "x1", "sender": 7}]

    async def push(self, said: Any) -> None:
        self.medium.say(**said)
        self._pushed += 1

    def acknowledged(self) -> int:
        return self._pushed - self.medium.pending

    async def drop(self) -> None:
        self.medium.drop()

    async def feed(self, said: Any) -> None:
        self.medium.post(**said)

    def probe(self) -> tuple[Call, bytes]:
        return Call(b"", query="hello", method="GET"), b"hello"

    def refuse_login(self) -> None:
        self.medium.refuses_login = AuthenticationError("who are you")

    def call(self, said: Any) -> Call:
        return Call(json.dumps(said).encode())

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return {"x-signature": hmac_signature(secret.encode(), call.body).decode()}


def _written(sent: Sent) -> bytes:
    """All that the medium has of it."""
    out = sent.out
    document = {
        "operation": out.operation,
        "about": out.target,
        "to": out.to.uri,
        "thread": out.message.thread or out.conversation.thread,
        "cc": [address.uri for address in out.message.cc],
        "reply_to": out.message.reply_to,
        "subject": out.part.subject,
        "text": out.text,
        "urls": [attachment.url for attachment in out.part.attachments],
        "files": [base64.b64encode(content).decode() for content in sent.files],
        "native": out.native,
    }
    return json.dumps(document).encode()
