"""The text of a message in a channel's format, cut to size."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, Content, Degradation, Markup, TextLimit

from . import measure as measures
from .attachments import link_text
from .split import Broken, Piece, TooNarrow, pieces

if TYPE_CHECKING:
    from .document import Block, Document

__all__ = ["Body", "Measure", "Ruler", "Said", "alternative", "body"]

Measure = Callable[[str], int]

_UNITS: Final = {
    "codepoint": "characters",
    "utf16": "UTF-16 units",
    "byte": "bytes",
    "gsm7": "septets",
    "weighted": "weighted characters",
}
_NARROW: Final = "a part of this channel holds less than one character takes; its limit is too small"
_BODY: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


class Said(NamedTuple):
    """Text of a part.

    Args:
        text: In the channel's format.
        unsaid: Names of what the format has marks for, and could not mark where it stands.
        unstyled: Whether it is plain text that the channel would read marks into.
    """

    text: str
    unsaid: frozenset[str] = frozenset()
    unstyled: bool = False


class Body(NamedTuple):
    """Text of the parts, none of them blank, and what had to give way."""

    parts: tuple[Said, ...]
    degradations: tuple[Degradation, ...] = ()


class Ruler:
    """What fits into a part.

    Args:
        limit: Of one part, or None.
        measure: In place of the limit's unit, or None.
    """

    def __init__(self, limit: TextLimit | None, measure: Measure | None) -> None:
        self.limit, self._measure = limit, measure

    def fits(self, text: str) -> bool:
        """Whether *text* is a part."""
        return self.limit is None or self._length(text) <= self.limit.max

    def on(self, text: str) -> measures.Fitting:
        """How much of *text* fits."""
        if self.limit is None:
            return measures.Fitting(lambda start: len(text))
        if self._measure is None:
            return measures.fitting(text, self.limit.max, self.limit.unit)
        return self.searched(len(text), lambda start, end: text[start:end])

    def searched(self, total: int, rendered: Callable[[int, int], str]) -> measures.Fitting:
        """The same for what has to be rendered before it can be measured."""
        if self.limit is None:
            return measures.Fitting(lambda start: total)
        return measures.searched(total, self.limit.max, lambda start, end: self.fits(rendered(start, end)))

    def _length(self, text: str) -> int:
        assert self.limit is not None
        return measures.length(text, self.limit.unit) if self._measure is None else self._measure(text)


def body(message: Content, markup: Markup, heading: str | None, links: Sequence[Attachment], ruler: Ruler) -> Body:
    """The text of *message* behind *heading* and before *links*, in the form that *markup* asks for.

    Raises:
        UnsupportedContentError: It is too long and must not be split, or a part is too small for anything.
    """
    if markup.format == "plain":
        return _plain(message, markup, heading, links, ruler)
    if markup.format == "styling" and not (message.markdown or message.html):
        return _unstyled(_plain(message, markup, heading, links, ruler))
    source = _as_it_stands(message, markup, links)
    if source:
        whole = _around(source, heading, links, markup.format)
        if ruler.fits(whole):
            return Body((Said(whole),) if whole.strip() else ())
    return _formatted(message, markup, heading, links, ruler)


def _unstyled(plain: Body) -> Body:
    """The parts of plain text, where others might read marks into it."""
    from . import _styling

    parts = (Said(part.text, unstyled=_styling.looks_styled(part.text)) for part in plain.parts)
    return plain._replace(parts=tuple(parts))


def _as_it_stands(message: Content, markup: Markup, links: Sequence[Attachment]) -> str | None:
    """What the author wrote, where it is in the channel's format already."""
    if markup.format == "styling":
        return None
    if markup.format == "html":
        return message.html if markup.nodes is None else None
    if message.markdown or message.html:
        return message.markdown if markup.nodes is None else None
    if links and markup.nodes is not None:
        return None  # whether they may be links is for `_formatted` to say
    from . import _markdown

    return message.text if message.text and _markdown.is_source(message.text) else None


def alternative(message: Content, heading: str | None, links: Sequence[Attachment]) -> str | None:
    """The HTML form, where the author wrote more than plain text."""
    if message.html:
        return _around(message.html, heading, links, "html")
    if message.markdown:
        from . import _html

        return _html.write(_framed(_read(message), heading, links).blocks)
    return None


def _plain(message: Content, markup: Markup, heading: str | None, links: Sequence[Attachment], ruler: Ruler) -> Body:
    text, notes, code = message.text or None, list[Degradation](), list[str]()
    if text is None and (message.markdown or message.html):
        from . import _degrade

        document = _read(message)
        text = _degrade.plain(document)
        notes = [] if markup.html_alternative else _losses(document, frozenset())
        code = document.code()
    lines = [heading, text, *("".join(link_text(each)) for each in links)]
    whole = "\n".join([line for line in lines if line])
    if ruler.limit is not None and ruler.limit.unit == "gsm7" and ruler.limit.transliterate != "never":
        whole = _in_alphabet(whole, ruler.limit.transliterate, code, notes)
    if ruler.fits(whole):
        return Body((Said(whole),) if whole.strip() else (), tuple(notes))
    try:
        found = _cut(whole, ruler.on(whole), ruler)
    except TooNarrow as exc:
        raise UnsupportedContentError(_NARROW) from exc
    return _finished([Said(whole[piece.start : piece.end]) for piece in found], found, ruler, notes)


def _in_alphabet(text: str, how: Literal["punctuation", "full"], code: Sequence[str], notes: list[Degradation]) -> str:
    """*text* as it goes by SMS: in the GSM alphabet, where a few characters alone keep it out."""
    from .transliteration import transliterated

    found = transliterated(text, how, code)
    if found is None:
        return text
    what = "letters without their marks, and punctuation," if found.is_lossy else "punctuation"
    severity: Literal["lossless", "lossy"] = "lossy" if found.is_lossy else "lossless"
    notes.append(Degradation(what="alphabet", detail=f"{what} written in the GSM alphabet", severity=severity))
    return found.text


def _formatted(
    message: Content, markup: Markup, heading: str | None, links: Sequence[Attachment], ruler: Ruler
) -> Body:
    from . import _degrade

    document = _read(message, "html" if markup.format == "html" else "markdown")
    nodes = _can_mark(markup)
    blocks: Sequence[Block] = _framed(document, heading, links).blocks
    if ruler.limit is not None:
        blocks = _degrade.without_long_targets(blocks, ruler.limit.max // 2)
    notes: list[Degradation] = []
    try:
        parts, found = _drawn(_degrade.degraded(blocks, nodes), markup, ruler)
    except TooNarrow:
        # Marks and boxes alone fill a part; without them it may go.
        notes.append(Degradation(what="markup", detail="left out, since a part is too small for it"))
        try:
            parts, found = _drawn(_degrade.degraded(blocks, frozenset()), markup, ruler)
        except TooNarrow as exc:
            raise UnsupportedContentError(_NARROW) from exc
    unsaid = frozenset[str]().union(*(part.unsaid for part in parts))
    return _finished(parts, found, ruler, [*_losses(document, nodes, unsaid), *notes])


def _can_mark(markup: Markup) -> frozenset[str] | None:
    if markup.format != "styling":
        return markup.nodes
    from .styling import NODES

    return NODES if markup.nodes is None else NODES & markup.nodes


def _drawn(blocks: Sequence[Block], markup: Markup, ruler: Ruler) -> tuple[list[Said], list[Piece]]:
    """Cut by what is to be seen, measured as it is written."""
    from . import _html, _markdown, _styling
    from .document import Canvas

    canvas = Canvas(blocks)
    draft = {"html": _html.write, "styling": _styling.draft}.get(markup.format, _markdown.write)

    @lru_cache(maxsize=1)  # what is found to fit is most often what is then taken
    def rendered(start: int, end: int) -> str:
        return draft(canvas.slice(start, end))

    found = _cut(canvas.text, ruler.searched(len(canvas.text), rendered), ruler)
    if markup.format == "styling":
        return [_styling.write(canvas.slice(piece.start, piece.end)) for piece in found], found
    return [Said(rendered(piece.start, piece.end)) for piece in found], found


def _cut(text: str, fitting: measures.Fitting, ruler: Ruler) -> list[Piece]:
    """The pieces, as long as there may be more of them."""
    limit = ruler.limit
    if limit is None:
        return list(pieces(text, fitting))
    most = 1 if limit.overflow == "refuse" else limit.max_parts
    try:
        found = list(islice(pieces(text, fitting), None if most is None else most + 1))
    except TooNarrow:
        if limit.overflow == "split":
            raise
        most, found = 0, [Piece(0, 0)]
    if most is not None and len(found) > most:
        parts = "one part" if limit.overflow == "refuse" else f"max_parts = {most} parts"
        raise UnsupportedContentError(f"the text is longer than {parts} of at most {limit.max} {_UNITS[limit.unit]}")
    return found


def _finished(parts: Sequence[Said], found: Sequence[Piece], ruler: Ruler, notes: list[Degradation]) -> Body:
    """With the report on cuts; refuses a measure that contradicts itself."""
    shown = tuple(part for part in parts if part.text.strip())
    limit = ruler.limit
    if len(shown) > 1 and limit is not None:
        if not all(ruler.fits(part.text) for part in shown):
            raise UnsupportedContentError("the channel's measure finds a piece of text longer than the whole")
        notes.append(Degradation(what="length", detail=f"sent in {len(shown)} parts", severity="lossless"))
    broken = {piece.broken for piece in found}
    notes += [degradation for kind, degradation in _BROKEN.items() if kind in broken]
    return Body(shown, tuple(notes))


_BROKEN: Final[dict[Broken, Degradation]] = {
    "word": Degradation(
        what="length", detail="a word is longer than a part and goes on in the next", severity="lossless"
    ),
    "url": Degradation(what="length", detail="a URL is longer than a part and goes on in the next"),
    "cluster": Degradation(what="length", detail="a character is longer than a part and goes on in the next"),
}


def _losses(
    document: Document, nodes: frozenset[str] | None, unsaid: frozenset[str] = frozenset()
) -> list[Degradation]:
    from ._degrade import LOSSY

    missing = unsaid if nodes is None else document.nodes() - nodes | unsaid
    notes = []
    if missing:
        severity: Literal["lossless", "lossy"] = "lossy" if missing & LOSSY else "lossless"
        detail = "shown as plain text: " + ", ".join(sorted(missing))
        notes.append(Degradation(what="markup", detail=detail, severity=severity))
    if document.dropped:
        notes.append(Degradation(what="markup", detail="left out: " + ", ".join(sorted(document.dropped))))
    return notes


def _read(message: Content, first: Literal["markdown", "html"] = "markdown") -> Document:
    """The richest form that there is."""
    from . import html, markdown
    from .document import from_text

    if message.html and (first == "html" or not message.markdown):
        return html.parse(message.html)
    return markdown.parse(message.markdown) if message.markdown else from_text(message.text or "")


def _framed(document: Document, heading: str | None, links: Sequence[Attachment]) -> Document:
    from .document import Block, Mark, Span

    before = [Block("paragraph", (Span(heading),))] if heading else []
    after = []
    for name, url in map(link_text, links):
        after.append(Block("paragraph", (Span(name), Span(url, (Mark("link", url),)))))
    return replace(document, blocks=(*before, *document.blocks, *after))


def _around(source: str, heading: str | None, links: Sequence[Attachment], form: str) -> str:
    """The author's own source with *heading* and *links* put into it."""
    if not heading and not links:
        return source
    from . import _html, _markdown
    from .document import Document

    write = _html.write if form == "html" else _markdown.write
    nothing = Document(())
    before = write(_framed(nothing, heading, ()).blocks)
    after = write(_framed(nothing, None, links).blocks)
    if form == "html":
        start, end = _BODY.search(source), source.lower().rfind("</body")
        head = start.end() if start else 0
        tail = end if end >= head else len(source)
        return source[:head] + before + source[head:tail] + after + source[tail:]
    return "\n\n".join(piece for piece in (before, source, after) if piece)
