"""Addresses: where somebody can be reached, as a URI.

Rules kept here:

- Two addresses are equal when their normalised URIs are; a display name is decoration.
- Parsing is strict: what would reach a wire differently from how it reads is refused, never repaired.
- A scheme that is not listed is a plugin's: its scheme is lowered and the rest is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import field_validator, model_validator

from convergekit.errors import InvalidInputError

from ._base import Line, Value

__all__ = ["Address"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")  # RFC 3986 §3.1
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")
_MAX_LENGTH: Final = 4096
_DEFAULT_PORT: Final = {"http": 80, "https": 443}


class Address(Value):
    """Where somebody can be reached.

    Args:
        uri: `mailto:ann@example.org` (RFC 6068), `xmpp:ann@example.org` (RFC 5122), `sms:+4915112345678`
            (RFC 5724), `tel:` (RFC 3966), `x:12345`, `https://example.org/hook` (RFC 3986),
            or a plugin's own scheme. Kept in its normalised form.
        display_name: How the person is called; no part of equality.

    Raises:
        pydantic.ValidationError: The URI is malformed (a `ValueError`); `Address.parse` raises `InvalidInputError`.
    """

    uri: str
    display_name: Line | None = None

    if TYPE_CHECKING:

        def __init__(self, uri: str, *, display_name: str | None = None) -> None: ...
    else:

        def __init__(self, uri=None, /, **data):
            if uri is not None:
                data["uri"] = uri
            self.__pydantic_validator__.validate_python(data, self_instance=self)

        __init__.__pydantic_base_init__ = True  # else pydantic takes the slow path for every nested address

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"uri": value} if isinstance(value, str) else value

    @field_validator("uri")
    @classmethod
    def _normalised(cls, value: str) -> str:
        return normalise(value)

    @classmethod
    def parse(cls, uri: str, *, display_name: str | None = None) -> Address:
        """Read *uri*; raises `InvalidInputError` that says what is wrong with it."""
        return cls(normalise(uri), display_name=display_name)

    @classmethod
    def build(cls, scheme: str, value: str, *, display_name: str | None = None) -> Address:
        """Make an address from a bare *value* ("ann@example.org"), encoding what the scheme needs encoded."""
        encoded = quote(value, safe="@+/!$'*,;:=~()") if scheme in {"mailto", "xmpp"} else value
        return cls.parse(f"{scheme}:{encoded}", display_name=display_name)

    @property
    def scheme(self) -> str:
        """In lower case, without the colon."""
        return self.uri.partition(":")[0]

    @property
    def value(self) -> str:
        """What stands behind the scheme, percent-decoded where the scheme encodes it: "ann@example.org"."""
        rest = self.uri.partition(":")[2]
        return unquote(rest) if self.scheme in {"mailto", "xmpp"} else rest

    def __eq__(self, other: object) -> bool:
        return self.uri == other.uri if isinstance(other, Address) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.uri)

    def __str__(self) -> str:
        return self.uri

    def __repr__(self) -> str:
        name = f", display_name={self.display_name!r}" if self.display_name else ""
        return f"Address({self.uri!r}{name})"


@lru_cache(maxsize=4096)
def normalise(uri: str) -> str:
    """The form of *uri* that is compared and stored; raises `InvalidInputError`."""
    scheme, colon, rest = uri.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        hint = f"; did you mean 'mailto:{uri}'?" if "@" in uri and not _UNPRINTABLE.search(uri) else ""
        raise InvalidInputError(f"not an address: {_shown(uri)} has no scheme, such as mailto: or sms:{hint}")
    if len(uri) > _MAX_LENGTH:
        raise InvalidInputError(f"not an address: longer than {_MAX_LENGTH} characters")
    if not rest:
        raise InvalidInputError(f"not an address: nothing stands behind {scheme}:")
    if (bad := _UNPRINTABLE.search(uri)) and scheme.lower() not in {"sms", "tel"}:
        raise InvalidInputError(f"not an address: {_shown(uri)} holds the character U+{ord(bad[0]):04X}")
    scheme = scheme.lower()
    return scheme + ":" + _NORMALISERS.get(scheme, _as_it_is)(scheme, rest)


def _as_it_is(scheme: str, rest: str) -> str:
    return rest


def _mailto(scheme: str, rest: str) -> str:
    """RFC 6068 §2, one `to` and no header fields: an address names a mailbox, not a message."""
    if "?" in rest:
        raise InvalidInputError("not an address: mailto: with ?fields describes a message; put them in the Message")
    local, at, domain = _decoded(rest).rpartition("@")
    if not at or not local or not domain:
        raise InvalidInputError(f"not an address: {_shown(rest)} is not local-part@domain")
    if not local.startswith('"') and re.search(r"[()<>\[\]:;@\\,\"]", local):
        raise InvalidInputError(f"not an address: {_shown(rest)} is more than one mailbox, or needs quotes")
    if len(local.encode()) > 64:  # RFC 5321 §4.5.3.1.1
        raise InvalidInputError("not an address: the local part is longer than 64 octets")
    return quote(local, safe="+!$'*/=~\"") + "@" + (domain.lower() if domain.startswith("[") else _host(domain))


def _xmpp(scheme: str, rest: str) -> str:
    """RFC 5122 §2.2 without authority and query; RFC 7622 §3 for the parts (lower case stands in for PRECIS)."""
    if "?" in rest or rest.startswith("//"):
        raise InvalidInputError("not an address: xmpp: takes a bare or full JID, without // and without ?query")
    bare, slash, resource = rest.partition("/")
    local, at, domain = _decoded(bare).rpartition("@")
    if not domain or (at and not local) or (slash and not resource) or re.search(r"[\"&'/:<>@ ]", local):
        raise InvalidInputError(f"not an address: {_shown(rest)} is not a JID")
    prefix = quote(local.lower(), safe="+!$*=~") + "@" if at else ""
    return prefix + _host(domain) + ("/" + quote(_decoded(resource), safe="+!$*=~/@") if slash else "")


def _number(scheme: str, rest: str) -> str:
    """RFC 3966 §5.1.1: visual separators do not count. E.164, a short code, or a sender's name of letters."""
    number = re.sub(r"[-.() \u00a0]", "", unquote(rest))
    if not re.fullmatch(r"\+[0-9]{5,15}|[0-9]{2,15}|[0-9]*[A-Za-z][A-Za-z0-9]{0,10}", number) or "?" in rest:
        raise InvalidInputError(f"not an address: {scheme}:{_shown(rest)} is not a number like +4915112345678")
    return number


def _account(scheme: str, rest: str) -> str:
    if not re.fullmatch(r"@?[A-Za-z0-9_]{1,64}", rest):
        raise InvalidInputError(f"not an address: {scheme}:{_shown(rest)} is neither an id nor a user name")
    return rest.removeprefix("@").lower()


def _web(scheme: str, rest: str) -> str:
    """RFC 3986 §6.2: scheme and host in lower case, no default port, no empty path. The fragment stays at home."""
    try:
        url = urlsplit(f"{scheme}:{rest}")
        port = url.port
    except ValueError as exc:
        raise InvalidInputError(f"not an address: {scheme}:{_shown(rest)} is not a URL") from exc
    if not url.hostname or "\\" in rest:
        raise InvalidInputError(f"not an address: {scheme}: needs a host, as in {scheme}://example.org/hook")
    if url.username is not None or url.password is not None:
        raise InvalidInputError("not an address: a URL must not carry a user name or a password")
    host = f"[{url.hostname}]" if ":" in url.hostname else _host(url.hostname)
    authority = host if port in (None, _DEFAULT_PORT[scheme]) else f"{host}:{port}"
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit(("", authority, path, quote(url.query, safe="/%:@!$&'()*+,;=~-._?"), ""))


_NORMALISERS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "mailto": _mailto,
    "xmpp": _xmpp,
    "sms": _number,
    "tel": _number,
    "x": _account,
    "http": _web,
    "https": _web,
}


def _decoded(text: str) -> str:
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError as exc:
        raise InvalidInputError(f"not an address: {_shown(text)} is not UTF-8 behind its percent signs") from exc
    if _UNPRINTABLE.search(plain):
        raise InvalidInputError(f"not an address: {_shown(text)} hides a control character or a space")
    return plain


def _host(name: str) -> str:
    """RFC 5890: the ASCII form, so that both spellings of one domain are equal."""
    name = name.lower().removesuffix(".")
    if name.isascii():
        if re.fullmatch(r"[a-z0-9_]([a-z0-9_.\-]*[a-z0-9_])?", name) and ".." not in name and len(name) <= 253:
            return name
        raise InvalidInputError(f"not an address: {_shown(name)} is not a host name")
    import idna  # comes with anyio; only international names pay for it

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as exc:
        raise InvalidInputError(f"not an address: {_shown(name)} is not a host name") from exc


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
