"""The server that takes as much mail as it is given, and keeps none: the limit of what a client can reach."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .processes import eventually, free_ports, is_listening
from .programs import not_installed, program

__all__ = ["SmtpSink"]


class SmtpSink:
    """`smtp-sink` on a free port: it takes mail as fast as it can, and throws it away.

    Args:
        options: Its own: `-f RCPT` refuses for good, `-r RCPT` for now, `-q RCPT` cuts the line, `-d` keeps mail;
            `-8`, which most sinks want, is not among them by itself.
        port: On 127.0.0.1; a free one by default.
        cwd: Where it runs.

    Attributes:
        port: On 127.0.0.1.
    """

    # The shell is what makes it end with us, however we end: then `read` has nothing to read from any more.
    _LEASH: Final = '"$@" & read gone; kill $!; wait $! 2>/dev/null'

    def __init__(self, options: Sequence[str] = (), *, port: int | None = None, cwd: Path | None = None) -> None:
        self.port = port or free_ports(1)[0]
        name = program("smtp-sink")
        assert name is not None, not_installed()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it insists
        command = [name, *user, *options, f"127.0.0.1:{self.port}", "1000"]
        self._leash = subprocess.Popen(
            ["sh", "-c", self._LEASH, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=cwd or "/",
            start_new_session=True,
        )
        try:
            eventually(lambda: is_listening(self.port), every=0.005)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop it."""
        assert self._leash.stdin is not None
        self._leash.stdin.close()
        self._leash.wait()

    def __enter__(self) -> SmtpSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
