"""What workers did, line by line in one file: written before the next step is taken, so signal 9 takes nothing back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Note", "Record"]


class Note(NamedTuple):
    """One line.

    Args:
        pid: Of the worker.
        did: "opened", "submitted", "began", "ended", "open" (how much is still to do), "left".
        what: Which message, or how many.
    """

    pid: int
    did: str
    what: str


class Record:
    """The file; each one who has it writes to its end, and reads on from where it has read to.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._read = 0
        self._rest = b""

    def note(self, did: str, what: str = "") -> None:
        """Write a line; other processes see all of it or nothing."""
        os.write(self._file, f"{os.getpid()} {did} {what}\n".encode())

    def news(self) -> Iterator[Note]:
        """What was written since this was last asked."""
        while chunk := os.pread(self._file, 65_536, self._read):
            self._read += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                pid, did, what = line.decode().split(" ", 2)
                yield Note(int(pid), did, what)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)
