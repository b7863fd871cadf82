"""Writes blocks as CommonMark with tables and strike-through, such that reading it gives the same text again.

Text that would be read as markup is escaped. A mark is written only where CommonMark's rules on flanking let it
stand (§6.2): `wo**rd, **x` could not be closed, so there the mark is left out rather than shown as asterisks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from .document import BREAK, Block, Box, Mark, Span, gap, prefixes

__all__ = ["is_source", "write"]

_DELIMITERS: Final = {"strong": "**", "em": "*", "s": "~~"}
_MARKUP: Final = "\\`*_[]<>&~|"
_ANYWHERE: Final = re.compile(f"[{re.escape(_MARKUP)}]")
#: What makes a line something other than text: rules, headings, items, fences.
_LINE_START: Final = re.compile(r"(?m)^([ \t]*)(?:([#+\-=:])|(\d{1,9})([.)]))")
_AROUND_BREAK: Final = re.compile(r"[ \t]+\n[ \t]*|\n[ \t]+")
_BESIDE_BREAK: Final = (" \n", "\t\n", "\n ", "\n\t")
_IN_URL: Final = re.compile(r"[\s()<>\\\x00-\x20]")


class _Token(NamedTuple):
    text: str
    pair: int | None = None
    opens: bool = False


def write(blocks: Sequence[Block]) -> str:
    """The source of *blocks*."""
    pieces: list[str] = []
    seen: set[Box] = set()
    before: Block | None = None
    for table, group in groupby(blocks, key=lambda block: block.innermost("table") if block.kind == "cell" else None):
        members = list(group)
        for run in [members] if table is not None else [[block] for block in members]:
            block = run[0]
            first, rest = prefixes(block.path, seen)
            if before is not None:
                pieces.append(gap(before, block).replace("\t", "\n") if pieces else "")
                if pieces[-1] == "\n\n":
                    pieces[-1] = "\n" + _common(before, block).rstrip() + "\n"
            source = _table(run) if table is not None else _leaf(block)
            pieces.append(first + source.replace("\n", "\n" + rest))
            before = run[-1]
    return "".join(pieces)


def is_source(text: str) -> bool:
    """Whether plain *text* is its own source: `write` would change nothing. It answers for one line only."""
    return (
        "\n" not in text
        and text == text.strip()
        and not any(map(text.__contains__, _MARKUP))
        and _LINE_START.match(text) is None
    )


def _common(before: Block, after: Block) -> str:
    """The prefix of an empty line between two blocks: of the boxes that both stand in."""
    shared = [box for box, other in zip(before.path, after.path, strict=False) if box is other]
    return prefixes(shared, set(shared))[1]


def _leaf(block: Block) -> str:
    if block.kind == "code_block":
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
        return f"{fence}{block.info}\n{block.text}\n{fence}"
    if block.kind == "hr" and block.text == "---":
        return "---"
    source = _inline(block.spans)
    if block.kind == "heading":
        return "#" * block.level + " " + source.replace("\\\n", " ").replace("\n", " ")
    return source


def _table(cells: Sequence[Block]) -> str:
    rows = [(row, list(group)) for row, group in groupby(cells, key=lambda cell: cell.innermost("row"))]
    width = max(len(group) for _, group in rows)
    lines = [_row([_inline(cell.spans).replace("\\\n", " ").replace("\n", " ") for cell in group]) for _, group in rows]
    if rows[0][0] is None or not rows[0][0].header:
        lines.insert(0, _row([""] * width))  # a table must have a head, and this piece of one has none
    return "\n".join([lines[0], _row(["---"] * width), *lines[1:]])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _inline(spans: Iterable[Span]) -> str:
    tokens = list(_tokens(spans, 0, [0]))
    while bad := _not_flanking(tokens):
        tokens = [token for token in tokens if token.pair not in bad]
    text = "".join(token.text for token in tokens).strip(" \t\n")
    return _AROUND_BREAK.sub("\n", text) if any(map(text.__contains__, _BESIDE_BREAK)) else text


def _tokens(spans: Iterable[Span], depth: int, count: list[int]) -> Iterator[_Token]:
    at_line_start = depth == 0
    for mark, group in groupby(spans, key=lambda span: span.marks[depth] if len(span.marks) > depth else None):
        if mark is None:
            yield _Token(_escaped("".join(span.text for span in group), at_line_start=at_line_start))
        elif mark == BREAK:
            yield from (_Token("\\\n") for _ in group)
        elif mark.name == "image":
            yield from (_Token("!" + _link(_escaped(span.text), mark)) for span in group)
        elif mark.name == "code":
            yield _Token(_code("".join(span.text for span in group)))
        elif mark.name == "link":
            yield _Token(_link("".join(token.text for token in _settled(group, depth, count)), mark))
        else:
            yield from _marked(mark, list(group), depth, count)
        at_line_start = mark == BREAK


def _settled(spans: Iterable[Span], depth: int, count: list[int]) -> list[_Token]:
    tokens = list(_tokens(spans, depth + 1, count))
    while bad := _not_flanking(tokens):
        tokens = [token for token in tokens if token.pair not in bad]
    return tokens


def _marked(mark: Mark, spans: list[Span], depth: int, count: list[int]) -> Iterator[_Token]:
    """A mark cannot stand beside white space inside of it, so that goes outside."""
    count[0] += 1
    pair, tokens = count[0], list(_tokens(spans, depth + 1, count))
    while tokens and not tokens[0].text.strip(" \n\\"):
        yield tokens.pop(0)
    after: list[_Token] = []
    while tokens and not tokens[-1].text.strip(" \n\\"):
        after.insert(0, tokens.pop())
    if tokens:
        first = tokens[0]
        stripped = first.text.lstrip()
        yield _Token(first.text[: len(first.text) - len(stripped)])
        tokens[0] = first._replace(text=stripped)
        last = tokens[-1]
        stripped = last.text.rstrip()
        after.insert(0, _Token(last.text[len(stripped) :]))
        tokens[-1] = last._replace(text=stripped)
        yield _Token(_DELIMITERS[mark.name], pair, True)
        yield from tokens
        yield _Token(_DELIMITERS[mark.name], pair)
    yield from after


def _not_flanking(tokens: Sequence[_Token]) -> set[int]:
    """The pairs of which one delimiter would be read as text."""
    bad = set[int]()
    shown = [token for token in tokens if token.text]
    for number, token in enumerate(shown):
        if token.pair is None:
            continue
        before, after = _beside(shown, number, -1), _beside(shown, number, 1)
        outer, inner = (before, after) if token.opens else (after, before)
        if inner.isspace() or (_is_mark(inner) and not (outer.isspace() or _is_punctuation(outer))):
            bad.add(token.pair)
    return bad


def _beside(tokens: Sequence[_Token], number: int, step: int) -> str:
    """The next character that is not one of the same run of delimiters; a space at an end."""
    own = tokens[number].text[0]
    number += step
    while 0 <= number < len(tokens) and tokens[number].pair is not None and tokens[number].text[0] == own:
        number += step
    if not 0 <= number < len(tokens):
        return " "
    return tokens[number].text[0 if step > 0 else -1]


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P" or character in "$+<=>^`|~"


def _is_mark(character: str) -> bool:
    """Punctuation by any reading: newer ones count symbols too."""
    return unicodedata.category(character)[0] in "PS"


def _escaped(text: str, *, at_line_start: bool = False) -> str:
    if any(map(text.__contains__, _MARKUP)):  # an expression reads ten times as long
        text = _ANYWHERE.sub(r"\\\g<0>", text)
    if not at_line_start:
        head, line_feed, rest = text.partition("\n")
        return head + line_feed + _escaped_lines(rest)
    return _escaped_lines(text)


def _escaped_lines(text: str) -> str:
    if "\n" not in text and _LINE_START.match(text) is None:
        return text
    return _LINE_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[2] else f"{m[1]}{m[3]}\\{m[4]}", text)


def _code(text: str) -> str:
    text = text.replace("\n", " ")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _link(text: str, mark: Mark) -> str:
    target = _IN_URL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), mark.target)
    return f"[{text}]({target})"
