"""How X reads and counts text: what it weighs, and what becomes a link. Pure functions, in linear time.

`weighted_length` and `parse` say what a text weighs, and how much of it may be posted; `entities` finds URLs, mentions,
hashtags and cashtags. All ranges are in code points, as Python counts; X counts UTF-16 code units: `utf16_index`.

Source:
    The rules of twitter-text 3.1 (configuration v3) and its conformance cases; nothing of its code.
"""

from __future__ import annotations

from ._entities import Entities, Url, entities
from ._tags import Cashtag, Hashtag, Mention, replied_to
from ._validity import is_hashtag, is_list, is_url, is_username
from ._weights import LONGEST, Weighted, parse, weighted_length

__all__ = [
    "LONGEST",
    "Cashtag",
    "Entities",
    "Hashtag",
    "Mention",
    "Url",
    "Weighted",
    "entities",
    "is_hashtag",
    "is_list",
    "is_url",
    "is_username",
    "parse",
    "replied_to",
    "utf16_index",
    "weighted_length",
]


def utf16_index(text: str, index: int) -> int:
    """The position of *text* at *index* (code points) in UTF-16 code units."""
    return len(text[:index].encode("utf-16-le", "surrogatepass")) // 2
