"""What somebody wrote to us, as a gateway tells it: one rule of a profile, made ready. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from convergekit.errors import InvalidInputError
from convergekit.http.bodies import Item, compiled, reader
from convergekit.model import Address, Attachment, MessageReceived

from . import values
from ._reading import Call, Piece, Shared, Translated, bucket, folded, medium_words
from .consent import Asked, told
from .profile import Inbound

__all__ = ["Messages"]

_MOST_FILES: Final = 200
_URL: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f-\x9f]{1,4000}", re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(r"\s*([!#$&^_.+\-0-9A-Za-z]{1,127}/[!#$&^_.+\-0-9A-Za-z]{1,127})\s*(;|$)")


class Messages:
    """Reads what somebody wrote to us, by one rule."""

    def __init__(self, rule: Inbound, shared: Shared) -> None:
        self._rule, self._shared = rule, shared
        self._medium = medium_words(rule.medium, shared.profile.media)
        self._decodings = [(compiled(each.when), each.how) for each in rule.decode]
        self._from, self._to, self._id, self._at = map(reader, (rule.sender, rule.to, rule.id, rule.at))
        self._said, self._subject, self._reply_to = map(reader, (rule.text, rule.subject, rule.reply_to))
        self._keywords = {} if rule.keyword is None else folded(rule.keyword.words)

    def __call__(self, entry: Item, native: Any, call: Call) -> Translated:
        """The message of *entry*, and what it asks for; raises `InvalidInputError` where there is nothing in it."""
        rule, shared = self._rule, self._shared
        raw_from, raw_to = values.line(self._from(entry)), values.line(self._to(entry))
        id, text, files = values.line(self._id(entry)), self._text(entry), self._files(entry)
        if raw_from is None and id is None and not text and not files:
            raise InvalidInputError("a message has neither a sender, nor an id, nor a text, nor a file")
        medium = shared.medium(self._medium, entry, raw_from, raw_to)
        sender, to = shared.address(raw_from, medium), shared.address(raw_to, medium)
        subject, at = values.line(self._subject(entry), 8000), self._at(entry)
        message = MessageReceived(
            key=values.key("in", id) if id else _key_of(raw_from, raw_to, text, subject, files, at, call.now),
            channel=shared.channel,
            message_id=id,
            sender=self._named(sender, entry),
            conversation=shared.conversation(sender),
            to=() if to is None else (to,),
            at=values.moment(at, rule.at_format, call.now),
            text=None if text == "" and files else text,
            subject=subject,
            attachments=files,
            reply_to=values.line(self._reply_to(entry)),
            headers={},  # to check an empty one takes less time than to copy the default
            native=native,
            details=shared.details("mms" if medium == "sms" and (files or subject) else medium),
        )
        if (part := self._part(entry)) is not None:
            # Whoever has no address is known by the name alone; parts of two of them are of two messages.
            reference = part.reference if sender is not None else f"{part.reference} {raw_from}"
            return (Piece(message, reference, part.number, part.total, self._halves(entry)),)
        return told(message, shared.config, keyword=self._keyword(entry))

    def _text(self, entry: Item) -> str:
        text = self._said(entry)
        if text is None:
            if any(isinstance(entry.get(path), dict | list) and entry.get(path) for path in self._rule.text):
                raise InvalidInputError("a message has a text that is none")
            return ""
        encoding = self._encoding(entry)
        return text if encoding is None else values.decoded(text, *encoding)

    def _halves(self, entry: Item) -> tuple[str, str]:
        encoding = self._encoding(entry)
        return ("", "") if encoding is None else values.halves(self._said(entry) or "", *encoding)

    def _encoding(self, entry: Item) -> tuple[str, bytes | None] | None:
        """How the text is encoded, and the bytes of it; None where it is as it came."""
        for test, how in self._decodings:
            if test(entry):
                raw = next(filter(None, map(entry.bytes, self._rule.text)), None) if how == "utf16be" else None
                return how, raw
        return None

    def _files(self, entry: Item) -> tuple[Attachment, ...]:
        media = self._rule.media
        if media is None:
            return ()
        urls = _row(entry, media.urls)
        if not urls:
            return ()
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
    when = at or bucket(now)
    return "in#" + values.digest(raw_from, raw_to, text, subject, [file.url for file in files], when)


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
    for path in paths:
        if entry.get(path) and (row := entry.row(path)):
            return row
    return []


def _padded(row: list[Any], beside: list[Any]) -> list[Any]:
    return (row + [None] * len(beside))[: len(beside)]
