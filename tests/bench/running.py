"""The benchmark as a program, quickly: what it says, and not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["figures"]

_ROOT = Path(__file__).parents[2]
_MEMORY = Path("/dev/shm")


def figures(*names: str) -> list[dict[str, Any]]:
    """The lines of *names*, all in one process: each has at least one, and what is compared is judged."""
    environ = {**os.environ, "TMPDIR": str(_MEMORY)} if _MEMORY.is_dir() else None  # disks are not what is tried here
    run = [sys.executable, "-m", "bench", "--quick", "--json", *names]
    done = subprocess.run(run, cwd=_ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)

    assert done.stderr == ""
    assert done.returncode in {0, 1, 3}  # quick figures may miss a goal, and peers may be missing here
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= len(names)
    assert all(line["ok"] in {True, False} for line in lines if line["goal"] != "-" and line["theirs"] is not None)
    return lines
