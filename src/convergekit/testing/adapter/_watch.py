"""What the code of an adapter calls: where it would hold up the event loop, and which sockets it opens.

By the interpreter's profiling hook, so that it is seen whatever name a function was imported under, and in the client
library as well; and without a clock, so that a busy machine is no finding. The far side is not watched.
"""

from __future__ import annotations

import concurrent.futures
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, Final

__all__ = ["FAR_SIDE", "Watched", "watching"]

#: True in the tasks of the far side.
FAR_SIDE: Final[ContextVar[bool]] = ContextVar("convergekit_far_side", default=False)

#: The loops know what they do: what they call themselves holds up nobody.
_LOOPS: Final = frozenset({"anyio", "asyncio", "trio"})
_IMPORT: Final = "<frozen importlib._bootstrap>"
_IN_BETWEEN: Final = frozenset({"concurrent", "queue", "socket", "subprocess", "threading"})
_LOOKS_UP: Final = frozenset({"getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"})
_TALKS: Final = frozenset({"accept", "connect", "recv", "recv_into", "recvfrom", "send", "sendall", "sendto"})
_STORES: Final = frozenset({"commit", "execute", "executemany", "executescript"})
_OPENS: Final = frozenset({"bind", "connect", "connect_ex"})


def _code(function: Any) -> CodeType:
    code = function.__code__
    assert isinstance(code, CodeType)
    return code


#: Functions in Python that wait, and what for.
_WAITS: Final[dict[CodeType, str]] = {
    _code(threading.Condition.wait): "waits for a thread",
    _code(threading.Thread.join): "waits for a thread",
    _code(concurrent.futures.wait): "waits for a thread",
    _code(subprocess.Popen.wait): "waits for a process",
    _code(subprocess.Popen.communicate): "waits for a process",
}


class Watched:
    """What was seen.

    Attributes:
        blocking: Calls that hold up the event loop, and where they are made, each once.
        sockets: Those that were connected, or bound to an address.
    """

    def __init__(self) -> None:
        self.blocking: dict[str, None] = {}
        self.sockets: list[socket.socket] = []

    def _hook(self, loop: bool) -> Callable[[FrameType, str, Any], None]:
        def hook(frame: FrameType, event: str, arg: Any) -> None:
            if event == "c_call":
                what = _blocks(arg, frame) if loop else None
                opens = arg.__name__ in _OPENS and isinstance(getattr(arg, "__self__", None), socket.socket)
            elif event == "call":
                what, opens = _WAITS.get(frame.f_code) if loop else None, False
            else:
                return
            if (what is None and not opens) or FAR_SIDE.get():
                return
            if opens:
                self.sockets.append(arg.__self__)
            if what is not None and not _is_excused(frame):
                self.blocking[f"{what} at {_place(frame)}"] = None

        return hook


@contextmanager
def watching() -> Generator[Watched]:
    """Watch this thread, in which the event loop runs, and for sockets those that are started meanwhile."""
    watched, before, elsewhere = Watched(), sys.getprofile(), threading.getprofile()
    threading.setprofile(watched._hook(loop=False))
    sys.setprofile(watched._hook(loop=True))
    try:
        yield watched
    finally:
        sys.setprofile(before)
        threading.setprofile(elsewhere)


def _blocks(function: Any, frame: FrameType) -> str | None:
    name, owner = function.__name__, getattr(function, "__self__", None)
    if function is time.sleep:
        return "sleeps"
    if function is os.system:
        return "waits for a process"
    if isinstance(owner, socket.socket):
        return f"blocks in {name} of a socket" if name in _TALKS and owner.gettimeout() != 0 else None
    if isinstance(owner, queue.SimpleQueue):
        return "waits for a thread" if name == "get" else None
    module = getattr(function, "__module__", None) or getattr(type(owner), "__module__", "")
    if name in _LOOKS_UP and module == "_socket":
        return "looks up a name"
    if name in _STORES and type(owner).__module__ == "sqlite3":
        return "waits for a database"
    return "waits for a disk" if name == "fsync" else None


def _is_excused(frame: FrameType) -> bool:
    """Whether a loop calls, or the start of a thread, which waits for its first breath, or the import of a module."""
    caller: FrameType | None = frame
    while caller is not None and _module(caller) in _IN_BETWEEN:
        if caller.f_code is _START:
            return True
        caller = caller.f_back
    if caller is None or _module(caller) in _LOOPS:
        return True
    while caller is not None and caller.f_code.co_filename != _IMPORT:
        caller = caller.f_back
    return caller is not None


_START: Final = _code(threading.Thread.start)


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__") or ""
    return name.partition(".")[0]


def _place(frame: FrameType) -> str:
    """The nearest line that is not of Python's own library."""
    caller: FrameType | None = frame
    while caller is not None and _module(caller) in sys.stdlib_module_names:
        caller = caller.f_back
    found = frame if caller is None else caller
    return f"{found.f_code.co_filename}:{found.f_lineno}"
