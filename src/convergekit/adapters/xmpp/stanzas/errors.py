"""What an <error/> says (RFC 6120 §8.3), be it about a question, a message or a presence. Pure; it never raises."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element

from ..stream import StanzaError
from .namespaces import NS, tag
from .texts import line

__all__ = ["stanza_error"]

_ERROR: Final = tag(NS.CLIENT, "error")
_TEXT: Final = tag(NS.STANZAS, "text")
_TYPES: Final = frozenset({"auth", "cancel", "continue", "modify", "wait"})
_CONDITION: Final = re.compile(r"\{urn:ietf:params:xml:ns:xmpp-stanzas\}([a-z-]{1,60})")
_LONGEST: Final = 1000  # characters of the words in it


def stanza_error(element: Element) -> StanzaError:
    """What the <error/> of *element*, a stanza of the type "error", says; of words that are known."""
    error = element.find(_ERROR)
    if error is None:
        return StanzaError("cancel", "undefined-condition")
    conditions = [found[1] for each in error if (found := _CONDITION.fullmatch(each.tag)) and found[1] != "text"]
    kind = error.get("type", "")
    return StanzaError(
        kind if kind in _TYPES else "cancel",
        conditions[0] if conditions else "undefined-condition",
        line(error.findtext(_TEXT), _LONGEST),
    )
