"""The programs that the servers are made of."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["missing", "not_installed", "program", "run"]

_PROGRAMS: Final = ("postfix", "dovecot", "smtp-sink", "smtp-source")
_PLUGINS: Final = ("imap", "lmtp")
_DOVECOT: Final = Path("/usr/lib/dovecot")
_SBIN: Final = ("/usr/sbin", "/usr/local/sbin")  # is not on everybody's PATH


def program(name: str) -> str | None:
    """Where *name* is, also where only root looks for programs; None where it is not installed."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN)))


def not_installed() -> str:
    """Why the programs are not there; empty where they are."""
    lacking = [name for name in _PROGRAMS if program(name) is None]
    lacking += [f"dovecot-{name}d" for name in _PLUGINS if program("dovecot") and not (_DOVECOT / name).exists()]
    return f"{', '.join(lacking)} not installed (as root on Debian, `make peers` does it)" if lacking else ""


def missing() -> str:
    """Why there can be no mail servers here; empty where there can."""
    return not_installed() or ("" if os.geteuid() == 0 else "Postfix starts for root only")


def run(name: str, *arguments: str) -> str:
    """Run *name* to its end; return what it said.

    Raises:
        RuntimeError: It failed; with the end of what it said.
    """
    found = program(name)
    assert found is not None, not_installed()
    # Into a file: what stays in the background would keep a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [found, *arguments],
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.seek(0)
        told = output.read()
    if done.returncode:
        raise RuntimeError(f"{name} failed: {told[-2000:]}")
    return told
