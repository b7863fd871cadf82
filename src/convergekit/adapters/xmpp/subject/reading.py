"""XML as it comes over a stream, and XML as it is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from xml.etree.ElementTree import Element, XMLPullParser, tostring
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Elements", "element", "escape", "text_of"]


class Elements:
    """One stream: its header, and what stands in it.

    Attributes:
        ended: Whether the other side has ended it.
    """

    def __init__(self) -> None:
        self.ended = False
        self._parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        self._root: Element | None = None
        self._depth = 0

    def feed(self, data: bytes) -> Iterator[Element]:
        """What is complete with *data*: first the header, which has no content yet."""
        self._parser.feed(data)
        for event, found in cast("Iterator[tuple[str, Element]]", self._parser.read_events()):
            self._depth += 1 if event == "start" else -1
            if self._root is None:
                self._root = found
                yield found
            elif event == "end" and self._depth == 1:
                self._root.clear()  # which leaves what is in *found*
                yield found
            self.ended = self._depth == 0


def text_of(found: Element) -> str:
    """*found* as it is said."""
    return tostring(found, encoding="unicode")


def element(name: str, content: str = "", **attributes: str | None) -> str:
    """`<name attributes>content</name>`; None is left out, and `from_` stands for `from`."""
    said = "".join(f" {key.rstrip('_')}={quoteattr(value)}" for key, value in attributes.items() if value is not None)
    return f"<{name}{said}>{content}</{name}>"
