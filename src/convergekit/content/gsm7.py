"""The GSM 7-bit default alphabet and what text costs in it.

Rules kept here (3GPP TS 23.038 §6.2.1, TS 23.040 §9.2.3.24):

- A character of the basic table is one septet, one of the extension table two (ESC and the character).
- One character outside both makes the whole message UCS-2, where each UTF-16 code unit is 16 bits.
- A message holds 140 octets: 160 septets or 70 units. In a concatenated one a header of six octets leaves 134
  to each segment: 153 septets or 67 units; a header with a reference of 16 bits is one longer, and leaves 152 or 66.
  Neither an ESC pair nor a surrogate pair is divided between segments.

Traps: the lower-case c with cedilla, the backtick, the tab and the no-break space are *not* in the alphabet.
National shift tables are not used: handsets and gateways that lack them would show other characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from .graphemes import boundary_before

__all__ = [
    "BASIC",
    "CONCATENATED",
    "EXTENSION",
    "SINGLE",
    "ReferenceBits",
    "is_gsm7",
    "longest_prefix",
    "segment_ends",
    "segments",
    "septets",
    "units",
]

#: The default alphabet but for ESC, in the order of the table.
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: The default extension table; two septets each.
EXTENSION: Final = "\f^{}\\[~]|€"

_ALPHABET: Final = re.compile(f"[{re.escape(BASIC + EXTENSION)}]*")
_EXTENDED: Final = re.compile(f"[{re.escape(EXTENSION)}]")

#: How many bits the number has that the segments of one message share.
ReferenceBits: TypeAlias = Literal[8, 16]
#: What a message of one segment holds: septets, or UTF-16 code units.
SINGLE: Final = 160, 70
#: What each of several holds, by the bits of their reference.
CONCATENATED: Final[Mapping[ReferenceBits, tuple[int, int]]] = {8: (153, 67), 16: (152, 66)}


def is_gsm7(text: str) -> bool:
    """Whether *text* lies wholly inside the alphabet."""
    return _ALPHABET.fullmatch(text) is not None


def septets(text: str) -> int | None:
    """Count the septets of *text*, or None where it is not in the alphabet."""
    return len(text) + len(_EXTENDED.findall(text)) if is_gsm7(text) else None


def units(text: str) -> int:
    """What `TextLimit(unit="gsm7")` compares with its `max`.

    Returns:
        Septets, for text inside the alphabet; else how many septets take the room of its UTF-16 code units, 16/7
        of them rounded down. So 70 units measure 160, 67 measure 153, and 66 fit beside a 16-bit reference (152).
    """
    found = septets(text)
    return _in_septets(_utf16(text)) if found is None else found


def longest_prefix(text: str, start: int, limit: int) -> int:
    """The end of the longest piece from *start* on that measures at most *limit* in `units`; every shorter one fits."""
    window = text[start : start + limit]
    inside = _ALPHABET.match(window).end()  # type: ignore[union-attr]  # it matches the empty string  # pyright: ignore[reportOptionalMemberAccess]
    fitting = _septet_prefix(window[:inside], limit)
    if fitting < inside or inside == len(window):
        return start + fitting
    # A character outside the alphabet: either all up to it in septets, or less of the text in UCS-2.
    room = (7 * limit + 6) // 16
    wide = len(window.encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore"))
    return start + max(inside, wide)


def segments(text: str, *, reference_bits: ReferenceBits = 8) -> int:
    """Count the SMS segments that *text* takes up.

    Args:
        text: Any string, taken as it is: an "é" made of two code points forces UCS-2.
        reference_bits: Of the number that the segments share.

    Returns:
        At least 1. One segment holds 160 septets or 70 UTF-16 code units; when there are several, each holds 153
        or 67, since a header takes the rest, and 152 or 66 with a reference of 16 bits. A grapheme cluster is kept
        in one segment where it fits in one.

    Source:
        3GPP TS 23.038 §6.2, TS 23.040 §9.2.3.24.1 and §9.2.3.24.8.
    """
    return len(segment_ends(text, reference_bits=reference_bits))


def segment_ends(text: str, *, reference_bits: ReferenceBits = 8) -> list[int]:
    """Where the segments of *text* end, as indices into it; the last one is its length. As `segments` counts."""
    septet_room, unit_room = CONCATENATED[reference_bits]
    found = septets(text)
    if found is not None:
        if found <= SINGLE[0]:
            return [len(text)]
        return _ends(text, lambda start: start + _septet_prefix(text[start : start + septet_room], septet_room))
    if _utf16(text) <= SINGLE[1]:
        return [len(text)]
    return _ends(text, lambda start: _cluster_prefix(text, start, unit_room))


def _ends(text: str, end_of: Callable[[int], int]) -> list[int]:
    ends, end = list[int](), 0
    while end < len(text):
        end = end_of(end)
        ends.append(end)
    return ends


def _cluster_prefix(text: str, start: int, room: int) -> int:
    """Where whole clusters end that fit into *room* UTF-16 units; one larger than that is cut between code points."""
    window = text[start : start + room].encode("utf-16-le")[: 2 * room]
    end = start + len(window.decode("utf-16-le", "ignore"))
    whole = boundary_before(text, start, end)
    return whole if whole > start else end


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _in_septets(utf16: int) -> int:
    return 16 * utf16 // 7


def _septet_prefix(text: str, limit: int) -> int:
    """How many characters of *text*, which is in the alphabet, fit into *limit* septets."""
    extended = 0
    for match in _EXTENDED.finditer(text):
        if match.start() + extended + 2 > limit:
            return min(match.start(), limit - extended)
        extended += 1
    return min(len(text), limit - extended)
