"""One MIME entity (RFC 2045): its header and what stands below it, decoded when somebody asks for it."""

from __future__ import annotations

import contextlib
import email
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header

__all__ = ["Entity", "Headers"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class Headers:
    """A header block: in order, names in any case, decoded when asked for."""

    def __init__(self, fields: Sequence[tuple[str, bytes]] = ()) -> None:
        self._fields = [(name.lower(), value) for name, value in fields]

    @classmethod
    def parse(cls, block: bytes) -> Headers:
        """Those that *block* begins with: a returned header, a group of fields of a report."""
        message = email.message_from_bytes(block)
        return cls([(n, re.sub(rb"\r?\n", b"", str(v).encode("utf-8", "surrogateescape"))) for n, v in message.items()])

    def get(self, name: str) -> str | None:
        """The first of that name: unfolded, decoded, one line of at most 8,192 characters; None where there is none."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        """All of that name, as `get` gives the first."""
        return [_decoded(value) for each, value in self._fields if each == name.lower()]

    def raw(self, name: str) -> bytes | None:
        """The first of that name, unfolded and not decoded."""
        return next((value for each, value in self._fields if each == name.lower()), None)

    def names(self) -> list[str]:
        """In lower case and in order, as often as they are there."""
        return [name for name, _ in self._fields]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(each == name.lower() for each, _ in self._fields)


def _decoded(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("cp1252", "replace")
    with contextlib.suppress(Exception):
        text = str(make_header(decode_header(text)))
    return _CONTROL.sub(" ", text).strip()[:8192]


@dataclass(slots=True, eq=False)
class Entity:
    """One MIME entity.

    Args:
        headers: Its own.
        media_type: "text/plain", in lower case; the default of RFC 2045 §5.2 where it is missing or broken.
        params: Of Content-Type, decoded (RFC 2231); names in lower case.
        disposition: "inline", "attachment", or "" where nothing is said.
        name: A file name that is safe to use: no folder, no control characters; None where there is none.
        content_id: Without angle brackets.
        children: Of a multipart; of message/rfc822 the one message.
    """

    headers: Headers
    media_type: str
    params: Mapping[str, str] = field(default_factory=dict)
    disposition: str = ""
    name: str | None = None
    content_id: str | None = None
    children: tuple[Entity, ...] = ()
    _body: bytes = b""
    _content: bytes = b""

    def body(self) -> memoryview:
        """What stands below the header, as it stands in the mail."""
        return memoryview(self._body)

    def content(self) -> bytes:
        """The body with its transfer encoding undone, as far as that goes."""
        return self._content

    def text(self) -> str:
        """The content as text: line ends are newlines, no NUL, no lone surrogates."""
        try:
            text = self._content.decode(self.params.get("charset", "utf-8"))
        except (LookupError, UnicodeDecodeError):
            text = self._content.decode("cp1252", "replace")
        return text.replace("\r\n", "\n").replace("\0", "")

    def walk(self) -> Iterator[Entity]:
        """Itself and all that is inside, depth first."""
        waiting = [self]
        while waiting:
            entity = waiting.pop()
            yield entity
            waiting.extend(reversed(entity.children))
