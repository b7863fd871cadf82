"""What became of messages of ours, and who agrees to get them, as a gateway reports it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from convergekit.errors import InvalidInputError
from convergekit.http.bodies import Item, Reader, reader
from convergekit.model import (
    ConsentChanged,
    CustomReceived,
    Failure,
    FailureKind,
    Receipt,
    ReceiptReceived,
    Status,
)

from . import values
from ._reading import Call, Shared, Translated, bucket, medium_words
from .profile import ConsentRule, Segments, StatusRule, Word
from .references import read_reference

__all__ = ["Consents", "Reports"]

#: Words that are a status; the others are kinds of failure, but for "none" and "failed".
_STATUSES: Final[Mapping[Word, Status]] = {
    "accepted": Status.ACCEPTED,
    "sent": Status.SENT,
    "relayed": Status.RELAYED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}
_KINDS: Final = {str(kind): kind for kind in FailureKind}


class Reports:
    """Reads what became of messages of ours, by one rule."""

    def __init__(self, rule: StatusRule, shared: Shared) -> None:
        self._rule, self._shared = rule, shared
        self._medium = medium_words(rule.medium, shared.profile.media)
        self._id, self._reference, self._to, self._at = map(reader, (rule.id, rule.reference, rule.to, rule.at))
        self._word, self._code = _listed(rule.word, shared.words), _listed(rule.code, shared.codes)
        self._segment = partial(_segment_by, rule.segments) if rule.segments is not None else None

    def __call__(self, entry: Item, native: Any, call: Call) -> Translated:
        """The report of *entry*, and what it says of consent; raises `InvalidInputError` if it is about nothing."""
        rule, shared = self._rule, self._shared
        word, id = self._word(entry), values.line(self._id(entry))
        if word is None:
            raise InvalidInputError("a report has no word for what became of the message")
        said, raw_to = values.line(self._reference(entry)), values.line(self._to(entry))
        reference, ours = said, read_reference(said)
        if ours is None:
            reference = call.reference if (ours := read_reference(call.reference)) else None
        medium = shared.medium(self._medium, entry, raw_to)
        address = shared.address(raw_to, medium)
        if id is None and ours is None and address is None:
            raise InvalidInputError("a report says of no message that it is about it")
        code = self._code(entry)
        segment, segments = self._segments(entry, id)
        about = id or reference or f"#{values.digest(native)}"
        beside = (code, segment and f"segment {segment}", raw_to and rule.each and f"to {raw_to}")
        common: dict[str, Any] = {
            "key": values.key("st", about, word, *filter(None, beside)),
            "channel": shared.channel,
            "conversation": shared.conversation(address),
            "at": values.moment(self._at(entry), rule.at_format),
            "native": native,
        }
        meaning = self._meaning(word, code)
        if meaning == "none":
            data = {"word": word, "id": id, "reference": reference or said}
            return (CustomReceived(**common, name="sms.report", data=data),)
        failure = self._failure(meaning, code, entry)
        receipt = Receipt(
            _STATUSES.get(meaning, Status.FAILED),
            ids=() if id is None else (id,),
            delivery=ours[0] if ours else None,
            part=ours[1] if ours else None,
            address=address,
            occurred_at=common["at"],
            failure=failure,
            segment=segment,
            segments=segments,
        )
        return (ReceiptReceived(**common, receipt=receipt, details=shared.details(medium)),)

    def _failure(self, meaning: Word, code: str | None, entry: Item) -> Failure | None:
        if meaning in _STATUSES:
            return None
        reason = values.line((entry.text(self._rule.reason) or "")[:500])
        return Failure(kind=_KINDS.get(meaning), code=code, text=reason)

    def _meaning(self, word: str, code: str | None) -> Word:
        """Of a failure the code says more than the word; also that it is none."""
        meaning = self._shared.words.get(word.casefold(), "none")
        if code is None or meaning == "none" or meaning in _STATUSES:
            return meaning
        said = self._shared.codes.get(code.casefold(), "failed")
        return meaning if said == "failed" else said

    def _segments(self, entry: Item, id: str | None) -> tuple[str | None, int | None]:
        if self._segment is not None:
            return self._segment(entry)
        # Each id that the reply named was one segment's, and is what its report names.
        return (id if self._shared.profile.reply.segments else None), None


class Consents:
    """Reads what somebody has told the gateway itself, by one rule."""

    def __init__(self, rule: ConsentRule, shared: Shared) -> None:
        self._rule, self._shared = rule, shared

    def __call__(self, entry: Item, native: Any, call: Call) -> Translated:
        """The change that *entry* tells; raises `InvalidInputError` where it names nobody."""
        rule, shared = self._rule, self._shared
        raw, at = values.line(entry.text(rule.sender)), entry.text(rule.at)
        address = shared.address(raw, shared.medium(None, entry, raw))
        if address is None:
            raise InvalidInputError("nobody is named whose consent it is about")
        about = values.line(entry.text(rule.id)) or values.digest(raw, at or bucket(call.now))
        return (
            ConsentChanged(
                key=values.key("consent", about, str(rule.granted)),
                channel=shared.channel,
                conversation=shared.conversation(address),
                at=values.moment(at, rule.at_format, call.now),
                address=address,
                granted=rule.granted,
                evidence=f"{shared.profile.name}: told by the gateway",
                native=native,
            ),
        )


def _segment_by(segments: Segments, entry: Item) -> tuple[str | None, int | None]:
    id, total = values.line(entry.text(segments.id)), entry.text(segments.total) if segments.total else None
    if total is not None and segments.pattern is not None:
        found = re.search(segments.pattern, total[:200])
        total = found[1] if found and found.re.groups else None
    if total is None or not (total.isascii() and total.isdigit() and 0 < len(total) < 4 and int(total) > 0):
        return id, None
    return (None, None) if int(total) == 1 else (id, int(total))


def _listed(paths: Sequence[str], table: Mapping[str, Any]) -> Reader:
    """What the first of *paths* leads to that leads to something in *table*; else the first that there is."""
    if len(paths) < 2:
        read = reader(paths)
        return lambda entry: values.line(read(entry))
    readers = [reader(path) for path in paths]

    def read_listed(entry: Item) -> str | None:
        found = [text for read in readers if (text := values.line(read(entry)))]
        return next((text for text in found if text.casefold() in table), found[0] if found else None)

    return read_listed
