"""JIDs (RFC 7622), in one form, so that they can be compared.

Rules kept here:

- The normalised form is that of `Address`: the domain in lower case and in ASCII, the local part in lower case, all of
  it in NFC. Two spellings of one JID are one string then.
- On the wire a domain stands in Unicode (RFC 7622 §3.2); `jid_of` writes it so.
- Whoever is on the wire may be anybody: what is no JID raises `InvalidInputError`, and nothing else.
- Every stanza asks, and mostly about the same few: answers are kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from unicodedata import normalize

from convergekit.errors import InvalidInputError
from convergekit.model import Address

__all__ = [
    "address_of",
    "as_prepared",
    "bare",
    "is_of",
    "jid_of",
    "normalised",
    "resource",
    "same_bare",
    "shown",
    "split",
]

_KEPT: Final = 4096


@lru_cache(maxsize=_KEPT)
def address_of(jid: str, display_name: str | None = None) -> Address:
    """The address of *jid*, bare or full, as it stands in a stanza; raises `InvalidInputError`."""
    return Address.build("xmpp", jid, display_name=display_name)


@lru_cache(maxsize=_KEPT)
def split(jid: str) -> tuple[str, str | None]:
    """The bare JID and the resource of *jid*, normalised; raises `InvalidInputError`."""
    bare, slash, resource = address_of(jid).value.partition("/")
    return bare, resource if slash else None


def normalised(jid: str | None) -> str | None:
    """*jid*, bare or full; None where it is none."""
    try:
        return address_of(jid).value if jid else None
    except InvalidInputError:
        return None


def bare(jid: str) -> str:
    """*jid* without its resource, normalised; raises `InvalidInputError`."""
    return split(jid)[0]


def resource(jid: str) -> str | None:
    """What stands behind the slash of *jid*, normalised; raises `InvalidInputError`."""
    return split(jid)[1]


def same_bare(one: str, other: str) -> bool:
    """Whether both are of one account, room or domain. What is no JID is nobody's."""
    try:
        return bare(one) == bare(other)
    except InvalidInputError:
        return False


def is_of(jid: str, domain: str) -> bool:
    """Whether *jid* is at *domain*, which is normalised. What is no JID is nowhere."""
    try:
        return bare(jid).rpartition("@")[2] == domain
    except InvalidInputError:
        return False


@lru_cache(maxsize=_KEPT)
def jid_of(address: Address) -> str:
    """*address*, of the scheme xmpp, as it is written on the wire."""
    jid = address.value
    return _with_unicode_domain(jid) if "xn--" in jid else jid


def as_prepared(address: Address) -> Address:
    """*address* as servers spell it that go by RFC 6122, whose people have fewer names: ß is ss there, Ⅳ is iv."""
    jid = address.value
    if jid.isascii():
        return address
    account, slash, resource = jid.partition("/")
    local, at, domain = account.rpartition("@")
    local, resource = normalize("NFKC", local.casefold()), normalize("NFKC", resource)
    try:
        return address_of(f"{local}{at}{domain}{slash}{resource}")
    except InvalidInputError:
        return address


def shown(text: str | None) -> str:
    """An identifier that others chose, as it may stand in a log: ASCII, without control characters, of some length."""
    if text is None:
        return "nobody"
    return ascii(text if len(text) <= 200 else text[:197] + "...")[1:-1]


def _with_unicode_domain(jid: str) -> str:
    import idna  # comes with anyio; only international names pay for it

    account, slash, resource = jid.partition("/")
    local, at, domain = account.rpartition("@")
    try:
        return f"{local}{at}{idna.decode(domain)}{slash}{resource}"
    except (idna.IDNAError, UnicodeError):
        return jid  # it looks like an international name, and is none
