"""`examples/irc`, as its readers get it: built, installed beside convergekit, found by its entry point, and tested."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import lacking

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "examples" / "irc"


def ran(*command: str, **environment: str) -> str:
    """Run a module of Python's; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the distribution is installed: from a copy of its folder, without an index, and not into our own."""
    source, target = tmp_path_factory.mktemp("source") / "irc", tmp_path_factory.mktemp("installed")
    shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    here = ["--no-index", "--no-build-isolation", "--no-deps", "--disable-pip-version-check", "--quiet"]
    ran("pip", "install", *here, "--target", str(target), str(source))
    return target


def test_the_wheel_has_the_package_and_nothing_else(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info")
    assert {path.name for path in installed.iterdir()} == {"convergekit_irc", metadata.name}
    assert (installed / "convergekit_irc" / "py.typed").is_file()


def test_it_is_listed_and_can_be_loaded(installed: Path) -> None:
    said = ran("convergekit", "adapters", PYTHONPATH=str(installed))
    assert re.search(r"^irc +convergekit-irc +0\.1\.0 +convergekit_irc:IrcAdapter$", said, re.MULTILINE)
    said = ran("convergekit", "adapters", "--check", PYTHONPATH=str(installed))
    assert re.search(r"^irc +convergekit-irc +0\.1\.0 +irc +ok$", said, re.MULTILINE)


def test_it_keeps_the_contract(installed: Path) -> None:
    """By its entry points, as a stranger would ask; by some rules, for its own tests below ask all of them."""
    some = [word for rule in ("class-complete", "taken-is-receipt", "says-what-came") for word in ("--rule", rule)]
    said = ran("convergekit", "verify", "irc", *some, PYTHONPATH=str(installed))
    assert "broken" not in said
    assert said.count("kept ") >= 3


def test_its_tests_pass_against_a_real_server(installed: Path) -> None:
    """On both event loops, with the package that was installed in place of its source, and none left out."""
    if shutil.which("ngircd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))) is None:
        lacking("ngircd is not installed (as root on Debian, `make peers` does it)")
    options = ["-q", "-rs", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:hypothesispytest"]
    ours = ["-o", "pythonpath=tests .", "-o", "addopts=--import-mode=importlib"]
    said = ran("pytest", *options, *ours, str(PROJECT / "tests"), PYTHONPATH=str(installed))
    skipped = [line for line in said.splitlines() if line.startswith("SKIPPED")]
    # The contract skips what IRC has not: webhooks, reports.
    assert [line for line in skipped if "_contract.py" not in line] == []
