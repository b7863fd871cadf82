"""A login by SCRAM-SHA-256 (RFC 5802, RFC 7677), as a server has it. Pure but for its nonce."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

__all__ = ["Scram"]

_SALT: Final = b"salt of the far side"
_ROUNDS: Final = 4096  # the least that is allowed (RFC 7677 §4)


class Scram:
    """One login.

    Args:
        password_of: Gives the password of a user name, or None where there is no such user.
    """

    def __init__(self, password_of: Callable[[str], str | None]) -> None:
        self._password_of = password_of
        self._said = b""
        self._nonce = b""
        self.username = ""

    def challenge(self, first: str | None) -> str:
        """Answer the client's first message; both in base64."""
        message = base64.b64decode(first or "")
        bare = message.split(b",", 2)[2]
        fields = _fields(bare)
        self.username = fields[b"n"].decode().replace("=2C", ",").replace("=3D", "=")
        self._nonce = fields[b"r"] + secrets.token_hex(8).encode()
        answer = b"r=%s,s=%s,i=%d" % (self._nonce, base64.b64encode(_SALT), _ROUNDS)
        self._said = bare + b"," + answer
        return base64.b64encode(answer).decode()

    def success(self, final: str | None) -> str | None:
        """Answer the client's last message; None where it does not know the password."""
        message = base64.b64decode(final or "")
        without, _, proof = message.rpartition(b",p=")
        password = self._password_of(self.username)
        if password is None or _fields(without).get(b"r") != self._nonce:
            return None
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), _SALT, _ROUNDS)
        said = self._said + b"," + without
        key = _mac(salted, b"Client Key")
        wanted = bytes(a ^ b for a, b in zip(key, _mac(hashlib.sha256(key).digest(), said), strict=True))
        if not hmac.compare_digest(base64.b64encode(wanted), proof):
            return None
        return base64.b64encode(b"v=" + base64.b64encode(_mac(_mac(salted, b"Server Key"), said))).decode()


def _fields(message: bytes) -> dict[bytes, bytes]:
    return dict(re.findall(rb"(?:^|,)([a-z])=([^,]*)", message))


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
