"""What a channel has no marks for, said in plain text: "- " for an item, "text (url)" for a link."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final

from .document import BREAK, Block, Box, Document, Mark, Span, gap, prefixes

__all__ = ["LOSSY", "degraded", "plain", "without_long_targets"]

#: Without these something is lost; the others keep a form in plain text that says the same.
LOSSY: Final = frozenset({"strong", "em", "s", "code", "heading", "image"})

_ALL: Final = frozenset({"link", "strong", "em", "s", "code", "image"})
_NODE: Final = {"item": "list", "row": "table", "cell": "table"}


def plain(document: Document) -> str:
    """All of it without any markup."""
    blocks = degraded(document.blocks, frozenset())
    return "\n\n".join("".join(span.text for span in block.spans) for block in blocks)


def degraded(blocks: Iterable[Block], nodes: frozenset[str] | None) -> list[Block]:
    """*blocks* with nothing in them that is not in *nodes*; None is all of them."""
    if nodes is None:
        return list(blocks)
    result: list[tuple[Block, list[Span]]] = []
    seen: set[Box] = set()
    before: Block | None = None
    for block in blocks:
        leaf, spans = _leaf(block, nodes, seen)
        if before is not None and result and _belongs(before, block, result[-1][0], leaf):
            result[-1][1].extend((Span(" | ") if gap(before, block) == "\t" else Span("\n", (BREAK,)), *spans))
        else:
            result.append((leaf, spans))
        before = block
    return [replace(leaf, spans=tuple(spans)) for leaf, spans in result]


def _belongs(before: Block, after: Block, written: Block, leaf: Block) -> bool:
    """Whether what were items of one tight list, or cells of one table, become one paragraph."""
    if written.kind != "paragraph" or leaf.kind != "paragraph" or written.path != leaf.path:
        return False
    return gap(before, after) != "\n\n"


def without_long_targets(blocks: Iterable[Block], longest: int) -> list[Block]:
    """Links and images whose URL is longer than that, as text: each piece of such a link would repeat it."""

    def is_short(mark: Mark) -> bool:
        return len(mark.target) <= longest

    return [
        block
        if all(is_short(mark) for span in block.spans for mark in span.marks)
        else replace(block, spans=tuple(_spans(block.spans, _ALL, is_short)))
        for block in blocks
    ]


def _leaf(block: Block, nodes: frozenset[str], seen: set[Box]) -> tuple[Block, list[Span]]:
    path = tuple(box for box in block.path if _node(box) in nodes)
    first, rest = prefixes((box for box in block.path if _node(box) not in nodes), seen)
    kind = block.kind if _NODE.get(block.kind, block.kind) in nodes else "paragraph"
    spans: Iterable[Span] = _spans(block.spans, nodes)
    if first or (block.kind == "code_block" and kind == "paragraph"):
        spans = _prefixed(spans, first, rest, code=kind == "code_block")
    return replace(block, kind=kind, spans=(), path=path), list(spans)


def _node(box: Box) -> str:
    return _NODE.get(box.kind, box.kind)


def _prefixed(spans: Iterable[Span], first: str, rest: str, *, code: bool) -> Iterator[Span]:
    """Each line behind its prefix; a line that has one begins where it says so."""
    if first and not code:
        yield Span(first)
    for text, marks in spans:
        inner = tuple(mark for mark in marks if mark != BREAK)
        for number, line in enumerate(text.split("\n")):
            if number:
                yield Span("\n", () if code else (*inner, BREAK))
                if rest and not code:
                    yield Span(rest)
            if line:
                yield Span(line, inner)


def _spans(
    spans: Iterable[Span], nodes: frozenset[str], keeps: Callable[[Mark], bool] = lambda mark: True
) -> Iterator[Span]:
    """A link's URL goes behind all of its text, whatever marks there are inside."""
    for link, group in groupby(spans, key=_link):
        inside = list(group)
        kept = link is not None and "link" in nodes and keeps(link)
        for span in inside:
            yield from _span(span, nodes if kept else nodes - {"link"}, keeps, linkable="link" in nodes)
        if link is not None and not kept and not _is_said("".join(span.text for span in inside), link.target):
            yield Span(f" ({link.target})")


def _link(span: Span) -> Mark | None:
    return span.marks[0] if span.marks and span.marks[0].name == "link" else None


def _is_said(text: str, target: str) -> bool:
    """Whether the text of a link is its URL already."""
    text = text.strip()
    return not target or target in (text, f"mailto:{text}", f"{text}/", text.removesuffix("/"))


def _span(span: Span, nodes: frozenset[str], keeps: Callable[[Mark], bool], *, linkable: bool) -> Iterator[Span]:
    image = next((mark for mark in span.marks if mark.name == "image"), None)
    if image is not None and "image" in nodes and keeps(image):
        image = None
    marks = tuple(mark for mark in span.marks if mark != image and (mark.name in nodes or mark == BREAK))
    # What a `cid:` names goes with the message, and can be looked at there; as text it leads nowhere.
    if image is None or _is_said(span.text, image.target) or image.target.lower().startswith("cid:"):
        yield Span(span.text, marks)
    elif linkable and keeps(image) and _link(span) is None:
        yield Span(span.text, (Mark("link", image.target), *marks))
    else:
        yield Span(f"{span.text} ({image.target})", marks)
