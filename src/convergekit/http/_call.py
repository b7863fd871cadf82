"""One request under way, and how far it has come."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ._library import fault_of, is_distrust
from .answers import Fault
from .syntax import is_header, is_token, origin_of

__all__ = ["Call"]

#: What the error says. Never the client library's own text: it may quote the URL, or a header that is a secret.
_WORDS: Final[Mapping[Fault, str]] = {
    Fault.INVALID: "the request cannot be written: its URL or one of its headers is malformed",
    Fault.CONNECT: "no connection",
    Fault.TIMEOUT_BEFORE: "no connection in time",
    Fault.TIMEOUT_AFTER: "no answer in time",
    Fault.LOST: "the connection ended before the answer was there",
    Fault.MALFORMED: "the answer is not HTTP, or the connection was closed instead of it",
    Fault.UNREADABLE: "the answer's body is not what was expected",
}


@dataclass(slots=True)
class Call:
    """What is asked, and what is known of the answer so far: nothing while `status` is 0.

    `limit` is in bytes of the body, None for any number. Names in `fields` are in lower case, as h11 and both client
    libraries give them.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | AsyncIterable[bytes]
    limit: int | None
    tell: Callable[[], None]
    origin: str | None = None
    started: bool = False
    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.origin = origin_of(self.url) if _can_be_written(self) else None

    def start(self) -> None:
        """Tell, once, that the first byte is about to be written."""
        if not self.started:
            self.started = True
            self.tell()

    async def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """HTTPX's trace extension; it names "http11.send_request_headers.started", "http2. ...", and much else."""
        if name.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":  # to a proxy
            self.start()

    @property
    def fault(self) -> Fault | None:
        """How it ended where there is no status to judge by."""
        if self.origin is None:
            return Fault.INVALID
        if self.status:
            return None  # and if the body broke off: the status says what the server made of the request
        if self.failure is None:
            return Fault.TIMEOUT_AFTER if self.started else Fault.TIMEOUT_BEFORE
        return fault_of(self.failure, started=self.started)

    def in_words(self, fault: Fault) -> str:
        """What a person is told of *fault*, by which it ended."""
        if fault is Fault.CONNECT and is_distrust(self.failure):
            return "no connection: the server's certificate is not trusted"
        return _WORDS[fault]


def _can_be_written(call: Call) -> bool:
    return is_token(call.method) and all(map(is_header, call.headers.keys(), call.headers.values()))
