"""What a post and what a direct message can carry."""

from __future__ import annotations

from typing import Final, Literal

from convergekit.model import AttachmentLimit, Capabilities, Status, TextLimit

from .config import XConfig

__all__ = ["direct_capabilities", "public_capabilities"]

#: Weighted characters (twitter-text v3), and those of a long post.
_POST: Final = 280
_LONG_POST: Final = 25_000
_DIRECT: Final = 10_000
#: Nobody reads the 26th, and each costs.
_THREAD: Final = 25
_MEDIA: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/quicktime"})
_VIDEO: Final = 512 * 1024 * 1024


def direct_capabilities() -> Capabilities:
    """Of a direct message, to one or to a group."""
    return Capabilities(
        text=TextLimit(max=_DIRECT, unit="utf16"),
        attachments=AttachmentLimit(count=1, size=_VIDEO, media_types=_MEDIA),
        receipts=frozenset({Status.ACCEPTED, Status.READ, Status.FAILED}),  # none names the one that it answers
    )


def public_capabilities(config: XConfig) -> Capabilities:
    """Of a post. How many files of which kind go together is checked where they are uploaded."""
    overflow: Literal["split", "refuse"] = "refuse" if config.long_text == "refuse" else "split"
    most = _LONG_POST if config.long_text == "long" else _POST
    return Capabilities(
        text=TextLimit(max=most, unit="weighted", overflow=overflow, max_parts=_THREAD),
        attachments=AttachmentLimit(count=4, size=_VIDEO, media_types=_MEDIA),
        threads=True,
        replies=True,
        receipts=frozenset({Status.ACCEPTED, Status.FAILED, Status.ANSWERED}),
    )
