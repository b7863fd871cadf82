"""What must not be written to a stream: it would end the stream, and with it all that is under way.

Rules kept here:

- XML 1.0 §2.2: a NUL, an ESC, a VT, U+FFFE, half a surrogate pair cannot be said, in no way. They are refused, in text
  and in names alike, before anything has left us. A carriage return can be said and does not arrive: readers make a
  line feed of it (§2.11), so it is sent as one.
- A server ends the stream of who sends a stanza above its limit, and has to take 10,000 octets only (RFC 6120 §13.12).
- An error names the character and its place, and never shows the text.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element

from convergekit.errors import UnsupportedContentError
from convergekit.model import FailureKind

from .writing import DEEPEST, to_bytes

__all__ = ["check_stanza", "is_legal", "legal", "octets"]

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CR: Final = re.compile("\r\n?")
_LONGEST: Final = 6  # octets that one character becomes: `&quot;`
_AROUND: Final = 40  # octets of punctuation around one element with some attributes


def is_legal(text: str) -> bool:
    """Whether XML has a way to say *text*."""
    return _ILLEGAL.search(text) is None


def legal(what: str, text: str) -> str:
    """*text* as it arrives: with the ends of its lines as line feeds.

    Args:
        what: What it is, for the error: "the text".
        text: Anything.

    Raises:
        UnsupportedContentError: XML cannot say it.
    """
    if (bad := _ILLEGAL.search(text)) is not None:
        raise UnsupportedContentError(
            f"{what} has the character U+{ord(bad[0]):04X} at position {bad.start()}, counted from 0, "
            "which XML cannot carry: leave it out",
            kind=FailureKind.CONTENT,
        )
    return _CR.sub("\n", text) if "\r" in text else text


def check_stanza(stanza: Element, limit: int) -> None:
    """Look at all of *stanza*, just before it is handed over.

    Args:
        stanza: In the namespace `jabber:client`.
        limit: Octets that the server takes.

    Raises:
        UnsupportedContentError: It would end the stream.
    """
    said: list[str] = []
    elements = 0
    for element in stanza.iter():
        elements += 1
        said += (element.tag, element.text or "", element.tail or "", *element.attrib, *element.attrib.values())
    text = "".join(said)
    if elements > DEEPEST and _depth(stanza) > DEEPEST:
        raise UnsupportedContentError(
            f"the XML of this message has more than {DEEPEST} levels", kind=FailureKind.CONTENT
        )
    if _ILLEGAL.search(text) is not None:
        for each in said:
            legal("the XML of this message", each)
    # Counting takes longer than all the rest, and few are anywhere near.
    if _LONGEST * len(text) + _AROUND * elements > limit and (size := octets(stanza)) > limit:
        raise UnsupportedContentError(
            f"this message makes a stanza of {size} octets, the server takes {limit}: send it as a file, or in parts",
            kind=FailureKind.TOO_LARGE,
        )


def octets(stanza: Element) -> int:
    """How many octets *stanza* has once it is written."""
    return len(to_bytes(stanza))


def _depth(stanza: Element) -> int:
    """Levels of elements in one another, without recursion: they may be more than a stack takes."""
    levels, row = 0, [stanza]
    while row:
        levels, row = levels + 1, [child for element in row for child in element]
    return levels
