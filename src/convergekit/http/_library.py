"""What we know of httpx and of its successor by name, so that neither has to be imported to be recognised.

Traps:
- httpx and httpx2 have the same classes under other names, and refuse each other's; a request must be made by the
  library whose transport gets it. httpcore's exceptions, which an own transport may let through, have the same names.
- An exception's text may quote the URL or a header value (h11: "Illegal header value b'...'"), hence is never copied.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from .answers import Fault

__all__ = ["body_of", "fault_of", "is_distrust", "library", "library_of", "tells_when_it_writes", "tls", "url_of"]

#: Exception class, found by name among its bases, to (fault before the first byte, fault after it).
_FAULTS: Final[Mapping[str, tuple[Fault, Fault]]] = {
    "ConnectError": (Fault.CONNECT, Fault.CONNECT),
    "ConnectTimeout": (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_BEFORE),
    "PoolTimeout": (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_BEFORE),
    "ProxyError": (Fault.CONNECT, Fault.CONNECT),
    "UnsupportedProtocol": (Fault.INVALID, Fault.INVALID),
    "LocalProtocolError": (Fault.INVALID, Fault.INVALID),  # h11 looks at all headers before it writes any
    "InvalidURL": (Fault.INVALID, Fault.INVALID),
    "CookieConflict": (Fault.INVALID, Fault.INVALID),
    "RemoteProtocolError": (Fault.CONNECT, Fault.MALFORMED),
    "TimeoutException": (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER),
    "DecodingError": (Fault.CONNECT, Fault.UNREADABLE),
    "HTTPError": (Fault.CONNECT, Fault.LOST),  # everything else that httpx raises: NetworkError and its kin
    "StreamError": (Fault.CONNECT, Fault.LOST),
    "NetworkError": (Fault.CONNECT, Fault.LOST),  # httpcore's, which are under no common base
    "ProtocolError": (Fault.CONNECT, Fault.MALFORMED),
    # What leaks from below now and then.
    "TimeoutError": (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER),
    "OSError": (Fault.CONNECT, Fault.LOST),
    "EndOfStream": (Fault.CONNECT, Fault.LOST),
    "BrokenResourceError": (Fault.CONNECT, Fault.LOST),
    "ClosedResourceError": (Fault.CONNECT, Fault.LOST),
}


def fault_of(exc: BaseException, *, started: bool) -> Fault | None:
    """Which fault *exc* stands for, depending on whether the request had *started* to leave; None for a stranger."""
    for base in type(exc).__mro__:
        if base.__name__ in _FAULTS:
            return _FAULTS[base.__name__][started]
    return None


def is_distrust(exc: BaseException | None) -> bool:
    """Whether *exc* stems from a server's certificate that we do not believe."""
    while exc is not None and not isinstance(exc, ssl.SSLCertVerificationError):
        exc = exc.__cause__ or exc.__context__
    return exc is not None


def library_of(thing: object, marker: str) -> str:
    """Name of the package whose class *marker* is a base of *thing*'s; "httpx" where there is none."""
    bases = (base for base in type(thing).__mro__ if base.__name__ == marker)
    return next((base.__module__.partition(".")[0] for base in bases), "httpx")


def library(name: str = "httpx") -> Any:
    """The package itself; loaded now, if it was not."""
    return import_module(name)


@lru_cache(maxsize=64)
def url_of(name: str, url: str) -> Any:
    """*url* as the package *name* has it; most requests of a channel go to the same one, which is taken apart once."""
    return library(name).URL(url)


class _Once:
    """Gives *content*, once."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content

    def __aiter__(self) -> _Once:
        return self

    async def __anext__(self) -> bytes:
        if self._content is None:
            raise StopAsyncIteration
        content, self._content = self._content, None
        return content


@cache
def body_of(name: str) -> Callable[[bytes | AsyncIterable[bytes]], Any]:
    """Makes a request body for the package *name*: of bytes, or of what gives them and is its owner's to close.

    Its own is an asynchronous generator, which stays behind where a server hangs up before it has read all, and Trio
    warns of it; this one has nothing to clean up.
    """

    class Body(library(name).AsyncByteStream):  # type: ignore[misc]
        def __init__(self, content: bytes | AsyncIterable[bytes]) -> None:
            self._content = content

        def __aiter__(self) -> AsyncIterator[bytes]:
            return _Once(self._content) if isinstance(self._content, bytes) else aiter(self._content)

    return Body


def tells_when_it_writes(transport: object) -> bool:
    """Whether the `trace` extension works on *transport*, so that we learn when the first byte is written."""
    return any(base.__name__ == "AsyncHTTPTransport" for base in type(transport).__mro__)


@cache
def tls(more: Path | None = None) -> ssl.SSLContext:
    """The one TLS context, or one that trusts the authorities in the file *more* as well. Frozen by convention.

    Reading the authorities costs far more than a client does. Raises `OSError` where *more* cannot be read.
    """
    import certifi  # comes with httpx, which trusts the same list

    context = ssl.create_default_context(cafile=certifi.where())
    if more is not None:
        context.load_verify_locations(more)
    return context
