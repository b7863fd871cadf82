"""The address guard's own list: everything that is no stranger's server, in every spelling."""

# ruff: noqa: SIM905  tables that are read by people

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convergekit.errors import ConfigurationError
from convergekit.http import AddressGuard, origin_of
from convergekit.http.guard import literal

GUARD = AddressGuard()

#: The IANA IPv4 and IPv6 Special-Purpose Address Registries, whole, in their order.
REGISTRIES = """
    0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
    192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
    192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    240.0.0.0/4 255.255.255.255/32
    ::1/128 ::/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128
    2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28
    2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10
""".split()
#: What is in no such registry, and no place to send to either.
BESIDE = "224.0.0.0/4 ff00::/8 fec0::/10 ::/96 ::ffff:0:0:0/96 ::/8 4000::/3 8000::/3 e000::/4 fe00::/9".split()


def inside(network: str) -> list[str]:
    """Its first address, its last, and one between."""
    found = ip_network(network)
    return [str(found[0]), str(found[-1]), str(found[found.num_addresses // 3])]


@pytest.mark.parametrize("network", REGISTRIES + BESIDE)
def test_what_has_a_special_purpose_is_refused_from_its_first_address_to_its_last(network: str) -> None:
    assert all(GUARD.objection(address) for address in inside(network))


@pytest.mark.parametrize(
    "network",
    [
        *"10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24".split(),
        *"192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 2001::/23 2001:db8::/32 2002::/16".split(),
        *"3fff::/20 2620:4f:8000::/48".split(),
    ],
)
def test_what_lies_beside_it_is_not(network: str) -> None:
    """A list that is too wide would be noticed by those who cannot be reached."""
    found = ip_network(network)
    for address in (int(found[0]) - 1, int(found[-1]) + 1):
        assert GUARD.objection(ip_address(address) if found.version == 4 else IPv6Address(address)) is None


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00::1",
    ],
)
def test_a_strangers_server_is_not(address: str) -> None:
    assert GUARD.objection(address) is None
    assert GUARD.objection_to(f"https://{f'[{address}]' if ':' in address else address}:8443/hook") is None


#: Each leads to this machine, to a cloud's credentials or to a private network; `is_global` is wrong about some.
KNOWN = """
    127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7f.1 0x7F.0.0.0x1 017700000001 0177.1 00000177.0.0.1
    0 0.0.0.0 0x0 127.0.0.1. 127.1. localhost LOCALHOST localhost. a.localhost localhost.localdomain ip6-localhost
    169.254.169.254 2852039166 0xa9fea9fe 0xA9.254.43518 0251.0376.0251.0376 100.100.100.200 168.63.129.16
    169.254.170.2 metadata.google.internal metadata.google.internal. METADATA instance-data 10.0.0.1 10.1 192.168.1
    [::1] [0:0:0:0:0:0:0:1] [::] [::127.0.0.1] [::ffff:127.0.0.1] [::FFFF:7F00:1] [::ffff:0:127.0.0.1]
    [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::a9fe:a9fe] [2002:a9fe:a9fe::1] [2002:7f00:1::] [fd00:ec2::254]
    [fe80::1] [fe80::1%25eth0] [::1%25lo] [::1%lo] [2a00::1%25eth0] [fec0::1] [2001:0:7f00:1::] [2a00::5efe:127.0.0.1]
    [2a00::200:5efe:169.254.169.254] 255.255.255.255 224.0.0.1 [ff02::1] 192.88.99.1 [3fff::1] [5f00::1]
""".split()


@pytest.mark.parametrize("host", KNOWN)
@pytest.mark.parametrize("url", ["http://{}/", "https://{}:8443/hook?a=b", "HTTP://{}"])
def test_no_spelling_of_such_a_host_passes(host: str, url: str) -> None:
    assert GUARD.objection_to(url.format(host))


@pytest.mark.parametrize(
    "url",
    """
    http://%31%32%37.0.0.1/ http://127.0.0.1%00.example.org/ http://127.0.0.1\\@example.org/ http://example.org\\.b/
    http://ann:secret@example.org/ http://127.0.0.1@example.org/ http://example.org@127.0.0.1/ http://[::1].example.org/
    http://a[::1]/ http://[::1]b/ http:///127.0.0.1 http:127.0.0.1 //127.0.0.1/ file:///etc/passwd gopher://127.0.0.1/
    http://１２７.0.0.1/ http://127。0。0。1/ http://ⓛocalhost/ http://example.org:80:80/ http://[::1 http://[v1.a]/
    http://256.256.256.256/ http://1.2.3.4.5/ http://127.0.0.08/ http://0x7g.1/ http://1..1/ http://example.0x7f/
    http://4294967296/ http://1.16777216/ http://example.org,127.0.0.1/ http://{127.0.0.1}/ http://example.org:+80/
    """.split(),
)
def test_what_can_be_read_in_two_ways_does_not_pass(url: str) -> None:
    assert GUARD.objection_to(url)


@pytest.mark.parametrize("bad", [" ", "\t", "\r", "\n", "\r\n", "\x00", "\x7f", "\u2028"])
@pytest.mark.parametrize(
    "url", ["http://exam{}ple.org/", "http://example.org{}/", "http://example.org/a{}b", "{}http://a/"]
)
def test_what_would_break_a_line_does_not_pass(bad: str, url: str) -> None:
    """`urlsplit` takes some of it out in silence."""
    assert GUARD.objection_to(url.format(bad))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.772", "1.2.3.4"),
        ("1.131844", "1.2.3.4"),
        ("16909060", "1.2.3.4"),
        ("0x1.02.3.0X4", "1.2.3.4"),
        ("0x", "0.0.0.0"),
        ("4294967295", "255.255.255.255"),
        ("::1.2.3.4", "::102:304"),
        ("example.org", None),
        ("1.example", None),
        ("0x7f.example", None),
        ("x1", None),
    ],
)
def test_an_address_is_known_in_each_spelling(host: str, address: str | None) -> None:
    assert literal(host) == (None if address is None else ip_address(address))


pieces = st.sampled_from(
    "127.0.0.1 0x7f.1 a.example EXAMPLE [::1] [::1%25lo] [v1.a] % %31 %2e @ : / \\ ? # . 80 0 a - _ ~ é 。 +".split()
)


@given(st.sampled_from(["http://", "https://", "HTTP://"]), st.lists(pieces, min_size=1, max_size=4).map("".join))
@settings(max_examples=300)
def test_what_is_looked_at_is_what_a_client_library_asks(scheme: str, rest: str) -> None:
    """Else a host's own transport would be given one URL and call another."""
    origin = origin_of(scheme + rest)
    if origin is None:
        return
    ours = urlsplit(origin)
    for library in (httpx, httpx2):
        try:
            theirs = library.URL(scheme + rest)
        except library.InvalidURL:
            continue
        assert (theirs.scheme, theirs.raw_host.decode()) == (ours.scheme, ours.hostname)
        assert theirs.port in {ours.port, None}


v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
v6 = st.integers(0, 2**128 - 1).map(IPv6Address) | st.integers(0, 2**125 - 1).map(lambda low: IPv6Address(low + 2**125))
special = st.sampled_from([ip_network(network) for network in REGISTRIES + BESIDE]).flatmap(
    lambda network: st.integers(int(network[0]), int(network[-1])).map(
        IPv4Address if network.version == 4 else IPv6Address
    )
)


@given(v4 | v6 | special)
def test_whatever_the_standard_library_would_refuse_is_refused(address: IPv4Address | IPv6Address) -> None:
    speaks_against = (
        address.is_private,
        address.is_loopback,
        address.is_link_local,
        address.is_multicast,
        address.is_reserved,
        address.is_unspecified,
        isinstance(address, IPv6Address) and address.is_site_local,
        not address.is_global,
    )
    if any(speaks_against):
        assert GUARD.objection(address)


def embedded(number: int) -> list[IPv6Address]:
    """*number*, an IPv4 address, in each form that leads on to it, all of them behind what is allowed below."""
    inverted = number ^ 0xFFFFFFFF
    high, low = number >> 16, number & 0xFFFF
    return [
        IPv6Address(number),  # compatible
        IPv6Address(0xFFFF << 32 | number),  # mapped
        IPv6Address(0xFFFF << 48 | number),  # translated
        IPv6Address(0x64FF9B << 96 | number),  # NAT64
        IPv6Address(0x64FF9B0001 << 80 | 0x77 << 32 | number),  # local NAT64, /96
        IPv6Address(0x64FF9B0001 << 80 | high << 64 | low << 40),  # /48
        IPv6Address(0x64FF9B0001 << 80 | 7 << 72 | number >> 24 << 64 | (number & 0xFFFFFF) << 32),  # /56
        IPv6Address(0x64FF9B0001 << 80 | 7 << 64 | number << 24),  # /64
        IPv6Address(0x2002 << 112 | number << 80 | 1),  # 6to4
        IPv6Address(0x2001 << 112 | number << 64 | 0x08080808 ^ 0xFFFFFFFF),  # Teredo: the server
        IPv6Address(0x2001 << 112 | 0x08080808 << 64 | inverted),  # the client
        IPv6Address(0x2A00 << 112 | 0x5EFE << 32 | number),  # ISATAP
        IPv6Address(0x2A00 << 112 | 0x02005EFE << 32 | number),
    ]


TRANSITION = ["::/64", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0/96", "::ffff:0:0:0/96"]


@given(v4.filter(int))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("10.0.0.0"))
@example(IPv4Address("93.184.216.34"))
def test_an_ipv4_address_inside_an_ipv6_one_is_looked_at_even_where_the_form_is_allowed(address: IPv4Address) -> None:
    lenient = AddressGuard(TRANSITION)
    for form in embedded(int(address)):
        if GUARD.objection(address) and int(form) > 1:
            assert lenient.objection(form), form
        elif str(address) == "93.184.216.34":
            assert lenient.objection(form) is None, form


def test_an_allowed_network_is_allowed_and_no_more() -> None:
    guard = AddressGuard(["10.20.0.0/16", IPv6Network("fd12::/16"), IPv4Network("192.168.7.7/32"), "127.0.0.0/8"])
    for passes in ("10.20.0.1", "10.20.255.255", "fd12::1", "192.168.7.7", "127.0.0.1"):
        assert guard.objection(passes) is None
    for refused in ("10.21.0.1", "fd13::1", "192.168.7.8", "::1", "::ffff:10.20.0.1", "64:ff9b::a14:1"):
        assert guard.objection(refused)
    assert guard.objection_to("http://localhost:8080/") is None
    assert guard.objection_to("http://0x7f.1:8080/") is None


METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"]


@pytest.mark.parametrize("address", METADATA)
def test_a_metadata_service_is_allowed_by_itself_only(address: str) -> None:
    around = ip_network(address).supernet(new_prefix=16)
    whole = ["0.0.0.0/0", "::/0", around, ip_network(address).supernet()]
    assert "metadata" in (AddressGuard(whole).objection(address) or "")
    assert AddressGuard([address]).objection(address) is None
    assert AddressGuard([*whole, address]).objection(address) is None
    assert AddressGuard([str(ip_network(address))]).objection(address) is None


def test_a_name_that_stands_for_a_metadata_service_is_as_that() -> None:
    assert AddressGuard(["169.254.0.0/16"]).objection_to("http://metadata.google.internal/")
    assert AddressGuard(["169.254.169.254"]).objection_to("http://metadata.google.internal/") is None


@pytest.mark.parametrize(
    ("chosen", "passes", "refused"),
    [
        ("http://127.0.0.1:8080/hook", "127.0.0.1", "127.0.0.2"),
        ("http://localhost:8080/hook", "::1", "10.0.0.1"),
        ("http://a.localhost/", "127.0.0.1", "10.0.0.1"),
        ("https://10.0.0.5/hook", "10.0.0.5", "10.0.0.6"),
        ("https://[fd12::5]/hook", "fd12::5", "fd12::6"),
        ("http://169.254.169.254/", "169.254.169.254", "169.254.169.253"),
    ],
)
def test_a_url_of_the_hosts_own_may_be_asked_and_nothing_else_of_that_machine(
    chosen: str, passes: str, refused: str
) -> None:
    guard = AddressGuard(allow_urls=[chosen])
    origin = chosen.removesuffix("hook").removesuffix("/")
    assert guard.objection_to(chosen) is None
    assert guard.objection(passes, origin=origin) is None
    assert guard.objection(refused, origin=origin)
    assert guard.objection(passes)
    assert guard.objection(passes, origin=f"{origin}1"), "another port is another server"


@pytest.mark.parametrize(
    "chosen", ["https://partner.example/hook", "http://1.2.3.4.5/", "no url", "", "http://u@10.0.0.1/"]
)
def test_a_name_that_somebody_else_owns_allows_nothing(chosen: str) -> None:
    guard = AddressGuard(allow_urls=[chosen])
    assert guard.objection("10.0.0.1", origin="https://partner.example")
    assert guard.objection("10.0.0.1", origin=chosen.rstrip("/"))


@pytest.mark.parametrize(
    "wrong", ["10.0.0.1/8", "10.0.0.0/33", "example.org", "", "10.0.0.0-10.0.0.9", "fe80::1%eth0/64"]
)
def test_what_is_no_network_is_said_at_once(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="allow_networks"):
        AddressGuard([wrong])


def test_an_error_names_the_network_to_allow() -> None:
    assert GUARD.objection("10.1.2.3") == "10.0.0.0/8 (private)"


@pytest.mark.parametrize("address", ["", "example.org", "1.2.3", "::1::"])
def test_what_is_no_address_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        GUARD.objection(address)


def test_a_scope_does_not_hide_an_address() -> None:
    assert GUARD.objection("fe80::1%eth0")
    assert GUARD.objection("::1%1")
