"""Our own name of a message, which comes back in reports, and where they are to go. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from convergekit.abc import Outgoing

if TYPE_CHECKING:
    from .config import SmsConfig

__all__ = ["callback_url", "is_reference", "read_reference", "reference_in", "reference_of", "with_reference"]

_REFERENCE: Final = re.compile(r"([A-Za-z0-9_-]{1,100})\.([0-9]{1,4})")
_IN_QUERY: Final = re.compile(r"(?:^|&)ref=([^&]{1,300})")


def reference_of(out: Outgoing) -> str:
    """Our own name for *out*, which comes back in reports; "" where it has none."""
    return f"{out.delivery}.{out.index}" if out.delivery else ""


def read_reference(text: str | None) -> tuple[str, int] | None:
    """The delivery and the index of its part that *text* is the reference of; None where it is no reference."""
    found = _REFERENCE.fullmatch(text) if text else None
    return (found[1], int(found[2])) if found else None


def callback_url(config: SmsConfig) -> str | None:
    """Where the gateway calls us, with the token of the channel in its path."""
    if config.callback_url is None:
        return None
    url, tokens = urlsplit(config.callback_url), config.tokens()
    path = url.path.rstrip("/") + "/" + quote(tokens[0], safe="") if tokens else url.path
    return urlunsplit(url._replace(path=path))


def with_reference(url: str | None, reference: str) -> str | None:
    """*url* with *reference* in its query; as it is where there is none."""
    if url is None or not reference:
        return url
    plain, hash, fragment = url.partition("#")
    return f"{plain}{'&' if '?' in plain else '?'}ref={quote(reference, safe='')}{hash}{fragment}"


def reference_in(query: str) -> str | None:
    """What *query* says where `with_reference` has put ours, readable or not; None where it says nothing there."""
    found = _IN_QUERY.search(query)
    return unquote(found[1]) if found else None


def is_reference(query: str) -> bool:
    """Whether *query* says that and nothing else."""
    return query.startswith("ref=") and _IN_QUERY.fullmatch(query) is not None
