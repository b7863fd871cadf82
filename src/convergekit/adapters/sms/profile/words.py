"""The words of a profile: media, what codes and reports mean, and the placeholders that the engine fills in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias

__all__ = ["PLACEHOLDERS", "UNITS", "Kind", "Medium", "VariantName", "Verdict", "Word"]

Medium: TypeAlias = Literal["sms", "mms", "whatsapp", "rcs"]
#: What an attempt carries: a medium, with or without files. An `sms` with files is an `mms`, and one whose text has
#: letters that GSM 03.38 cannot write is a `ucs2`, where the profile tells it apart.
VariantName: TypeAlias = Literal["ucs2", "mms", "whatsapp", "whatsapp-media", "rcs", "rcs-media"]

#: A kind of failure, as `FailureKind` has them: what codes of answers and of reports can mean alike.
Kind: TypeAlias = Literal[
    "throttled",
    "auth",
    "quota",
    "invalid_message",
    "invalid_address",
    "unreachable",
    "opted_out",
    "blocked",
    "content",
    "too_large",
    "expired",
    "cancelled",
    "config",
    "provider",
]
#: What a code, or an HTTP status, means: "taken"; the four outcomes of an attempt; or a kind of failure, which says
#: more. "throttled" waits; "auth" and "quota" take the account down; every other kind refuses for good.
Verdict: TypeAlias = Literal["taken", "not_sent", "uncertain", "rejected", "account", Kind]
#: What a report's word means: a status ("failed" without more), a kind of failure, or "none": noted, and no change.
Word: TypeAlias = Literal["none", "accepted", "sent", "relayed", "delivered", "read", "failed", Kind, "connection"]

#: In what gateways count time; an instant is told to the second.
UNITS: Final[Mapping[str, timedelta]] = {
    "milliseconds": timedelta(milliseconds=1),
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "instant": timedelta(seconds=1),
}
#: What the engine fills in, beside the account's settings.
PLACEHOLDERS: Final[Mapping[str, str]] = {
    "to": "the recipient's number, as `numbers` writes it",
    "from": "our number, short code or name",
    "text": "the text of the part",
    "text_hex": "the same in UTF-16BE, as hexadecimal digits",
    "subject": "the subject of the part, where the medium has one",
    "media": "the URLs of the files, a list",
    "media_0": "the first of them",
    "media_type": "the first one's media type",
    "media_kind": "the first one's kind: the profile's word for image, video, audio or file",
    "media_name": "the first one's file name",
    "callback": "the URL where reports about this part are to go",
    "inbound": "the URL where answers are to go",
    "reference": "our own id of this part, which comes back in reports",
    "key": "the same over all attempts at this part",
    "validity": "for how long, or until when, delivery is to be tried; in the gateway's unit",
    "alphabet": "the profile's word for gsm7 or ucs2",
    "medium": "the profile's word for sms, mms, whatsapp or rcs",
}
