"""What a signature scheme is: a value that signs calls, and tells which are genuine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

__all__ = ["Challenge", "Incoming", "SignatureScheme", "Verified"]

_NONE: Mapping[str, str] = {}


class Incoming(Protocol):
    """A call as it came; `convergekit.abc.Request` is one."""

    @property
    def method(self) -> str:
        """In upper case."""
        ...

    @property
    def path(self) -> str:
        """Behind the prefix of whoever serves it; "" or starting with "/"."""
        ...

    @property
    def query(self) -> str:
        """Undecoded, without "?"."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names are looked up in lower case; latin-1 text, and several of one name are joined by ", "."""
        ...

    @property
    def body(self) -> bytes:
        """As it came."""
        ...

    @property
    def url(self) -> str | None:
        """The public URL with its query, from the configuration and never from the call; None where nobody said it."""
        ...


class Verified(NamedTuple):
    """What a good signature vouches for.

    Args:
        id: The sender's id of the message, the same when it is sent again; None where none is signed. Schemes that
            sign none but whose provider sends one in a header give that, and say so.
        timestamp: Unix seconds, of the attempt; None where none is signed.
        key_index: Which of our secrets it was.
    """

    id: str | None = None
    timestamp: int | None = None
    key_index: int = 0


class Challenge(NamedTuple):
    """The answer to a call that only wants to know whether we are who we should be.

    Args:
        status: Of HTTP.
        body: What is answered.
        headers: Beside those of every answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = _NONE


@runtime_checkable
class SignatureScheme(Protocol):
    """One way to sign calls, with its secrets. Those of a host's own fit wherever ours do."""

    def sign(
        self,
        id: str,
        at: datetime,
        body: bytes,
        *,
        method: str = "POST",
        url: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, str]:
        """The headers that prove *body* to come from us.

        Args:
            id: Of the message, the same over all attempts.
            at: Time of this attempt; aware.
            body: As it will be sent.
            method: Of the request.
            url: Where it goes, with its query.
            headers: What is sent beside these, with names in lower case; for schemes that sign some of them.

        Raises:
            ConfigurationError: This scheme cannot sign, or not that, or has no secret to sign with.
        """
        ...

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """Check that *request* comes from somebody who has one of the secrets, and that it is fresh at *now*.

        Raises:
            SignatureError: It does not; and nothing else, whatever came.
        """
        ...

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """The answer where *request* is a challenge; None where it is none, which has to be verified then."""
        ...
