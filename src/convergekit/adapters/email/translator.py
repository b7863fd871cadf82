"""A finished part as a letter: who it is from and to, on the envelope and in the header. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convergekit.abc import Outgoing
from convergekit.errors import UnsupportedContentError
from convergekit.model import Address, Importance, Receipt, Status, shared_id

from .building import File, Parts, build, needs_smtputf8, refuse_unsafe
from .config import EmailConfig
from .identifiers import Identifiers, bare, thread_name
from .smtp import Accepted, SmtpEnvelope

__all__ = ["EmailNative", "Letter", "to_letter", "to_receipt"]

_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC).timestamp()


class EmailNative(BaseModel):
    """What only mail knows of a message: `Message.native["email"]`.

    Args:
        auto_submitted: In place of what the engine knows (RFC 3834 §5): what is not "no" has an empty reverse path.
        notify: Which reports are asked for, in place of the channel's `notify`.
        read_receipt: Whether one is asked for, in place of the channel's `read_receipts`.
        unsubscribe_url: Where one POST unsubscribes (RFC 8058), in place of the channel's `unsubscribe_url`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    auto_submitted: Literal["no", "auto-generated", "auto-replied"] | None = None
    notify: frozenset[Literal["success", "delay", "failure"]] | None = None
    read_receipt: bool | None = None
    unsubscribe_url: str | None = Field(default=None, pattern=r"^https://[!-;=?-~]+$")


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one recipient, before the server has said in which form it takes it.

    Args:
        envelope: For the transaction.
        message_id: Without angle brackets.
        parts: What `building.build` is told.
    """

    envelope: SmtpEnvelope
    message_id: str
    parts: Parts = field(repr=False)

    def to_bytes(self, *, eight_bit: bool) -> bytes:
        """The mail, with octets above 127 in its bodies only where *eight_bit* allows them; the same each time."""
        return build(**self.parts, smtputf8=self.envelope.needs_smtputf8, eight_bit=eight_bit)


def to_letter(
    out: Outgoing, files: Sequence[File], *, config: EmailConfig, identifiers: Identifiers, now: datetime
) -> Letter:
    """What *out* is as a mail.

    Args:
        out: What to send.
        files: Its attachments, with their content.
        config: The mailbox that it leaves.
        identifiers: Ours.
        now: The time, for messages whose id does not tell when they were written.

    Raises:
        UnsupportedContentError: Something in it cannot stand in a mail; the text names the field.
    """
    native = _native(out)
    message_id = identifiers.message_id(out)
    auto_submitted = _auto_submitted(out, native)
    to = out.message.to or (() if out.to in out.message.cc else (out.to,))
    headers = {
        **_unsubscribe(out, native, config, identifiers),
        **({"Auto-Submitted": auto_submitted} if auto_submitted else {}),
        **_asks_for_reading(native, config),
    }
    parts: Parts = {
        "sender": _mailbox(config.address, config.display_name),
        "to": to,
        "cc": out.message.cc,
        "reply_to": _mailbox(config.reply_to) if config.reply_to else None,
        "subject": out.part.subject,
        "text": out.part.text,
        "html": out.part.html,
        "files": files,
        "message_id": message_id,
        "date": _written_at(out, now),
        "in_reply_to": None if out.message.reply_to is None else bare(out.message.reply_to),
        "references": _references(out, identifiers),
        "importance": out.message.importance,
        "language": out.message.language,
        "own_headers": headers,
        "headers": out.message.headers,
        "boundary_seed": message_id,
    }
    refuse_unsafe(**parts)
    envelope = _envelope(out, native, parts, config, identifiers, automatic=auto_submitted is not None)
    return Letter(envelope, message_id, parts)


def to_receipt(out: Outgoing, letter: Letter, accepted: Accepted) -> Receipt:
    """What the server's answer is evidence of."""
    ids = [letter.message_id]
    if out.group is not None:
        ids.append(shared_id(letter.message_id, out.to))
    native = {"code": accepted.code, "text": accepted.text, "queue_id": accepted.queue_id}
    return Receipt(Status.ACCEPTED, ids=ids, part=out.index, delivery=out.delivery or None, native=native)


def _native(out: Outgoing) -> EmailNative:
    if out.native is None:
        return EmailNative()
    try:
        return EmailNative.model_validate(out.native)
    except ValidationError as exc:
        where = ".".join(map(str, exc.errors()[0]["loc"])) or "it"
        raise UnsupportedContentError(f"native of email: {where}: {exc.errors()[0]['msg']}") from None


@lru_cache(maxsize=64)
def _mailbox(addr_spec: str, display_name: str | None = None) -> Address:
    """One of the channel's own, made once for all that leaves it."""
    return Address.build("mailto", addr_spec, display_name=display_name)


def _envelope(
    out: Outgoing, native: EmailNative, parts: Parts, config: EmailConfig, identifiers: Identifiers, *, automatic: bool
) -> SmtpEnvelope:
    reverse_path = config.reverse_path or config.address
    if config.verp:
        reverse_path = identifiers.verp(out, reverse_path)
    asked = config.notify if native.notify is None else native.notify
    return SmtpEnvelope(
        # RFC 3834 §3.3: what a program writes has nobody to whom a report could go.
        reverse_path="" if automatic else reverse_path,
        recipient=out.to.value,
        envid=identifiers.envelope_id(out),
        notify=frozenset() if automatic else asked,
        ret=config.notify_return,
        orcpt=out.to.value,
        needs_smtputf8=needs_smtputf8(**parts),
    )


def _auto_submitted(out: Outgoing, native: EmailNative) -> str | None:
    """RFC 3834 §5; None for what a person writes."""
    if native.auto_submitted is not None:
        return None if native.auto_submitted == "no" else native.auto_submitted
    if not out.automatic:
        return None
    return "auto-generated" if out.message.reply_to is None else "auto-replied"


def _unsubscribe(out: Outgoing, native: EmailNative, config: EmailConfig, identifiers: Identifiers) -> dict[str, str]:
    """RFC 2369 §3.2 and RFC 8058 §3.1, for what goes to many or needs consent."""
    if out.message.importance is not Importance.BULK and out.message.category is None and not native.unsubscribe_url:
        return {}
    url = native.unsubscribe_url or config.unsubscribe_url
    found = {}
    ways = []
    if url is not None:
        filled = {"{address}": quote(out.to.value, safe=""), "{delivery}": identifiers.envelope_id(out)}
        for name, value in filled.items():
            url = url.replace(name, value)
        ways.append(f"<{url}>")
        found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if config.unsubscribe_address is not None:
        ways.append(f"<{_mailbox(config.unsubscribe_address).uri}?subject=unsubscribe>")
    return {"List-Unsubscribe": ", ".join(ways), **found} if ways else {}


def _asks_for_reading(native: EmailNative, config: EmailConfig) -> dict[str, str]:
    """RFC 8098 §2.1."""
    asked = config.read_receipts if native.read_receipt is None else native.read_receipt
    return {"Disposition-Notification-To": f"<{config.reply_to or config.address}>"} if asked else {}


def _references(out: Outgoing, identifiers: Identifiers) -> tuple[str, ...]:
    """The thread's name, then all that came before: RFC 5322 §3.6.4."""
    before = [identifiers.thread_reference(identifiers.thread_of(out))]
    named = out.message.thread or out.conversation.thread
    if named is not None and thread_name(named) != named:  # one of the host's: it stands for a message that never was
        before.append(named if "@" in named else f"{quote(named, safe='')}@{identifiers.domain}")
    before += out.message.references
    if out.message.reply_to is not None:
        before.append(out.message.reply_to)
    return tuple(dict.fromkeys(map(bare, before)))


def _written_at(out: Outgoing, now: datetime) -> datetime:
    """When it was submitted, which the ledger's ids begin with: so that a repeat is the same mail to the last octet."""
    try:
        moment = int(out.delivery[:12], 16) / 1000 if len(out.delivery) == 32 else 0.0
    except ValueError:
        moment = 0.0
    if _FIRST < moment <= now.timestamp() + 86400:
        return datetime.fromtimestamp(int(moment), UTC)
    return now.replace(microsecond=0)
