"""Files that a message names by their URL (XEP-0066). Nothing is fetched here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from convergekit.model import Attachment

from ..namespaces import NS, tag
from ..texts import line
from .stanza import Stanza

__all__ = ["OOB", "attachment_of", "files_in"]

#: What names a file.
OOB: Final = tag(NS.OOB, "x")
_URL: Final = tag(NS.OOB, "url")
_DESCRIPTION: Final = tag(NS.OOB, "desc")
_MOST: Final = 50
_LONGEST: Final = 4096
_LONGEST_NAME: Final = 255
_NOT_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"^`{|}]")


def files_in(stanza: Stanza) -> Iterator[tuple[str, str | None]]:
    """The URLs that *stanza* names, and what is said of each; of any scheme."""
    for each in stanza.all(OOB)[:_MOST]:
        if url := (each.findtext(_URL) or "").strip():
            yield url, line(each.findtext(_DESCRIPTION))


def attachment_of(url: str) -> Attachment | None:
    """What *url* serves, by its word alone; None for what is no web address."""
    if len(url) > _LONGEST or _NOT_IN_URLS.search(url):
        return None
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            return None
        _ = parts.port
    except ValueError:
        return None
    fields: dict[str, Any] = {"url": url}
    if (name := _name(parts.path)) is not None:
        fields["name"] = name
    return Attachment(**fields)


def _name(path: str) -> str | None:
    name = line(unquote(path.rpartition("/")[2], errors="replace"), _LONGEST_NAME)
    return None if name is None or name in {".", ".."} or "/" in name or "\\" in name else name
