"""What a reader of a post or a message sees of its text. Pure, and linear in its length.

- X escapes &, < and >, and shortens each link to one of t.co. Both are undone here.
- A link that stands for a file or a picture is not text: the attachment is.
- In front of a reply X puts whom it answers, and behind a quote a link to what it quotes. They are in `text`, and
  `visible_text` is without them.
- Where things stand is told by X in numbers that count now the escaped text and now the other. So links are found by
  what they are. Only where the text begins that a reader sees is taken by its number, where nothing but names of
  accounts stands before it: there is nothing to escape in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from .values import mapping, sequence, web, words

__all__ = ["Shown", "shown", "urls_in", "where_text_is"]

_ESCAPED: Final = re.compile("&(amp|lt|gt);")
_PLAIN: Final = {"amp": "&", "lt": "<", "gt": ">"}
_SHORT: Final = re.compile(r"https?://t\.co/[A-Za-z0-9]{1,50}")
_NAMES: Final = re.compile(r"(?:@[A-Za-z0-9_]{1,50}\s+)+")
_MEDIA: Final = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/(?:[A-Za-z0-9_]+/status/[0-9]+/(?:photo|video)/|messages/media/)[0-9]+"
)
_POST: Final = re.compile(r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/(?:i/web|i|[A-Za-z0-9_]+)/status/([0-9]+)")


class Shown(NamedTuple):
    """What a reader sees.

    Args:
        text: All of it, links as they lead; or None.
        visible: Without what X adds by itself; None where that is all of it.
        urls: The links, as they lead.
    """

    text: str | None
    visible: str | None = None
    urls: tuple[str, ...] = ()


class _Link(NamedTuple):
    leads_to: str
    is_media: bool = False
    is_quote: bool = False


def shown(post: Mapping[str, Any], *, quoted: str | None = None, has_media: bool = False) -> Shown:
    """What a reader sees of *post*, or of a direct message.

    Args:
        post: With newer names; a long post has its text, and the links in it, in a place of its own.
        quoted: Id of the post that it quotes, or None.
        has_media: Whether its files are told beside, so that links to them are no text.
    """
    source = where_text_is(post)
    raw = words(source.get("text"))
    if raw is None:
        return Shown(None)
    links = _links(source, quoted, has_media)
    plain = _ESCAPED.sub(lambda found: _PLAIN[found[1]], raw)
    text = _expanded(plain, links, with_quote=True)
    visible = _expanded(plain[_start(post, plain) :], links, with_quote=False)
    urls = dict.fromkeys(each.leads_to for each in links.values() if not each.is_media and not each.is_quote)
    return Shown(text, visible if visible != text else None, tuple(urls))


def _links(source: Mapping[str, Any], quoted: str | None, has_media: bool) -> dict[str, _Link]:
    links = {}
    for each in urls_in(source):
        short, leads_to = web(each.get("url")), web(each.get("expanded_url"))
        if short is None or leads_to is None:
            continue
        is_media = has_media and bool(each.get("media_key") or _MEDIA.fullmatch(leads_to))
        post = _POST.match(leads_to)
        links[short] = _Link(leads_to, is_media, post is not None and quoted is not None and post[1] == quoted)
    return links


def where_text_is(post: Mapping[str, Any]) -> Mapping[str, Any]:
    """What holds the whole text of *post*, which has newer names, and the links in it: a long one has a note."""
    note = mapping(post.get("note_post"))
    return note if isinstance(note.get("text"), str) else post


def urls_in(source: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """A post has its links among its entities; a direct message, as the API describes it, has them by themselves."""
    found = sequence(mapping(source.get("entities")).get("urls")) or sequence(source.get("urls"))
    return map(mapping, found)


def _expanded(text: str, links: Mapping[str, _Link], *, with_quote: bool) -> str:
    def expanded(found: re.Match[str]) -> str:
        link = links.get(found[0])
        if link is None:
            return found[0]
        return "" if link.is_media or (link.is_quote and not with_quote) else link.leads_to

    replaced = _SHORT.sub(expanded, text) if links else text
    return replaced if replaced == text else replaced.strip()


def _start(post: Mapping[str, Any], plain: str) -> int:
    """Where the text begins that is shown: behind whom a reply answers."""
    said = sequence(post.get("display_text_range"))
    start = said[0] if said and isinstance(said[0], int) and not isinstance(said[0], bool) else 0
    return start if 0 < start <= len(plain) and _NAMES.fullmatch(plain, 0, start) else 0
