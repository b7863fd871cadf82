"""What a server says that it can do (RFC 5321 §4.1.1.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["Extensions"]

_DIGITS: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What the server on the other end of one connection offers, after TLS and login.

    Args:
        pipelining: Several commands may be sent at once (RFC 2920).
        size: Octets of the largest mail; 0 where the server has SIZE and names no limit, None without it (RFC 1870).
        eight_bit: The content may have octets above 127 (RFC 6152).
        smtputf8: So may addresses and header fields (RFC 6531).
        dsn: Reports may be asked for (RFC 3461).
    """

    pipelining: bool = False
    size: int | None = None
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False

    @classmethod
    def offered(cls, keywords: Mapping[str, str]) -> Self:
        """As *keywords*, which are in lower case, each with its parameters, say it."""
        # RFC 6531 §3.1: whoever offers SMTPUTF8 offers 8BITMIME; without that, such a mail could not be written.
        eight_bit = "8bitmime" in keywords
        return cls(
            pipelining="pipelining" in keywords,
            size=_number(keywords["size"]) if "size" in keywords else None,
            eight_bit=eight_bit,
            smtputf8=eight_bit and "smtputf8" in keywords,
            dsn="dsn" in keywords,
        )


def _number(text: str) -> int:
    """What is no number, or none that anybody means, is no limit."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
