"""Which addresses may be asked where somebody else named them. Pure: nothing is resolved here.

Rules kept here:
- The list is our own. `ipaddress.is_global` lets through multicast, 6to4 and NAT64 with a private address inside, and
  more, and differs from one Python to the next.
- Refused is every range of the IANA special-purpose registries (RFC 6890), also those that are reachable: none of them
  is a stranger's server. Of IPv6 only what is global unicast (2000::/3) is left.
- An IPv4 address inside an IPv6 one is looked at as well, in each way of writing it that a network would lead it on by.
- An allowed network opens no metadata service: one has to be named by itself.
- A name says nothing. Whoever connects asks about every address that it resolves to, and connects to one of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from convergekit.errors import ConfigurationError, RejectedError

from .syntax import is_this_machine, origin_of

__all__ = ["AddressGuard", "literal", "refuse"]

_IPAddress: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network

_NO_HOST: Final = "a URL without a host that others know"
_NO_ADDRESS: Final = "a number that is no address"
#: What lies in several of these is called by the first.
_RANGES: Final = {
    "0.0.0.0/8": "this network",  # Linux takes 0.0.0.0 for 127.0.0.1
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "behind a carrier's NAT",
    "127.0.0.0/8": "this machine",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "for protocols of the IETF",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "for protocols of the IETF",  # AS112
    "192.52.193.0/24": "for protocols of the IETF",  # AMT
    "192.88.99.0/24": "of a 6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "for protocols of the IETF",  # AS112
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",  # and broadcast
    "::/128": "unspecified",
    "::1/128": "this machine",
    "::/96": "IPv4 inside IPv6",  # IPv4-compatible
    "::ffff:0:0/96": "IPv4 inside IPv6",  # IPv4-mapped
    "::ffff:0:0:0/96": "IPv4 inside IPv6",  # IPv4-translated (RFC 2765)
    "64:ff9b::/96": "behind a NAT64",
    "64:ff9b:1::/48": "behind a NAT64",
    "100::/64": "thrown away",
    "100:0:0:1::/64": "thrown away",
    "2001::/32": "behind Teredo",
    "2001::/23": "for protocols of the IETF",  # benchmarks, ORCHID and DRIP among them
    "2001:db8::/32": "for documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "for protocols of the IETF",  # AS112
    "3fff::/20": "for documentation",
    "5f00::/16": "for segment routing",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "private",  # site-local
    "ff00::/8": "multicast",
    "::/3": "reserved",
    "4000::/2": "reserved",
    "8000::/1": "reserved",
}
#: Where clouds tell a machine its credentials, and what stands beside those.
_METADATA: Final = (
    "169.254.169.0/24",  # AWS, Azure, Google, Oracle, DigitalOcean, Hetzner, OpenStack
    "169.254.170.0/24",  # tasks and pods of AWS
    "169.254.0.23",  # Tencent
    "169.254.42.42",  # Scaleway
    "100.100.100.200",  # Alibaba
    "168.63.129.16",  # Azure; lies in no special range
    "192.0.0.192",  # Oracle, once
    "fd00:ec2::/32",  # AWS
    "fd00:c1::a9fe:a9fe",  # Oracle
    "fd00:42::42",  # Scaleway
    "fd20:ce::254",  # Google
    "fe80::a9fe:a9fe",  # OpenStack
)
#: Names that stand for an address wherever they are known at all.
_NAMES: Final = {
    "localhost": "127.0.0.1",
    "localhost.localdomain": "127.0.0.1",
    "localhost6": "::1",
    "localhost6.localdomain6": "::1",
    "ip6-localhost": "::1",
    "ip6-loopback": "::1",
    "metadata": "169.254.169.254",
    "metadata.google.internal": "169.254.169.254",
    "metadata.goog": "169.254.169.254",
    "metadata.azure.internal": "169.254.169.254",
    "instance-data": "169.254.169.254",
    "instance-data.ec2.internal": "169.254.169.254",
    "metadata.tencentyun.com": "169.254.0.23",
}
_THIS_MACHINE: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class AddressGuard:
    """Says what speaks against asking an address. A value: it does not change.

    Args:
        allow_networks: Which of the refused networks may be asked after all: `"10.20.0.0/16"`, `"fd12::/16"`. Metadata
            services in them stay refused unless one is named by itself, `"169.254.169.254"`.
        allow_urls: URLs that the host has chosen itself. Where one's host is an IP address, or a name of this machine,
            that may be asked by its scheme and port; another name has to pass like everybody's, for who owns it may
            lead it anywhere.

    Raises:
        ConfigurationError: One of *allow_networks* is no network.
    """

    def __init__(self, allow_networks: Iterable[str | _Network] = (), *, allow_urls: Iterable[str] = ()) -> None:
        self._networks = tuple(map(_network, allow_networks))
        self._origins = {origin.lower(): _chosen(origin) for origin in map(origin_of, allow_urls) if origin}

    def objection(self, address: str | _IPAddress, *, origin: str = "") -> str | None:
        """What speaks against connecting to *address*, in words for an error; None where nothing does.

        Args:
            address: As a resolver gives it, a scope included; raises `ValueError` where it is none.
            origin: Scheme, host and port of the URL that led there.
        """
        found = _plain(address)
        allowed = (*self._networks, *self._origins.get(origin.lower(), ()))
        return next(filter(None, (_objection(each, allowed) for each in (found, *_embedded(found)))), None)

    def objection_to(self, url: str) -> str | None:
        """The same of what *url* says by itself, without resolving its name: it may be an address, in any spelling."""
        origin = origin_of(url)
        host = urlsplit(origin).hostname if origin else None
        if origin is None or host is None or "%" in host:  # a scope makes sense on this machine only
            return _NO_HOST
        try:
            address = literal(host) or _by_name(host)
        except ValueError:
            return _NO_ADDRESS
        return None if address is None else self.objection(address, origin=origin)


def literal(host: str) -> _IPAddress | None:
    """The address that *host* is, in any spelling that a resolver takes for one; None for a name.

    Args:
        host: ASCII, without brackets: "127.0.0.1", "0x7f.1", "017700000001", "2130706433", "127.1.", "::1".

    Raises:
        ValueError: It ends in a number, as no name does, and is no address.

    Source:
        The URL standard's IPv4 parser, which is what inet_aton reads.
    """
    if ":" in host:
        return _plain(host)
    numbers = host.lower().removesuffix(".").split(".")
    if not _is_number(numbers[-1]):
        return None
    *first, last = map(_number, numbers)
    if len(first) > 3 or any(each > 255 for each in first) or last >= 256 ** (4 - len(first)):
        raise ValueError("not an address")
    return IPv4Address(sum(each << 8 * (3 - place) for place, each in enumerate(first)) + last)


def refuse(objection: str | None, channel: str) -> None:
    """Raise what stands for an *objection*; nothing where there is none."""
    if objection is not None:
        reason = f"the address guard refuses where the URL leads: {objection}"
        way_out = "" if objection in (_NO_HOST, _NO_ADDRESS) else "; where that is meant, name it in `allow_networks`"
        raise RejectedError(reason + way_out, channel=channel)


def _is_number(text: str) -> bool:
    return text.isdecimal() or (text[:2] == "0x" and all(char in "0123456789abcdef" for char in text[2:]))


def _number(text: str) -> int:
    if text[:2] == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8 if text[:1] == "0" else 10)


def _by_name(host: str) -> _IPAddress | None:
    name = host.lower().removesuffix(".")
    known = _NAMES.get("localhost" if name.endswith(".localhost") else name)
    return None if known is None else ip_address(known)


def _plain(address: str | _IPAddress) -> _IPAddress:
    """Without a scope, which says by which interface and not where to."""
    return ip_address(address.partition("%")[0]) if isinstance(address, str) else address


def _network(text: str | _Network) -> _Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ConfigurationError(f"allow_networks: {str(text)[:80]!a} is no network, such as 10.20.0.0/16") from None


def _chosen(origin: str) -> tuple[_Network, ...]:
    """What a URL of the host's own allows."""
    host = urlsplit(origin).hostname or ""
    try:
        address = literal(host)
    except ValueError:
        return ()
    if address is not None:
        return (ip_network(address),)
    return _THIS_MACHINE if is_this_machine(host.removesuffix(".")) else ()


@cache
def _ranges() -> tuple[tuple[_Network, str], ...]:
    return tuple((ip_network(network), name) for network, name in _RANGES.items())


@cache
def _metadata() -> tuple[_Network, ...]:
    return tuple(map(ip_network, _METADATA))


def _objection(address: _IPAddress, allowed: Iterable[_Network]) -> str | None:
    within = [network for network in allowed if address in network]
    if any(address in network for network in _metadata()):
        is_named = any(network.prefixlen == network.max_prefixlen for network in within)
        return None if is_named else "a metadata service, which no larger network allows"
    if within:
        return None
    found = next(((network, name) for network, name in _ranges() if address in network), None)
    return None if found is None else f"{found[0]} ({found[1]})"


def _embedded(address: _IPAddress) -> Iterator[IPv4Address]:
    """The IPv4 addresses to which a network would lead what goes to *address*."""
    if isinstance(address, IPv6Address) and int(address) > 1:  # neither :: nor ::1, which are no IPv4-compatible ones
        yield from (IPv4Address(number & 0xFFFFFFFF) for number in _inside(int(address)))


def _inside(number: int) -> Iterator[int]:
    """Each in the lower 32 bits."""
    if number >> 32 in {0, 0xFFFF, 0xFFFF << 16, 0x64FF9B << 64}:  # compatible, mapped, translated; RFC 6052 §2.1
        yield number
    if number >> 80 == 0x64FF9B0001:  # RFC 8215
        yield from _of_nat64(number)
    if number >> 112 == 0x2002:  # RFC 3056 §2
        yield number >> 80
    if number >> 96 == 0x20010000:  # RFC 4380 §4: the server, and the client, inverted
        yield number >> 64
        yield ~number
    if number >> 32 & 0xFDFFFFFF == 0x5EFE:  # ISATAP, RFC 5214 §6.1: behind any prefix
        yield number


def _of_nat64(number: int) -> list[int]:
    """RFC 6052 §2.2: the longer the prefix, the further behind. Nobody tells how long it is; zeros come after it."""
    high = number >> 64  # bits 64 to 71 are none of it
    forms = {
        0: number,
        24: number >> 24,
        32: high << 24 | number >> 32 & 0xFFFFFF,
        40: high << 16 | number >> 40 & 0xFFFF,
    }
    found = (form & 0xFFFFFFFF for zeros, form in forms.items() if not number & ((1 << zeros) - 1))
    return list(filter(None, found)) or [0]
