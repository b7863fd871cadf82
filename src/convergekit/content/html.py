"""Reads HTML: what a reader would see of it, as blocks. Never fails, whatever it is given, and takes linear time.

Scripts, styles, comments and other content that is not for readers are left out. Elements that show what has no text
form (video, forms) are named in `Document.dropped`; the text inside of them is kept.

A table is taken for one if its cells hold text and there are two of them side by side; else it is layout, as in most
mail, and what stands in it are paragraphs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Literal

from . import _degrade, _html, _tags
from .document import BREAK, MAX_DEPTH, Block, Box, Document, Mark, Span, ordered

__all__ = ["parse", "to_html", "to_text"]

#: What has no text form.
_DROPPED: Final = frozenset(
    {
        "iframe",
        "video",
        "audio",
        "object",
        "embed",
        "canvas",
        "svg",
        "math",
        "form",
        "input",
        "select",
        "textarea",
    }
)
_MARKS: Final = {
    **dict.fromkeys(("b", "strong"), "strong"),
    **dict.fromkeys(("i", "em", "cite", "dfn", "var"), "em"),
    **dict.fromkeys(("s", "del", "strike"), "s"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "code"),
}
# fmt: off
_BLOCKS: Final = frozenset({
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog", "dir", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "head", "hgroup", "html", "legend",
    "main", "menu", "nav", "option", "p", "pre", "section", "summary", "tbody", "tfoot", "thead", "h1", "h2",
    "h3", "h4", "h5", "h6",
})
# fmt: on


def to_text(html: str) -> str:
    """Plain text: "- " and "1. " for items, "> " for quotes, "a | b" for rows, "text (url)" for links."""
    return _degrade.plain(parse(html))


def to_html(html: str, nodes: frozenset[str] | None = None) -> str:
    """An HTML fragment that uses *nodes* (names of `Markup.nodes`) only, without scripts, styles and classes."""
    return _html.write(_degrade.degraded(parse(html).blocks, nodes))


def parse(html: str) -> Document:
    """Read *html*, a document or a fragment."""
    reader = _Reader()
    for tag in _tags.read(html):
        if tag.name == "":
            reader.text(tag.rest)
        elif tag.closes:
            reader.close(tag.name)
        else:
            reader.open(tag)
    return reader.document()


class _Reader:
    """Keeps what is open, and turns text into blocks. No step looks at more than `MAX_DEPTH` open boxes."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._spans: list[Span] = []
        self._open: list[tuple[str, Box]] = []
        self._ignored: Counter[str] = Counter()  # boxes deeper than we keep, by tag
        self._marked: Counter[str] = Counter()
        self._numbers: dict[Box, int] = {}  # of the last item of a list
        self._heads: dict[Box, bool] = {}  # rows: whether all cells are heads
        self._link: Mark | None = None
        self._level = self._pre = 0
        self._in_cell = False
        self._dropped: set[str] = set()

    def document(self) -> Document:
        """What was read, once all of it was."""
        self._flush()
        return Document(tuple(_without_layout(self._blocks, self._heads)), frozenset(self._dropped))

    def text(self, text: str) -> None:
        if not self._pre:
            text = _tags.collapsed(text)
            if not self._spans or self._spans[-1].text[-1:] in (" ", "\n"):
                text = text.removeprefix(" ")
        if text:
            self._spans.append(Span(text, self._marks()))

    def open(self, tag: _tags.Tag) -> None:
        if tag.name in _DROPPED:
            self._dropped.add(tag.name)
        if tag.name in _MARKS:
            self._marked[_MARKS[tag.name]] += 1
        elif tag.name in _OPEN:
            _OPEN[tag.name](self, tag)
        elif tag.name in _BLOCKS:
            self._flush()
            self._level = int(tag.name[1]) if tag.name[1:].isdigit() else 0
            self._pre += tag.name == "pre"

    def close(self, name: str) -> None:
        if name in _MARKS:
            self._marked[_MARKS[name]] = max(0, self._marked[_MARKS[name]] - 1)
        elif name == "a":
            self._link = None
        elif name in ("td", "th"):
            self._end_cell()
        elif name in _BOXES:
            self._pop(name)
        elif name in _BLOCKS:
            self._flush()
            self._level = 0
            self._pre = max(0, self._pre - (name == "pre"))

    def _marks(self) -> tuple[Mark, ...]:
        marks = [Mark(name) for name, count in self._marked.items() if count]
        return ordered([*marks, self._link] if self._link else marks) if marks or self._link else ()

    @property
    def _path(self) -> tuple[Box, ...]:
        return tuple(box for _, box in self._open)

    def _flush(self) -> None:
        """End the paragraph, or whatever it is."""
        spans, self._spans = self._spans, []
        if self._pre:
            code = "".join(span.text for span in spans).removeprefix("\n").rstrip()
            if code:
                self._blocks.append(Block("code_block", (Span(code),), self._path))
        elif spans := _trimmed(spans):
            kind: Literal["heading", "paragraph"] = "heading" if self._level else "paragraph"
            self._blocks.append(Block(kind, tuple(spans), self._path, self._level))

    def _push(self, name: str, box: Box) -> None:
        self._flush()
        if len(self._open) < MAX_DEPTH:
            self._open.append((name, box))
        else:
            self._ignored[name] += 1

    def _pop(self, name: str) -> None:
        """Close it and what is open inside; an end tag that closes nothing is no reason to close anything."""
        if name in ("tr", "table"):
            self._end_cell()
        self._flush()
        if self._ignored[name]:
            self._ignored[name] -= 1
        elif any(name == opened for opened, _ in self._open):
            while self._open.pop()[0] != name:
                pass

    def _is_inside(self, name: str, *of: str) -> bool:
        """Whether *name* is open, and none of *of* inside it."""
        return next((opened for opened, _ in reversed(self._open) if opened == name or opened in of), "") == name

    def _blockquote(self, tag: _tags.Tag) -> None:
        self._push("blockquote", Box("blockquote"))

    def _list(self, tag: _tags.Tag) -> None:
        number = None if tag.name == "ul" else _tags.number(tag.attribute("start"), 1)
        box = Box("list", number=number, tight=True)
        self._push(tag.name, box)
        self._numbers[box] = (number or 1) - 1

    def _item(self, tag: _tags.Tag) -> None:
        if self._is_inside("li", "ul", "ol"):
            self._pop("li")
        if not self._open or self._open[-1][1].kind != "list":
            self._push("ul", Box("list", tight=True))
        around = self._open[-1][1]
        number = None
        if around.kind == "list" and around.number is not None:
            number = self._numbers[around] = _tags.number(tag.attribute("value"), self._numbers[around] + 1)
        self._push("li", Box("item", number=number))

    def _table(self, tag: _tags.Tag) -> None:
        self._in_cell = False
        self._push("table", Box("table"))

    def _row(self, tag: _tags.Tag) -> None:
        self._end_cell()
        if self._is_inside("tr", "table"):
            self._pop("tr")
        if self._open and self._open[-1][1].kind == "table":
            self._push("tr", Box("row"))

    def _cell(self, tag: _tags.Tag) -> None:
        self._end_cell()
        if self._open and self._open[-1][1].kind == "row":
            row = self._open[-1][1]
            self._in_cell = True
            self._heads[row] = self._heads.get(row, True) and tag.name == "th"

    def _end_cell(self) -> None:
        """What is left of a cell is the cell; an empty one keeps its column."""
        if self._in_cell and not self._pre and self._open and self._open[-1][1].kind == "row":
            self._blocks.append(Block("cell", tuple(_trimmed(self._spans)), self._path))
            self._spans = []
        self._in_cell = False
        self._flush()

    def _break(self, tag: _tags.Tag) -> None:
        self._spans.append(Span("\n", () if self._pre else (*self._marks(), BREAK)))

    def _rule(self, tag: _tags.Tag) -> None:
        self._flush()
        self._blocks.append(Block("hr", (Span("---"),), self._path))

    def _anchor(self, tag: _tags.Tag) -> None:
        href = "".join((tag.attribute("href") or "").split())
        self._link = Mark("link", href) if href and not href.startswith("#") and _html.safe_url(href) else None

    def _image(self, tag: _tags.Tag) -> None:
        alt, source = _tags.collapsed(tag.attribute("alt") or "").strip(), "".join((tag.attribute("src") or "").split())
        shown = bool(alt and source and _html.safe_url(source))
        if not shown:
            self._dropped.add("img")  # decoration, a tracking pixel, or the picture's bytes themselves
        if alt:
            self._spans.append(Span(alt, ordered((*self._marks(), *([Mark("image", source)] if shown else [])))))


_BOXES: Final = frozenset({"blockquote", "ul", "ol", "li", "table", "tr"})
_OPEN: Final[dict[str, Callable[[_Reader, _tags.Tag], None]]] = {
    "a": _Reader._anchor,
    "blockquote": _Reader._blockquote,
    "br": _Reader._break,
    "hr": _Reader._rule,
    "img": _Reader._image,
    "li": _Reader._item,
    "ol": _Reader._list,
    "table": _Reader._table,
    "td": _Reader._cell,
    "th": _Reader._cell,
    "tr": _Reader._row,
    "ul": _Reader._list,
}


def _trimmed(spans: list[Span]) -> list[Span]:
    """Without white space at both ends and before line breaks; nothing, if there is nothing to see."""
    trimmed: list[Span] = []
    for span in spans:
        if span.text == "\n" and trimmed and not trimmed[-1].text.isspace():
            trimmed[-1] = Span(trimmed[-1].text.rstrip(" "), trimmed[-1].marks)
        if trimmed or not _is_blank(span):
            trimmed.append(span)
    while trimmed and _is_blank(trimmed[-1]):
        trimmed.pop()
    if trimmed:
        trimmed[0] = Span(trimmed[0].text.lstrip(" \n"), trimmed[0].marks)
        trimmed[-1] = Span(trimmed[-1].text.rstrip(" \n"), trimmed[-1].marks)
    return trimmed


def _is_blank(span: Span) -> bool:
    return not span.text.strip(" \n")


def _without_layout(blocks: list[Block], heads: dict[Box, bool]) -> Iterator[Block]:
    data = _data_tables(blocks)
    rows: dict[Box, Box] = {}
    for block in blocks:
        path: list[Box] = []
        keep = True
        for box in block.path:
            keep = box in data if box.kind == "table" else keep or box.kind != "row"
            if box.kind not in ("table", "row"):
                path.append(box)
            elif keep:
                path.append(rows.setdefault(box, replace(box, header=heads.get(box, False))))
        if block.kind != "cell" or (path and path[-1].kind == "row"):
            yield replace(block, path=tuple(path))
        elif block.spans:
            yield replace(block, kind="paragraph", path=tuple(path))


def _data_tables(blocks: list[Block]) -> set[Box]:
    """Those with nothing but cells in them, and in one row at least two."""
    mixed, wide = set[Box](), set[Box]()
    row_before: Box | None = None
    for block in blocks:
        tables = [box for box in block.path if box.kind == "table"]
        mixed.update(tables if block.kind != "cell" else tables[:-1])
        row = block.path[-1] if block.kind == "cell" else None
        if row is not None and row is row_before:
            wide.add(tables[-1])
        row_before = row
    return wide - mixed
