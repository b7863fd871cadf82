"""Stanzas as XML: as the bytes of a stream, and as a text to be kept beside what was understood of them.

Without a prefix, and without a namespace that is said already. Faster than the standard library's, which asks for every
namespace twice. What goes out has been checked (`guard`) and is written as it is; here nothing is refused.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import Final
from xml.etree.ElementTree import Element

from .namespaces import NS

__all__ = ["DEEPEST", "LARGEST", "to_bytes", "to_text"]

#: Levels of elements in one another; what people say has no more than ten.
DEEPEST: Final = 64
#: Characters of one stanza. Servers take a quarter of that from clients.
LARGEST: Final = 1_048_576

_KEPT: Final = 200  # characters of a tag that is worth remembering
_ODD_IN_TEXT: Final = re.compile(r"[&<>\r]")
_ODD_IN_ATTRIBUTE: Final = re.compile(r"[&<>\"\t\n\r]")
_STREAM: Final = NS.CLIENT.value  # the namespace around a stanza; a component's, too, counts as that


def to_bytes(stanza: Element, *, sender: str | None = None) -> bytes:
    """*stanza* as it is written below a stream's header, whose default namespace counts as `jabber:client`.

    Args:
        stanza: In the namespace `jabber:client`.
        sender: From whom it is where it does not say so itself.
    """
    pieces: list[str] = []
    _write(pieces, stanza, _STREAM, sys.maxsize)
    if sender is not None and "from" not in stanza.attrib:
        pieces.insert(1, f' from="{_attribute(sender)}"')
    return "".join(pieces).encode()


def to_text(element: Element, *, largest: int = LARGEST, deepest: int = DEEPEST) -> str | None:
    """*element* with all that is in it, and standing for itself; None where it is larger, or deeper nested, than that.

    Args:
        element: Anything.
        largest: Characters.
        deepest: Levels of elements in one another.
    """
    pieces: list[str] = []
    if not _write(pieces, element, "", deepest):
        return None
    text = "".join(pieces)
    return text if len(text) <= largest else None


def _write(pieces: list[str], element: Element, outside: str, levels: int) -> bool:
    if not levels:
        return False
    tag = element.tag
    namespace, opening, with_namespace, closing = _names(tag) if len(tag) <= _KEPT else _named(tag)
    pieces.append(opening if namespace == outside else with_namespace)
    for number, (key, value) in enumerate(element.items()):
        pieces.append(f' {_key(key, number)}="{_attribute(value)}"')
    if not len(element) and not element.text:
        pieces.append("/>")
        return True
    pieces.append(">")
    if element.text:
        pieces.append(_text(element.text))
    for child in element:
        if not _write(pieces, child, namespace, levels - 1):
            return False
        if child.tail:
            pieces.append(_text(child.tail))
    pieces.append(closing)
    return True


def _named(tag: str) -> tuple[str, str, str, str]:
    """Of `{namespace}name`: the namespace, how it opens within it and elsewhere, and how it closes."""
    namespace, _, name = tag.rpartition("}")
    namespace = namespace[1:]
    return namespace, f"<{name}", f'<{name} xmlns="{_attribute(namespace)}"', f"</{name}>"


_names: Final = lru_cache(maxsize=1024)(_named)


def _key(key: str, number: int) -> str:
    if key[0] != "{":
        return key
    namespace, _, name = key[1:].rpartition("}")
    if namespace == NS.XML:
        return f"xml:{name}"
    return f'xmlns:a{number}="{_attribute(namespace)}" a{number}:{name}'


def _text(text: str) -> str:
    if not _ODD_IN_TEXT.search(text):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _attribute(text: str) -> str:
    if not _ODD_IN_ATTRIBUTE.search(text):
        return text
    # An attribute's line ends and tabs would be read as spaces (XML 1.0 §3.3.3).
    return _text(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
