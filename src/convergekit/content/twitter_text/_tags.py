"""Mentions, hashtags and cashtags, each by the sign that it begins with.

Source:
    Repository twitter/twitter-text, the cases in conformance/, and what its JavaScript answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from ._characters import LATIN, PUNCTUATION, SPACES
from ._patterns import pattern

__all__ = ["Cashtag", "Hashtag", "Mention", "cashtags", "hashtags", "mentions", "replied_to"]

_NAME: Final = "[0-9A-Za-z_]{1,20}+"
_MENTION: Final = pattern(
    # Behind a letter only where that is the old sign of a quotation, "RT@ann".
    r"[@＠](?:(?<![0-9A-Za-z_!#$%&*@＠].)|(?<=[Rr][Tt].)(?<![0-9A-Za-z_+~.-][Rr][Tt].))"
    rf"({_NAME})(/[A-Za-z][0-9A-Za-z_-]{{0,24}}+)?"
)
_NO_MENTION: Final = pattern(f"[@＠{LATIN}]|://")
_REPLY: Final = pattern(f"[{SPACES}]*+[@＠]({_NAME})")
_CASHTAG: Final = pattern(
    rf"\$(?<![^{SPACES}].)([A-Za-z]{{1,6}}(?:[._][A-Za-z]{{1,2}})?)(?=[{SPACES}{PUNCTUATION}]|\Z)"
)
_NO_HASHTAG: Final = pattern("[#＃]|://")
#: Signs that join words inside of a hashtag.
_JOINING: Final = "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\xb7"


class Mention(NamedTuple):
    """`@name`, or `@name/list`, from `start` up to `end` (code points); `list` goes without the slash."""

    start: int
    end: int
    name: str
    list: str | None = None


class Hashtag(NamedTuple):
    """`#name` from `start` up to `end` (code points)."""

    start: int
    end: int
    name: str


class Cashtag(NamedTuple):
    """`$symbol` from `start` up to `end` (code points)."""

    start: int
    end: int
    symbol: str


def mentions(text: str) -> list[Mention]:
    """All of them, in order."""
    if "@" not in text and "＠" not in text:
        return []
    found, read = list[Mention](), 0
    for match in _MENTION.finditer(text):
        # What was read once does not stand in front of the next one.
        if (match.start() > read or not read) and not _NO_MENTION.match(text, match.end()):
            found.append(Mention(*match.span(), match[1], match[2] and match[2][1:]))
        read = match.end()
    return found


def replied_to(text: str) -> str | None:
    """The name that *text* begins with a mention of, by which X shows it as a reply; None where there is none."""
    match = _REPLY.match(text)
    return match[1] if match and not _NO_MENTION.match(text, match.end()) else None


def hashtags(text: str) -> list[Hashtag]:
    """All of them, in order."""
    if "#" not in text and "＃" not in text:
        return []
    return list(_hashtags(text))


def _hashtags(text: str) -> Iterator[Hashtag]:
    read = 0
    for match in (_IN_ASCII if text.isascii() else _in_any_script()).finditer(text):
        start, end = match.span()
        if (start > read or not read) and not _NO_HASHTAG.match(text, end):
            yield Hashtag(start, end, match[1])
        read = end


def cashtags(text: str) -> list[Cashtag]:
    """All of them, in order."""
    if "$" not in text:
        return []
    return [Cashtag(*match.span(), match[1]) for match in _CASHTAG.finditer(text)]


def _of(letter: str, digit: str) -> str:
    """A hashtag has a letter, or a mark, somewhere; and no such thing in front, but for a variation selector."""
    other = f"{digit}{_JOINING}"
    before = f"(?:(?<![{letter}{other}&].)|(?<=[\ufe0e\ufe0f].))"
    return f"[#＃]{before}(?![\ufe0f\u20e3])([{other}]*+[{letter}][{letter}{other}]*+)"


_IN_ASCII: Final = pattern(_of("A-Za-z", "0-9"))


@cache
def _in_any_script() -> Any:
    import regex  # type: ignore[import-untyped, unused-ignore]  # it knows marks; ASCII needs none of it

    return regex.compile(_of(r"\p{L}\p{M}", r"\p{Nd}"))
