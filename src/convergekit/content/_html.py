"""Writes blocks as an HTML fragment. Boxes and marks that are open at the end are closed: any slice is balanced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Final

from .document import BREAK, Block, Box, Mark, Span

__all__ = ["safe_url", "write"]

_TAGS: Final = {"strong": "strong", "em": "em", "s": "s", "code": "code"}
#: What a link may start with besides nothing: a URL of any other scheme might run code where it is clicked.
_UNSAFE: Final = ("javascript:", "vbscript:", "data:", "file:")


def safe_url(url: str) -> bool:
    """Whether following *url* cannot run what is written in it."""
    return not "".join(url.split()).lower().startswith(_UNSAFE)


def write(blocks: Iterable[Block]) -> str:
    """An HTML fragment; text is escaped, and nothing in it is markup of somebody else."""
    return "".join(_written(blocks)).strip("\n")


def _written(blocks: Iterable[Block]) -> Iterator[str]:
    path: tuple[Box, ...] = ()
    for block in blocks:
        shared = _shared(path, block.path)
        yield from (_close(box) for box in reversed(path[shared:]))
        yield from (_open(box) for box in block.path[shared:])
        alone = shared < len(path) or len(path) < len(block.path)
        path = block.path
        yield _leaf(block, alone=alone)
    yield from (_close(box) for box in reversed(path))


def _shared(one: tuple[Box, ...], other: tuple[Box, ...]) -> int:
    count = 0
    for mine, yours in zip(one, other, strict=False):
        if mine is not yours:
            break
        count += 1
    return count


def _open(box: Box) -> str:
    if box.kind == "list":
        start = f' start="{box.number}"' if box.number not in (None, 1) else ""
        return "<ul>\n" if box.number is None else f"<ol{start}>\n"
    if box.kind == "item":
        # The number is said again: the list may go on in another part.
        return "<li>" if box.number is None else f'<li value="{box.number}">'
    return {"blockquote": "<blockquote>\n", "table": "<table>\n", "row": "<tr>"}[box.kind]


def _close(box: Box) -> str:
    if box.kind == "list":
        return "</ul>\n" if box.number is None else "</ol>\n"
    return {"item": "</li>\n", "blockquote": "</blockquote>\n", "table": "</table>\n", "row": "</tr>\n"}[box.kind]


def _leaf(block: Block, *, alone: bool) -> str:
    if block.kind == "code_block":
        language = f' class="language-{escape(block.info)}"' if block.info else ""
        return f"<pre><code{language}>{escape(block.text, quote=False)}\n</code></pre>\n"
    if block.kind == "hr" and block.text == "---":
        return "<hr>\n"
    inside = "".join(_inline(block.spans))
    if block.kind == "heading":
        return f"<h{block.level}>{inside}</h{block.level}>\n"
    if block.kind == "cell":
        row = block.innermost("row")
        tag = "th" if row is not None and row.header else "td"
        return f"<{tag}>{inside}</{tag}>"
    around = block.innermost("list")
    if alone and around is not None and around.tight and block.path[-1].kind == "item":
        return f"{inside}\n"
    return f"<p>{inside}</p>\n"


def _inline(spans: Iterable[Span], depth: int = 0) -> Iterator[str]:
    """Spans that share their mark at *depth* stand inside of one element."""
    for mark, group in groupby(spans, key=lambda span: span.marks[depth] if len(span.marks) > depth else None):
        if mark is None:
            yield from (escape(span.text, quote=False) for span in group)
        elif mark == BREAK:
            yield from ("<br>\n" for _ in group)
        elif mark.name == "image":
            yield from (_image(mark, span.text) for span in group)  # two of one kind are two
        else:
            yield _element(mark, "".join(_inline(group, depth + 1)))


def _image(mark: Mark, alt: str) -> str:
    return f'<img src="{escape(mark.target)}" alt="{escape(alt)}">'


def _element(mark: Mark, inside: str) -> str:
    if mark.name == "link":
        return f'<a href="{escape(mark.target)}">{inside}</a>'
    tag = _TAGS[mark.name]
    return f"<{tag}>{inside}</{tag}>"
