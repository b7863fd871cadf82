"""One MIME entity (RFC 2045): its header, what it is, and its content, decoded when somebody asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from . import charsets, names, parameters, transfer
from .defects import Defects
from .flowed import unflowed
from .headers import Headers, printable

__all__ = ["Entity", "Headers"]

#: RFC 6838 §4.2.
_MEDIA_TYPE: Final = re.compile(r"[!#$&^_.+\-0-9a-z]{1,127}/[!#$&^_.+\-0-9a-z]{1,127}")

#: HTML §4.2.5.4: how a page declares its charset, and how far in at most.
_META: Final = re.compile(rb"<meta\s[^>]{0,200}?charset=[\"']?([a-z0-9_:.-]{1,40})", re.IGNORECASE)
_HEAD: Final = 1024


@dataclass(slots=True, eq=False)
class Entity:
    """One MIME entity.

    Args:
        headers: Its own.
        media_type: "text/plain", in lower case; where it is missing or broken, the default of RFC 2045 §5.2.
        params: Of Content-Type, decoded (RFC 2231); names in lower case.
        disposition: "inline", "attachment", or "" where nothing is said.
        name: A file name that is safe to use: no folder, no control characters; None where there is none.
        content_id: Without angle brackets.
        encoding: Of its content: "base64", "quoted-printable", "uuencode", or "" for none.
        children: Of a multipart; of message/rfc822 the one message.
        is_typed: Whether `media_type` is what the header says.
        raw: What it is read from; the body is in there, from *start* to *end*.
    """

    headers: Headers
    media_type: str = "text/plain"
    params: Mapping[str, str] = field(default_factory=dict)
    disposition: str = ""
    name: str | None = None
    content_id: str | None = None
    encoding: str = ""
    children: tuple[Entity, ...] = ()
    is_typed: bool = False
    raw: bytes = field(default=b"", repr=False)
    start: int = 0
    end: int = 0

    @classmethod
    def described(cls, headers: Headers, default: str, defects: Defects) -> Entity:
        """An entity as *headers* describe it, still without a body; it is a *default* where they do not say."""
        entity = cls(headers, default)
        if (value := headers.raw("content-type")) is not None:
            kind, entity.params = parameters.parse(charsets.guess(value))
            entity.is_typed = _MEDIA_TYPE.fullmatch(kind) is not None
            if entity.is_typed:
                entity.media_type = kind
            else:
                defects.add(f"Content-Type is broken, and taken for {default}")
        file_name = entity.params.get("name")
        if (value := headers.raw("content-disposition")) is not None:
            disposition, params = parameters.parse(charsets.guess(value))
            # RFC 2183 §2.8: what is not known is an attachment.
            entity.disposition = disposition if disposition in ("", "inline") else "attachment"
            file_name = params.get("filename") or file_name
        if file_name:
            entity.name = names.safe(file_name, entity.media_type)
        if (value := headers.raw("content-id")) is not None:
            entity.content_id = printable(charsets.guess(value).strip("<> \t")) or None
        entity.encoding, defect = transfer.parse(headers.get("content-transfer-encoding"))
        defects.add(defect)
        return entity

    def body(self) -> memoryview:
        """What stands behind the header, as it stands there."""
        return memoryview(self.raw)[self.start : self.end]

    def content(self, defects: Defects | None = None) -> bytes:
        """The body with its transfer encoding undone, as far as that goes; what is wrong goes to *defects*."""
        content, defect = transfer.decode(self.encoding, self.raw, self.start, self.end)
        if defects is not None:
            defects.add(defect)
        return content

    def text(self, defects: Defects | None = None) -> str:
        """The content as text: line ends are newlines, no NUL, no lone surrogates; what is wrong goes to *defects*."""
        content = self.content(defects) if self.encoding else self.body()
        text, defect = charsets.decode(content, self.params.get("charset") or self._said_inside(content))
        if defects is not None:
            defects.add(defect, "text has NUL characters in it" if "\0" in text else None)
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        if self.params.get("format", "").lower() == "flowed" and self.media_type == "text/plain":
            text = unflowed(text, delsp=self.params.get("delsp", "").lower() == "yes")
        return text

    def _said_inside(self, content: bytes | memoryview) -> str | None:
        """The charset that a page says of itself, for a mail that says none."""
        found = _META.search(content[:_HEAD]) if self.media_type == "text/html" else None
        return found[1].decode("ascii") if found else None

    def walk(self) -> Iterator[Entity]:
        """Itself and all that is inside, depth first."""
        waiting: list[Entity] = [self]
        while waiting:
            entity = waiting.pop()
            yield entity
            waiting.extend(reversed(entity.children))
