"""Text as X has it: links in its own short form, entities, and what a text weighs. Written for the fake alone, so that
what the library counts is held against something else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from html import escape
from typing import Any, Final

import regex  # type: ignore[import-untyped, unused-ignore]

__all__ = ["MAX_WEIGHT", "Entities", "entities", "links", "mentions", "shortened", "weight"]

MAX_WEIGHT: Final = 280
_END: Final = r"[^\s<>\"]*[^\s<>\".,;:!?)\]']"
#: With a scheme; or without, under one of the most usual domains.
_URL: Final = re.compile(
    rf"https?://{_END}"
    r"|(?<![a-z0-9_@.$#/:-])(?:[a-z0-9][a-z0-9-]*\.)+(?:com|org|net|info|io|de|eu|uk)(?![a-z0-9_@-])(?!\.[a-z0-9])"
    rf"(?:/{_END})?",
    re.IGNORECASE,
)
_MENTION: Final = re.compile(r"(?<![\w@/])@(\w{1,15})(?!\w)", re.ASCII)
_TAG: Final = re.compile(r"(?<![\w&/])#(\w*[^\W\d]\w*)")
_CASHTAG: Final = re.compile(r"(?<![\w$])\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)(?!\w)")
_EMOJI: Final = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20E3")
_LIGHT: Final = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))

Entities = dict[str, list[dict[str, Any]]]


@lru_cache(4096)  # each list of posts looks into all of them
def mentions(text: str) -> tuple[str, ...]:
    """The handles in *text*, in lower case."""
    return tuple(found[1].lower() for found in _MENTION.finditer(text))


@lru_cache(4096)
def shortened(text: str) -> str:
    """*text* as X shows it in the API: each link in its short form, and `&`, `<` and `>` escaped."""
    return escape(_URL.sub(lambda found: _short(found[0]), text), quote=False)


def links(text: str) -> list[str]:
    """The links in *text*, as they were written."""
    return _URL.findall(text)


def entities(text: str, shown: str, id_of: Callable[[str], str | None]) -> Entities:
    """What is in *shown*, which was made of *text*, where it begins and ends."""
    found: Entities = {}
    begin = 0
    for url in links(text):
        begin = shown.index(_short(url), begin)
        display = url.rpartition("://")[2]
        whole = url if "://" in url else f"http://{url}"
        where = {"start": begin, "end": begin + len(_short(url))}
        more = {
            "url": _short(url),
            "expanded_url": whole,
            "display_url": display[:26] + ("…" if len(display) > 26 else ""),
        }
        found.setdefault("urls", []).append(where | more)
        begin += 1
    for each in _MENTION.finditer(shown):
        id = id_of(each[1])
        if id is not None:  # who does not exist is not mentioned
            found.setdefault("mentions", []).append(_where(each) | {"username": each[1], "id": id})
    for name, pattern in (("hashtags", _TAG), ("cashtags", _CASHTAG)):
        for each in pattern.finditer(shown):
            found.setdefault(name, []).append(_where(each) | {"tag": each[1]})
    return found


def weight(text: str) -> int:
    """What *text* weighs, of 280: a link 23, an emoji 2, letters 1 or 2."""
    text = unicodedata.normalize("NFC", text)
    count = len(links(text))
    rest: str = _URL.sub("", text)
    if rest.isascii():
        return 23 * count + len(rest)
    return 23 * count + sum(_weight_of(cluster) for cluster in regex.findall(r"\X", rest))


def _weight_of(cluster: str) -> int:
    if _EMOJI.search(cluster) and not cluster.isascii():
        return 2
    return sum(1 if any(low <= ord(each) <= high for low, high in _LIGHT) else 2 for each in cluster)


def _short(url: str) -> str:
    # The same link has the same short form, which no other has.
    return "https://t.co/" + sha256(url.encode("utf-8")).hexdigest()[:10]


def _where(found: re.Match[str]) -> dict[str, Any]:
    return {"start": found.start(), "end": found.end()}
