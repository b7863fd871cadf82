"""What becomes of the next requests, where it is not what X does when all is well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import httpx

from ._answers import Problem, ok

if TYPE_CHECKING:
    from ._server import XServer

__all__ = [
    "ClosesAtOnce",
    "CreditsDepleted",
    "Duplicate",
    "EmptyError",
    "HtmlError",
    "LostAnswer",
    "Nonsense",
    "NotSummoned",
    "Partial",
    "Passes",
    "Proceed",
    "Refused",
    "Reset",
    "Slow",
    "Step",
    "Throttled",
]


class Proceed(Protocol):
    """Does what was asked for."""

    async def __call__(self, refusal: Problem | None = None) -> httpx.Response:
        """Do it, unless it is to be refused: then only what comes before it, who asks and how often."""
        ...


class Step(ABC):
    """What becomes of one request."""

    @abstractmethod
    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """The answer; *proceed* does what was asked for, and gives the answer to that."""


@dataclass(frozen=True, slots=True)
class Passes(Step):
    """All is well: to let one through between others."""

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        return await proceed()


@dataclass(frozen=True, slots=True)
class Throttled(Step):
    """429; nothing was done.

    Attributes:
        reset: Whether the headers say until when.
        seconds: Until then.
        code: The body in the shape of v1.1, with this code (88) instead of a problem.
    """

    reset: bool = True
    seconds: int = 900
    code: int | None = None

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        answer = Problem(429, "Too Many Requests").answer(server.host)
        if self.code is not None:
            answer = ok({"errors": [{"code": self.code, "message": "Rate limit exceeded"}]}, 429)
        if self.reset:
            until = int(server.now().timestamp()) + self.seconds
            said = {"limit": 100, "remaining": 0, "reset": until}
            answer.headers.update({f"x-rate-limit-{name}": str(value) for name, value in said.items()})
        return answer


@dataclass(frozen=True, slots=True)
class Refused(Step):
    """A problem; nothing was done.

    Attributes:
        status: Of HTTP.
        detail: What X says.
        problem: The last part of the problem's type; without it, `about:blank`.
    """

    status: int = 403
    detail: str = "You are not permitted to perform this action."
    problem: str | None = None

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        return await proceed(Problem(self.status, self.detail, self.problem))


class CreditsDepleted(Refused):
    """402; nothing was done, and the headers say that there is plenty left."""

    def __init__(self) -> None:
        super().__init__(402, "credits depleted", "credits-depleted")


class Duplicate(Refused):
    """403: the same was posted before."""

    def __init__(self) -> None:
        super().__init__(403, "You are not allowed to create a Tweet with duplicate content.")


class NotSummoned(Refused):
    """403: who wrote the post has not asked the account to answer."""

    def __init__(self) -> None:
        super().__init__(403, "Reply to this conversation is not allowed because you have not been mentioned.")


@dataclass(frozen=True, slots=True)
class Partial(Step):
    """It is done, and with the data comes an error."""

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        answer = await proceed()
        problem = Problem(200, "Part of what was asked for is missing.", "resource-not-found", title="Not Found Error")
        whole = answer.json()
        done = ok({**whole, "errors": [*whole.get("errors", ()), problem.body(server.host)]}, answer.status_code)
        done.headers.update({name: value for name, value in answer.headers.items() if name.startswith("x-")})
        return done


@dataclass(frozen=True, slots=True)
class HtmlError(Step):
    """A page for people, as what stands before X has it; nothing was done, unless *commits*."""

    status: int = 503
    commits: bool = False

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        if self.commits:
            await proceed()
        return httpx.Response(self.status, html="<html><body><h1>Over capacity</h1></body></html>")


@dataclass(frozen=True, slots=True)
class EmptyError(Step):
    """A status and nothing else; nothing was done."""

    status: int = 401

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        return httpx.Response(self.status)


@dataclass(frozen=True, slots=True)
class Nonsense(Step):
    """It is done, and the answer is not what it should be."""

    status: int = 200

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        await proceed()
        return httpx.Response(self.status, headers={"content-type": "application/json"}, content=b'{"data": ')


@dataclass(frozen=True, slots=True)
class LostAnswer(Step):
    """It is done, and the connection is closed without an answer."""

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        await proceed()
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """The connection is reset once the request has come; nothing was done, unless *commits*."""

    commits: bool = False

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        if self.commits:
            await proceed()
        raise httpx.ReadError("Connection reset by peer")


@dataclass(frozen=True, slots=True)
class Slow(Step):
    """It is done at once, and the answer comes after *seconds*: too late, for most."""

    seconds: float

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        answer = await proceed()
        await server.sleep(self.seconds)
        return answer


@dataclass(frozen=True, slots=True)
class ClosesAtOnce(Step):
    """A stream that is opened, and closed before anything came."""

    async def play(self, server: XServer, proceed: Proceed) -> httpx.Response:
        """See `Step.play`."""
        return httpx.Response(200, headers={"content-type": "application/json"}, stream=_Nothing())


class _Nothing(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk
