"""Text in the GSM 7-bit default alphabet as octets, and back: what an SMS carries, where a gateway shows it as it is.

Rules kept here (3GPP TS 23.038):

- An ESC that nothing known follows is no character: what follows is read from the basic table (§6.2.1.1), and a second
  ESC, or one at the end, is shown as a space (§6.2.1, note 1).
- Packed septets begin behind the header at the next septet boundary, so that a handset which knows no headers shows
  the text all the same (TS 23.040 §9.2.3.24).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from .gsm7 import BASIC, EXTENSION, is_gsm7

__all__ = ["decode", "encode", "pack", "unpack"]

_ESC: Final = 0x1B
_TABLE: Final = BASIC[:_ESC] + "\x1b" + BASIC[_ESC:]
#: Codes of the extension table (§6.2.1.1), in the order of `EXTENSION`.
_EXTENSION_CODES: Final = b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65"
_EXTENDED: Final = dict(zip(_EXTENSION_CODES, EXTENSION, strict=True))

_ENCODED: Final[dict[int, int | str]] = {
    **{ord(character): code for code, character in enumerate(_TABLE) if code != _ESC},
    **{ord(character): f"\x1b{chr(code)}" for code, character in _EXTENDED.items()},
}
#: National tables by the number of their language (§6.2.1.2.4, Annex A): 1 Turkish, 2 Spanish, 3 Portuguese. The
#: numbers 4 to 13, languages of India, have none here, and that is told.
_LOCKING: Final = {
    0: _TABLE,
    1: "@£$¥€éùıòÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ" + _TABLE[0x20:0x40] + "İ" + _TABLE[0x41:0x60] + "ç" + _TABLE[0x61:],
    2: _TABLE,
    3: "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ"
    + _TABLE[0x20:0x40].replace("¤", "º")
    + "ÍABCDEFGHIJKLMNOPQRSTUVWXYZÃÕÚÜ§~abcdefghijklmnopqrstuvwxyzãõ`üà",
}
_SINGLE: Final = {
    0: _EXTENDED,
    1: {**_EXTENDED, 0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"},
    2: {**_EXTENDED, 0x09: "ç", **dict(zip(b"AIOUaiou", "ÁÍÓÚáíóú", strict=True))},
    3: {
        **_EXTENDED,
        **dict(zip(b"\x05\x09\x0b\x0c\x0e\x0f", "êçÔôÁá", strict=True)),
        **dict(zip(b"\x12\x13\x15\x16\x17\x18\x19", "ΦΓΩΠΨΣΘ", strict=True)),
        **dict(zip(b"AIOU[\\aiou{|\x7f", "ÀÍÓÚÃÕÂíóúãõâ", strict=True)),
    },
}
_ESCAPED: Final = re.compile("\x1b(.?)", re.DOTALL)


def encode(text: str) -> bytes:
    """*text* in septets, one in each octet.

    Raises:
        ValueError: Something in it is not in the alphabet.
    """
    if not is_gsm7(text):
        raise ValueError("the text is not in the GSM 7-bit alphabet")
    return text.translate(_ENCODED).encode("ascii")


def decode(septets: bytes, *, locking_shift: int = 0, single_shift: int = 0) -> str:
    """The text of *septets*, one in each octet.

    Args:
        septets: As `unpack` gives them.
        locking_shift: Number of the national language whose basic table is meant, as `read_header` finds it.
        single_shift: Likewise for the extension table.

    Raises:
        ValueError: An octet is no septet, for its highest bit is set; or there is no table of that language here.
    """
    if not septets.isascii():
        raise ValueError("these are no septets: the highest bit of an octet is set")
    if locking_shift not in _LOCKING or single_shift not in _SINGLE:
        raise ValueError(f"there is no table here of the national languages {locking_shift} and {single_shift}")
    return "".join(_read(septets.decode("ascii"), _LOCKING[locking_shift], _SINGLE[single_shift]))


def _read(codes: str, basic: str, extended: Mapping[int, str]) -> Iterator[str]:
    at = 0
    for escape in _ESCAPED.finditer(codes):
        yield codes[at : escape.start()].translate(basic)  # a str is a table for the characters up to its length
        following = escape[1]
        if following in ("", "\x1b"):
            yield " "
        else:
            yield extended.get(ord(following)) or basic[ord(following)]
        at = escape.end()
    yield codes[at:].translate(basic)


def pack(septets: bytes, *, behind: int = 0) -> bytes:
    """Eight septets in seven octets, the first in the lowest bits (§6.1.2.1).

    Args:
        septets: One in each octet.
        behind: Octets of the header in front, whose end they are aligned with.
    """
    packed, bits, size = bytearray(), 0, -8 * behind % 7
    for septet in septets:
        bits |= septet << size
        size += 7
        while size >= 8:
            packed.append(bits & 0xFF)
            bits, size = bits >> 8, size - 8
    if size:
        packed.append(bits)
    return bytes(packed)


def unpack(octets: bytes, count: int, *, behind: int = 0) -> bytes:
    """The first *count* septets in *octets*, one in each octet; fewer where there are not so many.

    Args:
        octets: Those behind the header.
        count: Seven spare bits at the end are no septet; only the sender's count tells.
        behind: As for `pack`.
    """
    fill = -8 * behind % 7
    septets, bits, size = bytearray(), 0, -fill
    for octet in octets:
        bits |= octet << size if size >= 0 else octet >> -size
        size += 8
        while size >= 7:
            septets.append(bits & 0x7F)
            bits, size = bits >> 7, size - 7
    return bytes(septets[:count])
