"""One mail on the wire: its envelope as commands, its content as lines. Pure.

Nothing of it can end a line that it does not end on purpose: addresses with spaces, angle brackets or control
characters are refused, and no CR and no LF leaves alone, which some servers would take for the end of a line, and
behind it for the end of the mail (SMTP smuggling).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from convergekit.errors import RejectedError, UnsupportedContentError

from .extensions import Extensions

__all__ = ["SmtpEnvelope", "commands", "in_lines", "stuffed"]

_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\xa0<>\u2028\u2029\ud800-\udfff]")
_NOT_XCHAR: Final = re.compile(r"[^!-*,-<>-~]")  # RFC 3461 §4
_NOT_QUCHAR: Final = re.compile(r"[\x00-\x20+=\\\x7f]")  # RFC 6533 §3
_MAX_ENVID: Final = 100  # RFC 3461 §4.4
_NOTIFY: Final = ("never", "success", "failure", "delay")
_RET: Final = {"headers": "HDRS", "full": "FULL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpEnvelope:
    """Who a mail is from and to, as far as servers are concerned (RFC 5321 §2.3.1).

    Args:
        reverse_path: Bare address that reports go to; "" for a mail that must not cause any.
        recipient: Bare address.
        envid: Comes back in reports (RFC 3461 §4.4). This and the following are left out where DSN is not offered.
        notify: Which reports are asked for: "success", "failure", "delay", or only "never"; empty for what the server
            does by itself (§4.1).
        ret: How much of the mail a report of failure has (§4.3).
        orcpt: The recipient as the sender knows it, a bare address (§4.2).
        needs_smtputf8: Whether there are characters beyond ASCII in the header. In the two addresses they are found.
    """

    reverse_path: str
    recipient: str
    envid: str | None = None
    notify: frozenset[str] = frozenset()
    ret: Literal["headers", "full"] | None = None
    orcpt: str | None = None
    needs_smtputf8: bool = False

    @property
    def is_international(self) -> bool:
        """Whether it needs a server with SMTPUTF8 (RFC 6531)."""
        return self.needs_smtputf8 or not (self.reverse_path.isascii() and self.recipient.isascii())

    def refuse_unsafe(self) -> None:
        """Raise `UnsupportedContentError` where something in it cannot stand in a command; the text does not show it.

        To be asked before a connection is touched.
        """
        for name in ("reverse_path", "recipient", "envid", "orcpt"):
            if (found := _UNSAFE.search(getattr(self, name) or "")) is not None:
                raise UnsupportedContentError(
                    f"{name} has the character U+{ord(found[0]):04X}, with which it cannot stand in an SMTP command"
                )
        if not self.recipient:
            raise UnsupportedContentError("recipient is empty")
        if len(self.envid or "") > _MAX_ENVID:
            raise UnsupportedContentError(f"envid is longer than {_MAX_ENVID} characters")
        if not self.notify <= set(_NOTIFY) or ("never" in self.notify and len(self.notify) > 1):
            raise UnsupportedContentError('notify is any of "success", "failure" and "delay", or only "never"')


def commands(envelope: SmtpEnvelope, extensions: Extensions, content: bytes) -> tuple[bytes, bytes]:
    """The commands MAIL and RCPT, for a server that offers *extensions*.

    Args:
        envelope: Has passed `refuse_unsafe`.
        extensions: Of this connection.
        content: As `in_lines` gives it: its size is announced.

    Raises:
        RejectedError: The server cannot take it, and would say so: "552 5.3.4" where it is too large, "553 5.6.7"
            where an address or a header field needs SMTPUTF8. Nothing has been sent.
        UnsupportedContentError: The content has octets above 127, and the server does not offer 8BITMIME.
    """
    if envelope.is_international and not extensions.smtputf8:
        raise RejectedError("it has characters beyond ASCII, and the server does not offer SMTPUTF8", code="553 5.6.7")
    if extensions.size and len(content) > extensions.size:
        why = f"the mail has {len(content)} octets, and the server takes {extensions.size} (SIZE)"
        raise RejectedError(why, code="552 5.3.4")
    is_ascii = content.isascii()
    if not is_ascii and not extensions.eight_bit:
        raise UnsupportedContentError("it has octets above 127, and the server does not offer 8BITMIME")
    mail = [f"MAIL FROM:<{envelope.reverse_path}>"]
    rcpt = [f"RCPT TO:<{envelope.recipient}>"]
    if extensions.size is not None:
        mail.append(f"SIZE={len(content)}")  # RFC 1870 §3: without the dots that are doubled
    if not is_ascii:
        mail.append("BODY=8BITMIME")
    if envelope.is_international:
        mail.append("SMTPUTF8")
    if extensions.dsn:
        mail += _dsn_of_mail(envelope)
        rcpt += _dsn_of_recipient(envelope)
    return _line(mail), _line(rcpt)


def _dsn_of_mail(envelope: SmtpEnvelope) -> list[str]:
    found = [] if envelope.ret is None else [f"RET={_RET[envelope.ret]}"]
    return found if envelope.envid is None else [*found, f"ENVID={_xtext(envelope.envid)}"]


def _dsn_of_recipient(envelope: SmtpEnvelope) -> list[str]:
    asked = [name.upper() for name in _NOTIFY if name in envelope.notify]
    found = [f"NOTIFY={','.join(asked)}"] if asked else []
    if envelope.orcpt is None:
        return found
    if envelope.orcpt.isascii():
        return [*found, f"ORCPT=rfc822;{_xtext(envelope.orcpt)}"]
    return [*found, f"ORCPT=utf-8;{_unitext(envelope.orcpt)}"] if envelope.is_international else found


def _line(words: list[str]) -> bytes:
    return " ".join(words).encode() + b"\r\n"


def _xtext(text: str) -> str:
    """RFC 3461 §4: what could be taken for the end of the value, as + and two hexadecimal digits an octet."""
    return _NOT_XCHAR.sub(lambda found: "".join(f"+{octet:02X}" for octet in found[0].encode()), text)


def _unitext(text: str) -> str:
    r"""RFC 6533 §3: characters as they are, and those that could be taken for the end of the value as \x{2B}."""
    return _NOT_QUCHAR.sub(lambda found: rf"\x{{{ord(found[0]):02X}}}", text)


def in_lines(content: bytes) -> bytes:
    """*content* with CRLF at the end of each line, and of the last one; no CR and no LF alone (RFC 5321 §2.3.8).

    Costs next to nothing, and copies nothing, where that is how it comes.
    """
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def stuffed(content: bytes) -> bytes:
    """*content*, which is `in_lines`, with the dots at the beginning of lines doubled (RFC 5321 §4.5.2)."""
    content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content
