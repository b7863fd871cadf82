"""What the library raises, and what it means."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from typing import Final

from imapclient import IMAPClient  # type: ignore[import-untyped]

from convergekit.errors import ConfigurationError, DeliveryError, NotSentError, place_of

from ..config import ImapConfig

__all__ = ["RefusedError", "is_passing", "meaning", "said"]

_CODE: Final = re.compile(r"\[([A-Z][A-Z-]*)[] ]")
#: RFC 5530: it will be otherwise later ...
_PASSING: Final = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CORRUPTION", "OVERQUOTA"})
#: ... or not before a person has acted.
_FINAL: Final = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "CONTACTADMIN", "PRIVACYREQUIRED"})
#: QUIRK(Gmail, Exchange): refuse a login because they are busy, and have no code for it.
_BUSY: Final = re.compile(r"too many|temporar|try again|unavailable|internal|limit exceeded", re.IGNORECASE)


class RefusedError(NotSentError):
    """The server understood, and said no; the connection is as it was. `code` is that of RFC 5530, or None."""


def is_passing(refused: RefusedError) -> bool:
    """Whether a login that was refused may be taken later, by itself."""
    return refused.code in _PASSING or (refused.code not in _FINAL and _BUSY.search(refused.reason) is not None)


def meaning(error: Exception, config: ImapConfig, secrets: Iterable[str]) -> Exception:
    """Ours for *error*, of the library or of what is under it; none of *secrets* is in it."""
    host = config.host
    if isinstance(error, DeliveryError | ConfigurationError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"imap: the certificate of {host} is not to be trusted ({error.verify_message}): "
            "set imap.host to the name that it is for, or imap.ca to who has signed it"
        )
    if isinstance(error, ssl.SSLError):
        return NotSentError(f"imap: TLS with {host} failed ({error.reason or type(error).__name__})")
    if isinstance(error, IMAPClient.ReadOnlyError):
        return RefusedError("it is read-only", code="READ-ONLY")
    # Of a login the library says that it failed, also where it was the line that did.
    if isinstance(error, IMAPClient.AbortError) or isinstance(error.__context__, IMAPClient.AbortError):
        return NotSentError(f"imap: the connection to {host} is lost: {said(error, secrets)}")
    if isinstance(error, IMAPClient.Error):
        words = said(error, secrets)
        code = _CODE.search(words)
        return RefusedError(words, code=code[1] if code else None)
    if isinstance(error, TimeoutError):
        return NotSentError(f"imap: {host} did not answer within {config.timeout:g} s")
    if isinstance(error, OSError):
        return NotSentError(f"imap: the connection to {host} is lost: {type(error).__name__}")
    return NotSentError(f"imap: what {host} says makes no sense ({type(error).__name__} at {place_of(error)})")


def said(error: Exception, secrets: Iterable[str]) -> str:
    """The words of the server in *error*, for people: on one line, without what is secret."""
    text = " ".join(str(error).removeprefix("b'").split())
    for secret in secrets:
        text = text.replace(secret, "***")
    return "".join(filter(str.isprintable, text))[:200]
