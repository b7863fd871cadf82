"""What is signed is found to be so by anybody who asks the DNS, and nobody can change it."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import SecretStr

from convergekit.adapters.email.building import Signer
from convergekit.adapters.email.config import DkimConfig
from convergekit.errors import ConfigurationError, UnsupportedContentError
from tests.adapters.email.building.kit import BEN, built

pytestmark = pytest.mark.anyio

RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
PKCS1, PKCS8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


def pem(key: Any, format: serialization.PrivateFormat = PKCS8, encryption: Any = PLAIN) -> str:
    written: bytes = key.private_bytes(serialization.Encoding.PEM, format, encryption)
    return written.decode()


def record(key: Any) -> bytes:
    """What stands in the DNS."""
    public = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public.public_bytes_raw())
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public.public_bytes(serialization.Encoding.DER, info))


def dns(key: Any, name: bytes = b"s1._domainkey.example.org.") -> Callable[..., bytes | None]:
    return lambda asked, timeout=5: record(key) if asked == name else None


def signer(key: str, **changes: Any) -> Signer:
    return Signer(DkimConfig(selector="s1", private_key=SecretStr(key), **changes), "example.org")


@pytest.mark.parametrize(
    ("key", "form"),
    [(RSA, pem(RSA)), (RSA, pem(RSA, PKCS1)), (RSA, pem(RSA).replace("\n", "\r\n")), (ED25519, pem(ED25519))],
)
async def test_a_signature_is_found_good(key: Any, form: str) -> None:
    raw = built(text="Größe \n\nmit  Leerzeichen \n\n", subject="Größe " * 30, cc=(BEN,))
    signed = await signer(form).sign(raw)
    assert signed.endswith(raw)
    assert signed.startswith(b"DKIM-Signature: ")
    assert max(map(len, signed.split(b"\r\n"))) <= 78
    assert dkim.verify(signed, dnsfunc=dns(key))


async def test_a_key_in_a_file_and_a_domain_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "dkim.pem"
    file.write_text(pem(RSA))
    config = DkimConfig(selector="s1", domain="mail.example.org", private_key_file=file)
    signed = await Signer(config, "example.org").sign(built())
    assert dkim.verify(signed, dnsfunc=dns(RSA, b"s1._domainkey.mail.example.org."))


UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://example.org/off>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"on its way", b"off its way"),
        (b"Your parcel", b"Your account"),
        (b"To: ann@", b"To: ben@"),
        (b"https://example.org/off", b"https://example.net/off"),
        (b"=One-Click", b"=Two-Click"),
        (b"References: <a@b>", b"References: <c@d>"),
        (b"text/plain", b"text/html"),
    ],
)
async def test_what_was_changed_on_the_way_is_found_bad(old: bytes, new: bytes) -> None:
    signed = await signer(pem(RSA)).sign(built(own_headers=UNSUBSCRIBE, references=("a@b",)))
    assert dkim.verify(signed, dnsfunc=dns(RSA))
    changed = signed.replace(old, new)
    assert changed != signed
    assert not dkim.verify(changed, dnsfunc=dns(RSA))


@pytest.mark.parametrize("added", [b"From: x@example.net", b"Subject: x", b"To: x@example.net", b"Cc: x@example.net"])
async def test_no_second_field_can_be_put_before_ours(added: bytes) -> None:
    """RFC 6376 §8.15: a reader might show that one."""
    signed = await signer(pem(ED25519)).sign(built(subject=None, to=()))
    assert dkim.verify(signed, dnsfunc=dns(ED25519))
    assert not dkim.verify(added + b"\r\n" + signed, dnsfunc=dns(ED25519))


async def test_both_fields_of_unsubscribing_are_signed() -> None:
    """RFC 8058 §4: without that, the button is not shown."""
    signed = await signer(pem(RSA)).sign(built(own_headers=UNSUBSCRIBE))
    [named] = re.findall(r"; h=([^;]*);", signed.decode())
    assert {"from", "list-unsubscribe", "list-unsubscribe-post"} <= set(re.split(r"\s*:\s*", named))


async def test_what_is_no_mail_is_refused_and_not_shown() -> None:
    with pytest.raises(UnsupportedContentError) as caught:
        await signer(pem(RSA)).sign(b"SECRET\r\n\r\n")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "SECRET",
        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----",
        pem(RSA, PKCS8, serialization.BestAvailableEncryption(b"SECRET")),
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(RSA)[:400] + "\n-----END PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_is_refused_at_once_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^dkim: the private key must be in PEM") as caught:
        signer(key)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_key_that_receivers_think_nothing_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8301 §3.2. Today's libraries make none so short, so a longer one is asked for."""
    monkeypatch.setattr("convergekit.adapters.email.building.dkim._FEWEST_BITS", 4096)
    with pytest.raises(ConfigurationError, match="has 2048 bits; receivers want 4096 at least"):
        signer(pem(RSA))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = DkimConfig(selector="s1", private_key_file=tmp_path / "none.pem")
    with pytest.raises(ConfigurationError, match=r"none\.pem: No such file"):
        Signer(config, "example.org")


@pytest.mark.parametrize(("module", "key"), [("dkim", pem(RSA)), ("nacl.signing", pem(ED25519))])
def test_without_the_extra_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch, module: str, key: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r'pip install "convergekit\[email-dkim\]"'):
        signer(key)
