"""File names from strangers, made safe to write to a folder."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from typing import Final

__all__ = ["safe"]

_LONGEST: Final = 255  # octets: what file systems take
#: What no file system should be asked for: control characters, and those that only change how the rest reads.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')  # on Windows, where ":" leads to another stream of a file
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])\s*(\.|$)", re.IGNORECASE)
#: Of Python, not of the machine: another worker reads the same mail the same way.
_TYPES: Final = mimetypes.MimeTypes()


def safe(name: str, media_type: str) -> str | None:
    """*name* without folders and without what cannot be seen, at most 255 octets, with an ending if there was none.

    None if nothing is left of it.
    """
    base = unicodedata.normalize("NFC", _UNSEEN.sub("", name[:4096]).replace("\\", "/").rpartition("/")[2])
    # No file of Windows ends in a dot or a space, so "a.exe. " is "a.exe" there.
    base = _FORBIDDEN.sub("_", base).strip().rstrip(". ")
    if not base.strip("._ "):
        return None
    if _DEVICE.match(base):
        base = "_" + base
    stem, dot, ending = base.rpartition(".")
    if not stem or not re.fullmatch(r"\w{1,16}", ending):
        stem, dot, ending = base, *_ending(media_type)
    return _cut(stem, _LONGEST - len((dot + ending).encode())) + dot + ending


def _ending(media_type: str) -> tuple[str, str]:
    found = _TYPES.guess_extension(media_type) if media_type != "application/octet-stream" else None
    return (".", found[1:]) if found else ("", "")


def _cut(text: str, octets: int) -> str:
    return text.encode()[:octets].decode(errors="ignore") if len(text) * 4 > octets else text
