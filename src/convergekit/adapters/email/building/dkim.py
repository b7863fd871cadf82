"""Signs what goes out (RFC 6376), by dkimpy."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from anyio import CapacityLimiter, to_thread

from convergekit.errors import ConfigurationError, UnsupportedContentError

from ..config import DkimConfig

__all__ = ["Signer"]

#: What a reader sees or a program goes by, where it is there (RFC 6376 §5.4.1; RFC 8058 §4 for the two of lists).
_SIGNED: Final = (
    "from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted",
    "content-language", "mime-version", "content-type", "content-transfer-encoding", "list-unsubscribe",
    "list-unsubscribe-post", "list-id", "disposition-notification-to",
)  # fmt: skip
#: Also where they are not there: whoever adds one makes the mail look otherwise (RFC 6376 §8.15).
_NEVER_ADDED: Final = frozenset({"from", "reply-to", "to", "cc", "subject"})

_PEM: Final = re.compile(
    r"-----BEGIN (RSA )?PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END (RSA )?PRIVATE KEY-----"
)
_ED25519: Final = bytes.fromhex("06032b657004220420")  # RFC 8410 §7: the algorithm, then the seed in two octet strings
_FEWEST_BITS: Final = 1024  # RFC 8301 §3.2
_TRIAL: Final = b"From: postmaster@example.org\r\n\r\n"
_NO_EXTRA: Final = 'dkim: signing needs an extra: pip install "convergekit[email-dkim]"'
_NO_KEY: Final = "dkim: the private key must be in PEM, RSA (PKCS#1 or PKCS#8) or Ed25519 (PKCS#8), with no pass phrase"


class Signer:
    """Signs mails with one key.

    Args:
        config: The key, and its name in the DNS.
        domain: Whose key it is, where *config* does not say.

    Raises:
        ConfigurationError: The extra is not installed, or there is no key to sign with; the text does not show it.
    """

    def __init__(self, config: DkimConfig, domain: str) -> None:
        self._selector = config.selector.encode("ascii")
        self._domain = (config.domain or domain).encode("idna")
        self._limiter = CapacityLimiter(2)  # it is Python that reckons: more threads would not sign more
        self._dkim = _dkimpy()
        self._algorithm, self._key = _read(_pem(config))
        try:
            self._signed(_TRIAL)
        except Exception:  # whatever it says, it may show the key
            raise ConfigurationError(_NO_KEY) from None

    async def sign(self, raw: bytes) -> bytes:
        """*raw* behind a field that signs it.

        Raises:
            UnsupportedContentError: It is no mail.
        """
        return await to_thread.run_sync(self._sign, raw, limiter=self._limiter)

    def _sign(self, raw: bytes) -> bytes:
        try:
            return self._signed(raw) + raw
        except self._dkim.DKIMException:
            raise UnsupportedContentError("a mail that cannot be signed: its header is not one") from None

    def _signed(self, raw: bytes) -> bytes:
        mail = self._dkim.DKIM(raw, signature_algorithm=self._algorithm)
        there = Counter(name.lower().decode("ascii") for name, _ in mail.headers)
        # Once more than it is there: nobody can add another one.
        times = {name: there[name] + 1 for name in _SIGNED if name in there or name in _NEVER_ADDED}
        field: bytes = mail.sign(
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name for name, count in times.items() for _ in range(count)],
        )
        return field


def _dkimpy() -> Any:
    try:
        import dkim  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigurationError(_NO_EXTRA) from None
    return dkim


def _pem(config: DkimConfig) -> str:
    if config.private_key is not None:
        return config.private_key.get_secret_value()
    assert config.private_key_file is not None, "DkimConfig has one of the two"
    try:
        return config.private_key_file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not PEM"
        raise ConfigurationError(f"dkim: private_key_file {config.private_key_file}: {reason}") from None


def _read(pem: str) -> tuple[bytes, bytes]:
    """The algorithm, and the key as dkimpy takes it."""
    found = _PEM.search(pem)
    if found is None:
        raise ConfigurationError(_NO_KEY)
    lines = "".join(found[2].split())
    try:
        der = base64.b64decode(lines, validate=True)
    except binascii.Error:
        raise ConfigurationError(_NO_KEY) from None
    _, is_ed25519, seed = der.partition(_ED25519)
    if is_ed25519 and len(seed) >= 32:
        return b"ed25519-sha256", _with_nacl(base64.b64encode(seed[:32]))
    return b"rsa-sha256", _long_enough(f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n".encode())


def _with_nacl(key: bytes) -> bytes:
    try:
        import nacl.signing  # noqa: F401 - dkimpy signs with it, where it is there
    except ImportError:
        raise ConfigurationError(_NO_EXTRA) from None
    return key


def _long_enough(key: bytes) -> bytes:
    from dkim.crypto import parse_pem_private_key  # type: ignore[import-untyped]

    parse: Callable[[bytes], dict[str, int]] = parse_pem_private_key
    try:
        bits = parse(key)["modulus"].bit_length()
    except Exception:  # whatever it says, it may show the key
        raise ConfigurationError(_NO_KEY) from None
    if bits < _FEWEST_BITS:
        raise ConfigurationError(f"dkim: the private key has {bits} bits; receivers want {_FEWEST_BITS} at least")
    return key
