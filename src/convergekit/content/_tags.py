"""Finds tags and text in HTML, in linear time.

The standard library's `html.parser` is not used: its time grows with the square of the text, and worse, on tags that
are never closed (20 kB of "<a " take seconds), and mail from strangers is read with this.

Trap: a quoted attribute value may hold ">", so finding the end of a tag means reading quotes; and what reads quotes
can be made to read to the end of the text again and again. That is paid from a budget; when it is used up, a tag ends
at the first ">".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Final, NamedTuple

__all__ = ["Tag", "collapsed", "number", "read"]

#: Their content is not markup, and not for readers.
_HIDDEN: Final = frozenset({"script", "style", "title", "iframe", "noembed", "noframes", "template"})
#: HTML §13.2.5: quotes count behind "=" only. Possessive: nothing is tried twice from one place.
_TAG: Final = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)*+)>")
_PLAIN_TAG: Final = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)([^>]*+)>")
_ATTRIBUTE: Final = re.compile(r"([^\s=/>]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>]++)))?+")
_WHITE: Final = re.compile(r"[ \t\n\r\f]+")


class Tag(NamedTuple):
    """A tag, or text.

    Args:
        name: In lower case; "" for text.
        rest: Attributes as they are written, or the text with its references resolved.
        closes: Whether it is an end tag.
    """

    name: str
    rest: str = ""
    closes: bool = False

    def attribute(self, name: str) -> str | None:
        """The first attribute of that name, or None."""
        for match in _ATTRIBUTE.finditer(self.rest):
            if match[1].lower() == name:
                return unescape(match[2] or match[3] or match[4] or "")
        return None


def read(html: str) -> Iterator[Tag]:
    """The tags and texts of *html*, in order; comments and hidden content are left out."""
    text: list[str] = []
    for token in _Scanner(html).tokens():
        if isinstance(token, str):
            text.append(token)
            continue
        if any(text):
            yield Tag("", unescape("".join(text)))
        text = []
        yield token
    if any(text):
        yield Tag("", unescape("".join(text)))


def collapsed(text: str) -> str:
    """White space as HTML shows it; a no-break space is none."""
    return _WHITE.sub(" ", text)


def number(text: str | None, default: int) -> int:
    """A number as lists have them; *default* for what is none."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text.strip()) else default


class _Scanner:
    def __init__(self, html: str) -> None:
        self._html = html
        self._budget = 8 * len(html)
        self._last_end = html.rfind(">")
        self._last_comment_end = html.rfind("-->")
        self._never_closed: set[str] = set()

    def tokens(self) -> Iterator[Tag | str]:
        html, position = self._html, 0
        while 0 <= (found := html.find("<", position)) < self._last_end:
            yield html[position:found]
            follows = html[found + 1 : found + 3]
            if follows[:1] in ("!", "?"):
                position = self._behind_comment(found)
            elif (letter := follows.removeprefix("/")[:1]).isascii() and letter.isalpha():
                tag, position = self._tag(found)
                yield tag
                if tag.name in _HIDDEN and not tag.closes:
                    position = self._behind_hidden(tag.name, position)
            else:
                yield "<"
                position = found + 1
        yield html[position:]

    def _tag(self, start: int) -> tuple[Tag, int]:
        match = _TAG.match(self._html, start) if self._budget > 0 else None
        if match is None:
            self._budget -= len(self._html) - start
            match = _PLAIN_TAG.match(self._html, start)
        assert match is not None, "there is a '>' further on"
        return Tag(match[2].lower(), match[3], bool(match[1])), match.end()

    def _behind_comment(self, start: int) -> int:
        if self._html.startswith("<!--", start) and start + 2 < self._last_comment_end:
            return self._html.index("-->", start + 2) + 3  # from +2: "<!-->" is a comment and empty
        return self._html.index(">", start) + 1

    def _behind_hidden(self, name: str, position: int) -> int:
        """Behind the content, at its end tag. Without one, nothing is hidden but what no reader wants to see."""
        if name not in self._never_closed:
            match = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(self._html, position)
            if match is not None:
                return match.start()
            self._never_closed.add(name)
        return len(self._html) if name in ("script", "style") else position
