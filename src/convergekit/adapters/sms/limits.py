"""What a gateway can carry, as the engine plans by it."""

from __future__ import annotations

from collections.abc import Mapping

from convergekit.model import (
    AttachmentLimit,
    Capabilities,
    Idempotency,
    IdempotencyKind,
    TextLimit,
)

from .config import SmsConfig
from .media import SCHEMES
from .profile import Medium, Profile

__all__ = ["capabilities_by_scheme", "served"]


def served(config: SmsConfig) -> frozenset[str]:
    """The schemes to which a channel with *config* sends: those of media that its gateway carries and it has a name on.

    SMS needs no name of ours where the account has one: a messaging service, a pool of numbers.
    """
    profile = config.loaded
    if profile.send is None:
        return frozenset()
    named = {medium for medium in ("whatsapp", "rcs") if config.sender_of(medium) is not None}
    carried = {medium for medium in profile.media if medium in named or medium == "sms"}
    return frozenset(scheme for scheme, medium in SCHEMES.items() if medium in carried)


def capabilities_by_scheme(config: SmsConfig) -> Mapping[str, Capabilities]:
    """The limits for each scheme."""
    return {scheme: _capabilities(config, medium) for scheme, medium in SCHEMES.items()}


def _capabilities(config: SmsConfig, medium: Medium) -> Capabilities:
    profile = config.loaded
    limits = profile.limits_of(medium)
    # Files go with an SMS as MMS.
    files = profile.limits_of("mms").attachments if medium == "sms" and "mms" in profile.media else limits.attachments
    transliterate = config.transliteration if limits.unit == "gsm7" else "never"
    return Capabilities(
        text=TextLimit(max=limits.text, unit=limits.unit, transliterate=transliterate),
        attachments=AttachmentLimit()
        if files is None
        else AttachmentLimit(
            count=files.count,
            size=files.size,
            media_types=None if files.types is None else frozenset(files.types),
            by_url=True,
        ),
        subject=limits.subject,
        receipts=limits.statuses,
        idempotency=_idempotency(profile),
    )


def _idempotency(profile: Profile) -> Idempotency:
    known = None if profile.send is None else profile.send.idempotency
    return Idempotency() if known is None else Idempotency(kind=IdempotencyKind.KEY, window=known.window)
