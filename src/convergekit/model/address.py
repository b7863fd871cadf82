"""Addresses: where somebody can be reached, as a URI.

Rules kept here:

- Two addresses are equal when their normalised URIs are; a display name is decoration.
- Parsing is strict: what would reach a wire differently from how it reads is refused, never repaired.
- A normalised URI is its own normalised form.
- Errors show what was typed, but of a web address nothing behind the scheme: there is a secret in many.
- A scheme that is not listed is a plugin's: its scheme is lowered and the rest is taken as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import ValidationError, field_validator, model_validator

from convergekit.errors import InvalidInputError

from ._base import Line, Value

__all__ = ["Address", "normalise"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")  # RFC 3986 §3.1
# Control characters, spaces, what has no UTF-8, and what makes text read otherwise than it stands.
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x20\x7f-\xa0\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")  # RFC 3986 §2.1
_QUOTED_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')  # RFC 5321 §4.1.2
_DECODED_SCHEMES: Final = frozenset({"mailto", "xmpp", "sms", "tel", "whatsapp", "rcs"})
_NUMBERS: Final = frozenset({"sms", "tel", "whatsapp", "rcs"})
_MAX_LENGTH: Final = 4096
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_\-]{0,61}[a-z0-9_])?")  # RFC 1123 §2.1, with the underscores of RFC 8552
_DEFAULT_PORT: Final = {"http": 80, "https": 443}


class Address(Value):
    """Where somebody can be reached.

    Args:
        uri: `mailto:ann@example.org` (RFC 6068), `xmpp:ann@example.org` (RFC 5122), `sms:+4915112345678`
            (RFC 5724), `tel:` (RFC 3966), the same behind `whatsapp:` and `rcs:`, `https://example.org/hook`
            (RFC 3986), `x:12345` (an account's id; `x:@ann` is its name, `x:dm-12345` a group's conversation,
            `x:public` everybody), or a plugin's own scheme. Kept in its normalised form.
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
        if not isinstance(uri, str):
            raise InvalidInputError(f"not an address: a {type(uri).__name__}")
        try:
            return _read(cls, uri) if display_name is None else cls(uri, display_name=display_name)
        except ValidationError:
            normalise(uri)  # says what is wrong with it
            raise InvalidInputError("a display name is one line, without control characters") from None

    @classmethod
    def build(cls, scheme: str, value: str, *, display_name: str | None = None) -> Address:
        """Make an address from a bare *value* ("ann@example.org"), encoding what the scheme needs encoded."""
        try:
            encoded = quote(value, safe="@+/!$'*,;:=~()[]\"") if scheme.lower() in _DECODED_SCHEMES else value
        except UnicodeEncodeError as exc:
            raise InvalidInputError(f"not an address: {_shown(value)} has no UTF-8") from exc
        return cls.parse(f"{scheme}:{encoded}", display_name=display_name)

    @property
    def scheme(self) -> str:
        """In lower case, without the colon."""
        return self.uri.partition(":")[0]

    @property
    def value(self) -> str:
        """What stands behind the scheme, percent-decoded where the scheme encodes it: "ann@example.org"."""
        rest = self.uri.partition(":")[2]
        return unquote(rest) if self.scheme in _DECODED_SCHEMES else rest

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
def _read(kind: type[Address], uri: str) -> Address:
    """A value, which whoever is written to often is made from once."""
    return kind(uri)


@lru_cache(maxsize=4096)
def normalise(uri: str) -> str:
    """The form of *uri* that is compared and stored; raises `InvalidInputError`."""
    scheme, colon, rest = uri.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        could_be_account = "@" in uri and len(uri) <= 80 and not _UNPRINTABLE.search(uri)
        meant = f"'x:{uri}'" if uri.startswith("@") else f"'mailto:{uri}' or 'xmpp:{uri}'"
        hint = f"; did you mean {meant}?" if could_be_account else ""
        raise InvalidInputError(f"not an address: {_shown(uri)} has no scheme, such as mailto: or sms:{hint}")
    if len(uri) > _MAX_LENGTH:
        raise InvalidInputError(f"not an address: longer than {_MAX_LENGTH} characters")
    scheme = scheme.lower()
    if not rest:
        raise InvalidInputError(f"not an address: nothing stands behind {scheme}:")
    if (bad := _UNPRINTABLE.search(rest)) and not (scheme in _NUMBERS and bad[0] in " \u00a0"):
        raise InvalidInputError(f"not an address: {scheme}: with the character U+{ord(bad[0]):04X} behind it")
    if scheme in _NORMALISERS and _BROKEN_ESCAPE.search(rest):
        raise InvalidInputError(f"not an address: {scheme}: a % must have two hexadecimal digits behind it, or be %25")
    normal = scheme + ":" + _NORMALISERS.get(scheme, _as_it_is)(scheme, rest)
    if len(normal) > _MAX_LENGTH:
        raise InvalidInputError(f"not an address: longer than {_MAX_LENGTH} characters once it is encoded")
    return normal


def _as_it_is(scheme: str, rest: str) -> str:
    return rest


def _mailto(scheme: str, rest: str) -> str:
    """RFC 6068 §2, one `to` and no header fields: an address names a mailbox, not a message."""
    if "?" in rest:
        raise InvalidInputError("not an address: mailto: with ?fields describes a message; put them in the Message")
    local, at, domain = _decoded(rest).rpartition("@")
    if not at or not local or not domain:
        raise InvalidInputError(f"not an address: {_shown(rest)} is not local-part@domain")
    if re.search(r"[()<>\[\]:;@\\,\"]", local) and not _QUOTED_STRING.fullmatch(local):
        raise InvalidInputError(f"not an address: {_shown(rest)} is more than one mailbox, or needs quotes")
    if len(local.encode()) > 64:  # RFC 5321 §4.5.3.1.1
        raise InvalidInputError("not an address: the local part is longer than 64 octets")
    return quote(local, safe="+!$'*/=~") + "@" + (_literal(domain) if domain.startswith("[") else _host(domain))


def _xmpp(scheme: str, rest: str) -> str:
    """RFC 5122 §2.2 without authority and query; RFC 7622 §3 for the parts (lower case and NFC stand in for PRECIS)."""
    if "?" in rest or rest.startswith("//"):
        raise InvalidInputError("not an address: xmpp: takes a bare or full JID, without // and without ?query")
    bare, slash, resource = rest.partition("/")
    local, at, domain = _decoded(bare).rpartition("@")
    if not domain or (at and not local) or (slash and not resource) or re.search(r"[\"&'/:<>@ ]", local):
        raise InvalidInputError(f"not an address: {_shown(rest)} is not a JID")
    local = _nfc(_nfc(local).lower())
    # A room's nicknames are resources, and people have spaces in their names (RFC 7622 §3.4).
    resource = _nfc(_decoded(resource, spaces=True))
    if max(len(local.encode()), len(resource.encode())) > 1023 or resource != resource.strip():  # RFC 7622 §3.1
        raise InvalidInputError(f"not an address: {_shown(rest)} is not a JID")
    prefix = quote(local, safe="+!$*=~") + "@" if at else ""
    return prefix + _host(domain) + ("/" + quote(resource, safe="+!$*=~/@") if slash else "")


def _number(scheme: str, rest: str) -> str:
    """RFC 3966 §5.1.1: visual separators do not count. E.164, a short code, or, of an SMS, its sender's name."""
    plain = _decoded(rest, spaces=True)
    number = re.sub(r"[-.() \u00a0]", "", plain)
    if re.fullmatch(r"\+[1-9][0-9]{4,14}|[0-9]{2,15}", number) and "?" not in rest:
        return number
    # TS 23.040 §9.1.2.5: up to eleven characters. They are who it is from, so "O2-Info" stays as it is.
    is_name = len(plain) <= 11 and plain == plain.strip() and any(char.isalpha() for char in plain)
    if scheme == "sms" and is_name and not re.search(r"^\+|[?/\\]", plain):
        return quote(plain, safe="+!$'*=~&")
    raise InvalidInputError(f"not an address: {scheme}:{_shown(rest)} is not a number like +4915112345678")


def _account(scheme: str, rest: str) -> str:
    """An account's id, which stays; its name, which may change hands; a group; everybody."""
    if re.fullmatch(r"(dm-)?[0-9]{1,20}|public", rest):
        return rest
    if re.fullmatch(r"@[A-Za-z0-9_]{1,64}", rest):
        return rest.lower()
    hint = f"; a user name has an @: x:@{rest}" if re.fullmatch(r"[A-Za-z0-9_]{1,64}", rest) else ""
    raise InvalidInputError(f"not an address: {scheme}:{_shown(rest)} is neither an id nor a user name{hint}")


def _web(scheme: str, rest: str) -> str:
    """RFC 3986 §6.2: scheme and host in lower case, no default port, no empty path. The fragment stays at home."""
    try:
        url = urlsplit(f"{scheme}:{rest}")
        port, name = url.port, url.hostname
    except ValueError:
        raise InvalidInputError(f"not an address: {scheme}: is not followed by a URL's host and path") from None
    if "@" in url.netloc:
        raise InvalidInputError("not an address: a URL must not carry a user name or a password")
    # urlsplit passes over what stands around the brackets of an IPv6 address.
    if not name or "\\" in rest or ("[" in url.netloc and not re.fullmatch(r"\[[^\[\]]*\](:[0-9]*)?", url.netloc)):
        raise InvalidInputError(f"not an address: {scheme}: needs a host, as in {scheme}://example.org/hook")
    host = _literal(f"[{name}]") if "[" in url.netloc else _host(name)
    authority = host if port in (None, _DEFAULT_PORT[scheme]) else f"{host}:{port}"
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit(("", authority, path, quote(url.query, safe="/%:@!$&'()*+,;=~-._?"), ""))


_NORMALISERS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "mailto": _mailto,
    "xmpp": _xmpp,
    "sms": _number,
    "tel": _number,
    "whatsapp": _number,
    "rcs": _number,
    "x": _account,
    "http": _web,
    "https": _web,
}


def _decoded(text: str, *, spaces: bool = False) -> str:
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError as exc:
        raise InvalidInputError(f"not an address: {_shown(text)} is not UTF-8 behind its percent signs") from exc
    if _UNPRINTABLE.search(plain.replace(" ", "").replace("\u00a0", "") if spaces else plain):
        raise InvalidInputError(f"not an address: {_shown(text)} hides a control character or a space")
    return plain


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _literal(text: str) -> str:
    """An IP address in brackets: of a mailbox (RFC 5321 §4.1.3) or of a URL (RFC 3986 §3.2.2), in its shortest form."""
    inner = text[1:-1].lower()
    try:
        if "%" not in inner and text.endswith("]"):
            if inner.startswith("ipv6:"):
                return f"[ipv6:{IPv6Address(inner.removeprefix('ipv6:'))}]"
            return f"[{IPv6Address(inner) if ':' in inner else IPv4Address(inner)}]"
    except ValueError:
        pass
    raise InvalidInputError(f"not an address: {_shown(text)} is not an IP address in brackets")


def _host(name: str) -> str:
    """RFC 5890: the ASCII form, so that both spellings of one domain are equal."""
    name = name.lower()
    if not name.isascii():
        import idna  # comes with anyio; only international names pay for it

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as exc:
            raise InvalidInputError(f"not an address: {_shown(name)} is not a host name") from exc
    name = name.removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise InvalidInputError(f"not an address: {_shown(name)} is not a host name")
    return name


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
