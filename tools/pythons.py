"""Print one line, "VERSION=PATH", for each CPython of this machine that convergekit supports.

They are looked for on PATH and among pyenv's versions; of several with one minor version the newest patch counts.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Run inside each candidate: say the version, or fail. Without ensurepip there is no environment to make.
PROBE = """
import ensurepip, platform, sys, sysconfig, venv
assert platform.python_implementation() == "CPython" and sys.version_info >= (3, 11)
assert sys.version_info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(*sys.version_info[:3], sys.executable)
"""


def candidates() -> Iterator[Path]:
    """Yield whatever might be a Python, best guesses first."""
    for folder in os.get_exec_path():
        yield from sorted(p for p in Path(folder).glob("python3*") if p.name[7:].strip(".0123456789") == "")
    for root in {os.environ.get("PYENV_ROOT") or "", str(Path.home() / ".pyenv")} - {""}:
        yield from sorted(Path(root).glob("versions/*/bin/python3"))


def probe(python: Path) -> tuple[tuple[int, ...], str] | None:
    """Tell the version of *python* and where it really is, or None where it does not run, or is none of ours."""
    try:
        answer = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=20, check=True)
        *version, executable = answer.stdout.strip().split(" ", 3)
        return tuple(map(int, version)), executable
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def main() -> None:
    """Print what was found, oldest first."""
    newest: dict[tuple[int, ...], tuple[tuple[int, ...], str]] = {}
    for python in candidates():
        if (found := probe(python)) and found[0] > newest.get(found[0][:2], ((), ""))[0]:
            newest[found[0][:2]] = found
    for minor, (_, executable) in sorted(newest.items()):
        print(f"{'.'.join(map(str, minor))}={executable}")


if __name__ == "__main__":
    main()
