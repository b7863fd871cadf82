"""Which process owns something, and whether that has ended, as far as can be told from here.

Nobody can tell a dead process from a slow one by waiting; but the kernel can, for the processes that it runs. So each
owner is stored with its process: number, start, and the place where that number means something. Where the place is
another one (another machine, another container, before the last boot), or cannot be named, nothing is known, and its
time has to run out.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

__all__ = ["here", "is_gone"]

_PROC: Final = Path("/proc")


def here() -> str:
    """The name of this process, for `is_gone`; empty where nobody could tell anything by it."""
    return _named(os.getpid())  # asked for each time, for a process may have been forked


def is_gone(name: str) -> bool:
    """Whether the process called *name* has ended for certain."""
    place, _, process = name.partition("/")
    number, _, start = process.partition("/")
    if not place or place != here().partition("/")[0] or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, which may have got the number since
    except OverflowError:
        return False
    now = _started(number)
    return now is not None and now != start


@cache
def _named(process: int) -> str:
    start = _started(str(process))
    try:
        # Numbers and times of processes are those of their namespaces; two containers have each a process 1.
        kernel = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        spaces = [os.readlink(_PROC / "self/ns" / each) for each in ("pid", "time")]
    except OSError:
        return ""
    place = blake2b("|".join((kernel, *spaces, socket.gethostname())).encode(), digest_size=8).hexdigest()
    return f"{place}/{process}/{start}" if start is not None else ""


def _started(process: str) -> str | None:
    """When it began, in ticks since boot; None where that is not to be seen."""
    try:
        # proc(5): the second field is a name in brackets, and may hold anything; the start is the 22nd.
        return (_PROC / process / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, UnicodeError):
        return None
