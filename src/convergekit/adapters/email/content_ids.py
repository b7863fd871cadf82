"""Which files an HTML shows (RFC 2392): by the id of their part, which stands behind `cid:`. Pure."""

from __future__ import annotations

import re
from html import unescape
from typing import Final
from urllib.parse import unquote

__all__ = ["shown_in"]

_CID: Final = re.compile(r"\bcid:([^\s\"'<>()]{1,998})", re.IGNORECASE)


def shown_in(html: str | None) -> frozenset[str]:
    """The ids that *html* names, without angle brackets; as they stand there they are percent-encoded."""
    return frozenset(unquote(unescape(each)) for each in _CID.findall(html)) if html else frozenset()
