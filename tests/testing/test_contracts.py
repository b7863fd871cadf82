"""The contracts that the library ships: usable from outside, and only where pytest is."""

import subprocess
import sys
from pathlib import Path

import pytest

import convergekit.testing


def test_the_kit_can_be_imported_without_pytest(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["pytest"] = None
from convergekit.testing import FakeContext, RecordingHub
FakeContext(), RecordingHub()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoContract"):
        convergekit.testing.NoContract  # noqa: B018
