"""Everything convergekit raises.

The branches of the tree answer the caller's one question, what can I do now::

    ConvergeError
    ├── ConfigurationError          settings missing, or at odds with each other
    ├── InvalidInputError           bytes or values that make no sense
    │   ├── SignatureError          ... or are not from whom they claim
    │   └── UnsupportedMediaTypeError  ... or are of a kind that is not read here
    ├── KeyConflictError            this key was used for other content
    ├── NotRunningError             the hub (or this part of it) is not open
    ├── DeliveryError               one attempt to hand a message over did not succeed
    │   ├── NotSentError            the other side has not taken it: try again
    │   │   └── ThrottledError      ... not before `retry_after` seconds
    │   ├── RejectedError           refused for good (RFC 3463 class 5)
    │   │   ├── UnsupportedContentError  ... by us: this channel cannot carry it
    │   │   ├── NotPermittedError   ... there: the medium's rules, or the recipient's settings
    │   │   └── SuppressedError     ... by a gate of ours: consent, loop guard, time to live
    │   ├── AccountError            not taken; the account cannot be used until a person acts
    │   │   ├── AuthenticationError ... it is refused
    │   │   └── CreditError         ... it has run out of money or quota
    │   └── UncertainError          the answer is lost; the message may have gone out
    └── StoreError                  the ledger failed
        └── LeaseLostError          ... or has given this piece of work to somebody else
"""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "AccountError",
    "AuthenticationError",
    "ConfigurationError",
    "ConvergeError",
    "CreditError",
    "DeliveryError",
    "InvalidInputError",
    "KeyConflictError",
    "LeaseLostError",
    "NotPermittedError",
    "NotRunningError",
    "NotSentError",
    "RejectedError",
    "SignatureError",
    "StoreError",
    "SuppressedError",
    "ThrottledError",
    "UncertainError",
    "UnsupportedContentError",
    "UnsupportedMediaTypeError",
    "place_of",
]

_A_MONTH: Final = 31 * 86400.0  # monthly quotas are the longest that anybody waits for


class ConvergeError(Exception):
    """The root of all that convergekit raises on purpose."""


class ConfigurationError(ConvergeError):
    """Settings are missing, or at odds with each other; the text names the setting and the way out."""


class InvalidInputError(ConvergeError, ValueError):
    """Bytes or values that make no sense; nothing was stored and nothing went out."""


class SignatureError(InvalidInputError):
    """An inbound call is not from whom it claims to be, or cannot prove it."""


class UnsupportedMediaTypeError(InvalidInputError):
    """An inbound body is of a kind that is not read here; told the caller as HTTP 415."""


class KeyConflictError(ConvergeError):
    """The caller's key was used before, to the same recipient, for other content."""


class NotRunningError(ConvergeError):
    """The hub is not entered, or is closing: use it inside `async with hub`."""


class DeliveryError(ConvergeError):
    """One attempt to hand a message to a channel did not succeed.

    Attributes:
        channel: Name of the channel, as the hub knows it; "?" until the engine knows.
        code: The remote's own code, verbatim ("550 5.1.1", "21610"), or None.
        dispatch: Id of the dispatch in the ledger, or None inside an adapter.
    """

    def __init__(
        self, reason: str, *, channel: str = "?", code: str | None = None, dispatch: str | None = None
    ) -> None:
        super().__init__(reason)  # the one positional argument, so that it pickles
        self.channel, self.code, self.dispatch = channel, code, dispatch

    @property
    def reason(self) -> str:
        """What went wrong, without the channel and the code."""
        return str(self.args[0])

    def __str__(self) -> str:
        where = "" if self.channel == "?" else f"{self.channel}: "
        return f"{where}{self.args[0]}" + (f" [{self.code}]" if self.code else "")


class NotSentError(DeliveryError):
    """The other side has not taken it: nothing left us, or it said so. It is tried again."""


class ThrottledError(NotSentError):
    """Not before `retry_after`; waiting for it costs no attempt.

    Attributes:
        retry_after: Seconds, from 0 to 31 days: whoever asks for more is asked again then, for a number of a
            remote's must not silence a channel for good.
        scope: What has to wait: this "conversation", or the whole "channel".
        asked: Whether the medium was asked. Where a budget of ours or a breaker has said so, it was not, and the ledger
            notes no attempt.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float = 1.0,
        scope: Literal["conversation", "channel"] = "channel",
        asked: bool = True,
        channel: str = "?",
        code: str | None = None,
        dispatch: str | None = None,
    ) -> None:
        super().__init__(reason, channel=channel, code=code, dispatch=dispatch)
        self.retry_after, self.scope, self.asked = min(max(0.0, retry_after), _A_MONTH), scope, asked


class RejectedError(DeliveryError):
    """Refused for good by the remote, with its code; trying again would end the same way.

    Attributes:
        kind: The class of trouble, where the remote's code tells: a `FailureKind`, or its value; else None.
    """

    def __init__(
        self,
        reason: str,
        *,
        kind: str | None = None,
        channel: str = "?",
        code: str | None = None,
        dispatch: str | None = None,
    ) -> None:
        super().__init__(reason, channel=channel, code=code, dispatch=dispatch)
        self.kind = kind


class UnsupportedContentError(RejectedError):
    """This channel cannot carry the content truthfully, and nobody allowed it to be degraded."""


class NotPermittedError(RejectedError):
    """The medium's rules, or the recipient's settings, do not let us write there; somewhere else they may.

    Attributes:
        alternative: The way that is open, in words or as an address; None where nobody knows one.
    """

    def __init__(
        self,
        reason: str,
        *,
        alternative: str | None = None,
        kind: str | None = "not_permitted",
        channel: str = "?",
        code: str | None = None,
        dispatch: str | None = None,
    ) -> None:
        super().__init__(reason, kind=kind, channel=channel, code=code, dispatch=dispatch)
        self.alternative = alternative


class SuppressedError(RejectedError):
    """A gate of ours said no: missing consent, a loop, an expired message."""


class AccountError(DeliveryError):
    """Not taken, and the account cannot be used until a person acts; the message stays queued."""


class AuthenticationError(AccountError):
    """The account's credentials are refused."""


class CreditError(AccountError):
    """The account has run out of money or quota."""


class UncertainError(DeliveryError):
    """The answer is lost: the message may have gone out. Never sent again blindly."""


class StoreError(ConvergeError):
    """The ledger failed; what was not confirmed is not stored."""


class LeaseLostError(StoreError):
    """The ledger has given this piece of work to somebody else; whoever held it must stop."""


def place_of(error: BaseException) -> str:
    """Where *error* was raised, as "module:line". For logs: the text of a stranger's exception may hold content."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_globals.get('__name__')}:{traceback.tb_lineno}" if traceback else "?"
