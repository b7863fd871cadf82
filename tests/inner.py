"""Pytest in a process of its own, as somebody else would run it: without this project's settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["run_pytest"]

#: Nobody asks for the one; the other loads all of Hypothesis, which takes longer than most of what is run here.
_LEFT_OUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it in *folder*."""
    command = [sys.executable, "-m", "pytest", *_LEFT_OUT, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False)
