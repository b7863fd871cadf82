"""Reads CommonMark with tables and strike-through (`markdown-it-py`, imported when it is first needed).

What differs from CommonMark: HTML in Markdown is text, not markup, so it is shown and never interpreted.

No line is lost:

- The parser leaves out what is nested deeper than its limit; such a source is taken as plain text.
- A link reference definition that nothing refers to would vanish ("[note]: late" is one); then definitions are text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from . import _degrade, _html
from .document import BREAK, MAX_DEPTH, Block, Box, Document, Mark, Span, from_text, ordered

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["parse", "to_html", "to_subset", "to_text"]

_MAX_NESTING: Final = 40
_MARKS: Final = {"strong_open": "strong", "em_open": "em", "s_open": "s", "link_open": "link"}


def to_text(markdown: str) -> str:
    """Plain text: "- " and "1. " for items, "> " for quotes, "text (url)" for links; emphasis is dropped."""
    return _degrade.plain(parse(markdown))


def to_html(markdown: str, nodes: frozenset[str] | None = None) -> str:
    """An HTML fragment.

    Args:
        markdown: The source.
        nodes: Names of `Markup.nodes` that may be used; None is all of them. Paragraphs and line breaks always are.
    """
    return _html.write(_degrade.degraded(parse(markdown).blocks, nodes))


def to_subset(markdown: str, nodes: frozenset[str]) -> str:
    """Markdown that uses *nodes* only; all else is plain text, and escaped where it would be read as markup."""
    from . import _markdown

    return _markdown.write(_degrade.degraded(parse(markdown).blocks, nodes))


def parse(markdown: str) -> Document:
    """Read *markdown*."""
    env: dict[str, Any] = {}
    tokens = _parser().parse(markdown, env)
    if env.get("duplicate_refs") or not _targets(env) <= _used(tokens):
        tokens = _parser(references=False).parse(markdown)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        return from_text(markdown)
    return Document(tuple(_Reader().read(tokens)))


@cache
def _parser(*, references: bool = True) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING}).enable(["table", "strikethrough"])
    return parser if references else parser.disable("reference")


def _targets(env: dict[str, Any]) -> set[str]:
    return {reference["href"] for reference in env.get("references", {}).values()}


def _used(tokens: Iterable[Token]) -> set[str]:
    inline = [child for token in tokens for child in token.children or ()]
    return {str(child.attrs[name]) for child in inline for name in ("href", "src") if name in child.attrs}


class _Reader:
    """Goes through the block tokens and keeps the boxes that are open."""

    def __init__(self) -> None:
        self._path: list[Box] = []
        self._blocks: list[Block] = []
        self._kind, self._level = "paragraph", 0
        self._loose: frozenset[int] = frozenset()
        self._in_head = False

    def read(self, tokens: Sequence[Token]) -> list[Block]:
        self._loose = _loose(tokens)
        for token in tokens:
            handle = getattr(self, f"_{token.type}", None)
            if handle is not None:
                handle(token)
        return self._blocks

    def _add(self, kind: Any, spans: Iterable[Span], *, level: int = 0, info: str = "") -> None:
        self._blocks.append(Block(kind, tuple(spans), tuple(self._path[:MAX_DEPTH]), level, info))

    def _inline(self, token: Token) -> None:
        self._add(self._kind, _spans(token.children or ()), level=self._level)

    def _paragraph_open(self, token: Token) -> None:
        self._kind, self._level = "paragraph", 0

    def _heading_open(self, token: Token) -> None:
        self._kind, self._level = "heading", int(token.tag[1])

    def _th_open(self, token: Token) -> None:
        self._kind, self._level = "cell", 0

    _td_open = _th_open

    def _fence(self, token: Token) -> None:
        info = token.info.split()
        self._add("code_block", [Span(token.content.removesuffix("\n"))], info=info[0] if info else "")

    _code_block = _fence

    def _hr(self, token: Token) -> None:
        self._add("hr", [Span("---")])

    def _blockquote_open(self, token: Token) -> None:
        self._path.append(Box("blockquote"))

    def _bullet_list_open(self, token: Token) -> None:
        self._path.append(Box("list", tight=id(token) not in self._loose))

    def _ordered_list_open(self, token: Token) -> None:
        tight = id(token) not in self._loose
        self._path.append(Box("list", number=int(token.attrs.get("start", 1)), tight=tight))

    def _list_item_open(self, token: Token) -> None:
        self._path.append(Box("item", number=int(token.info) if token.info else None))

    def _table_open(self, token: Token) -> None:
        self._path.append(Box("table"))

    def _tr_open(self, token: Token) -> None:
        self._path.append(Box("row", header=self._in_head))

    def _thead_open(self, token: Token) -> None:
        self._in_head = True

    def _thead_close(self, token: Token) -> None:
        self._in_head = False

    def _close(self, token: Token) -> None:
        self._path.pop()

    _blockquote_close = _bullet_list_close = _ordered_list_close = _list_item_close = _table_close = _tr_close = _close


def _loose(tokens: Iterable[Token]) -> frozenset[int]:
    """Which lists have gaps between their items: those that show a paragraph of an item as one."""
    loose: set[int] = set()
    lists: list[Token] = []
    for token in tokens:
        if token.type.endswith("_list_open"):
            lists.append(token)
        elif token.type.endswith("_list_close"):
            lists.pop()
        elif token.type == "paragraph_open" and lists and token.level == lists[-1].level + 2 and not token.hidden:
            loose.add(id(lists[-1]))
    return frozenset(loose)


def _spans(children: Iterable[Token]) -> list[Span]:
    spans: list[Span] = []
    opened: list[Mark] = []
    for child in children:
        if child.type in _MARKS:
            opened.append(Mark(_MARKS[child.type], str(child.attrs.get("href", ""))))
        elif child.nesting < 0:
            opened.pop()
        else:
            span = _leaf(child)
            if span.text:
                spans.append(Span(span.text, ordered((*opened, *span.marks))))
    return spans


def _leaf(child: Token) -> Span:
    if child.type == "image":
        target = str(child.attrs.get("src", ""))
        return Span((child.content and _alt(child.children or ())) or target or "image", (Mark("image", target),))
    if child.type == "code_inline":
        return Span(child.content, (Mark("code"),))
    if child.type == "hardbreak":
        return Span("\n", (BREAK,))
    return Span("\n" if child.type == "softbreak" else child.content)


def _alt(children: Iterable[Token]) -> str:
    return "".join(_leaf(child).text for child in children if child.nesting == 0).replace("\n", " ")
