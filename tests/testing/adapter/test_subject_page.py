"""The page about subjects has all that a subject may tell, and its examples run as their readers would run them."""

import os
from pathlib import Path

import pytest

from convergekit.testing.adapter import Fault, Subject
from tests.inner import run_pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "plugins" / "subject.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", Fault, ids=str)
def test_every_fault_is_there(fault: Fault) -> None:
    assert f"| `{fault.name}` |" in PAGE


@pytest.mark.parametrize("name", ["own_client", "lantern_contract"])
def test_an_example_is_green_by_itself(name: str, tmp_path: Path) -> None:
    """Without this project's settings for pytest; a part of the rules, all of which are done elsewhere."""
    settings = ["-c", os.devnull, "--rootdir", str(tmp_path)]
    done = run_pytest(tmp_path, "-q", *settings, "-k", "uncertain", str(ROOT / "examples" / f"{name}.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_what_a_subject_may_play_is_there() -> None:
    """What only few need is in the reference: `parts`, `identity`."""
    few = {"parts", "identity"}
    methods = {name for name, value in vars(Subject).items() if callable(value) and not name.startswith("_")}
    assert {name for name in methods - few if f"`{name}" not in PAGE} == set()
