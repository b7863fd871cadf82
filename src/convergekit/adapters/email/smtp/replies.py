"""What a server answers, and what that means to the mail. Pure.

The outcome is decided by how far the transaction had come, and by the reply's first digit; `_OUTCOMES` has what differs
from that. Until the data has come to its end nothing is taken, so whatever goes wrong before is no harm; what goes
wrong afterwards leaves the outcome unknown, except where the server says it.

A server's text is a stranger's: it is cut, and has no control characters, wherever it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)

__all__ = ["Accepted", "MalformedReply", "Reply", "ReplyReader", "Step", "broken_at", "error_for"]

#: RFC 5321 §4.5.3.1.5 has 512 octets for a line; some servers have more to say. No more replies come at once than
#: commands are sent at once.
_MAX_LINE, _MAX_REPLY, _MAX_AT_ONCE = 8192, 65_536, 16
_MAX_SHOWN: Final = 500

#: Seconds to wait where a server speaks of rates; none has a way to say how long.
_PAUSE: Final = 60.0

_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)  # RFC 5321 §4.2
_ENHANCED: Final = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)", re.MULTILINE)  # RFC 2034 §4
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")

#: How servers speak of rates, in what they say to be tried again. "Over quota" is about a mailbox that is full.
_RATE: Final = re.compile(
    r"\brates?\b|throttl|slow(ing)? down|too (many|much|fast|quickly|often|frequent)"
    r"|(limit|quota)s? (was |has been |have been |is |are )?(exceeded|reached)|exceeded .{0,40}(limit|quota)",
    re.IGNORECASE,
)
#: What somebody is called says nothing of rates: `rates@example.org`.
_ADDRESS: Final = re.compile(r"\S*@\S*")
#: RFC 3463 §3.3 and §3.4: a full mailbox, a full disk; §3.6: too many recipients of one mail.
_NO_RATE: Final = frozenset({"4.2.2", "4.3.1", "4.5.3"})

#: Under which name servers keep what they have taken: Postfix; Exim; Exchange; Sendmail, OpenSMTPD; qmail; others.
_QUEUE_IDS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bqueued as ([\w.-]+)",
        r"\bid=([\w.-]+)",
        r"\bInternalId=(\w+)",
        r"^([\w.-]+) Message accepted\b",
        r"\bqp (\d+)\b",
        r"^Ok:? ([\w.-]{8,})$",
    )
)


class Step(StrEnum):
    """What was answered, or should have been."""

    GREETING = "the connection"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "the content"
    """Still on its way: what is answered now speaks of what is there."""
    END = "the end of the data"
    """From here on the server may have it."""


class MalformedReply(ValueError):
    """What came is no reply (RFC 5321 §4.2), or has no end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, of one line or of several.

    Args:
        code: Three digits.
        raw: What it says, its lines joined by LF; see `text`.
    """

    code: int
    raw: bytes = b""

    @property
    def digit(self) -> int:
        """The first of `code`: 2 is yes, 3 is yes and go on, 4 is not now, 5 is no."""
        return self.code // 100

    @property
    def text(self) -> str:
        """What it says, without the code of RFC 3463: at most 500 characters, none of them a control character."""
        return " ".join(_UNPRINTABLE.sub(" ", _ENHANCED.sub("", self._decoded)).split())[:_MAX_SHOWN]

    @property
    def enhanced(self) -> str | None:
        """The code of RFC 3463, such as "5.1.1", where there is one that agrees with `code` (RFC 2034 §4)."""
        found = _ENHANCED.match(self._decoded)
        return found[0] if found and int(found[1]) == self.digit else None

    @property
    def status(self) -> str:
        """Both codes: "550 5.1.1", or "550"."""
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)

    @property
    def queue_id(self) -> str | None:
        """Under which name the server keeps what it has taken, where it says so in a way that we know."""
        text = self.text
        return next((found[1] for pattern in _QUEUE_IDS if (found := pattern.search(text))), None)

    @property
    def _decoded(self) -> str:
        return self.raw[: 4 * _MAX_SHOWN].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has taken the mail and answers for it from now on.

    Args:
        code: Of its reply: 250.
        enhanced: As of RFC 3463, or None.
        text: What it said.
        queue_id: Under which name it keeps the mail, where it says so.
    """

    code: int
    enhanced: str | None
    text: str
    queue_id: str | None

    @classmethod
    def by(cls, reply: Reply) -> Accepted:
        """As *reply* says it."""
        return cls(reply.code, reply.enhanced, reply.text, reply.queue_id)


class ReplyReader:
    """Makes replies of what comes in, in whatever pieces; within bounds, whatever comes."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun: list[bytes] = []
        self._code: bytes | None = None
        self._size = 0

    @property
    def is_amid(self) -> bool:
        """Whether a reply has begun, and has no end yet."""
        return bool(self._rest or self._begun)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that *data* brings to an end.

        Raises:
            MalformedReply: There is no way to tell where the next one begins.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        replies = [reply for line in lines if (reply := self._take(line)) is not None]
        if len(self._rest) > _MAX_LINE or len(replies) > _MAX_AT_ONCE:
            raise MalformedReply("a reply has no end, or there are too many")
        return replies

    def _take(self, line: bytes) -> Reply | None:
        found = _LINE.fullmatch(line.removesuffix(b"\r"))
        self._size += len(line) + 1
        if found is None or len(line) > _MAX_LINE or self._size > _MAX_REPLY or found[1] != (self._code or found[1]):
            raise MalformedReply("a line is not a reply's, or too long")
        self._begun.append(found[3] or b"")
        if found[2] == b"-":
            self._code = found[1]
            return None
        reply = Reply(int(found[1]), b"\n".join(self._begun))
        self._begun, self._code, self._size = [], None, 0
        return reply


#: What a reply means that is no yes, where its first digit does not tell, or means something else at that step. The
#: most specific key decides: code and RFC 3463 code, code, digit and step, digit.
_OUTCOMES: Final[Mapping[str, type[DeliveryError]]] = MappingProxyType(
    {
        "4": NotSentError,
        "5": RejectedError,
        # Refused before there was a mail to refuse: it is us whom the server does not want, and a person has to find
        # out why. RFC 5321 §3.1: a greeting of 554 says that there is no mail server here.
        f"5 {Step.GREETING}": AccountError,
        f"5 {Step.EHLO}": AccountError,
        f"5 {Step.STARTTLS}": AccountError,
        f"5 {Step.AUTH}": AuthenticationError,
        # RFC 4954 §6, at whatever command they come.
        "530": AuthenticationError,
        "534": AuthenticationError,
        "535": AuthenticationError,
        "538": AuthenticationError,
        "432 4.7.12": AuthenticationError,
        # QUIRK(Gmail): the account may not send more today. It says so for good, and means it until tomorrow.
        "550 5.4.5": CreditError,
    }
)


def error_for(step: Step, reply: Reply) -> DeliveryError:
    """What *reply*, which is not the one that was hoped for, means to the mail."""
    keys = (reply.status, str(reply.code), f"{reply.digit} {step}", str(reply.digit))
    outcome = next((_OUTCOMES[key] for key in keys if key in _OUTCOMES), None)
    if outcome is None:
        return broken_at(step, f"the server answered {reply.code} out of turn")
    reason = f"the server answered {step} with: {reply.text}" if reply.text else f"the server refused {step}"
    if reply.digit == 4 and reply.enhanced not in _NO_RATE and _RATE.search(_ADDRESS.sub(" ", reply.text)):
        # RFC 3463 §3.2 and §3.3: x.1.x and x.2.x are about one address, so that others are not concerned.
        scope: Literal["conversation", "channel"] = "channel"
        if step is Step.RCPT and (reply.enhanced or "").startswith(("4.1.", "4.2.")):
            scope = "conversation"
        return ThrottledError(reason, retry_after=_PAUSE, scope=scope, code=reply.status)
    if issubclass(outcome, AuthenticationError):
        reason += "; see smtp.username, and smtp.password or smtp.oauth"
    return outcome(reason, code=reply.status)


def broken_at(step: Step, what: str) -> DeliveryError:
    """What it means to the mail that *what* happened instead of an answer to *step*."""
    if step is Step.END:
        return UncertainError(f"{what} after the end of the data: the server may have the mail")
    if step is Step.GREETING:
        return NotSentError(f"{what}: if that stays so, see smtp.host, smtp.port and smtp.security")
    return NotSentError(f"{what} ({step}): the server has not taken the mail")
