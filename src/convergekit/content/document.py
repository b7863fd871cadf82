"""Formatted text as a flat list of blocks: what Markdown and HTML are read into and written from.

A block is a leaf (paragraph, heading, code block, rule, table cell) and knows the boxes that it stands in (quotes,
lists, items, tables, rows). Boxes are told apart by identity. Being flat, it can be cut anywhere: whoever writes a
slice opens the boxes and marks of its blocks and closes them again, so nothing is ever left open.

Names of boxes, blocks and marks are those of `convergekit.model.Markup`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Literal, NamedTuple

__all__ = [
    "BREAK",
    "MAX_DEPTH",
    "ORDER",
    "Block",
    "Box",
    "Canvas",
    "Document",
    "Mark",
    "Span",
    "from_text",
    "gap",
    "ordered",
    "prefixes",
]

#: Boxes deeper than this are left out; what stands in them is kept.
MAX_DEPTH: Final = 24


class Mark(NamedTuple):
    """A mark on text: "link", "strong", "em", "s", "code", "image", or "break" on a line break that is meant.

    Args:
        name: Which.
        target: URL of a link or an image.
    """

    name: str
    target: str = ""


#: Outermost first. With one order there is one way to write a set of marks.
ORDER: Final = ("link", "strong", "em", "s", "code", "image", "break")
BREAK: Final = Mark("break")


class Span(NamedTuple):
    """Text with its marks, in `ORDER`."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """What blocks stand in.

    Args:
        kind: "item" stands in a "list", "row" in a "table".
        number: Of an item in an ordered list; of an ordered list, the first.
        tight: Whether the items of a list follow each other without a gap.
        header: Whether a row is the head of its table.
    """

    kind: Literal["blockquote", "list", "item", "table", "row"]
    number: int | None = None
    tight: bool = False
    header: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A leaf.

    Args:
        kind: Which.
        spans: Its text.
        path: The boxes around it, outermost first.
        level: Of a heading, 1 to 6.
        info: Language of a code block.
    """

    kind: Literal["paragraph", "heading", "code_block", "hr", "cell"]
    spans: tuple[Span, ...]
    path: tuple[Box, ...] = ()
    level: int = 0
    info: str = ""

    @property
    def text(self) -> str:
        """What is to be seen of it."""
        return "".join(span.text for span in self.spans)

    def innermost(self, kind: str) -> Box | None:
        """The innermost box of that kind around it."""
        return next((box for box in reversed(self.path) if box.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Document:
    """What was read.

    Args:
        blocks: In order.
        dropped: Names of HTML elements that have no text form ("video") and were left out.
    """

    blocks: tuple[Block, ...]
    dropped: frozenset[str] = frozenset()

    def nodes(self) -> frozenset[str]:
        """The names of all that is more than a paragraph of plain text."""
        boxes = {box.kind for block in self.blocks for box in block.path} & {"blockquote", "list", "table"}
        leaves = {block.kind for block in self.blocks} & {"heading", "code_block", "hr"}
        marks = {mark.name for block in self.blocks for span in block.spans for mark in span.marks} - {"break"}
        return frozenset(boxes | leaves | marks)

    def code(self) -> list[str]:
        """What is code, and means what it is, character for character."""
        return [
            span.text
            for block in self.blocks
            for span in block.spans
            if block.kind == "code_block" or any(mark.name == "code" for mark in span.marks)
        ]


def gap(before: Block, after: Block) -> str:
    """What stands between two neighbouring blocks where they are written as text."""
    row = after.innermost("row")
    if row is not None and row is before.innermost("row"):
        return "\t"
    table = after.innermost("table")
    if table is not None and table is before.innermost("table"):
        return "\n"
    if after.kind == before.kind == "paragraph" and after.path == before.path:
        return "\n\n"
    shared = [box for box in after.path if box.kind == "list" and box in before.path]
    return "\n" if shared and shared[-1].tight else "\n\n"


def ordered(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Each kind of mark once, the inner one counting, in `ORDER`."""
    found = {mark.name: mark for mark in marks}
    return tuple(found[name] for name in ORDER if name in found)


def prefixes(boxes: Iterable[Box], seen: set[Box]) -> tuple[str, str]:
    """What stands before the first line of a block and before its other lines, in plain text and in Markdown alike.

    Args:
        boxes: Those that the block stands in, outermost first.
        seen: Items that have had their marker; those of *boxes* are added.
    """
    first = rest = ""
    for box in boxes:
        if box.kind == "blockquote":
            first, rest = first + "> ", rest + "> "
        elif box.kind == "item":
            marker = "- " if box.number is None else f"{box.number}. "
            first += " " * len(marker) if box in seen else marker
            rest += " " * len(marker)
            seen.add(box)
    return first, rest


class Canvas:
    """A document as one string, `text`, and the way back from a range of it to blocks."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self._starts: list[int] = []
        self._ends: dict[int, list[int]] = {}  # of the spans of a block, for those that were cut
        pieces: list[str] = []
        position = 0
        for number, block in enumerate(blocks):
            between = gap(blocks[number - 1], block) if number else ""
            self._starts.append(position + len(between))
            pieces += between, block.text
            position += len(between) + len(pieces[-1])
        self.text = "".join(pieces)

    def slice(self, start: int, end: int) -> list[Block]:
        """The blocks of `text[start:end]`; the first and the last cut to size."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = bisect_left(self._starts, end)
        found = [self._cut(index, start, end) for index in range(first, last)]
        return [block for block in found if block is not None]

    def _cut(self, index: int, start: int, end: int) -> Block | None:
        block, offset = self._blocks[index], self._starts[index]
        ends = self._ends.get(index)
        if ends is None:
            ends = self._ends[index] = list(accumulate(len(span.text) for span in block.spans))
        size = ends[-1] if ends else 0
        low, high = max(0, start - offset), min(size, end - offset)
        if low == 0 and high == size:
            return block
        if low >= high:
            return None
        spans = []
        for number in range(bisect_right(ends, low), bisect_left(ends, high) + 1):
            span = block.spans[number]
            begins = ends[number] - len(span.text)
            spans.append(Span(span.text[max(0, low - begins) : high - begins], span.marks))
        return replace(block, spans=tuple(spans))


def from_text(text: str) -> Document:
    """Plain text: paragraphs between blank lines, each line of its own."""
    blocks, lines = [], list[str]()
    for line in [*text.replace("\r\n", "\n").split("\n"), ""]:
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            blocks.append(Block("paragraph", tuple(_lines(lines))))
            lines = []
    return Document(tuple(blocks))


def _lines(lines: Iterable[str]) -> Iterable[Span]:
    for number, line in enumerate(lines):
        if number:
            yield Span("\n", (BREAK,))
        yield Span(line)
