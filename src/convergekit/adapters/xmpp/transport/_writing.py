"""Stanzas to a stream's bytes: without a prefix, and without a namespace that is said already.

What has been checked (`stanzas.guard`) is written as it is; here nothing is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from xml.etree.ElementTree import Element

from ..stanzas.namespaces import NS

__all__ = ["to_bytes"]

_XML: Final = "http://www.w3.org/XML/1998/namespace"
#: XML 1.0 §2.11 and §3.3.3: what is not written so arrives as a line feed, and in an attribute as a space.
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_VALUE: Final = {**_TEXT, ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;"}
_SPECIAL: Final = re.compile('[&<>\r\n\t"]').search  # most have none, and looking is quicker than translating


def to_bytes(stanza: Element, *, sender: str | None = None) -> bytes:
    """*stanza* as it is written below a stream's header, whose default namespace counts as `jabber:client`.

    Args:
        stanza: In the namespace `jabber:client`.
        sender: From whom it is where it does not say so itself.
    """
    attributes = stanza.attrib if sender is None or "from" in stanza.attrib else {**stanza.attrib, "from": sender}
    out: list[str] = []
    _write(stanza, attributes, NS.CLIENT.value, out)
    return "".join(out).encode()


def _write(element: Element, attributes: dict[str, str], around: str, out: list[str]) -> None:
    namespace, name = _parts(element.tag)
    out.append(f"<{name}" if namespace == around else f'<{name} xmlns="{namespace.translate(_VALUE)}"')
    for key, value in attributes.items():
        if key[0] == "{":
            key = _prefixed(key, out)
        out.append(f' {key}="{value.translate(_VALUE) if _SPECIAL(value) else value}"')
    if (text := element.text) or len(element):
        out.append(">")
        if text:
            out.append(text.translate(_TEXT) if _SPECIAL(text) else text)
        for child in element:
            _write(child, child.attrib, namespace, out)
            if child.tail:
                out.append(child.tail.translate(_TEXT))
        out.append(f"</{name}>")
    else:
        out.append("/>")


def _prefixed(key: str, out: list[str]) -> str:
    namespace, name = _parts(key)
    if namespace == _XML:
        return f"xml:{name}"
    prefix = f"n{len(out)}"  # of this element only, and so of no other attribute of it
    out.append(f' xmlns:{prefix}="{namespace.translate(_VALUE)}"')
    return f"{prefix}:{name}"


@lru_cache(maxsize=1024)
def _parts(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace[1:], name
