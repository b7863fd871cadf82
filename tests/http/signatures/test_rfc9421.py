"""HTTP message signatures: the RFC's own examples, what has to be covered, and nothing but `SignatureError` out."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http import MessageSignatures, SignatureScheme, Verified
from convergekit.http.signatures import scheme_named

from .kit import Call

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://example.org/hooks/shop?a=1"
BODY = '{"text":"ä"}'.encode()
NEW, OLD = (f"{name}:" + base64.b64encode(name.encode() * 8).decode() for name in ("new", "old"))
SCHEME = MessageSignatures([NEW, OLD])

# RFC 9421 §B.1 and §B.2
RSA_PSS = """test-key-rsa-pss:-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----
"""
ED25519 = """test-key-ed25519:-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
SHARED = "test-shared-secret:uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
THEN = datetime.fromtimestamp(1618884473, UTC)
REQUEST = Call(
    b'{"hello": "world"}',
    {
        "host": "example.com",
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type": "application/json",
        "content-digest": "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+"
        "AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        "content-length": "18",
    },
    url="https://example.com/foo?param=Value&Pet=dog",
)
MINIMAL = (
    'sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
    "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopem"
    "LJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG"
    "52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx"
    "2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6"
    "UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3"
    "+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:",
)
SELECTIVE = (
    'sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss"'
    ';tag="header-example"',
    "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQ"
    "EdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT"
    "8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SA"
    "RYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd"
    "4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoK"
    "UqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
)
FULL = (
    'sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length")'
    ';created=1618884473;keyid="test-key-rsa-pss"',
    "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yB"
    "iMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fU"
    "xN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1"
    "pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9"
    "bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5Z"
    "JzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
)
BY_SECRET = (
    'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
    "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
)
BY_ED25519 = (
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"',
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
)


def signed(by: tuple[str, str]) -> Call:
    return replace(REQUEST, headers={**REQUEST.headers, "signature-input": by[0], "signature": by[1]})


@pytest.mark.parametrize(
    ("by", "key", "covers"),
    [
        pytest.param(MINIMAL, RSA_PSS, [], id="B.2.1"),
        pytest.param(SELECTIVE, RSA_PSS, ["@authority", "content-digest"], id="B.2.2"),
        pytest.param(FULL, RSA_PSS, ["@method", "@target-uri", "content-digest", "content-type"], id="B.2.3"),
        pytest.param(BY_SECRET, SHARED, ["date", "@authority", "content-type"], id="B.2.5"),
        pytest.param(BY_ED25519, ED25519, ["date", "@method", "@path", "content-length"], id="B.2.6"),
    ],
)
def test_the_examples_of_the_rfc_hold_for_what_they_cover(by: tuple[str, str], key: str, covers: list[str]) -> None:
    assert MessageSignatures([key], require=covers).verify(signed(by), THEN) == Verified(None, 1618884473, 0)
    with pytest.raises(SignatureError, match="does not cover x-never"):
        MessageSignatures([key], require=[*covers, "x-never"]).verify(signed(by), THEN)
    changed = replace(signed(by), url="https://example.org/foo?param=Value&Pet=cat")
    if covers:
        with pytest.raises(SignatureError, match="does not fit"):
            MessageSignatures([key], require=covers).verify(changed, THEN)


@pytest.mark.parametrize(
    ("by", "key", "lacking"),
    [
        pytest.param(MINIMAL, RSA_PSS, "@method", id="B.2.1"),
        pytest.param(SELECTIVE, RSA_PSS, "@method", id="B.2.2"),
        pytest.param(BY_SECRET, SHARED, "@method", id="B.2.5"),
        pytest.param(BY_ED25519, ED25519, "@target-uri", id="B.2.6, whose query is not covered"),
    ],
)
def test_a_signature_that_covers_too_little_is_refused_unless_the_policy_says_otherwise(
    by: tuple[str, str], key: str, lacking: str
) -> None:
    with pytest.raises(SignatureError, match=f"does not cover {lacking}"):
        MessageSignatures([key]).verify(signed(by), THEN)


def test_a_body_has_to_be_covered_by_its_digest() -> None:
    """RFC 9421 §B.2.6 covers all but that."""
    scheme = MessageSignatures([ED25519], require=["@method", "@path", "content-digest"])
    with pytest.raises(SignatureError, match="content-digest"):
        scheme.verify(signed(BY_ED25519), THEN)


def test_the_full_example_of_the_rfc_satisfies_the_policy_as_it_is() -> None:
    assert MessageSignatures([RSA_PSS]).verify(signed(FULL), THEN).timestamp == 1618884473
    with pytest.raises(SignatureError, match="content-digest was made of"):
        MessageSignatures([RSA_PSS]).verify(replace(signed(FULL), body=b'{"hello": "moon!"}'), THEN)


def test_what_is_signed_with_the_keys_of_the_rfc_is_what_stands_there() -> None:
    """Both are deterministic; only the parameters that the RFC's examples leave out are more."""
    ours = MessageSignatures([ED25519], tag="t").sign("m1", THEN, REQUEST.body, url=str(REQUEST.url))
    assert ours["signature-input"] == (
        'sig1=("@method" "@target-uri" "webhook-id" "content-digest")'
        ';created=1618884473;keyid="test-key-ed25519";alg="ed25519";tag="t"'
    )
    assert ours["content-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(REQUEST.body).digest()).decode()}:"
    assert ours["webhook-id"] == "m1"


@cache
def pair(kind: str) -> tuple[str, str]:
    """A private key, and the public one that belongs to it."""
    private = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa-p256-sha256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ecdsa-p384-sha384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa-pss-sha512": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    return (
        "theirs:" + private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "theirs:" + private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


def call(headers: Mapping[str, str], body: bytes = BODY, url: str | None = URL) -> Call:
    return Call(body, headers, url=url)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512"])
def test_a_private_key_signs_and_its_public_key_verifies_and_signs_nothing(kind: str) -> None:
    private, public = pair(kind)
    sent = MessageSignatures([private.replace("\n", "\\n")]).sign("m1", NOW, BODY, url=URL)
    assert f'alg="{kind}"' in sent["signature-input"]
    assert MessageSignatures([public]).verify(call(sent), NOW) == Verified("m1", int(NOW.timestamp()), 0)
    with pytest.raises(SignatureError):
        MessageSignatures([public]).verify(call(sent, b"{}"), NOW)
    with pytest.raises(ConfigurationError, match="a public key only verifies"):
        MessageSignatures([public]).sign("m1", NOW, BODY, url=URL)


def test_a_key_is_for_one_algorithm_and_takes_none_from_the_call() -> None:
    """RFC 9421 §7.3.6: else a public key that everybody has could be taken for a shared secret."""
    public = pair("ed25519")[1].partition(":")[2]
    forged = MessageSignatures(["theirs:" + base64.b64encode(public.encode()).decode()])
    with pytest.raises(SignatureError):
        MessageSignatures([f"theirs:{public}"]).verify(call(forged.sign("m1", NOW, BODY, url=URL)), NOW)


@given(st.from_regex(r"\A[A-Za-z0-9_:/-]{1,60}\Z"), st.binary())
def test_what_was_signed_is_verified(id: str, body: bytes) -> None:
    sent = SCHEME.sign(id, NOW, body, url=URL, headers={"content-type": "text/plain"})
    said = {**sent, "content-type": "text/plain"}
    assert SCHEME.verify(call(said, body), NOW) == Verified(id, int(NOW.timestamp()), 0)


def test_rotation_signs_with_all_and_tells_which_key_fitted() -> None:
    sent = SCHEME.sign("m1", NOW, BODY, url=URL)
    assert sent["signature"].count("sig") == 2
    assert MessageSignatures([OLD]).verify(call(sent), NOW).key_index == 0
    assert MessageSignatures([OLD, NEW]).verify(call(sent), NOW).key_index == 1
    assert MessageSignatures(SecretStr(OLD)).verify(call(sent), NOW).id == "m1"
    with pytest.raises(SignatureError, match="known here"):
        MessageSignatures([SHARED]).verify(call(sent), NOW)


def test_two_keys_may_have_one_id() -> None:
    same = NEW.replace("new:", "old:")
    sent = MessageSignatures([same]).sign("m1", NOW, BODY, url=URL)
    assert MessageSignatures([OLD, same]).verify(call(sent), NOW).key_index == 1


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_replay_window_is_open_both_ways(seconds: int, good: bool) -> None:
    sent = call(SCHEME.sign("m1", NOW, BODY, url=URL))
    later = NOW + timedelta(seconds=seconds)
    if good:
        assert SCHEME.verify(sent, later)
    else:
        with pytest.raises(SignatureError, match="300 s away"):
            SCHEME.verify(sent, later)


def changed(sent: Mapping[str, str], **parameters: str) -> Call:
    """*sent* with other parameters, unsigned as they are."""
    value = sent["signature-input"]
    for name, (old, new) in {each: parameters[each].split(">") for each in parameters}.items():
        assert f"{name}={old}" in value
        value = value.replace(f"{name}={old}", f"{name}={new}")
    return call({**sent, "signature-input": value})


def test_the_time_and_the_key_are_signed_themselves() -> None:
    sent = MessageSignatures([NEW]).sign("m1", NOW, BODY, url=URL)
    seconds = str(int(NOW.timestamp()))
    with pytest.raises(SignatureError, match="does not fit"):
        SCHEME.verify(changed(sent, created=f"{seconds}>{int(seconds) + 1}"), NOW)
    with pytest.raises(SignatureError):
        SCHEME.verify(changed(sent, keyid='"new">"old"'), NOW)
    with pytest.raises(SignatureError, match="does not fit"):
        SCHEME.verify(changed(sent, alg='"hmac-sha256">"ed25519"'), NOW)


def test_a_signature_that_has_expired_is_refused_inside_the_window() -> None:
    sent = MessageSignatures([NEW]).sign("m1", NOW, BODY, url=URL)
    expired = {**sent, "signature-input": sent["signature-input"] + f";expires={int(NOW.timestamp()) - 6}"}
    with pytest.raises(SignatureError, match="expired"):
        SCHEME.verify(call(expired), NOW)


def test_the_target_is_what_the_configuration_says_and_never_what_the_call_says() -> None:
    sent = SCHEME.sign("m1", NOW, BODY, url="https://evil.example/hooks/shop?a=1")
    with pytest.raises(SignatureError):
        SCHEME.verify(call({**sent, "host": "evil.example"}), NOW)
    with pytest.raises(SignatureError, match="how we are called"):
        SCHEME.verify(call(SCHEME.sign("m1", NOW, BODY, url=URL), url=None), NOW)


@pytest.mark.parametrize(
    ("cover", "url", "good"),
    [
        (["@method", "@authority", "@path"], "https://example.org/hooks", True),
        (["@method", "@authority", "@path"], "https://example.org/hooks?a=1", False),
        (["@method", "@authority", "@path", "@query"], "https://example.org/hooks?a=1", True),
        (["@method", "@path", "@query"], "https://example.org/hooks?a=1", False),
        (["@target-uri"], "https://example.org/hooks", False),
    ],
)
def test_the_target_may_be_covered_in_parts_if_it_is_all_of_it(cover: list[str], url: str, good: bool) -> None:
    sent = call(MessageSignatures([NEW], cover=cover).sign("m1", NOW, BODY, url=url), url=url)
    if good:
        assert SCHEME.verify(sent, NOW).id == "m1"
    else:
        with pytest.raises(SignatureError, match="does not cover @"):
            SCHEME.verify(sent, NOW)


def test_the_attributes_of_an_event_are_signed_and_none_can_be_added_or_changed() -> None:
    said = {"content-type": "application/json", "ce-id": "1", "ce-type": "shipped"}
    sent = {**SCHEME.sign("m1", NOW, BODY, url=URL, headers=said), **said}
    assert '"content-type" "ce-id" "ce-type" "webhook-id"' in sent["signature-input"]
    assert SCHEME.verify(call(sent), NOW)
    for wrong in ({**sent, "ce-type": "lost"}, {**sent, "content-type": "text/plain"}):
        with pytest.raises(SignatureError, match="does not fit"):
            SCHEME.verify(call(wrong), NOW)
    with pytest.raises(SignatureError, match=r"does not cover ce-\*"):
        SCHEME.verify(call({**sent, "ce-subject": "x"}), NOW)


def test_an_id_that_is_there_is_covered() -> None:
    """Or whoever has seen the call could make it again with another one."""
    theirs = MessageSignatures([NEW], id_header="x-theirs").sign("m1", NOW, BODY, url=URL)
    assert SCHEME.verify(call(theirs), NOW).id is None
    with pytest.raises(SignatureError, match="does not cover webhook-id"):
        SCHEME.verify(call({**theirs, "webhook-id": "forged"}), NOW)
    assert MessageSignatures([NEW], id_header="X-Theirs").verify(call(theirs), NOW).id == "m1"


@pytest.mark.parametrize("id", ["", "m 1", "m" * 257])
def test_an_id_that_is_none_is_refused_whoever_signed_it(id: str) -> None:
    """It becomes the key of an event."""
    theirs = MessageSignatures([NEW], cover=["@method", "@target-uri", "webhook-id"], id_header="x-theirs")
    sent = theirs.sign("m1", NOW, BODY, url=URL, headers={"webhook-id": id})
    with pytest.raises(SignatureError, match="the id is malformed"):
        SCHEME.verify(call({**sent, "webhook-id": id}), NOW)


@pytest.mark.parametrize("field", ["signature-input", "signature"])
def test_a_label_that_comes_twice_is_refused(field: str) -> None:
    """Two readers could take two of it."""
    sent = MessageSignatures([NEW]).sign("m1", NOW, BODY, url=URL)
    with pytest.raises(SignatureError, match=f"{field} is malformed"):
        SCHEME.verify(call({**sent, field: f"{sent[field]}, {sent[field]}"}), NOW)


def test_a_tag_parts_applications_and_a_nonce_can_be_asked_for() -> None:
    shop = MessageSignatures([NEW], tag="shop", nonce=True, random=lambda count: "n" * count)
    sent = shop.sign("m1", NOW, BODY, url=URL)
    assert f'nonce="{"n" * 16}";tag="shop"' in sent["signature-input"]
    assert shop.verify(call(sent), NOW) == SCHEME.verify(call(sent), NOW)
    with pytest.raises(SignatureError, match="known here"):
        MessageSignatures([NEW], tag="bank").verify(call(sent), NOW)
    with pytest.raises(SignatureError, match="no nonce"):
        shop.verify(call(MessageSignatures([NEW], tag="shop").sign("m1", NOW, BODY, url=URL)), NOW)


def test_a_signature_of_somebody_on_the_way_beside_ours_does_no_harm() -> None:
    """RFC 9421 §4.3: a proxy adds its own, which may cover the first one."""
    sent = MessageSignatures([NEW]).sign("m1", NOW, BODY, url=URL)
    proxy = {
        "signature-input": f'{sent["signature-input"]}, proxy=("signature";key="sig1");created=1;keyid="proxy"',
        "signature": f"{sent['signature']}, proxy=:AAAA:",
    }
    assert SCHEME.verify(call({**sent, **proxy}), NOW).id == "m1"


@pytest.mark.parametrize(
    "sent",
    [
        {"signature-input": 's=("a"' + ' "a"' * 64 + ")", "signature": "s=:AAAA:"},
        {"signature-input": 's=("a")', "signature": "s=:AAAA:", "a": "x" * 8193},
        {
            name: ", ".join(f"s{number}={value}" for number in range(5))
            for name, value in (("signature-input", '("a")'), ("signature", ":AAAA:"))
        },
        {"signature-input": "s=(" + '"a" ' * 3000 + ")", "signature": "s=:AAAA:"},
    ],
    ids=["components", "a field", "labels", "the signature"],
)
def test_what_would_be_much_work_is_refused_before_it_is_done(sent: dict[str, str]) -> None:
    """A key's id is no secret, so anybody can have us look at what they say it has signed."""
    known = {**sent, "signature-input": re.sub(r"\)", ');created=1767323045;keyid="new"', sent["signature-input"])}
    with pytest.raises(SignatureError, match=r"most|more than|longer"):
        SCHEME.verify(call(known), NOW)


def test_fields_that_nobody_signed_are_not_even_looked_at() -> None:
    class Fields(dict[str, str]):
        def __iter__(self) -> Iterator[str]:
            raise AssertionError

        def items(self) -> Any:
            raise AssertionError

    scheme = MessageSignatures([NEW], require=["@method", "@target-uri", "content-digest"])
    assert scheme.verify(call(Fields(scheme.sign("m1", NOW, BODY, url=URL))), NOW).id == "m1"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("c2VjcmV0c2VjcmV0c2VjcmV0", "KEYID"),
        ("id:c2hvcnQ=", "16"),
        ("id:not base64 at all!", "base64"),
        ("i d:c2VjcmV0c2VjcmV0c2VjcmV0", "KEYID"),
        ("id:-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "PEM"),
        (":" + pair("ed25519")[0].partition(":")[2], "KEYID"),
    ],
)
def test_a_key_that_is_none_is_refused_and_not_shown(secret: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        MessageSignatures([secret])
    assert secret.rpartition(":")[2] not in str(caught.value)


def test_a_weak_key_and_an_unknown_component_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key()
    pem = weak.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ConfigurationError, match="2048"):
        MessageSignatures([f"id:{pem}"])
    for names, why in (
        (["@status"], "neither"),
        (["Content-Type"], "neither"),
        (["a b"], "neither"),
        ("@method", "a list"),
        ("date", "a list"),  # each of its letters is the name of a field
    ):
        with pytest.raises(ConfigurationError, match=f"require .*{why}"):
            MessageSignatures([NEW], require=names)


def test_what_cannot_be_signed_is_said_before_it_is_sent() -> None:
    for id, url in (("a b", URL), ("m1", "/hooks"), ("m1", "https://example.org/ä")):
        with pytest.raises(ConfigurationError):
            SCHEME.sign(id, NOW, BODY, url=url)


def test_it_is_a_scheme_without_challenges_that_shows_no_key() -> None:
    scheme: SignatureScheme = SCHEME
    assert scheme.challenge(call({}), NOW) is None
    assert repr(SCHEME) == "MessageSignatures(2 secrets)"


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "convergekit.http.signatures._rfc9421_library", raising=False)
    monkeypatch.setitem(sys.modules, "http_message_signatures", None)
    with pytest.raises(ConfigurationError, match="webhook-rfc9421"):
        MessageSignatures([NEW])


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "",
            "sig1",
            "sig1=()",
            "sig1=:AAAA:",
            "sig1=?1",
            'sig1=("@method";req);created=1;keyid="new"',
            'sig1=("@method" "@method");created=1;keyid="new"',
            'sig1=("@status" "@query-param" "signature-input");created=1;keyid="new"',
            'sig1=("content-digest";key="sha-256");created=1767323045;keyid="new"',
            'sig1=("webhook-id";bs "webhook-id";sf "webhook-id";tr);created=1767323045;keyid="new"',
            'sig1=(1 2 :AAAA:);created=1767323045;keyid="new"',
            'sig1=("@method");created=999999999999999;keyid="new";expires=-999999999999999',
            'sig1=("@method");created="1";keyid=new',
            'sig1=("@method");created=1.5;keyid="new"',
            'sig1=("@method");keyid="new";created=1767323045;nonce=1;tag=?0',
            "sig1=:AAAA:, sig1=:AAAA:",
            ", ".join(f"s{number}=:AAAA:" for number in range(9)),
            "sig1=:" + "A" * 9000 + ":",
            "sig1=" + "(" * 4000,
            "sig1=:\udcff:",
        ]
    ),
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_nothing_that_arrives_raises_anything_but_a_signature_error(given: str, input: str, digest: str) -> None:
    sent = SCHEME.sign("m1", NOW, BODY, url=URL)
    for wrong in (
        {"signature": given, "signature-input": input},
        {**sent, "signature": given},
        {**sent, "signature-input": input},
        {**sent, "content-digest": digest},
        {**sent, "webhook-id": given},
        {"signature-input": input, "signature": "sig1=:AAAA:", "content-digest": digest},
    ):
        if wrong != sent:
            with pytest.raises(SignatureError):
                SCHEME.verify(call(wrong), NOW)


def test_settings_name_it_with_what_it_takes() -> None:
    named = scheme_named("rfc9421", NEW, tag="shop", require=["@method", "@path"], nonce=True)
    assert named.verify(call(dict(named.sign("m1", NOW, BODY, url=URL))), NOW).id == "m1"
    with pytest.raises(ConfigurationError, match="require"):
        scheme_named("rfc9421", NEW, require="@method")
