"""What is said to log in (SASL, RFC 4422), to a server of SMTP and to one of IMAP alike. Pure."""

from __future__ import annotations

__all__ = ["plain", "xoauth2"]


def plain(username: str, password: str) -> str:
    """All that PLAIN says (RFC 4616 §2), before it is in base64."""
    return f"\0{username}\0{password}"


def xoauth2(username: str, token: str) -> str:
    """All that XOAUTH2 says, as Google and Microsoft describe it, before it is in base64."""
    return f"user={username}\1auth=Bearer {token}\1\1"
