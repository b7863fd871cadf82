"""What a request can be written with, and where a URL leads. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

__all__ = ["TOKEN", "is_header", "is_this_machine", "is_token", "leads_to", "origin_at", "origin_of", "url_behind"]

#: What a method, and the name of a header, is made of (RFC 9110 §5.6.2): a regular expression.
TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_BEFORE_PATH: Final = re.compile(r"[^/?#]*//[^/?#]*")
#: RFC 3986 §3.2.2, of which a name has letters, digits and what stands in names of hosts: where more is let through,
#: two readers can make two hosts of it. An IPv6 address may have a scope (RFC 6874).
_AUTHORITY: Final = re.compile(r"(?:[0-9A-Za-z._~-]+|\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._~%-]+)?\])(?::[0-9]{0,5})?")

#: RFC 3986 §3.3: what stands in a path as it is.
_UNQUOTED: Final = "/:@!$&'()*+,;=~-._"


def origin_of(url: str) -> str | None:
    """Scheme, host and port of a URL that can be asked; None for one that cannot."""
    if " " in url or _UNPRINTABLE.search(url):
        return None
    found = _BEFORE_PATH.match(url)
    return None if found is None else _origin(found[0])


@lru_cache(maxsize=256)
def _origin(url: str) -> str | None:
    """The same of what stands before the path, which is the same for most requests of a channel."""
    try:
        parts = urlsplit(url)
        malformed = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        return None
    return None if malformed or not _AUTHORITY.fullmatch(parts.netloc) else f"{parts.scheme}://{parts.netloc}"


def origin_at(host: str, port: int | None = None) -> str:
    """The origin of what serves at *host*, which is without brackets: by https, and by http on this machine."""
    scheme = "http" if is_this_machine(host) else "https"
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + (f":{port}" if port is not None else "")


def url_behind(base: str, path: str, query: str = "") -> str:
    """The URL at which somebody called who had *base* from us, as signatures cover it.

    Args:
        base: Without a slash at its end.
        path: What is behind that, decoded: "" or beginning with a slash.
        query: Undecoded, without "?".
    """
    return base + quote(path, safe=_UNQUOTED, errors="replace") + (f"?{query}" if query else "")


@lru_cache(maxsize=256)
def is_token(text: str) -> bool:
    """Whether *text* can be a method, or the name of a header."""
    return re.fullmatch(TOKEN, text) is not None


def is_header(name: str, value: str) -> bool:
    """Whether *name* can be that of a header, and *value* stand behind it: one line of printable ASCII."""
    return is_token(name) and not _UNPRINTABLE.search(value)


def leads_to(url: str, hosts: Iterable[str]) -> bool:
    """Whether *url* leads to one of *hosts*; `*.example.org` is any host below it."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return any(host == each.lower() or (each[:2] == "*." and host.endswith(each[1:].lower())) for each in hosts)


def is_this_machine(host: str) -> bool:
    """Whether *host* is a name, or an address, of the machine that asks."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
