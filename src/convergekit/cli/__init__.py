"""The `convergekit` command: one module for each of its commands, imported when it is asked for.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted, 141 nobody reads the output any more.
Results go to stdout and everything else to stderr; an error is a clear line and never a traceback (`--debug` shows it).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TextIO

from convergekit.errors import ConfigurationError, ConvergeError

from ._console import Console
from ._logs import logging_to
from ._parser import parser

__all__ = ["main"]

OK, FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; *argv* is what stands behind `convergekit`, None for the process's own.

    Returns:
        The exit code.
    """
    debug = False
    try:
        args = parser().parse_args(argv)
        debug = args.debug
        out, err = _tolerant(_open(sys.stdout)), _tolerant(_open(sys.stderr))
        with logging_to(err, debug=debug):
            command = import_module(f".{args.command.replace('-', '_')}", __package__)
            code: int = command.run(args, Console(out, err, as_json=args.json))
            out.flush()
        return code
    except SystemExit as exc:  # argparse's way: --help, --version, wrong usage
        return exc.code if isinstance(exc.code, int) else OK if exc.code is None else USAGE
    except BaseException as exc:
        if debug and isinstance(exc, Exception):
            raise
        return _told(exc)


def _told(error: BaseException) -> int:
    """Say on stderr what went wrong; return the exit code."""
    found = list(_leaves(error))
    if any(isinstance(exc, BrokenPipeError) for exc in found):
        # Python flushes stdout once more when it exits; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    if any(isinstance(exc, KeyboardInterrupt) for exc in found):
        return INTERRUPTED
    for exc in found:
        for line in _lines(exc):
            print(f"convergekit: {line}", file=_tolerant(_open(sys.stderr)))
    return USAGE if any(isinstance(exc, ConfigurationError) for exc in found) else FAILED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside a task group's group, or *error* itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _lines(error: BaseException) -> list[str]:
    if isinstance(error, ConvergeError | OSError):
        return str(error).splitlines() or [type(error).__name__]
    return [f"{type(error).__name__}: {error}".splitlines()[0] + " (this is a bug; --debug shows where)"]


def _open(stream: TextIO | None) -> TextIO:
    """*stream*, or nowhere: Python has none where the shell has closed it (`>&-`)."""
    return io.StringIO() if stream is None else stream


def _tolerant(stream: TextIO) -> TextIO:
    """A terminal that lacks a character gets its number, not an error."""
    if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
        reconfigure(errors="backslashreplace")
    return stream
