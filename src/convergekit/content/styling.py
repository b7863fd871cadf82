"""Reads Message Styling (XEP-0393 1.1), the asterisks and underscores of instant messaging.

Rules kept here:

- Blocks come first: a line that begins with three grave accents opens preformatted text, up to a line of nothing but
  these or the end of the block around it; lines that begin with ">" are a quotation, and are read again without it.
  Every other line is a block of its own, so no mark goes on into the next line.
- A mark opens at the start of a line, behind white space or behind another mark that opens; not before white space.
  It is closed by the next of its kind that has no white space before it, if there is anything in between.
- Time is linear: where a line's marks may be closed is looked up once.

What differs: what stands behind the opening grave accents is for no reader, says the XEP. Where it is more than one
word, or has the closing accents with it, it is somebody's text all the same, and becomes the first line of what is
preformatted.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from .document import BREAK, MAX_DEPTH, Block, Box, Document, Mark, Span, ordered

__all__ = ["NODES", "is_styled", "parse", "read_line", "to_markdown"]

#: What styling has marks for, named as in `convergekit.model.Markup`.
NODES: Final = frozenset({"strong", "em", "s", "code", "code_block", "blockquote"})

_FENCE: Final = "```"
_MARKS: Final = {"*": "strong", "_": "em", "~": "s", "`": "code"}
_OPENING: Final = re.compile(r"(?<!\S)[*_~`](?=\S)")
_CLOSING: Final = re.compile(r"(?<=\S)[*_~`]")
_ANY: Final = re.compile(r"[*_~`]|(?m:^>)")


def to_markdown(text: str) -> str:
    """Markdown that shows what *text* shows; what is no mark in styling and would be one in Markdown is escaped."""
    from . import _markdown

    return _markdown.write(parse(text).blocks)


def is_styled(text: str) -> bool:
    """Whether anything in *text* is marked. Cheap where it has none of the characters."""
    return _ANY.search(text) is not None and bool(parse(text).nodes())


def parse(text: str) -> Document:
    """Read *text*. Never fails: what opens and is not closed is text."""
    blocks: list[Block] = []
    _read(text.replace("\r\n", "\n").split("\n"), (), blocks)
    return Document(tuple(blocks))


def _read(lines: Sequence[str], path: tuple[Box, ...], blocks: list[Block]) -> None:
    paragraph: list[str] = []
    number = 0
    while number < len(lines):
        line, begun = lines[number], number
        number += 1
        if line.startswith(_FENCE):
            blocks += _paragraph(paragraph, path)
            number = _find(lines, number, lambda each: each == _FENCE)
            blocks.append(_preformatted(line[len(_FENCE) :], lines[begun + 1 : number], path))
            number += 1
        elif line.startswith(">") and len(path) < MAX_DEPTH:
            blocks += _paragraph(paragraph, path)
            number = _find(lines, number, lambda each: not each.startswith(">"))
            _read([_quoted(each) for each in lines[begun:number]], (*path, Box("blockquote")), blocks)
        elif line.strip():
            paragraph.append(line.rstrip())
        else:
            blocks += _paragraph(paragraph, path)
    blocks += _paragraph(paragraph, path)


def _find(lines: Sequence[str], start: int, ends: Callable[[str], bool]) -> int:
    return next((number for number in range(start, len(lines)) if ends(lines[number])), len(lines))


def _quoted(line: str) -> str:
    """Without its ">", and without the first white space behind it."""
    return line[2:] if line[1:2].isspace() else line[1:]


def _preformatted(tag: str, lines: Sequence[str], path: tuple[Box, ...]) -> Block:
    tag = tag.strip()
    if "`" in tag or len(tag.split()) > 1:
        tag, lines = "", [tag, *lines]
    return Block("code_block", (Span("\n".join(lines)),), path, info=tag)


def _paragraph(lines: list[str], path: tuple[Box, ...]) -> Iterator[Block]:
    """Of *lines*, which are then none any more."""
    spans: list[Span] = []
    for line in lines:
        if spans:
            spans.append(Span("\n", (BREAK,)))
        spans += read_line(line)
    lines.clear()
    if spans:
        yield Block("paragraph", tuple(spans), path)


def read_line(line: str) -> Iterator[Span]:
    """The spans of one line that is no quotation and not preformatted."""
    return _Line(line).spans(0, len(line), ())


class _Line:
    def __init__(self, text: str) -> None:
        self._text = text
        self._closing: dict[str, list[int]] = {directive: [] for directive in _MARKS}
        for match in _CLOSING.finditer(text):
            self._closing[match[0]].append(match.start())

    def spans(self, low: int, high: int, marks: tuple[Mark, ...]) -> Iterator[Span]:
        """Of a range that begins where a mark may open."""
        text, begun = self._text, low
        at = self._opening(low, low, high)
        while at >= 0:
            end = self._closed(at, high)
            if end <= at + 1:  # nowhere, or with nothing in between
                at = self._opening(at + 1, low, high)
                continue
            if at > begun:
                yield Span(text[begun:at], marks)
            inner = ordered((*marks, Mark(_MARKS[text[at]])))
            if text[at] == "`":
                yield Span(text[at + 1 : end], inner)
            else:
                yield from self.spans(at + 1, end, inner)
            begun = end + 1
            at = self._opening(begun, low, high)
        if begun < high:
            yield Span(text[begun:high], marks)

    def _opening(self, start: int, low: int, high: int) -> int:
        """Where the next mark might open, or -1."""
        text = self._text
        if start == low and low + 1 < high and text[low] in _MARKS and not text[low + 1].isspace():
            return low
        match = _OPENING.search(text, start, high)
        return -1 if match is None else match.start()

    def _closed(self, opening: int, high: int) -> int:
        """Where what opens at *opening* is closed, or -1."""
        places = self._closing[self._text[opening]]
        index = bisect_right(places, opening)
        return places[index] if index < len(places) and places[index] < high else -1
