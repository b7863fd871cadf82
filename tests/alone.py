"""Programs, each run alone in a process of its own, which is forked from one that has imported what most of them need.

As a program this is that one: each line on its standard input names a program, where it runs and what takes what it
says, and its exit code is answered.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import subprocess
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

__all__ = ["Ran", "Runner", "runner"]

_ROOT = Path(__file__).parents[1]
_LONG = 60.0  # seconds


@dataclass(frozen=True)
class Ran:
    """How a program ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


class Runner:
    """Runs programs of Python; a warning is an error in each of them."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder

    def run(self, path: Path, *, cwd: Path) -> Ran:
        """Run *path* in *cwd*, and wait for its end."""
        out, err = self._folder / "out", self._folder / "err"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([str(path), str(cwd), str(out), str(err)]), file=self._process.stdin, flush=True)
        ended, _, _ = select.select([self._process.stdout], [], [], _LONG)
        assert ended, f"{path.name} had not ended after {_LONG:g} s"
        code = int(self._process.stdout.readline())
        return Ran(code, out.read_text("utf-8"), err.read_text("utf-8"))


@contextmanager
def runner() -> Generator[Runner]:
    """The one that has imported everything."""
    command = [sys.executable, "-W", "error", "-m", __name__]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            yield Runner(process, Path(folder))
        finally:
            process.kill()  # and so whatever hangs is given up


def _serve() -> None:
    for needed in ("anyio._backends._asyncio", "httpx", "pydantic", "sqlalchemy", "convergekit.stores.sql"):
        import_module(needed)
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        path, cwd, *said = json.loads(line)
        if not (child := os.fork()):
            _become(path, cwd, said)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(path: str, cwd: str, said: list[str]) -> NoReturn:
    """Be the program, and end as it does: what was never awaited or closed is told of, as at the end of any."""
    os.chdir(cwd)
    for number, name in enumerate((os.devnull, *said)):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv, sys.path[0] = [path], str(Path(path).parent)
    code = 0
    try:
        runpy.run_path(path, run_name="__main__")
    except BaseException:
        traceback.print_exc()
        code = 1
    gc.collect()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)  # to take apart what was only forked takes longer than most of these programs


if __name__ == "__main__":
    _serve()
