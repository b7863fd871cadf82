"""What of a mail is its text, and what goes with it as files.

Rules kept here:

- Nothing is left out: each part is in the text, in the HTML or among the files. Only what says the same again for
  other programs (`multipart/alternative`) is not, where there is plain text or HTML.
- Of alternatives, plain text and HTML are one piece, whichever comes first. Texts that stand behind one another, with
  files between them as some programs write, are read on behind one another.
- A part that is named, or that says that it is attached, is a file, whatever its type.
- A picture belongs into the HTML if the HTML names it, whatever is said about its disposition.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final, NamedTuple

from convergekit.content.html import to_text
from convergekit.model import Attachment

from ..content_ids import shown_in
from . import names, uuencode
from .defects import Defects
from .entity import Entity

__all__ = ["MAX_HTML", "MAX_TEXT", "Body", "body_of"]

#: Octets of text and HTML together. What is larger is a file, with its beginning as text.
MAX_TEXT: Final = 4 * 1024 * 1024
#: Characters of HTML that text is made from.
MAX_HTML: Final = 256 * 1024

#: Forms of what stands beside them as plain text or HTML.
_FORMS: Final = frozenset({"text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext"})


@dataclass(frozen=True, slots=True)
class Body:
    """What a mail says, and what goes with it.

    Args:
        text: What it says; made from `html` where it has no plain text; None where it has neither.
        html: The same with markup, as it came; None where there is none.
        attachments: The files, in the order of the mail; of those that the HTML shows, `content_id` is what it names.
    """

    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]


def body_of(entity: Entity, defects: Defects) -> Body:
    """The body of the mail that *entity* is; what is wrong with it goes to *defects*."""
    return _Reader(entity, defects).body()


class _Piece(NamedTuple):
    """Something that is said: as plain text, as HTML, or the same as both."""

    text: str = ""
    html: str = ""


class _Reader:
    def __init__(self, entity: Entity, defects: Defects) -> None:
        self._root = entity
        self._defects = defects
        self._left = MAX_TEXT
        self._html_left = MAX_HTML
        self._has_text = False
        self._parts: list[Entity] = []  # that are files
        self._found: list[Attachment] = []  # in the middle of texts

    def body(self) -> Body:
        pieces = self._read(self._root)
        html = "\n".join(_html(piece) for piece in pieces) if any(piece.html for piece in pieces) else None
        text = _joined(self._text(piece) for piece in pieces) or None
        shown = shown_in(html)
        files = [self._file(part, shown) for part in self._parts]
        return Body(text, html, (*files, *self._found))

    def _read(self, entity: Entity) -> list[_Piece]:
        """What is said in it; its files are noted. Goes no deeper than the scanner did."""
        if entity.children and entity.media_type == "multipart/alternative":
            return self._alternative(entity)
        if entity.children and entity.media_type.startswith("multipart/"):
            return [piece for child in entity.children for piece in self._read(child)]
        if self._is_text(entity) and self._left:
            return [self._said(entity)]
        self._parts.append(entity)
        return []

    def _alternative(self, entity: Entity) -> list[_Piece]:
        others = [child for child in entity.children if child.media_type not in _FORMS]
        forms = [form for child in others or entity.children if (form := self._read(child))]
        plain = next((form for form in forms if not any(piece.html for piece in form)), None)
        rich = next((form for form in forms if any(piece.html for piece in form)), None)
        if plain is None or rich is None:
            return [piece for form in forms for piece in form]
        both = _Piece(_joined(piece.text for piece in plain), "\n".join(_html(piece) for piece in rich))
        return [both, *(piece for form in forms if form is not plain and form is not rich for piece in form)]

    def _is_text(self, entity: Entity) -> bool:
        kind = entity.media_type
        if entity.disposition == "attachment":
            return False
        if entity is self._root:
            return kind.startswith(("text/", "multipart/")) and kind != "text/calendar"
        # A name in Content-Type alone is what some programs give to the text itself.
        is_file = entity.name is not None and (entity.disposition == "inline" or self._has_text)
        return (kind in ("text/plain", "text/html") and not is_file) or kind.startswith("multipart/")

    def _said(self, entity: Entity) -> _Piece:
        self._has_text = True
        size = entity.end - entity.start
        if size > self._left:
            self._defects.add("more text than is read; its beginning is, and the whole of it is kept as a file")
            self._parts.append(entity)
            entity = replace(entity, end=entity.start + self._left)
        self._left -= min(size, self._left)
        text = entity.text(self._defects).rstrip("\n")
        if entity.media_type == "text/html":
            return _Piece(html=text)
        text, files = uuencode.split(text)
        for name, content in files:
            self._found.append(Attachment(data=content, name=names.safe(name, "application/octet-stream")))
        return _Piece(text.rstrip("\n"))

    def _text(self, piece: _Piece) -> str:
        if not piece.html or piece.text.strip():
            return piece.text
        html, self._html_left = piece.html[: self._html_left], max(0, self._html_left - len(piece.html))
        if len(html) < len(piece.html):
            self._defects.add("the text was made from the beginning of the HTML only: there is too much of it")
        return to_text(html)

    def _file(self, part: Entity, shown: frozenset[str]) -> Attachment:
        is_inline = part.content_id in shown or part.disposition == "inline"
        described: dict[str, Any] = {"name": part.name, "content_id": part.content_id if is_inline else None}
        if part.is_typed or part.media_type != "text/plain":  # else its name tells, or nothing does
            described["media_type"] = part.media_type
        return Attachment(data=part.content(self._defects), **described)


def _html(piece: _Piece) -> str:
    return piece.html or f"<pre>{escape(piece.text, quote=False)}</pre>"


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, texts))
