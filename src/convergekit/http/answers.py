"""From what happened on the wire to the four outcomes: one table, and everybody may change a copy of it.

    QUIRKS = OUTCOMES | {409: Outcome.REJECTED, "503+retry-after": Outcome.NOT_SENT}

The most specific key decides: `"503+retry-after"`, `"5xx+retry-after"`, `503`, then `"5xx"`; a `Fault` stands for what
ended without a status. Whatever is in no table is uncertain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    InvalidInputError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)

__all__ = ["OUTCOMES", "Fault", "HttpAnswer", "Outcome", "Outcomes", "error_for", "keys_for", "outcome_for"]


class Outcome(StrEnum):
    """What an answer means to the message that was sent."""

    TAKEN = "taken"
    """The other side has it: a receipt."""
    NOT_SENT = "not_sent"
    """It does not have it, and may be asked again: `NotSentError`."""
    THROTTLED = "throttled"
    """Likewise, after a while: `ThrottledError`."""
    REJECTED = "rejected"
    """It refused for good: `RejectedError`."""
    AUTHENTICATION = "authentication"
    """The credentials are refused: `AuthenticationError`."""
    CREDIT = "credit"
    """The account has no money or quota left: `CreditError`."""
    ACCOUNT = "account"
    """The account cannot be used for another reason, until a person acts: `AccountError`."""
    UNCERTAIN = "uncertain"
    """It may have it: `UncertainError`."""


class Fault(StrEnum):
    """How a call ended that brought no usable answer."""

    INVALID = "invalid"
    """The request cannot be written: a bad URL, an illegal header value."""
    CONNECT = "connect"
    """There is no connection; not one byte of the request left us."""
    TIMEOUT_BEFORE = "timeout_before"
    """Time ran out before the first byte of the request was written."""
    TIMEOUT_AFTER = "timeout_after"
    """Time ran out afterwards."""
    LOST = "lost"
    """The connection ended after the first byte of the request and before the answer."""
    MALFORMED = "malformed"
    """What came back is not HTTP."""
    UNREADABLE = "unreadable"
    """It is a success whose body is not what was expected, or is not all there."""


Outcomes: TypeAlias = Mapping[int | str, Outcome]

#: Cautious: what may have been taken is uncertain, and an adapter that knows its provider says so in its own copy.
OUTCOMES: Final[MappingProxyType[int | str, Outcome]] = MappingProxyType(
    {
        Fault.INVALID: Outcome.REJECTED,  # the next attempt would fail in the same way
        Fault.CONNECT: Outcome.NOT_SENT,
        Fault.TIMEOUT_BEFORE: Outcome.NOT_SENT,
        Fault.TIMEOUT_AFTER: Outcome.UNCERTAIN,
        Fault.LOST: Outcome.UNCERTAIN,
        Fault.MALFORMED: Outcome.UNCERTAIN,
        Fault.UNREADABLE: Outcome.UNCERTAIN,
        "2xx": Outcome.TAKEN,
        "3xx": Outcome.REJECTED,  # never followed: a redirect would take the message, and its credentials, elsewhere
        "4xx": Outcome.REJECTED,
        "5xx": Outcome.UNCERTAIN,
        401: Outcome.AUTHENTICATION,
        402: Outcome.CREDIT,
        403: Outcome.AUTHENTICATION,
        407: Outcome.ACCOUNT,
        408: Outcome.NOT_SENT,  # RFC 9110 §15.5.9: the server did not get a complete request
        409: Outcome.UNCERTAIN,  # mostly a conflict with an earlier attempt under the same key
        425: Outcome.NOT_SENT,  # RFC 8470 §5.2: unwilling to process it
        429: Outcome.THROTTLED,
        # RFC 9110 §15.6.4 means "not processed", and one who says when to come back means it. Without that, proxies
        # (Envoy, load balancers) also answer 503 when the connection behind them broke after the request was passed on.
        "503+retry-after": Outcome.THROTTLED,
        503: Outcome.UNCERTAIN,
    }
)

_ERRORS: Final[Mapping[Outcome, type[DeliveryError]]] = MappingProxyType(
    {
        Outcome.NOT_SENT: NotSentError,
        Outcome.THROTTLED: ThrottledError,
        Outcome.REJECTED: RejectedError,
        Outcome.AUTHENTICATION: AuthenticationError,
        Outcome.CREDIT: CreditError,
        Outcome.ACCOUNT: AccountError,
        Outcome.UNCERTAIN: UncertainError,
    }
)

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

#: Seconds to wait after "too many requests" that does not say how long.
_UNSAID: Final = 60.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back.

    Args:
        status: Three digits.
        headers: Names in lower case; a field that came several times is joined by ", " (RFC 9110 §5.2).
        body: At most as much as was asked for.
        complete: Whether `body` is all of it: False when it was longer than the limit, or broke off.
        retry_after: Seconds to wait, where the answer says so, or None.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    complete: bool = True
    retry_after: float | None = None

    @property
    def reason(self) -> str:
        """The status in words, which are ours: the answer's own are the other side's text."""
        try:
            said = f"the server answered {HTTPStatus(self.status).phrase!r}"
        except ValueError:
            return "the server answered with a status of its own"
        return f"{said}, and no redirect is followed" if self.status in _REDIRECTS else said

    def json(self) -> Any:
        """The body's content; raises `InvalidInputError` where that is no JSON, or not all of it."""
        if not self.complete:
            raise InvalidInputError("the answer's body is not all there")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise InvalidInputError("the answer's body is not JSON") from None  # the cause would show the body

    def error(
        self, outcomes: Outcomes = OUTCOMES, *, reason: str | None = None, code: str | None = None, channel: str = "?"
    ) -> DeliveryError | None:
        """What *outcomes* make of this answer; None where it says that the message was taken.

        Args:
            outcomes: The table.
            reason: In words, without secrets and message content; the status in words when None.
            code: The provider's own code, where it has a better one than the status.
            channel: Name of the channel.
        """
        outcome = outcome_for(self.status, outcomes, retry_after=self.retry_after)
        return error_for(
            outcome,
            reason or self.reason,
            code=code or str(self.status),
            retry_after=self.retry_after,
            channel=channel,
        )


def outcome_for(status: int, outcomes: Outcomes = OUTCOMES, *, retry_after: float | None = None) -> Outcome:
    """What *outcomes* say about *status*, with or without a `Retry-After`."""
    keys = keys_for(status, retry_after=retry_after)
    return next((outcomes[key] for key in keys if key in outcomes), Outcome.UNCERTAIN)


def keys_for(status: int, *, retry_after: float | None = None) -> tuple[int | str, ...]:
    """Under what a table has *status*, with or without a `Retry-After`; the most specific key first."""
    keys = (status, f"{status // 100}xx")
    return keys if retry_after is None else (*(f"{key}+retry-after" for key in keys), *keys)


def error_for(
    outcome: Outcome,
    reason: str,
    *,
    code: str | None = None,
    retry_after: float | None = None,
    channel: str = "?",
) -> DeliveryError | None:
    """The error that stands for *outcome*; None for TAKEN."""
    if outcome is Outcome.TAKEN:
        return None
    if outcome is Outcome.THROTTLED:
        wait = _UNSAID if retry_after is None else retry_after
        return ThrottledError(reason, retry_after=wait, code=code, channel=channel)
    return _ERRORS[outcome](reason, code=code, channel=channel)
