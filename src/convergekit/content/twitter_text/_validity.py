"""Whether a whole string is what it claims to be."""

from __future__ import annotations

from typing import Final

from ._patterns import pattern
from ._tags import hashtags, mentions

__all__ = ["is_hashtag", "is_list", "is_url", "is_username"]

_CHARACTER: Final = r"[0-9A-Za-z\u0400-\u04ff\-._~!$&'()*+,;="
_ENCODED: Final = "%[0-9A-Fa-f]{2}"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LETTER, _ALNUM = r"[A-Za-z\x80-\U0010ffff]", r"[0-9A-Za-z\x80-\U0010ffff]"
_HOST: Final = (
    rf"(?:{_OCTET}(?:\.{_OCTET}){{3}}"
    r"|\[[0-9A-Fa-f:.]+\]"
    rf"|(?:{_ALNUM}++(?:[_-]++{_ALNUM}++)*+\.)*(?:{_ALNUM}++(?:-++{_ALNUM}++)*+\.)"
    rf"(?={_LETTER}){_ALNUM}++(?:-++{_ALNUM}++)*+)"
)
_PROTOCOL: Final = "[Hh][Tt][Tt][Pp][Ss]?://"
#: RFC 3986, with domains in any script.
_URL: Final = pattern(
    rf"(?P<protocol>{_PROTOCOL})?"
    rf"(?:(?:{_CHARACTER}:]|{_ENCODED})*+@)?{_HOST}(?::[0-9]{{1,5}})?"
    rf"(?:/(?:{_CHARACTER}:@|/]|{_ENCODED})*+)?"
    rf"(?:\?(?:{_CHARACTER}:@|/?]|{_ENCODED})*+)?"
    rf"(?:\#(?:{_CHARACTER}:@|/?]|{_ENCODED})*+)?"
)


def is_username(text: str) -> bool:
    """Whether *text* is "@" and a name, and nothing else."""
    return [each.name for each in mentions(text)] == [text[1:]]


def is_list(text: str) -> bool:
    """Whether *text* is "@", a name, a slash and the name of a list, and nothing else."""
    return [(0, len(text), True)] == [(each.start, each.end, each.list is not None) for each in mentions(text)]


def is_hashtag(text: str) -> bool:
    """Whether *text* is "#" and the name of a hashtag, and nothing else."""
    return [each.name for each in hashtags(text)] == [text[1:]]


def is_url(text: str, *, protocol: bool = True) -> bool:
    """Whether *text* is a URL as a whole. `entities` finds those within a text, by other rules.

    Args:
        text: Without white space around it.
        protocol: Whether it must begin with "http://" or "https://".

    Source:
        RFC 3986; domains may be in any script.
    """
    match = _URL.fullmatch(text)
    return match is not None and (match["protocol"] is not None or not protocol)
