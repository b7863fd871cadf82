"""Whether what X shows is what we sent. Pure.

X changes a text: links become t.co links, `&`, `<` and `>` become entities, whom an answer is to is named in front, and
links to files, to a quoted post and into a direct message are added at the end. All of that is taken back here.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from ..reading.names import renamed
from ..reading.words import urls_in, where_text_is

__all__ = ["digest", "is_like", "is_same", "shown_text"]

_SCHEME: Final = re.compile(r"\bhttps?://", re.IGNORECASE)
_NAMED: Final = re.compile(r"^(?:@[A-Za-z0-9_]{1,15}\s+)+")
#: What X adds leads to X.
_LINK: Final = re.compile(r"https?://(?:t\.co|(?:[a-z0-9-]+\.)?(?:twitter|x)\.com)/\S*$", re.IGNORECASE)
#: It adds no more links than there can be files, and one to a quoted post, and one into a direct message.
_ADDED: Final = 6
_ANY_LINK: Final = re.compile(r"https?://\S+", re.IGNORECASE)


def shown_text(item: Mapping[str, Any]) -> str:
    """What a post or a direct message of an answer of X says, with its links as they were written.

    Unlike what a reader is shown it has all of it, whatever characters: it is compared, and goes nowhere.
    """
    source = where_text_is(renamed(item))
    text = source.get("text")
    text = html.unescape(text) if isinstance(text, str) else ""
    for url in urls_in(source):
        short, long = url.get("url"), url.get("expanded_url")
        if isinstance(short, str) and short and isinstance(long, str) and long:
            text = text.replace(short, long)
    return text


def is_same(sent: str, shown: str) -> bool:
    """Whether X shows, as *shown*, what we *sent*."""
    ours, theirs = _plain(sent), shown
    for _ in range(_ADDED + 1):
        if _plain(theirs) == ours:
            return True
        # What X adds at the end are links; ours are links too, so they go one by one.
        link = _LINK.search(theirs.rstrip())
        if link is None:
            return False
        theirs = theirs[: link.start()]
    return False


def is_like(sent: str, shown: str) -> bool:
    """Whether it could be that: letters and digits are the same, whatever else X has made of it, links above all."""
    return _letters(sent) == _letters(shown)


def digest(text: str, where: str) -> str:
    """Stands for *text*, said there, where neither is to be kept: 16 characters."""
    return hashlib.sha256(f"{where}\n{_plain(text)}".encode("utf-8", "replace")).hexdigest()[:16]


def _letters(text: str) -> str:
    from convergekit.content.twitter_text import entities  # seldom: an answer is lost

    text = unicodedata.normalize("NFKC", html.unescape(html.unescape(text)))
    for url in sorted({text[each.start : each.end] for each in entities(text).urls}, key=len, reverse=True):
        text = text.replace(url, " ")
    return "".join(filter(str.isalnum, _NAMED.sub("", _ANY_LINK.sub(" ", text).strip() + " "))).casefold()


def _plain(text: str) -> str:
    """Without what X may change: form of letters, white space, names in front, the scheme of links."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    text = _SCHEME.sub("", _NAMED.sub("", text + " "))
    return " ".join(word.rstrip("/") for word in text.split())
