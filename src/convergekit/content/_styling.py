"""Writes blocks as Message Styling (XEP-0393), such that reading it shows the same marks and no others.

Styling has no escapes. What cannot be marked where it stands (a mark inside of a word, one around its own character)
is left as text, and named in `Said.unsaid`. Where text by itself would be read as marks, the whole is plain text and
`Said.unstyled`, which the medium has to be told: there is nothing smaller that it can be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from . import _degrade, styling
from ._body import Said
from .document import Block, Document, Mark, Span, gap, ordered, prefixes

__all__ = ["draft", "looks_styled", "write"]

_DIRECTIVES: Final = {"strong": "*", "em": "_", "s": "~", "code": "`"}
#: Where a mark of that name would be closed.
_CLOSES: Final = {name: re.compile(rf"(?<!\s){re.escape(sign)}") for name, sign in _DIRECTIVES.items()}
_LOOKS: Final = re.compile(r"[*_~`]|(?m:^>)")
_FENCE: Final = "```"


def looks_styled(text: str) -> bool:
    """Whether anybody might take anything in plain *text* for a mark: not all who read styling keep to its rules."""
    return _LOOKS.search(text) is not None


def draft(blocks: Sequence[Block]) -> str:
    """At least as long as what `write` makes of *blocks*, or of a part of them."""
    return _written(blocks, _Writer(drafts=True))


def write(blocks: Sequence[Block]) -> Said:
    """*blocks*, which have nothing in them but `styling.NODES`."""
    writer = _Writer()
    text = _written(blocks, writer)
    if not writer.said or writer.is_misread:
        document = Document(tuple(blocks))
        text = _degrade.plain(document)
        return Said(text, document.nodes(), looks_styled(text))
    return Said(text, frozenset(writer.unsaid))


def _written(blocks: Sequence[Block], writer: _Writer) -> str:
    lines: list[str] = []
    before: Block | None = None
    for block in blocks:
        prefix = prefixes(block.path, set())[1]
        if before is not None and gap(before, block) == "\n\n":
            lines.append(_common(before, block).rstrip())
        lines += [prefix + line if line else prefix.rstrip() for line in writer.lines(block)]
        before = block
    return "\n".join(lines)


def _common(before: Block, after: Block) -> str:
    """The prefix of an empty line between two blocks: of the quotations that both stand in."""
    shared = [box for box, other in zip(before.path, after.path, strict=False) if box is other]
    return prefixes(shared, set(shared))[1]


class _Writer:
    """Writes one block after the other.

    Attributes:
        said: Names of what is marked.
        unsaid: Names of what could not be.
        is_misread: Whether some text is read as marks that it is not.
    """

    def __init__(self, *, drafts: bool = False) -> None:
        self.said = set[str]()
        self.unsaid = set[str]()
        self.is_misread = False
        self._drafts = drafts

    def lines(self, block: Block) -> list[str]:
        """Of *block*, without what stands before each for the boxes around it."""
        self.said.update(box.kind for box in block.path)
        if block.kind == "code_block":
            return self._preformatted(block)
        lines = [self._line(spans) for spans in _rows(block.spans)]
        self.is_misread = self.is_misread or any(line.startswith((">", _FENCE)) for line in lines)
        return lines

    def _preformatted(self, block: Block) -> list[str]:
        self.said.add("code_block")
        lines = block.text.split("\n")
        self.is_misread = self.is_misread or any(line.strip() == _FENCE for line in lines)
        return [_FENCE + ("" if "`" in block.info else block.info), *lines, _FENCE]

    def _line(self, spans: Sequence[Span]) -> str:
        plain = "".join(span.text for span in spans)
        if self._drafts:
            return plain + "*" * sum(2 * len(span.marks) for span in spans)
        if not _LOOKS.search(plain) and not any(span.marks for span in spans):
            return plain
        line = _Line()
        line.write(spans)
        if not line.is_read_as_meant():
            self.unsaid |= line.said | line.unsaid
            line = _Line()
            line.write([Span(plain)])
            self.is_misread = self.is_misread or not line.is_read_as_meant()
        self.said |= line.said
        self.unsaid |= line.unsaid
        return line.text


class _Line:
    """One line: what is written, and what it is meant to say."""

    def __init__(self) -> None:
        self.said = set[str]()
        self.unsaid = set[str]()
        self._pieces: list[str] = []
        self._meant: list[Span] = []
        self._may_open = True

    @property
    def text(self) -> str:
        """As it is written."""
        return "".join(self._pieces)

    def is_read_as_meant(self) -> bool:
        """Whether whoever reads it sees the marks that were written, and no others."""
        return _merged(styling.read_line(self.text)) == _merged(self._meant)

    def write(self, spans: Sequence[Span], depth: int = 0, kept: tuple[Mark, ...] = ()) -> None:
        """Write *spans*, whose marks above *depth* are written already; *kept* are those that could be."""
        for mark, group in groupby(spans, key=lambda span: span.marks[depth] if len(span.marks) > depth else None):
            inside = list(group)
            if mark is None:
                for span in inside:
                    self._say(span.text, kept)
            else:
                self._marked(mark, inside, depth, kept)

    def _say(self, text: str, marks: tuple[Mark, ...]) -> None:
        if text:
            self._pieces.append(text)
            self._meant.append(Span(text, marks))
            self._may_open = text[-1].isspace()

    def _marked(self, mark: Mark, spans: list[Span], depth: int, kept: tuple[Mark, ...]) -> None:
        """A mark cannot stand beside white space inside of it, so that goes outside."""
        before, inside, after = _trimmed(spans)
        self._say(before, kept)
        plain = "".join(span.text for span in inside)
        if plain and self._may_open and not _CLOSES[mark.name].search(plain):
            self.said.add(mark.name)
            self._pieces.append(_DIRECTIVES[mark.name])
            self._may_open = True
            self.write(inside, depth + 1, (*kept, mark))
            self._pieces.append(_DIRECTIVES[mark.name])
            self._may_open = False
        elif plain:
            self.unsaid.add(mark.name)
            self.write(inside, depth + 1, kept)
        self._say(after, kept)


def _rows(spans: Iterable[Span]) -> list[list[Span]]:
    """*spans* by line."""
    rows: list[list[Span]] = [[]]
    for span in spans:
        marks = ordered(mark for mark in span.marks if mark.name in _DIRECTIVES)
        for number, text in enumerate(span.text.split("\n")):
            if number:
                rows.append([])
            if text:
                rows[-1].append(Span(text, marks))
    return rows


def _trimmed(spans: Sequence[Span]) -> tuple[str, list[Span], str]:
    """White space before, the rest, and white space behind."""
    rest, before, after = list(spans), "", ""
    while rest and (text := rest[0].text.lstrip()) != rest[0].text:
        before += rest[0].text[: len(rest[0].text) - len(text)]
        rest[:1] = [rest[0]._replace(text=text)] if text else []
    while rest and (text := rest[-1].text.rstrip()) != rest[-1].text:
        after = rest[-1].text[len(text) :] + after
        rest[-1:] = [rest[-1]._replace(text=text)] if text else []
    return before, rest, after


def _merged(spans: Iterable[Span]) -> list[tuple[str, tuple[Mark, ...]]]:
    return [
        ("".join(span.text for span in group), marks) for marks, group in groupby(spans, key=lambda span: span.marks)
    ]
