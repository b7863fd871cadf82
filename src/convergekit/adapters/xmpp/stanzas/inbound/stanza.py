"""One message, looked through once: what is in it, by name, and nothing of it believed yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from ..namespaces import NS, tag
from ..texts import identifier, language

__all__ = ["Stanza"]

_XML_LANG: Final = tag(NS.XML, "lang")
_TYPES: Final = frozenset({"chat", "groupchat", "headline", "error"})
_BODY: Final = tag(NS.CLIENT, "body")
_SUBJECT: Final = tag(NS.CLIENT, "subject")
_ORIGIN_ID: Final = tag(NS.SID, "origin-id")


class Stanza:
    """A message as it came.

    Attributes:
        element: All of it.
        children: What stands directly in it, by tag, in order.
        type: "chat", "groupchat", "headline", "error", or "normal", which is what anything else means too
            (RFC 6121 §5.2.2).
        id: What its sender calls it, or None.
    """

    __slots__ = ("children", "element", "id", "type")

    def __init__(self, element: Element) -> None:
        self.element = element
        self.children: dict[str, list[Element]] = {}
        for child in element:
            self.children.setdefault(child.tag, []).append(child)
        kind = element.get("type", "normal")
        self.type = kind if kind in _TYPES else "normal"
        self.id = identifier(element.get("id"))

    def all(self, name: str) -> Sequence[Element]:
        """The children with this tag."""
        return self.children.get(name, ())

    def first(self, name: str) -> Element | None:
        """The first of them, or None."""
        found = self.children.get(name)
        return found[0] if found else None

    @property
    def origin_id(self) -> str | None:
        """XEP-0359 §3.2: what its sender calls it, also where somebody on the way has changed the id."""
        origin = self.first(_ORIGIN_ID)
        return None if origin is None else identifier(origin.get("id"))

    @property
    def language(self) -> str | None:
        """Of what in it says none of its own."""
        return language(self.element.get(_XML_LANG))

    def bodies(self) -> Iterator[tuple[str | None, str]]:
        """What it says, in each language that it says it in (RFC 6121 §5.2.3)."""
        return self._said(_BODY)

    def subjects(self) -> Iterator[tuple[str | None, str]]:
        """Its subject, likewise."""
        return self._said(_SUBJECT)

    def _said(self, name: str) -> Iterator[tuple[str | None, str]]:
        for child in self.all(name):
            own = child.get(_XML_LANG)
            yield language(own) if own is not None else self.language, child.text or ""
