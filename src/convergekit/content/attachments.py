"""Which attachments a channel takes as they are, which become links, and which part each goes with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from convergekit.errors import UnsupportedContentError
from convergekit.model import Attachment, AttachmentLimit

__all__ = ["Sorted", "link_text", "size_of", "sort"]


class Sorted(NamedTuple):
    """What becomes of attachments.

    Args:
        groups: Those that are taken, by the part that they go with; within a part's limits on count and total size.
        links: Those of which only the URL can be sent.
        reasons: Why those are links, in words and once each.
    """

    groups: tuple[tuple[Attachment, ...], ...] = ()
    links: tuple[Attachment, ...] = ()
    reasons: tuple[str, ...] = ()


def sort(attachments: Sequence[Attachment], limit: AttachmentLimit) -> Sorted:
    """Sort *attachments* by what *limit* lets pass. A size that is not known does not count.

    Raises:
        UnsupportedContentError: One that is not taken has no URL, or the channel's fallback is to refuse.
    """
    if not attachments:
        return Sorted()
    taken: list[Attachment] = []
    links: list[Attachment] = []
    reasons: dict[str, None] = {}
    for number, attachment in enumerate(attachments, 1):
        reason = _objection(attachment, limit)
        if reason is None:
            taken.append(attachment)
            continue
        if attachment.url is None or limit.fallback == "refuse":
            way_out = "" if limit.fallback == "refuse" else "; give it a url, and a link is sent in its place"
            raise UnsupportedContentError(f"attachment {number} cannot be sent here: {reason}{way_out}")
        links.append(attachment)
        reasons[reason] = None
    return Sorted(tuple(_grouped(taken, limit)), tuple(links), tuple(reasons))


def size_of(attachment: Attachment) -> int:
    """In bytes; 0 where it is not known yet."""
    return attachment.claim.size if attachment.claim is not None else attachment.size or 0


def link_text(attachment: Attachment) -> tuple[str, str]:
    """What stands before the link, "report.pdf: " or nothing, and the URL."""
    return f"{attachment.name}: " if attachment.name else "", attachment.url or ""


def _objection(attachment: Attachment, limit: AttachmentLimit) -> str | None:
    size = size_of(attachment)
    if limit.count == 0:
        return "the channel takes no attachments"
    if limit.by_url and attachment.url is None:
        return "the channel takes attachments by URL only"
    kind = attachment.media_type.lower()
    if limit.media_types is not None and not any(fnmatchcase(kind, each.lower()) for each in limit.media_types):
        return f"the channel does not take {kind}"
    most = min((each for each in (limit.size, limit.total) if each is not None), default=None)
    return f"{size} bytes are more than the {most} that the channel takes" if most is not None and size > most else None


def _grouped(attachments: Iterable[Attachment], limit: AttachmentLimit) -> list[tuple[Attachment, ...]]:
    """In order, each group as full as the limits on count and total allow."""
    groups: list[list[Attachment]] = []
    total = 0
    for attachment in attachments:
        size = size_of(attachment)
        if not groups or len(groups[-1]) == limit.count or (limit.total is not None and total + size > limit.total):
            groups.append([])
            total = 0
        groups[-1].append(attachment)
        total += size
    return [tuple(group) for group in groups]
