"""What a gateway tells us, as events: messages, parts of messages, and reports of our own. Pure.

Rules kept here:

- An entry of a batch that makes no sense is noted, original included, and the others are read. Only where nothing of
  a call can be read is it refused.
- What a gateway says of itself is taken as it is: a word, a code or a field that the profile does not know changes
  nothing, and is kept as a `CustomReceived`.
- A sender who cannot be written to (none, or one that is no number) does not make a message disappear: it has none.
- An event's key is made of what the gateway repeats: its own ids; where it gives none, of all that a message says, and
  of the time at which it came, to ten seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote

from pydantic import ValidationError

from convergekit.abc import Request
from convergekit.errors import InvalidInputError
from convergekit.model import (
    Address,
    Attachment,
    ConsentChanged,
    ConversationRef,
    CustomReceived,
    Event,
    Failure,
    FailureKind,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
)

from . import values
from .config import SmsConfig
from .consent import Asked, opted_out, told
from .details import Sms
from .fields import Item, Test, compiled, read_body
from .numbers import Style, read_number
from .profile import ConsentRule, Inbound, Medium, MediumWord, Segments, StatusRule, Word
from .request import read_reference

__all__ = ["Callbacks", "Piece", "Read"]

_T = TypeVar("_T")
_MOST_ITEMS: Final = 10_000
_MOST_FILES: Final = 200
_BUCKET: Final = 10
_REFERENCE: Final = re.compile(r"(?:^|&)ref=([^&]{1,300})")
_URL: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f-\x9f]{1,4000}", re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(r"\s*([!#$&^_.+\-0-9A-Za-z]{1,127}/[!#$&^_.+\-0-9A-Za-z]{1,127})\s*(;|$)")
#: Words that are a status; the others are kinds of failure, but for "none" and "failed".
_STATUSES: Final[Mapping[Word, Status]] = {
    "accepted": Status.ACCEPTED,
    "sent": Status.SENT,
    "relayed": Status.RELAYED,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
}
_KINDS: Final = {str(kind): kind for kind in FailureKind}


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a longer message.

    Args:
        message: The part as if it were all.
        reference: What the parts share.
        number: Which it is, from 1.
        total: How many there are.
    """

    message: MessageReceived
    reference: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Read:
    """What a call tells.

    Args:
        events: In order.
        pieces: Parts of longer messages, which are events once all of them are there.
    """

    events: tuple[Event, ...] = ()
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class _Call:
    """What all entries of a call share: our own reference in its URL, and when it came."""

    reference: str | None
    now: datetime


_Translated: TypeAlias = "tuple[Event | Piece, ...]"
#: Where it is said by which medium something came, and in which words.
_Medium: TypeAlias = tuple[str, Mapping[str, Medium]]
_Translate: TypeAlias = "Callable[[Item, Any, _Call], _Translated]"


class Callbacks:
    """Reads the calls of one channel's gateway.

    Args:
        config: The channel's.
        channel: Its name.
    """

    def __init__(self, config: SmsConfig, channel: str) -> None:
        self._channel, callbacks = channel, config.loaded.callbacks
        self._each, shared = callbacks.each, _Shared(config, channel)
        self._rules: list[tuple[Test, str | None, _Translate]] = [
            *((compiled(rule.when), rule.each, _Messages(rule, shared)) for rule in callbacks.inbound),
            *((compiled(rule.when), rule.each, _Reports(rule, shared)) for rule in callbacks.status),
            *((compiled(rule.when), rule.each, _Consents(rule, shared)) for rule in callbacks.consent),
            *((compiled(when), None, _nothing) for when in callbacks.ignored),
        ]

    def read(self, request: Request, *, now: datetime) -> Read:
        """The events of *request*, which is known to be genuine.

        Args:
            request: The call.
            now: When it came; it tells messages apart that have no id.

        Raises:
            InvalidInputError: Nothing of it can be read.
        """
        root = read_body(request)
        found = _REFERENCE.search(request.query) if request.query else None
        call = _Call(unquote(found[1]) if found else None, now)
        reading = _Reading(self._channel, call)
        for item in root.items(self._each):
            self._read(item, reading)
        return reading.result()

    def _read(self, item: Item, reading: _Reading) -> None:
        for test, each, translate in self._rules:
            if not test(item):
                continue
            if each is None:
                reading.take(item, item.value, translate)
                return
            entries = list(item.items(each))
            for entry in entries:
                reading.take(entry, item.value if len(entries) == 1 else entry.value, translate)
            return
        reading.note("sms.unknown", item.value)


class _Reading:
    """What has been read of one call so far."""

    def __init__(self, channel: str, call: _Call) -> None:
        self._channel, self._call = channel, call
        self._events: list[Event] = []
        self._pieces: list[Piece] = []
        self._count = self._good = 0
        self._problem = ""

    def take(self, entry: Item, native: Any, translate: _Translate) -> None:
        """Read *entry*; *native* is its original."""
        self._counted()
        try:
            for each in translate(entry, native, self._call):
                if isinstance(each, Piece):
                    self._pieces.append(each)
                else:
                    self._events.append(each)
            self._good += 1
        except ValidationError as exc:
            self._unreadable(native, f"{exc.error_count()} of its fields do not fit")
        except InvalidInputError as exc:
            self._unreadable(native, str(exc))

    def note(self, name: str, data: Any) -> None:
        self._counted()
        self._good += 1
        self._events.append(self._noted(name, data))

    def result(self) -> Read:
        if self._count and not self._good:
            raise InvalidInputError(f"nothing of the call makes sense: {self._problem}")
        return Read(tuple(self._events), tuple(self._pieces))

    def _counted(self) -> None:
        self._count += 1
        if self._count > _MOST_ITEMS:
            raise InvalidInputError(f"the call has more than {_MOST_ITEMS} entries")

    def _unreadable(self, native: Any, problem: str) -> None:
        self._problem = problem
        self._events.append(self._noted("sms.unreadable", native))

    def _noted(self, name: str, data: Any) -> CustomReceived:
        key = f"{name.removeprefix('sms.')}#{values.digest(data)}"
        return CustomReceived(key=key, channel=self._channel, name=name, data=data)


def _nothing(entry: Item, native: Any, call: _Call) -> _Translated:
    return ()


class _Shared:
    """What the readers of one channel share."""

    def __init__(self, config: SmsConfig, channel: str) -> None:
        profile = config.loaded
        self.config, self.channel, self.profile = config, channel, profile
        self.words = _folded(profile.words)
        self.codes = _folded(profile.codes)
        self.prefixes = _folded(profile.prefixes)
        self.style: Style = "e164" if profile.send is None else profile.send.numbers
        # Values, which whoever writes often is made from once.
        self.address = lru_cache(maxsize=4096)(self._address)
        self.conversation = lru_cache(maxsize=4096)(self._conversation)

    def medium(self, said: _Medium | None, entry: Item, *numbers: str | None) -> Medium:
        """By which medium *entry* came: as it says, or as the prefix of a number does."""
        if said is not None and (word := entry.text(said[0])) is not None:
            return said[1].get(word.casefold(), self.profile.media[0])
        for number in numbers if self.prefixes else ():
            for prefix, medium in self.prefixes.items():
                if number is not None and number.casefold().startswith(prefix):
                    return medium
        return self.profile.media[0]

    def _address(self, number: str | None, medium: Medium) -> Address | None:
        """Whom *number* means, or None where nobody can be reached by it."""
        if number is None:
            return None
        folded = number.casefold()
        prefix = next(filter(folded.startswith, self.prefixes), "")
        try:
            return read_number(number[len(prefix) :], medium=medium, style=self.style, region=self.config.region)
        except InvalidInputError:
            return None

    def _conversation(self, address: Address | None) -> ConversationRef | None:
        return None if address is None else ConversationRef(channel=self.channel, address=address)

    def details(self, medium: Medium) -> dict[str, Any]:
        return dict(_details(self.profile.name, medium))


class _Messages:
    """Reads what somebody wrote to us, by one rule."""

    def __init__(self, rule: Inbound, shared: _Shared) -> None:
        self._rule, self._shared = rule, shared
        self._medium = _medium(rule.medium)
        self._decodings = [(compiled(each.when), each.how) for each in rule.decode]
        self._keywords = {} if rule.keyword is None else _folded(rule.keyword.words)

    def __call__(self, entry: Item, native: Any, call: _Call) -> _Translated:
        rule, shared = self._rule, self._shared
        raw_from, raw_to = values.line(entry.text(rule.sender)), values.line(entry.text(rule.to))
        id, text, files = values.line(entry.text(rule.id)), self._text(entry), self._files(entry)
        if raw_from is None and id is None and not text and not files:
            raise InvalidInputError("a message has neither a sender, nor an id, nor a text, nor a file")
        medium = shared.medium(self._medium, entry, raw_from, raw_to)
        sender, to = shared.address(raw_from, medium), shared.address(raw_to, medium)
        subject, at = values.line(entry.text(rule.subject), 8000), entry.text(rule.at)
        message = MessageReceived(
            key=values.key("in", id) if id else _key_of(raw_from, raw_to, text, subject, files, at, call.now),
            channel=shared.channel,
            message_id=id,
            sender=self._named(sender, entry),
            conversation=shared.conversation(sender),
            to=() if to is None else (to,),
            at=values.moment(at, rule.at_format),
            text=None if text == "" and files else text,
            subject=subject,
            attachments=files,
            reply_to=values.line(entry.text(rule.reply_to)),
            headers={},  # to check an empty one takes less time than to copy the default
            native=native,
            details=shared.details("mms" if medium == "sms" and (files or subject) else medium),
        )
        if (part := self._part(entry)) is not None:
            return (Piece(message, part.reference, part.number, part.total),)
        return told(message, shared.config, keyword=self._keyword(entry))

    def _text(self, entry: Item) -> str:
        text = entry.text(self._rule.text)
        if text is None:
            if any(isinstance(entry.get(path), dict | list) and entry.get(path) for path in self._rule.text):
                raise InvalidInputError("a message has a text that is none")
            return ""
        for test, how in self._decodings:
            if test(entry):
                raw = next(filter(None, map(entry.bytes, self._rule.text)), None) if how == "utf16be" else None
                return values.decoded(text, how, raw)
        return text

    def _files(self, entry: Item) -> tuple[Attachment, ...]:
        media = self._rule.media
        if media is None:
            return ()
        urls = _row(entry, media.urls)
        if len(urls) > _MOST_FILES:
            raise InvalidInputError(f"a message has more than {_MOST_FILES} files")
        types, names = _row(entry, media.types), _row(entry, media.names)
        rows = zip(urls, _padded(types, urls), _padded(names, urls), strict=True)
        return tuple(_file(*row) for row in rows if isinstance(row[0], str) and _URL.fullmatch(row[0].strip()))

    def _named(self, sender: Address | None, entry: Item) -> Address | None:
        name = entry.text(self._rule.name) if sender is not None and self._rule.name else None
        if sender is None or name is None or not (name := values.line(name[:200])):
            return sender
        return Address(sender.uri, display_name=name)

    def _part(self, entry: Item) -> values.Position | None:
        parts = self._rule.parts
        if parts is None:
            return None
        if parts.udh is not None and (header := entry.bytes(parts.udh) or (entry.text(parts.udh) or "").encode()):
            return values.position_in_udh(header)
        if not (parts.reference and parts.number and parts.total):
            return None
        return values.position(
            values.line(entry.text(parts.reference)), entry.text(parts.number), entry.text(parts.total)
        )

    def _keyword(self, entry: Item) -> Asked | None:
        said = None if self._rule.keyword is None else entry.text(self._rule.keyword.path)
        return None if said is None else self._keywords.get(said.strip().casefold())


class _Reports:
    """Reads what became of messages of ours, by one rule."""

    def __init__(self, rule: StatusRule, shared: _Shared) -> None:
        self._rule, self._shared = rule, shared
        self._medium = _medium(rule.medium)
        self._segment = partial(_segment_by, rule.segments) if rule.segments is not None else None

    def __call__(self, entry: Item, native: Any, call: _Call) -> _Translated:
        rule, shared = self._rule, self._shared
        word, id = _listed(entry, rule.word, shared.words), values.line(entry.text(rule.id))
        if word is None:
            raise InvalidInputError("a report has no word for what became of the message")
        said, raw_to = values.line(entry.text(rule.reference)), values.line(entry.text(rule.to))
        reference, ours = next(
            ((text, found) for text in (said, call.reference) if (found := read_reference(text))), (None, None)
        )
        medium = shared.medium(self._medium, entry, raw_to)
        address = shared.address(raw_to, medium)
        if id is None and ours is None and address is None:
            raise InvalidInputError("a report says of no message that it is about it")
        code = _listed(entry, rule.code, shared.codes)
        segment, segments = self._segments(entry, id)
        about = id or reference or f"#{values.digest(native)}"
        extra = (code, segment and f"segment {segment}", raw_to and rule.each and f"to {raw_to}")
        common: dict[str, Any] = {
            "key": values.key("st", about, word, *(each for each in extra if each)),
            "channel": shared.channel,
            "conversation": shared.conversation(address),
            "at": values.moment(entry.text(rule.at), rule.at_format),
            "native": native,
        }
        meaning = self._meaning(word, code)
        if meaning == "none":
            data = {"word": word, "id": id, "reference": reference or said}
            return (CustomReceived(**common, name="sms.report", data=data),)
        status, failure = _STATUSES.get(meaning, Status.FAILED), None
        if status is Status.FAILED:
            reason = values.line((entry.text(rule.reason) or "")[:500])
            failure = Failure(kind=_KINDS.get(meaning), code=code, text=reason)
        receipt = Receipt(
            status,
            ids=() if id is None else (id,),
            delivery=ours[0] if ours else None,
            part=ours[1] if ours else None,
            address=address,
            occurred_at=common["at"],
            failure=failure,
            segment=segment,
            segments=segments,
        )
        report = ReceiptReceived(**common, receipt=receipt, details=shared.details(medium))
        if failure is None or failure.kind is not FailureKind.OPTED_OUT or address is None:
            return (report,)
        evidence = f"{shared.profile.name}:{code or word}"
        return (report, opted_out(address, key=report.key, evidence=evidence, channel=shared.channel))

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


class _Consents:
    """Reads what somebody has told the gateway itself, by one rule."""

    def __init__(self, rule: ConsentRule, shared: _Shared) -> None:
        self._rule, self._shared = rule, shared

    def __call__(self, entry: Item, native: Any, call: _Call) -> _Translated:
        rule, shared = self._rule, self._shared
        raw, at = values.line(entry.text(rule.sender)), entry.text(rule.at)
        address = shared.address(raw, shared.medium(None, entry, raw))
        if address is None:
            raise InvalidInputError("nobody is named whose consent it is about")
        about = values.line(entry.text(rule.id)) or values.digest(raw, at or _bucket(call.now))
        return (
            ConsentChanged(
                key=values.key("consent", about, str(rule.granted)),
                channel=shared.channel,
                conversation=shared.conversation(address),
                at=values.moment(at, rule.at_format),
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


def _key_of(
    raw_from: str | None,
    raw_to: str | None,
    text: str,
    subject: str | None,
    files: tuple[Attachment, ...],
    at: str | None,
    now: datetime,
) -> str:
    """Of a message without an id: a repeat has the same time in it, or else comes within seconds."""
    when = at or _bucket(now)
    return "in#" + values.digest(raw_from, raw_to, text, subject, [file.url for file in files], when)


def _bucket(now: datetime) -> int:
    return int(now.timestamp() // _BUCKET)


def _file(url: str, media_type: Any, name: Any) -> Attachment:
    found = _MEDIA_TYPE.match(media_type) if isinstance(media_type, str) else None
    plain = re.split(r"[/\\]", name)[-1] if isinstance(name, str) else None
    plain = values.line(plain[-255:]) if plain else None
    said: dict[str, Any] = {"url": url.strip()}
    if found:
        said["media_type"] = found[1].lower()
    if plain and plain not in (".", ".."):
        said["name"] = plain
    return Attachment(**said)


def _row(entry: Item, paths: Sequence[str]) -> list[Any]:
    """What the first of *paths* leads to that leads to anything, gaps included."""
    return next(filter(None, (entry.row(path) for path in paths if entry.get(path))), [])


def _listed(entry: Item, paths: Sequence[str], table: Mapping[str, Any]) -> str | None:
    """What the first of *paths* leads to that leads to something in *table*; else the first that there is."""
    if len(paths) < 2:
        return values.line(entry.text(paths))
    found = [text for path in paths if (text := values.line(entry.text(path)))]
    return next((text for text in found if text.casefold() in table), found[0] if found else None)


def _medium(said: MediumWord | None) -> _Medium | None:
    return None if said is None else (said.path, _folded(said.words))


def _padded(row: list[Any], beside: list[Any]) -> list[Any]:
    return (row + [None] * len(beside))[: len(beside)]


def _folded(table: Mapping[str, _T]) -> dict[str, _T]:
    return {name.casefold(): meaning for name, meaning in table.items()}


@lru_cache(maxsize=256)
def _details(gateway: str, medium: Medium) -> dict[str, Any]:
    return Sms(gateway=gateway, medium=medium).to_details()
