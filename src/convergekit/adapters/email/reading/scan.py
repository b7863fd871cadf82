"""Finds the parts of a mail: from bytes to a tree of entities, in one pass and without recursion.

The boundaries of all multiparts that are open are looked for at once: a part without an end costs no second look, and
an outer boundary ends whatever is inside (RFC 2046 §5.1.2).

What lies too deep is kept as one part, and so is all from the part on that is one too many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from . import headers
from .defects import Defects
from .entity import Entity
from .media_types import MESSAGES

__all__ = ["MAX_DEPTH", "MAX_PARTS", "scan"]

MAX_DEPTH: Final = 50
MAX_PARTS: Final = 1000
#: Of all headers of a mail together.
_MAX_FIELDS: Final = 20_000
#: Lines that begin like a boundary: all that stands in a mail, if nobody means harm.
_MAX_LOOKS: Final = 1_000_000
_MAX_BOUNDARY: Final = 512
#: How far behind its header a multipart's first boundary is expected.
_WINDOW: Final = 8 * 1024

#: Where a mail begins: behind a byte order mark, blank lines, and the line that an mbox file puts between mails.
_TOP: Final = re.compile(rb"(?:\xef\xbb\xbf)?+(?:(?:\r?\n)++(?=[!-9;-~]++:))?+(?:>?From (?![ \t]*+:)[^\n]{0,1000}\n)?+")
#: A line that must be one, whatever was announced: the header of a part stands below it.
_BOUNDARY: Final = re.compile(rb"\n--(\S[^\r\n]{0,250}+)\r?\n(?=Content-[A-Za-z-]{1,40}:)", re.IGNORECASE)


def scan(raw: bytes) -> tuple[Entity, list[str]]:
    """Read *raw* into a tree of entities, and tell what is wrong with it, in words, at most a hundred times."""
    defects = Defects()
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")
        defects.add("lines end in a carriage return")
    left = _Left(octets=len(raw))
    root = _Scanner(raw, defects, left).read()
    while left.encoded:
        entity, depth = left.encoded.pop()
        left.octets -= entity.end - entity.start
        if left.octets < 0:  # quoted-printable in quoted-printable does not get smaller
            defects.add("encoded messages are nested in one another; what is inside is not looked into")
            break
        entity.children = (_Scanner(entity.content(defects), defects, left, depth + 1).read(),)
    return root, list(defects)


@dataclass(slots=True)
class _Left:
    """What a mail may still use up, and the messages in it that have to be decoded before they can be read."""

    octets: int
    parts: int = MAX_PARTS
    fields: int = _MAX_FIELDS
    looks: int = _MAX_LOOKS
    encoded: list[tuple[Entity, int]] = field(default_factory=list)


class _Open(NamedTuple):
    """An entity whose end is not known yet.

    Args:
        entity: As far as it is known.
        children: Those of it that have begun.
        boundary: What is between them; b"" where nothing is looked for.
        hidden: At which level the same boundary was open already, or None.
    """

    entity: Entity
    children: list[Entity]
    boundary: bytes = b""
    hidden: int | None = None


class _Scanner:
    def __init__(self, raw: bytes, defects: Defects, left: _Left, depth: int = 0) -> None:
        self._raw = raw
        self._defects = defects
        self._left = left
        self._depth = depth  # of what is read
        self._open: list[_Open] = []  # from the whole to the part that is being read
        self._levels: dict[bytes, int] = {}  # boundary to its place in there
        self._needle = b""  # what all of them begin with

    def read(self) -> Entity:
        """The whole."""
        top = _TOP.match(self._raw)
        position = self._begin(top.end() if top else 0, "text/plain")
        root = self._open[0].entity
        while self._levels and (line := self._boundary_behind(position)):
            start, position, level, closes = line
            self._end(level + 1, start)
            if closes:
                self._forget(level)
            elif self._left.parts <= 0:
                self._keep_rest(start)
                break
            else:
                is_digest = self._open[level].entity.media_type == "multipart/digest"
                position = self._begin(position, "message/rfc822" if is_digest else "text/plain")
        self._end(0, len(self._raw))
        return root

    def _begin(self, position: int, default: str) -> int:
        """Open the entity whose header is at *position*, and those it begins with; returns where the search goes on."""
        while True:
            block = headers.split(self._raw, position, len(self._raw), most=self._left.fields, is_end=self._is_boundary)
            self._left.fields -= len(block.headers)
            self._left.parts -= 1
            self._defects.add(*block.defects)
            entity = Entity.described(block.headers, default, self._defects)
            entity.raw, entity.start, entity.end = self._raw, block.end, len(self._raw)
            if not self._push(entity):
                return block.end
            position, default = block.end, "text/plain"

    def _push(self, entity: Entity) -> bool:
        """Open *entity*; returns whether another one begins at once, with a header of its own."""
        if self._open:
            self._open[-1].children.append(entity)
        is_multipart, is_message = entity.media_type.startswith("multipart/"), entity.media_type in MESSAGES
        depth = self._depth + len(self._open)
        boundary = b""
        if (is_multipart or is_message) and depth >= MAX_DEPTH:
            self._defects.add(f"parts are nested more than {MAX_DEPTH} deep; what is inside is kept as one file")
            entity.disposition = "attachment"
            is_multipart = is_message = False
        if is_multipart:
            if entity.encoding:
                entity.encoding = ""  # RFC 2045 §6.4
                self._defects.add("a multipart says that it is encoded, which cannot be")
            boundary = self._boundary_of(entity)
        elif is_message and entity.encoding:
            self._left.encoded.append((entity, depth))
            is_message = False
        self._open.append(_Open(entity, [], boundary, self._levels.get(boundary)))
        if boundary:
            self._levels[boundary] = len(self._open) - 1
            self._aim()
        return is_message

    def _boundary_of(self, entity: Entity) -> bytes:
        """What stands between its parts: what it says, or what can be seen there if that cannot."""
        declared = entity.params.get("boundary", "").rstrip().encode("utf-8", "replace")
        if len(declared) > _MAX_BOUNDARY:
            declared = b""
        start, end = max(0, entity.start - 1), entity.start + _WINDOW
        if declared and self._raw.find(b"\n--" + declared, start, end) >= 0:
            return declared
        seen = _BOUNDARY.search(self._raw, start, end)
        if seen and not self._is_boundary(seen.start() + 1) and not seen[1].rstrip().endswith(b"--"):
            self._defects.add("a multipart is not separated by the boundary that its header names")
            return seen[1].rstrip()
        return declared

    def _aim(self) -> None:
        first, last = min(self._levels, default=b""), max(self._levels, default=b"")
        common = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
        self._needle = b"\n--" + first[:common]

    def _boundary_behind(self, position: int) -> tuple[int, int, int, bool] | None:
        """The next boundary: start and end of its line, the level that it is of, and whether it is the last there."""
        found = max(0, position - 1)
        while (found := self._raw.find(self._needle, found)) >= 0:
            if line := self._match(found + 1):
                return found + 1, *line
            found += 1
            self._left.looks -= 1
            if self._left.looks < 0:
                self._defects.add("too many lines look like boundaries; what is behind them is kept as one part")
                return None
        return None

    def _is_boundary(self, start: int) -> bool:
        return bool(self._levels) and self._raw.startswith(b"--", start) and self._match(start) is not None

    def _match(self, start: int) -> tuple[int, int, bool] | None:
        """Where the line of a boundary ends that begins at *start*, its level, and whether it closes; or None."""
        limit = start + _MAX_BOUNDARY + 100
        end = self._raw.find(b"\n", start, limit) + 1 or min(limit, len(self._raw))
        line = self._raw[start + 2 : end].rstrip()
        if (level := self._levels.get(line)) is not None:
            return end, level, False
        if line.endswith(b"--") and (level := self._levels.get(line[:-2])) is not None:
            return end, level, True
        return None

    def _end(self, level: int, line: int) -> None:
        """End all from *level* on; the line break before the *line* that ends them is no part of them."""
        end = line
        if level:
            end -= 2 if self._raw.startswith(b"\r\n", line - 2) else 1
        for index in range(len(self._open) - 1, level - 1, -1):
            entity, children, boundary, _ = self._open[index]
            if boundary:
                self._defects.add("the last boundary of a multipart is missing")
                self._forget(index)
            if entity.media_type.startswith("multipart/") and not children and entity.disposition != "attachment":
                self._defects.add("a multipart has no parts")
            entity.end = max(entity.start, end)
            entity.children = tuple(children)
        del self._open[level:]

    def _forget(self, level: int) -> None:
        """Look for its boundary no longer."""
        opened = self._open[level]
        del self._levels[opened.boundary]
        if opened.hidden is not None:
            self._levels[opened.boundary] = opened.hidden
        self._open[level] = opened._replace(boundary=b"")
        self._aim()

    def _keep_rest(self, start: int) -> None:
        self._defects.add(f"more than {MAX_PARTS:,} parts; what is behind them is kept as one file")
        rest = Entity(headers.Headers(), "application/octet-stream", disposition="attachment")
        rest.raw, rest.start, rest.end = self._raw, start, len(self._raw)
        self._open[-1].children.append(rest)
