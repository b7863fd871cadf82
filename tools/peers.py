"""Install the servers that the tests talk with, where this machine may: root on Debian or one of its children.

Where it may not, or cannot, it says so and leaves with 0: those tests are then skipped, or fail where CI=true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import postgres

_CREATION: Final = Path("/etc/postgresql-common/createcluster.conf")


def main() -> None:
    """Install what is missing."""
    if not (why := postgres.missing()):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"{why}; the tests that need it are skipped", file=sys.stderr)
        return
    print("installing PostgreSQL for the tests")
    try:
        _apt_get("update")
        _apt_get("install", "postgresql-common")
        with _no_cluster():
            _apt_get("install", "postgresql-15")
    except subprocess.CalledProcessError as exc:
        print(f"PostgreSQL could not be installed; the tests that need it are skipped\n{exc.stdout}", file=sys.stderr)


def _apt_get(verb: str, *packages: str) -> None:
    options = ("--yes", "--no-install-recommends") if packages else ()
    subprocess.run(
        ["apt-get", "-qq", verb, *options, *packages],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )


@contextmanager
def _no_cluster() -> Iterator[None]:
    """The package makes and starts a server of its own, unless it is told not to; ours are the tests' own."""
    before = _CREATION.read_text("utf-8")
    _CREATION.write_text(before + "\ncreate_main_cluster = false\n", "utf-8")
    try:
        yield
    finally:
        _CREATION.write_text(before, "utf-8")


if __name__ == "__main__":
    main()
