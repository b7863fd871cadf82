"""Addresses: what is equal, what is refused, and that nothing else happens."""

# ruff: noqa: E501 - tables

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from convergekit.errors import InvalidInputError
from convergekit.model import Address, from_json, to_json
from convergekit.model.address import normalise

NODE = "nasty!%23$%25()*+,-.;=%3F%5B%5C%5D%5E_%60%7B%7C%7Dnode"
RESOURCE = "repulsive%20!%23%22$%25&'()*+,-.:;%3C=%3E%3F%40%5B%5C%5D%5E_%60%7B%7C%7D~resource"

#: As written, its normalised form, and the bare value behind the scheme.
GOOD = [
    # RFC 6068
    ("mailto:ann@example.org", "mailto:ann@example.org", "ann@example.org"),
    ("MAILTO:Ann@EXAMPLE.org", "mailto:Ann@example.org", "Ann@example.org"),
    ("mailto:ann+tag@example.org", "mailto:ann+tag@example.org", "ann+tag@example.org"),
    ("mailto:gorby%25kremvax@example.com", "mailto:gorby%25kremvax@example.com", "gorby%kremvax@example.com"),
    ("mailto:unlikely%3Faddress@example.com", "mailto:unlikely%3Faddress@example.com", "unlikely?address@example.com"),
    ("mailto:Mike%26family@example.org", "mailto:Mike%26family@example.org", "Mike&family@example.org"),
    ("mailto:%22not%40me%22@example.org", "mailto:%22not%40me%22@example.org", '"not@me"@example.org'),
    ('mailto:"not%40me"@example.org', "mailto:%22not%40me%22@example.org", '"not@me"@example.org'),
    ("mailto:%22oh%5C%5Cno%22@example.org", "mailto:%22oh%5C%5Cno%22@example.org", r'"oh\\no"@example.org'),
    ("mailto:user@example.org.", "mailto:user@example.org", "user@example.org"),
    ("mailto:jos%C3%A9@example.org", "mailto:jos%C3%A9@example.org", "josé@example.org"),
    ("mailto:josé@example.org", "mailto:jos%C3%A9@example.org", "josé@example.org"),
    ("mailto:user@natto.例え.example", "mailto:user@natto.xn--r8jz45g.example", "user@natto.xn--r8jz45g.example"),
    ("mailto:user@例え。example。", "mailto:user@xn--r8jz45g.example", "user@xn--r8jz45g.example"),
    ("mailto:a@[192.0.2.1]", "mailto:a@[192.0.2.1]", "a@[192.0.2.1]"),
    ("mailto:a@[IPv6:2001:DB8:0::1]", "mailto:a@[ipv6:2001:db8::1]", "a@[ipv6:2001:db8::1]"),
    # RFC 5122, RFC 7622 §3.5
    ("xmpp:node@example.com", "xmpp:node@example.com", "node@example.com"),
    ("xmpp:Node@Example.COM/Some-Resource", "xmpp:node@example.com/Some-Resource", "node@example.com/Some-Resource"),
    ("xmpp:example.com", "xmpp:example.com", "example.com"),
    ("xmpp:example.com/foo", "xmpp:example.com/foo", "example.com/foo"),
    ("xmpp:ji%C5%99i@%C4%8Dechy.example/v%20Praze", "xmpp:ji%C5%99i@xn--echy-fua.example/v%20Praze", "jiři@xn--echy-fua.example/v Praze"),
    ("xmpp:jir\u030ci@example.org", "xmpp:ji%C5%99i@example.org", "jiři@example.org"),
    ("xmpp:room@conf.example/a/b@c", "xmpp:room@conf.example/a/b@c", "room@conf.example/a/b@c"),
    # RFC 5724, RFC 3966
    ("sms:+15105550101", "sms:+15105550101", "+15105550101"),
    ("sms:+1-510-555-0101", "sms:+15105550101", "+15105550101"),
    ("sms:+49 (151) 1234.5678", "sms:+4915112345678", "+4915112345678"),
    ("sms:%2B4915112345678", "sms:+4915112345678", "+4915112345678"),
    ("sms:22000", "sms:22000", "22000"),
    ("sms:O2-Info", "sms:O2-Info", "O2-Info"),
    ("sms:My Shop", "sms:My%20Shop", "My Shop"),
    ("sms:H%26M", "sms:H&M", "H&M"),
    ("whatsapp:+49 151 12345678", "whatsapp:+4915112345678", "+4915112345678"),
    ("rcs:+49-151-12345678", "rcs:+4915112345678", "+4915112345678"),
    ("tel:+1-201-555-0123", "tel:+12015550123", "+12015550123"),
    # X
    ("x:12345", "x:12345", "12345"),
    ("x:@Ann_B", "x:@ann_b", "@ann_b"),
    ("x:dm-12", "x:dm-12", "dm-12"),
    ("x:public", "x:public", "public"),
    # RFC 3986 §6.2
    ("HTTPS://Example.ORG", "https://example.org/", "//example.org/"),
    ("https://example.org:443/Hook?A=b#part", "https://example.org/Hook?A=b", "//example.org/Hook?A=b"),
    ("http://example.org:80", "http://example.org/", "//example.org/"),
    ("http://example.org:/", "http://example.org/", "//example.org/"),
    ("http://example.org:443/", "http://example.org:443/", "//example.org:443/"),
    ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC", "//xn--bcher-kva.example/%C3%BC"),
    ("https://[2001:DB8:0:0::1]:8443/a%20b", "https://[2001:db8::1]:8443/a%20b", "//[2001:db8::1]:8443/a%20b"),
    ("https://example.org/a|b?c=[d]", "https://example.org/a%7Cb?c=%5Bd%5D", "//example.org/a%7Cb?c=%5Bd%5D"),
    # A plugin's
    ("Matrix:u/Ann:example.org", "matrix:u/Ann:example.org", "u/Ann:example.org"),
    ("tg:123#4", "tg:123#4", "123#4"),
]  # fmt: skip

BAD = [
    "", "ann@example.org", ":", "mailto:", "1a:b", "a b:c", "ä:b",
    "mailto:ann", "mailto:@example.org", "mailto:ann@", "mailto:ann@example.org?subject=x",
    "mailto:a@example.org,b@example.org", "mailto:a@b@example.org", "mailto:a%40b@example.org", 'mailto:"a@example.org',
    'mailto:"a"b"@example.org', "mailto:a%0D%0ARCPT%20TO:x@example.org", "mailto:a%00@example.org", "mailto:a@exa%0Ample.org",
    "mailto:a b@example.org", "mailto:a@-example.org", "mailto:a@example-.org", "mailto:a@ex..org", "mailto:a@.", "mailto:a@..",
    "mailto:a@[1.2.3]", "mailto:a@[%2541]", "mailto:a@[fe80::1%25eth0]", "mailto:a@[192.0.2.1", "mailto:a@ex%2Fmple.org",
    "mailto:a%zz@example.org", "mailto:100%@example.org", "mailto:a%ff@example.org", "mailto:\u202eann@example.org",
    "mailto:an%E2%80%8Bn@example.org", "mailto:" + "a" * 65 + "@example.org", "mailto:a@" + "a" * 64 + ".org",
    "xmpp:", "xmpp:@example.com", "xmpp:a@", "xmpp:a@b@example.com", "xmpp:a@example.com/", "xmpp:a@example.com?message",
    "xmpp://guest@example.com", "xmpp:a'b@example.com", "xmpp:a@example.com/x%0Ay", "xmpp:a@example.com/%20x", "xmpp:a%20b@example.com",
    "xmpp:a@example.com/" + "x" * 1024,
    "sms:", "sms:+", "sms:1", "sms:+0123456", "sms:+1234", "sms:+1234567890123456", "sms:+49151abc", "sms:+4915112345678?body=hi",
    "sms:+15105550101,+15105550102", "sms:LongerThanEleven", "sms:٤٩١٥١", "sms:+49\n15112345678", "sms:+49%0D%0A15112345678", "sms:\ud800",
    "tel:FLOWERS", "tel:7042;phone-context=example.com",
    "x:", "x:a b", "x:@", "x:a-b", "x:ann", "x:dm-", "x:" + "1" * 21, "x:@" + "a" * 65, "x:é",
    "https:", "https://", "https:///path", "https:example.org", "https://user@example.org/", "https://user:pw@example.org/",
    "https://@example.org/", "https://example.org:99999/", "https://example.org:x/", "https://example.org\\@evil.example/",
    "https://[::1", "https://[::1]x/", "https://x[::1]/", "https://[fe80::1%25eth0]/", "https://exa mple.org/", "https://ex%61mple.org/",
    "https://example.org/\r\nHost: evil", "https://example.org/%", "https://example.org/%0", "http://a..b/", "https://\u2100.example/",
    "tg:a\nb", "tg:a\u2028b", "tg:\udfff", "tg:\u0085", "tg: ",
    "tg:" + "a" * 5000, "a" * 5000, "https://example.org/" + "ü" * 2000,
]  # fmt: skip

HOSTILE = st.one_of(
    st.text(),
    st.text(st.characters()),  # with lone surrogates
    st.builds(
        "{}:{}".format,
        st.sampled_from(["mailto", "xmpp", "sms", "tel", "x", "http", "https", "tg", "MAILTO"]),
        st.one_of(
            st.text(st.characters(), max_size=30),
            st.text(st.sampled_from('ab@.:/?#[]%0Dd4é例。"\\ +-_'), max_size=30),
            st.builds("{}@{}".format, st.text(st.characters(), max_size=8), st.text(st.characters(), max_size=12)),
            st.builds("//{}/{}".format, st.text(st.characters(), max_size=12), st.text(st.characters(), max_size=12)),
        ),
    ),
)


@pytest.mark.parametrize(("written", "normal", "value"), GOOD)
def test_what_is_read(written: str, normal: str, value: str) -> None:
    address = Address.parse(written)
    assert (address.uri, address.value) == (normal, value)
    assert address.scheme == normal.partition(":")[0]
    assert str(address) == normal


@pytest.mark.parametrize("written", BAD, ids=lambda text: ascii(text[:40]))
def test_what_is_refused(written: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^not an address: ") as caught:
        Address.parse(written)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    with pytest.raises(ValidationError):
        Address(written)


def test_the_resource_of_rfc_5122() -> None:
    """§2.7.2's example, percent for percent."""
    address = Address.parse(f"xmpp:{NODE}@example.com/{RESOURCE}")
    assert (
        address.value
        == r"""nasty!#$%()*+,-.;=?[\]^_`{|}node@example.com/repulsive !#"$%&'()*+,-.:;<=>?@[\]^_`{|}~resource"""
    )
    assert Address.parse(address.uri) == address


@given(HOSTILE)
def test_hostile_text_is_an_address_or_invalid_input(text: str) -> None:
    try:
        address = Address.parse(text)
    except InvalidInputError:
        return
    assert normalise(address.uri) == address.uri
    assert address.uri.encode()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", address.value)


@given(st.sampled_from([good for good, _, _ in GOOD]))
def test_a_normalised_form_is_its_own(text: str) -> None:
    assert Address.parse(Address.parse(text).uri).uri == Address.parse(text).uri


@pytest.mark.parametrize("value", [None, 5, b"mailto:ann@example.org", ["mailto:ann@example.org"]])
def test_what_is_no_text_is_invalid_input(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="not an address: a "):
        Address.parse(value)


class TestBuild:
    @pytest.mark.parametrize(("written", "normal", "value"), GOOD)
    def test_what_was_read_is_built_from_its_value(self, written: str, normal: str, value: str) -> None:
        assert Address.build(normal.partition(":")[0], value).uri == normal

    @given(st.text(st.characters(), min_size=1, max_size=20), st.sampled_from(["mailto", "xmpp", "sms", "https", "tg"]))
    def test_foreign_values_make_an_address_that_means_them_or_are_refused(self, value: str, scheme: str) -> None:
        try:
            address = Address.build(scheme, value)
        except InvalidInputError:
            return
        assert Address.parse(address.uri) == address

    def test_nothing_is_smuggled_in_by_percent_signs(self) -> None:
        assert Address.build("mailto", "a%40evil.example@example.org").value == "a%40evil.example@example.org"


class TestEquality:
    def test_both_spellings_of_an_international_domain_are_one(self) -> None:
        assert Address("mailto:a@bücher.example") == Address("mailto:a@XN--BCHER-KVA.example")
        assert len({Address("https://bücher.example"), Address("https://xn--bcher-kva.example/")}) == 1

    def test_a_display_name_is_decoration(self) -> None:
        named = Address("tg:1", display_name="Ann")
        assert named == Address("tg:1")
        assert hash(named) == hash(Address("tg:1"))
        assert from_json(Address, to_json(named)).display_name == "Ann"

    def test_the_local_part_of_a_mailbox_keeps_its_case(self) -> None:
        assert Address("mailto:Ann@example.org") != Address("mailto:ann@example.org")

    def test_other_things_are_not_equal(self) -> None:
        assert Address("tg:1") != "tg:1"


class TestErrors:
    def test_a_scheme_is_suggested_for_a_bare_mailbox(self) -> None:
        with pytest.raises(
            InvalidInputError, match=r"did you mean .mailto:ann@example\.org. or .xmpp:ann@example\.org."
        ):
            Address.parse("ann@example.org")

    def test_and_another_one_for_a_bare_handle(self) -> None:
        with pytest.raises(InvalidInputError, match=r"did you mean 'x:@ann'\?"):
            Address.parse("@ann")

    @pytest.mark.parametrize(
        "url",
        [
            "https://user:SECRET@example.org/",
            "https://user:SECRET@[bad/",
            "https://user:SECRET @example.org/",
            "https://example.org:port/SECRET",
            "https://example.org/SECRET%",
            "https://example.org\\/SECRET",
            "https://example.org/\r\nSECRET",
        ],
    )
    def test_what_is_secret_in_a_url_is_not_shown(self, url: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Address.parse(url)
        assert "SECRET" not in str(caught.value)
        assert caught.value.__cause__ is None

    def test_a_display_name_of_two_lines_is_invalid_input(self) -> None:
        for name in ("a\r\nb", "\x00", "\ud800"):
            with pytest.raises(InvalidInputError, match="display name"):
                Address.parse("tg:1", display_name=name)


def test_a_string_stands_for_an_address_wherever_one_is_taken() -> None:
    assert TypeAdapter(list[Address]).validate_python(["TG:1", {"uri": "tg:2"}]) == [Address("tg:1"), Address("tg:2")]
    assert repr(Address("tg:1", display_name="Ann")) == "Address('tg:1', display_name='Ann')"
