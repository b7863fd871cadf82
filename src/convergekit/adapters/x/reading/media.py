"""Photos, videos and animated GIFs of what X shows, as attachments. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from convergekit.model import Attachment

from .values import first_of, mapping, sequence, web, words

__all__ = ["attachment"]

#: A video comes in several sizes: the best that is, by its bit rate and length, not larger than so many bytes.
_LARGEST: Final = 64 * 1024 * 1024
#: Where a video's length is not told (animated GIFs), it is taken to be so many milliseconds.
_USUAL_LENGTH: Final = 10_000
_TYPES: Final[Mapping[str, str]] = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
}
_NAME: Final = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]{0,99}")


def attachment(media: Mapping[str, Any]) -> Attachment | None:
    """The file that *media* tells of, or None where X does not say where it is."""
    video = _best(media)
    url = video or web(media.get("url")) or web(media.get("preview_image_url"))
    if url is None:
        return None
    usual = "video/mp4" if video else "image/jpeg"
    name = PurePosixPath(urlsplit(url).path).name
    return Attachment(
        url=url,
        media_type=_TYPES.get(_ending(url), usual),
        name=name if _NAME.fullmatch(name) else None,
        description=words(media.get("alt_text")) or None,
    )


def _ending(url: str) -> str:
    parts = urlsplit(url)
    said = parse_qs(parts.query).get("format", [""])[0]
    return (said or PurePosixPath(parts.path).suffix.removeprefix(".")).lower()


def _best(media: Mapping[str, Any]) -> str | None:
    """The best variant that is not too large, or the smallest."""
    said = media.get("duration_ms")
    length = said if isinstance(said, int) and said > 0 else _USUAL_LENGTH
    rated = sorted(_variants(media), reverse=True)
    fitting = [url for rate, url in rated if rate * length / 8000 <= _LARGEST]
    return fitting[0] if fitting else rated[-1][1] if rated else None


def _variants(media: Mapping[str, Any]) -> Iterable[tuple[int, str]]:
    for each in map(mapping, sequence(media.get("variants"))):
        rate, url = first_of(each, "bit_rate", "bitrate"), web(each.get("url"))
        if url is not None and each.get("content_type") == "video/mp4":
            yield (rate if isinstance(rate, int) and 0 <= rate < 1 << 40 else 0), url
