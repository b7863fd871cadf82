"""The contracts that the library ships: usable from outside, and only where pytest is."""

import subprocess
import sys
from pathlib import Path

import pytest

import convergekit.testing

STORE = """
import pytest
from convergekit.abc import Admission
from convergekit.stores import MemoryStore
from convergekit.testing import StoreContract

class Forgetful(MemoryStore):
    async def admit(self, *args, **options):
        await super().admit(*args, **options)
        return (Admission.NEW,)

class TestForgetful(StoreContract):
    @pytest.fixture
    async def store(self, clock):
        mine = Forgetful()
        async with mine.opened(clock):
            yield mine
"""


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_kit_can_be_imported_without_pytest(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["pytest"] = None
from convergekit.testing import FakeContext, RecordingHub
FakeContext(), RecordingHub()
"""
    done = run("-c", code, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoContract"):
        convergekit.testing.NoContract  # noqa: B018


def test_a_store_that_breaks_a_promise_is_told_which_and_how(tmp_path: Path) -> None:
    """From a folder that knows nothing of ours, with nothing set up but pytest and anyio's plugin."""
    (tmp_path / "test_forgetful.py").write_text(STORE)
    done = run("-m", "pytest", "-q", "-k", "admitted_once or first_in_first_out", folder=tmp_path)
    assert "FAILED test_forgetful.py::TestForgetful::test_an_event_is_admitted_once_for_good" in done.stdout
    assert "At index 0 diff: <Admission.NEW: 'new'> != <Admission.DUPLICATE: 'duplicate'>" in done.stdout, (
        "the values are shown"
    )
