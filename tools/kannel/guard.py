"""The guard of a Kannel, as a script: `guard.py FOLDER` ends what runs in the folder when its standard input ends.

That happens however the process that started it ends. Then it removes the folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path


def running_in(folder: Path) -> list[int]:
    """The processes whose current folder is *folder*, or in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found.append(int(process.name))
    return found


def _guarded(folder: Path) -> None:
    """Wait until nobody needs it any more; then end it at once, for nothing in it is worth keeping."""
    sys.stdin.buffer.read()
    try:
        while found := running_in(folder):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guarded(Path(sys.argv[1]))
