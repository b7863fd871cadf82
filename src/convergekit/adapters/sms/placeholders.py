"""What the placeholders of `PLACEHOLDERS` stand for in one message. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from convergekit.abc import Outgoing
from convergekit.content.gsm7 import is_gsm7
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import Attachment, FailureKind

from . import numbers
from .profile import UNITS, Medium, Send, Validity
from .references import reference_of, with_reference

if TYPE_CHECKING:
    from .config import SmsConfig

__all__ = ["PLACES", "Job"]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_:-]{1,64}")  # what each gateway with such a header takes
_KINDS: Final = ("image", "video", "audio")
_ours = lru_cache(maxsize=256)(numbers.written)  # a channel has one sender for each medium


@dataclass(frozen=True, slots=True)
class Job:
    """One message, and what its placeholders are taken from; `home` is where the gateway calls us."""

    config: SmsConfig
    send: Send
    validity: Validity | None
    out: Outgoing
    medium: Medium
    now: datetime
    home: str | None

    def word(self, kind: Literal["alphabet", "medium", "media_kind"], ours: str) -> str:
        """The profile's word for *ours*, which stands where it has none."""
        return self.send.words.get(kind, {}).get(ours, ours)

    @property
    def first(self) -> Attachment | None:
        """The first file."""
        return self.out.part.attachments[0] if self.out.part.attachments else None


def _recipient(job: Job) -> str:
    return numbers.recipient(job.out.to.value, job.send.numbers, job.config.region)


def _sender(job: Job) -> str | None:
    sender = job.config.sender_of(job.medium)
    if sender is None and job.medium in ("whatsapp", "rcs"):
        raise RejectedError(f"nobody is set to send by {job.medium}: set `{job.medium}`", kind=FailureKind.CONFIG)
    # Only a number with a + is certain to be one: a service, an agent or a name stands for itself.
    is_number = sender is not None and sender.startswith("+")
    return _ours(sender, job.send.numbers, job.config.region) if sender and is_number else sender


def _media(job: Job) -> list[str]:
    urls = [each.url for each in job.out.part.attachments if each.url is not None]
    if len(urls) < len(job.out.part.attachments):
        raise UnsupportedContentError("gateways take files by URL only: give the attachment a `url` that they can read")
    return urls


def _media_kind(job: Job) -> str | None:
    if job.first is None:
        return None
    kind = job.first.media_type.partition("/")[0].lower()
    return job.word("media_kind", kind if kind in _KINDS else "file")


def _validity(job: Job) -> int | str | None:
    """Until when delivery is tried: never longer than asked for, and never less than the gateway can express."""
    rule, expires = job.validity, job.out.message.expires_at
    if rule is None or expires is None:
        return None
    unit = UNITS[rule.unit]
    left = (expires - job.now) // unit
    if left < (1 if rule.min is None else rule.min):
        raise RejectedError("less time is left than this gateway can be told of", kind=FailureKind.EXPIRED)
    if rule.max is not None and left > rule.max:
        left, expires = rule.max, job.now + rule.max * unit
    if rule.unit != "instant":
        return left
    return expires.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _key(job: Job) -> str:
    key = job.out.key
    return key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()


def _text(job: Job) -> str:
    return job.out.part.text


#: Where the engine's own placeholders come from.
PLACES: Final[Mapping[str, Callable[[Job], Any]]] = {
    "to": _recipient,
    "from": _sender,
    "text": _text,
    "text_hex": lambda job: _text(job).encode("utf-16-be").hex().upper(),
    "subject": lambda job: job.out.part.subject,
    "media": _media,
    "media_0": lambda job: next(iter(_media(job)), None),
    "media_type": lambda job: job.first and job.first.media_type,
    "media_kind": _media_kind,
    "media_name": lambda job: job.first and job.first.name,
    "callback": lambda job: with_reference(job.home, reference_of(job.out)),
    "inbound": lambda job: job.home,
    "reference": lambda job: reference_of(job.out),
    "key": _key,
    "validity": _validity,
    "alphabet": lambda job: job.word("alphabet", "gsm7" if is_gsm7(_text(job)) else "ucs2"),
    "medium": lambda job: job.word("medium", job.medium),
}
