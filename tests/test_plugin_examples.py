"""The examples for those who test an application or write an adapter, run as their readers would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_tests_of_an_application_pass_on_both_loops(tmp_path: Path) -> None:
    """In a process of its own, without this project's settings for pytest."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    place = ["-c", os.devnull, "--rootdir", str(tmp_path), str(EXAMPLES / "testing_handlers.py")]
    ran = subprocess.run(
        [*command, *place], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "12 passed" in ran.stdout
