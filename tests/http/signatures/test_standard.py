"""Signatures: what is genuine passes, and nothing that arrives raises anything but `SignatureError`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http import StandardWebhooks, Verified, hmac_signature, verify_hmac
from convergekit.http.signatures import Encoding, SendGrid

from .kit import Call

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD, NEW, OTHER = (SecretStr("whsec_" + base64.b64encode(bytes([n]) * 32).decode()) for n in (1, 2, 3))
SCHEME = StandardWebhooks([NEW, OLD])
BODY = '{"text":"ä"}'.encode()


def test_the_example_of_the_specification_holds() -> None:
    scheme = StandardWebhooks([SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = scheme.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert scheme.verify(Call(b'{"test": 2432232314}', headers), at).id == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@given(st.from_regex(r"\A[A-Za-z0-9_:/-]{1,60}\Z"), st.binary())
def test_what_was_signed_is_verified(id: str, body: bytes) -> None:
    assert SCHEME.verify(Call(body, SCHEME.sign(id, NOW, body)), NOW) == Verified(id, int(NOW.timestamp()), 0)


def test_rotation_signs_with_all_and_tells_which_key_fitted() -> None:
    headers = SCHEME.sign("m1", NOW, BODY)
    assert len(headers["webhook-signature"].split()) == 2
    assert StandardWebhooks([OLD]).verify(Call(BODY, headers), NOW).key_index == 0
    assert StandardWebhooks([OTHER, OLD]).verify(Call(BODY, headers), NOW).key_index == 1
    with pytest.raises(SignatureError):
        StandardWebhooks([OTHER]).verify(Call(BODY, headers), NOW)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_replay_window_is_open_both_ways(seconds: int, good: bool) -> None:
    headers = SCHEME.sign("m1", NOW, BODY)
    later = NOW + timedelta(seconds=seconds)
    if good:
        assert SCHEME.verify(Call(BODY, headers), later)
    else:
        with pytest.raises(SignatureError):
            SCHEME.verify(Call(BODY, headers), later)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@given(
    st.text() | st.sampled_from(["", ",", "v1", "v1,", "v1,,", "v1,a,b", "v1,ä", "\ud800", "9" * 400, "٣", "v1,A==="])
)
def test_no_hostile_header_raises_anything_else(name: str, value: str) -> None:
    headers = SCHEME.sign("m1", NOW, BODY)
    if headers[name] != value:
        with pytest.raises(SignatureError):
            SCHEME.verify(Call(BODY, headers | {name: value}), NOW)


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_no_hostile_call_raises_anything_else(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(SignatureError):
        SCHEME.verify(Call(body, headers), NOW)


@given(st.integers(0, len(BODY) * 8 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    body = bytearray(BODY)
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError):
        SCHEME.verify(Call(bytes(body), SCHEME.sign("m1", NOW, BODY)), NOW)


def test_one_message_cannot_be_cut_into_another() -> None:
    """The signed form, id.timestamp.body, has no escapes: dots that an attacker controls would move the borders."""
    seconds = int(NOW.timestamp())
    body = f"{seconds}.evil".encode()
    headers = SCHEME.sign("m1", NOW, body)
    with pytest.raises(SignatureError):
        SCHEME.verify(Call(b"evil", headers | {"webhook-id": f"m1.{seconds}"}), NOW)
    with pytest.raises(ConfigurationError):
        SCHEME.sign("m.1", NOW, body)


def test_many_signatures_cost_little_and_foreign_versions_are_passed_over() -> None:
    good = SCHEME.sign("m1", NOW, BODY)
    mixed = good | {"webhook-signature": "v1a,xyz v2,abc " + good["webhook-signature"]}
    assert SCHEME.verify(Call(BODY, mixed), NOW)
    with pytest.raises(SignatureError):
        SCHEME.verify(Call(BODY, good | {"webhook-signature": "v1,x " * 100_000 + good["webhook-signature"]}), NOW)


@pytest.mark.parametrize("form", ["{}", "whsec_{}", "v1,whsec_{}"])
def test_the_forms_in_which_a_secret_is_handed_out(form: str) -> None:
    raw = b"\xfb\xff" * 16
    for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
        headers = StandardWebhooks([SecretStr(form.format(text))]).sign("m1", NOW, BODY)
        expected = hmac.digest(raw, f"m1.{int(NOW.timestamp())}.".encode() + BODY, hashlib.sha256)
        assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!SECRET!!", "ä", "whsec_" + "QUJD" * 40])
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        StandardWebhooks([SecretStr(secret)])
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_scheme_does_not_show_its_secrets() -> None:
    assert "AQEB" not in repr(SCHEME) + str(SCHEME)


@given(st.binary(), st.sampled_from(["hex", "base64"]), st.sampled_from(["sha256", "sha1", "sha512"]))
def test_hmac_in_any_encoding_is_verified(body: bytes, encoding: Encoding, digest: str) -> None:
    for secret in (b"one", b"two"):
        given = "sha=" + hmac_signature(secret, body, digest=digest, encoding=encoding).decode()
        found = verify_hmac(body, given, [b"one", b"two"], digest=digest, encoding=encoding, prefix="sha=")
        assert found == [b"one", b"two"].index(secret)


@given(st.none() | st.text() | st.binary(), st.sampled_from(["hex", "base64"]), st.sampled_from(["", "sha256="]))
def test_no_hostile_hmac_raises_anything_else(value: str | bytes | None, encoding: Encoding, prefix: str) -> None:
    with pytest.raises(SignatureError):
        verify_hmac(BODY, value, [b"one", b"two"], encoding=encoding, prefix=prefix)


def test_no_secrets_verify_nothing() -> None:
    with pytest.raises(SignatureError):
        verify_hmac(BODY, hmac_signature(b"", BODY), [])
    with pytest.raises(SignatureError):
        StandardWebhooks([]).verify(Call(BODY, SCHEME.sign("m1", NOW, BODY)), NOW)
    with pytest.raises(ConfigurationError):
        StandardWebhooks([]).sign("m1", NOW, BODY)


def test_a_scheme_takes_secrets_as_they_come() -> None:
    """From settings they are `SecretStr`, from a test they are text."""
    text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    headers = StandardWebhooks([text]).sign("m1", now, b"{}")

    assert StandardWebhooks([SecretStr(text)]).verify(Call(b"{}", headers), now).id == "m1"


WHSK = "whsk_" + base64.b64encode(bytes([7]) * 32).decode()
PUBLIC = "whpk_6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="


def test_a_shared_secret_and_a_key_pair_sign_together_while_one_replaces_the_other() -> None:
    headers = StandardWebhooks([WHSK, OLD]).sign("m1", NOW, BODY)

    assert [each.partition(",")[0] for each in headers["webhook-signature"].split()] == ["v1a", "v1"]
    for secrets in ([OLD], [PUBLIC], [WHSK], [OTHER, PUBLIC]):
        assert StandardWebhooks(secrets).verify(Call(BODY, headers), NOW).key_index == len(secrets) - 1


def test_a_public_key_verifies_and_does_not_sign() -> None:
    both = StandardWebhooks([PUBLIC, OLD]).sign("m1", NOW, BODY)
    assert both["webhook-signature"].startswith("v1,")
    with pytest.raises(ConfigurationError, match=r"a public key .whpk_. only verifies"):
        StandardWebhooks([PUBLIC]).sign("m1", NOW, BODY)


@pytest.mark.parametrize("secret", ["whpk_", "whsk_", "whpk_c2hvcnQ=", "whsk_SECRET!", "whsk_" + "A" * 86])
def test_what_is_no_key_is_refused_and_not_shown(secret: str) -> None:
    """The last has 64 bytes, whose halves are no pair."""
    with pytest.raises(ConfigurationError) as caught:
        StandardWebhooks([secret])
    assert "SECRET" not in str(caught.value)


def test_without_the_extra_a_key_pair_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    monkeypatch.delitem(sys.modules, "convergekit.http.signatures._ed25519", raising=False)
    with pytest.raises(ConfigurationError, match="webhook-ed25519"):
        StandardWebhooks([WHSK])
    with pytest.raises(ConfigurationError, match="webhook-ed25519"):
        SendGrid(["any"])


def test_a_signature_that_is_longer_than_any_list_is_not_looked_at() -> None:
    good = SCHEME.sign("m1", NOW, BODY)
    padded = good | {"webhook-signature": good["webhook-signature"] + " " * 9000}
    with pytest.raises(SignatureError, match="longer"):
        SCHEME.verify(Call(BODY, padded), NOW)
