"""Promises of the files around the code: change fragments, constraints, entry points."""

import re
import tomllib
from pathlib import Path

import pytest

import convergekit
from tests.conftest import LONG

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
KINDS = [kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"]]
FRAGMENTS = sorted(p for p in (ROOT / "changes").iterdir() if p.name not in {"template.md", ".gitkeep"})


def test_the_version_comes_from_one_place() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    source = (ROOT / PROJECT["tool"]["hatch"]["version"]["path"]).read_text("utf-8")
    assert f'__version__ = "{convergekit.__version__}"' in source


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_change_fragment_names_its_issue_and_its_kind(fragment: Path) -> None:
    """As in `142.fixed.md`, or `142.fixed.2.md` for a second one; other names would never reach the changelog."""
    assert re.fullmatch(rf"\d+\.({'|'.join(KINDS)})(\.\d+)?\.md", fragment.name)
    assert fragment.read_text("utf-8").strip()


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-bench.txt"])
def test_constraints_are_names_and_versions_only(name: str) -> None:
    """No address of a file, an index or a folder: where packages come from is the machine's own business."""
    _, *lines = (ROOT / name).read_text("utf-8").splitlines()
    assert lines == sorted(lines)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[a-z0-9.]+", line) for line in lines)


def test_every_core_dependency_is_pinned_in_both_constraints() -> None:
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in PROJECT["project"]["dependencies"]}
    for constraints in ("constraints.txt", "constraints-bench.txt"):
        text = (ROOT / constraints).read_text("utf-8")
        assert {line.partition("==")[0] for line in text.splitlines()} >= names


def test_the_extra_all_names_every_other_extra() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert set(re.findall(r"[\w-]+", everything.partition("[")[2])) == set(extras) - {"all"}


@pytest.mark.parametrize("place", LONG)
def test_what_begins_first_is_there(place: str) -> None:
    """Else it begins last, and keeps one process busy while the others have ended."""
    assert (ROOT / place).exists()
