"""Text said in the GSM 7-bit alphabet, where a few characters alone keep it out of it.

One curly quote makes a whole SMS UCS-2, and more than halves what a segment holds.

Rules kept here:

- All or nothing: a text is changed only if that puts the whole of it into the alphabet, and takes no more segments.
- What is in the alphabet is never changed; what has no customary way to be written in it leaves the text as it is.
- A URL, an address and code mean what they are, character for character: where one of them is outside the alphabet,
  nothing is changed.

What is customary: signs by their ASCII form; Latin letters without their marks, as all over Europe and in Vietnam;
Greek in capitals, for which the alphabet has the letters that Latin lacks. Cyrillic is left as it is: how it is
romanised depends on the language, and its readers expect their script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from . import gsm7

__all__ = ["LETTERS", "PUNCTUATION", "Transliterated", "Transliteration", "transliterated"]

#: What may be written otherwise: nothing, signs, or letters too.
Transliteration: TypeAlias = Literal["never", "punctuation", "full"]

#: Signs and what stands for them. Nothing is lost that a reader would miss.
PUNCTUATION: Final[dict[str, str]] = {
    **dict.fromkeys("‘’‚‛‹›′‵´`ʹʻʼʽˈˊˋ＇", "'"),
    **dict.fromkeys("“”„‟«»″‶❝❞〝〞＂", '"'),
    **dict.fromkeys("‐‑‒–—―−⁃﹘﹣－•‣◦∙▪▫●○■□", "-"),
    **dict.fromkeys("\t\u00a0\u1680\u202f\u205f\u3000", " "), **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),
    **dict.fromkeys("\v\u0085\u2028\u2029", "\n"),
    # Nothing is to be seen of these: soft hyphen, zero-width space and joiners, byte-order mark, directions.
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
    **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", ""),
    "…": "...", "‥": "..", "⋯": "...", "‼": "!!", "⁇": "??", "⁈": "?!", "⁉": "!?", "‽": "?!",
    "·": ".", "⁄": "/", "∕": "/", "¦": "|", "∣": "|", "∼": "~", "˜": "~", "ˆ": "^",
    "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
    "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "→": "->", "←": "<-", "↔": "<->", "⇒": "=>", "⇐": "<=", "⇔": "<=>", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "×": "x", "±": "+/-", "÷": ":", "©": "(c)", "®": "(R)", "™": "(TM)", "№": "No.", "℠": "(SM)",
}  # fmt: skip

#: Letters that are more than another letter with a mark. An accented one that is in the alphabet stays as it is.
LETTERS: Final[dict[str, str]] = {
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ƀ": "b",
    "þ": "th", "Þ": "Th", "œ": "oe", "Œ": "OE", "ı": "i", "ȷ": "j", "ĸ": "k", "ŋ": "ng", "Ŋ": "Ng", "ſ": "s",
    "ẞ": "SS", "ə": "e", "Ə": "E", "ŉ": "'n", "ŀ": "l", "Ŀ": "L", "ĳ": "ij", "Ĳ": "IJ", "ƒ": "f", "µ": "u",
    "ő": "ö", "Ő": "Ö", "ű": "ü", "Ű": "Ü",  # the nearest that the alphabet has
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ª": "a", "º": "o", "¹": "^1", "²": "^2", "³": "^3",
    **dict(zip("αβγδεζηθικλμνξοπρστυφχψω", "ABΓΔEZHΘIKΛMNΞOΠPΣTYΦXΨΩ", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    "ς": "Σ", "ϐ": "B", "ϑ": "Θ", "ϕ": "Φ", "ϖ": "Π", "ϰ": "K", "ϱ": "P",
}  # fmt: skip

_ALPHABET: Final = frozenset(gsm7.BASIC + gsm7.EXTENSION)
_FRACTIONS: Final = frozenset("¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞")
_MIXED_FRACTION: Final = re.compile(f"(?<=[0-9])(?=[{''.join(sorted(_FRACTIONS))}])")
_TOKEN: Final = re.compile(r"\S+")
_MEANT_AS_IT_IS: Final = ("://", "www.", "mailto:", "xmpp:", "@")
#: What may stand around a URL without being part of it.
_AROUND: Final = "".join(PUNCTUATION) + "()[]<>{}\"'.,;:!?*_"


class Transliterated(NamedTuple):
    """A text in the alphabet, and whether more than signs was changed: then some of it reads otherwise."""

    text: str
    is_lossy: bool


def transliterated(text: str, how: Transliteration, code: Iterable[str] = ()) -> Transliterated | None:
    """*text* in the GSM 7-bit alphabet. Linear in the text.

    Args:
        text: Any.
        how: What may be changed.
        code: What stands in *text* and must stay as it is.

    Returns:
        None where *text* stays as it is: it is in the alphabet, or cannot be put into it, or would take more segments.
    """
    if how == "never" or gsm7.is_gsm7(text):
        return None
    composed = unicodedata.normalize("NFC", text)
    outside = set(composed) - _ALPHABET
    letters = outside - PUNCTUATION.keys()
    written = {each: _letter(each) if each in letters else PUNCTUATION[each] for each in outside}
    if (letters and how != "full") or not all(map(gsm7.is_gsm7, written.values())):
        return None
    if not _are_in_alphabet(text) or not all(map(gsm7.is_gsm7, code)):
        return None
    found = _MIXED_FRACTION.sub(" ", composed) if outside & _FRACTIONS else composed
    for character, replacement in written.items():  # quicker than `translate`, since these are few
        found = found.replace(character, replacement)
    count = gsm7.segments(found)
    if not found.strip() or (count > 1 and count > gsm7.segments(text)):
        return None
    return Transliterated(found, is_lossy=bool(letters))


def _are_in_alphabet(text: str) -> bool:
    """Whether all URLs and addresses in *text* are."""
    if not any(mark in text for mark in _MEANT_AS_IT_IS):
        return True
    return all(
        gsm7.is_gsm7(token.strip(_AROUND))
        for token in _TOKEN.findall(text)
        if not token.isascii() and any(mark in token for mark in _MEANT_AS_IT_IS)
    )


@lru_cache(maxsize=4096)
def _letter(character: str) -> str:
    """*character* without its marks; a mark alone is nothing."""
    base = "".join(each for each in unicodedata.normalize("NFD", character) if not unicodedata.combining(each))
    return LETTERS.get(character) or LETTERS.get(base, base)
