"""What the library logs while a command runs: a line on stderr, and a traceback only where one was asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["logging_to"]


class _OneLine(logging.Formatter):
    """The message's first line, and what kind of error came with it."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().partition("\n")[0]
        kind = record.exc_info[0] if record.exc_info else None
        return f"convergekit: {text}" + (f" ({kind.__name__}; --debug shows where)" if kind is not None else "")


@contextmanager
def logging_to(stream: TextIO, *, debug: bool) -> Iterator[None]:
    """Inside, warnings and errors of every logger go to *stream*; with *debug* whole, and the library's details too."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.DEBUG if debug else logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s") if debug else _OneLine())
    root, ours = logging.getLogger(), logging.getLogger("convergekit")
    level = ours.level
    root.addHandler(handler)
    if debug:
        ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        ours.setLevel(level)
