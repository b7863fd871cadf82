"""Every way in which a server, or the way to it, says no: as our errors.

The texts name the setting and the way out. A server's own words are cleaned and cut, and never more than a hint.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final
from xml.etree.ElementTree import Element

from convergekit.errors import AccountError, AuthenticationError, DeliveryError, NotSentError

from ..config import XmppConfig

__all__ = ["cleaned", "condition_of", "refused_connection", "refused_login", "refused_stream"]

_WORDS: Final = 200

#: RFC 6120 §6.5. What is not listed refuses the credentials, too: a password that is wrong must not be tried for ever.
_LOGIN: Final = {
    "not-authorized": "`jid` and `password` are refused",
    "account-disabled": "the account of `jid` is disabled: its server's operator knows why",
    "credentials-expired": "`password` has expired",
    "encryption-required": "the server wants encryption before the login: set `security`",
    "mechanism-too-weak": "the server refuses the mechanism for being too weak: allow a stronger one in `mechanisms`",
    "invalid-authzid": "the server does not let this account act as `jid`",
}
#: RFC 6120 §4.9.3: with these it wants us to stay away until a person has acted. A policy that was violated is none of
#: them: ejabberd has one against who has not acknowledged 5,000 stanzas, and anybody may send so many.
_STREAM: Final = {
    "conflict": "another connection has taken our place: each needs a `resource`, or a component a `jid`, of its own",
    "host-unknown": "the server does not serve the domain of `jid`: look at `jid` and `host`",
    "host-gone": "the server no longer serves the domain of `jid`",
    "not-authorized": "the server has ended the stream: it does not allow what was asked",
    "invalid-from": "the server does not accept our address: look at `jid`",
    "unsupported-version": "the server speaks no XMPP 1.0",
}


def refused_login(condition: str, text: str | None = None) -> DeliveryError:
    """What a SASL failure means, by its condition and its text."""
    said = _said(text)
    if condition == "temporary-auth-failure":
        return NotSentError(f"the server cannot look at the credentials now{said}", code=condition)
    reason = _LOGIN.get(condition, "the login is refused: look at `jid`, `password` and `mechanisms`")
    return AuthenticationError(f"{reason}{said}", code=condition)


def refused_stream(error: Element, config: XmppConfig) -> DeliveryError:
    """What a stream error means (RFC 6120 §4.9)."""
    condition = condition_of(error)
    said = _said(next((each.text for each in error if each.tag.endswith("}text")), None))
    if config.is_component and condition == "not-authorized":
        return AuthenticationError(f"`password` is not the secret of this component{said}", code=condition)
    if condition in _STREAM:
        return AccountError(f"{_STREAM[condition]}{said}", code=condition)
    if condition == "see-other-host":
        where = cleaned(next((each.text for each in error if each.tag.endswith("}see-other-host")), None))
        return NotSentError(f"the server sends us to another one ({where}): set `host`, if it stays so", code=condition)
    return NotSentError(f"the server has ended the stream{said}", code=condition)


def refused_connection(exc: BaseException, config: XmppConfig) -> DeliveryError:
    """What keeps us from a server, or has taken it from us."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        trust = "`ca`" if config.ca else "the system's certificates; `ca` names others"
        return AccountError(
            f"the server does not prove that it is {config.domain}: {cleaned(exc.verify_message)} (trusted: {trust})"
        )
    if isinstance(exc, ssl.SSLError) and exc.reason == "TLSV1_UNRECOGNIZED_NAME":
        return AccountError(f"the server is not that of {config.domain}: look at `jid` and `host`")
    if isinstance(exc, ssl.SSLError):
        return NotSentError(f'no TLS with the server: {cleaned(exc.reason)}; `security` is "{config.security}"')
    if isinstance(exc, socket.gaierror):
        host = config.address[0] if config.address else config.domain
        return NotSentError(f"no address of {host} is known: look at `host`, or the domain of `jid`")
    said = cleaned(exc.strerror) if isinstance(exc, OSError) else ""
    return NotSentError(f"no connection with the server: {said or type(exc).__name__}{_hint(exc, config)}")


def _hint(exc: BaseException, config: XmppConfig) -> str:
    if isinstance(exc, ConnectionRefusedError):
        return "; look at `host` and `port`"
    if isinstance(exc, ConnectionResetError):  # what a port for TLS does where STARTTLS is spoken
        return f'; where it is always so, `security` = "{config.security}" is not that of the port'
    return ""


def condition_of(error: Element) -> str:
    """The defined condition in *error*, of whichever kind it is; "undefined-condition" where there is none."""
    for each in error:
        name = each.tag.rpartition("}")[2]
        if name != "text" and name.replace("-", "").isalpha() and len(name) < 40:
            return name
    return "undefined-condition"


def cleaned(text: str | None) -> str:
    """*text*, which a server chose, in one short line."""
    words = " ".join("".join(each if each.isprintable() else " " for each in (text or "")[: 4 * _WORDS]).split())
    return words if len(words) <= _WORDS else f"{words[:_WORDS]}..."


def _said(text: str | None) -> str:
    return f" ({words})" if (words := cleaned(text)) else ""
