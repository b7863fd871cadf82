"""Sets of characters that more than one kind of entity asks for, written as in a class of a regular expression."""

from __future__ import annotations

from typing import Final

__all__ = ["DIRECTIONAL", "INVALID", "LATIN", "PUNCTUATION", "SPACES"]

#: No post may hold one of these.
INVALID: Final = "\ufffe\ufeff\uffff"
DIRECTIONAL: Final = "\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
SPACES: Final = "\t-\r \x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
#: All of ASCII but for the quotation mark and the grave accent.
PUNCTUATION: Final = r"!#%&'()*+,\-./:;<=>?@\[\\\]\^_{|}~$"
#: Letters with marks, and marks: in a domain without a protocol, in a path; and behind a mention, which is none then.
LATIN: Final = (
    "\xc0-\xd6\xd8-\xf6\xf8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b\u02bb"
    "\u0300-\u036f\u1e00-\u1eff"
)
