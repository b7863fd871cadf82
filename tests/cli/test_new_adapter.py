"""`convergekit new-adapter`: what it writes is whole, and green as it stands."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from convergekit import Address, __version__
from convergekit.cli import main, new_adapter
from convergekit.cli._project import STYLES
from convergekit.config import AdapterEntry
from tests.peers import lacking

ROOT = Path(__file__).parents[2]
FILES = {
    ".github/workflows/ci.yml",
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "src/convergekit_{}/__init__.py",
    "src/convergekit_{}/adapter.py",
    "src/convergekit_{}/config.py",
    "src/convergekit_{}/py.typed",
    "src/convergekit_{}/subject.py",
    "src/convergekit_{}/translator.py",
    "src/convergekit_{}/transport.py",
    "tests/test_contract.py",
}
#: Names of every length that is allowed, since code has to be in good form with any.
NAMES = {"webhook": "q", "poll": "pigeon-post", "listen": "thirty-letters-are-the-longest"}
#: The style whose tests are run by pytest, all of them; with the others `convergekit verify` does the same checks.
TESTED_WHOLE = NAMES["webhook"]
SOME_RULES = ("class-complete", "one-attempt", "says-what-came")
LONG = 240


@dataclass(frozen=True)
class Plugin:
    """A project that was written, and installed somewhere of its own."""

    name: str
    folder: Path
    target: Path

    @property
    def is_tested_whole(self) -> bool:
        """By pytest, and not by `convergekit verify`."""
        return self.name == TESTED_WHOLE

    def run(self, *command: str, timeout: float = LONG) -> subprocess.CompletedProcess[str]:
        """Run Python in the project's folder, as its author would."""
        environ = {**os.environ, "PYTHONPATH": str(self.target)}
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="module", params=STYLES)
def plugin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """One of each style, built and installed without an index."""
    name, place = NAMES[request.param], tmp_path_factory.mktemp(request.param)
    made = Plugin(name, place / "project", place / "site")
    assert main(["new-adapter", name, "--style", request.param, "--path", str(made.folder)]) == 0
    pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index", "--no-build-isolation"]
    done = made.run(*pip, "--no-deps", "--target", str(made.target), ".")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def test_its_tests_are_green_at_once(plugin: Plugin) -> None:
    """The contract, on every event loop; with whatever plugins of pytest there are."""
    some = () if plugin.is_tested_whole else ("-k", " or ".join(SOME_RULES))
    done = plugin.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *some)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    assert "failed" not in done.stdout


def test_it_is_discovered(plugin: Plugin) -> None:
    done = plugin.run("-m", "convergekit", "adapters", "--check", "--json")
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows[plugin.name]["distribution"] == f"convergekit-{plugin.name}"
    assert rows[plugin.name]["state"] == "ok"
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_verified_by_its_name(plugin: Plugin) -> None:
    """By some rules, where all of them have just been done by pytest; else by all, on every event loop."""
    some = [word for rule in SOME_RULES for word in ("--rule", rule)]
    done = plugin.run("-m", "convergekit", "verify", plugin.name, *(some if plugin.is_tested_whole else ()))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{plugin.name}, on asyncio and trio:" in done.stdout
    assert "kept     one-attempt" in done.stdout


def test_its_code_is_in_good_form(plugin: Plugin) -> None:
    if importlib.util.find_spec("ruff") is None:
        lacking("ruff is not installed")
    for command in (["format", "--check"], ["check"]):
        done = plugin.run("-m", "ruff", *command, "--no-cache", ".")
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_types_are_strict(plugin: Plugin) -> None:
    if importlib.util.find_spec("mypy") is None:
        lacking("mypy is not installed")
    # Of all styles and all runs: the second has nothing to learn about libraries, which takes ten times as long.
    done = plugin.run("-m", "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "new-adapter"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_left_to_write_is_named(plugin: Plugin) -> None:
    """And there is no place that was forgotten: what stands for a name has one."""
    for path in plugin.folder.rglob("*"):
        if path.suffix in {".py", ".toml", ".md", ".yml"} and "build" not in path.parts:
            text = path.read_text("utf-8")
            assert not re.search(r"\$\w|# \{", text), path
    for name in ("config", "adapter", "translator", "transport", "subject"):
        (path,) = plugin.folder.rglob(f"src/*/{name}.py")
        assert "TODO: " in path.read_text("utf-8"), path


@pytest.mark.parametrize("style", STYLES)
def test_it_says_what_it_wrote_and_what_comes_next(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-adapter", "pigeon", "--style", style]) == 0
    out = capsys.readouterr().out
    assert out.startswith("wrote convergekit-pigeon: 12 files\n")
    assert "  convergekit verify pigeon\n" in out
    assert "there is no LICENSE" in out
    written = {str(path.relative_to("convergekit-pigeon")) for path in _files(Path("convergekit-pigeon"))}
    assert written == {name.format("pigeon") for name in FILES}


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "plugin"
    assert main(["new-adapter", "my-chat", "--path", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["path"], told["package"], told["Name"]) == (str(folder), "convergekit_my_chat", "MyChat")
    assert set(told["files"]) == {name.format("my_chat") for name in FILES}


def test_the_project_needs_this_version_or_a_newer_one(tmp_path: Path) -> None:
    assert main(["new-adapter", "pigeon", "--path", str(tmp_path / "p")]) == 0
    project = tomllib.loads((tmp_path / "p" / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["dependencies"] == [f"convergekit>={__version__}"]
    assert "license" not in project


@pytest.mark.parametrize("scheme", ["mailto", "xmpp", "sms", "tel", "x", "https", "http", "chat+tls"])
def test_its_people_have_addresses_of_its_scheme(scheme: str, tmp_path: Path) -> None:
    assert main(["new-adapter", "pigeon", "--scheme", scheme, "--path", str(tmp_path / "p")]) == 0
    subject = (tmp_path / "p/src/convergekit_pigeon/subject.py").read_text("utf-8")
    (to,) = re.findall(r'    to = "(.*)"', subject)
    assert Address.parse(to).scheme == scheme
    assert f'schemes = frozenset({{"{scheme}"}})' in (tmp_path / "p/src/convergekit_pigeon/adapter.py").read_text(
        "utf-8"
    )


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["Pigeon"], "'Pigeon' is no name for an adapter: lower-case letters, digits and single dashes"),
        (["my_chat"], "'my_chat' is no name for an adapter"),
        (["7up"], "'7up' is no name for an adapter"),
        (["a--b"], "'a--b' is no name for an adapter"),
        (["a-"], "'a-' is no name for an adapter"),
        ([""], "'' is no name for an adapter"),
        (["pigeon\n"], "'pigeon\\n' is no name for an adapter"),
        (["../pigeon"], "'../pigeon' is no name for an adapter"),
        (["p" * 31], "and 30 characters at most"),
        (["convergekit-pigeon"], "the name of the adapter alone is enough: pigeon"),
        (["webhook"], "the name 'webhook' is reserved for an adapter of convergekit"),
        (["sms"], "the name 'sms' is reserved for an adapter of convergekit"),
        (["pigeon", "--scheme", "Pigeon:"], "'Pigeon:' is no scheme"),
    ],
)
def test_what_cannot_be_a_name_is_told_in_one_line(
    argv: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-adapter", *argv, "--path", str(tmp_path / "p")]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_a_name_that_somebody_elses_package_has_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one's own may be written anew, while it is installed."""
    entry = AdapterEntry("pigeon", "pigeons-of-others", "1.0", "pigeons:Adapter")
    monkeypatch.setattr(new_adapter, "adapter_entries", lambda: [entry])
    assert main(["new-adapter", "pigeon", "--path", str(tmp_path / "p")]) == 2
    assert "there is an adapter 'pigeon' already, of pigeons-of-others" in capsys.readouterr().err
    entry = AdapterEntry("pigeon", "convergekit-pigeon", "1.0", "convergekit_pigeon:PigeonAdapter")
    assert main(["new-adapter", "pigeon", "--path", str(tmp_path / "p")]) == 0


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-adapter", "pigeon", "--path", str(tmp_path)]) == 2
    assert "is there already, and nothing is overwritten: name another with --path" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_folders_above_it_are_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is misspelt would be somewhere else."""
    assert main(["new-adapter", "pigeon", "--path", str(tmp_path / "hoem" / "pigeon")]) == 2
    assert f"there is no folder {tmp_path / 'hoem'}: make it first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_its_secrets_are_in_variables_of_its_own(tmp_path: Path) -> None:
    """And whoever signs, proves and answers is to look at it: the template's way is nobody's medium."""
    assert main(["new-adapter", "my-chat", "--style", "webhook", "--path", str(tmp_path / "p")]) == 0
    readme = (tmp_path / "p/README.md").read_text("utf-8")
    assert re.findall(r'env = "(\w+)"', readme) == ["MY_CHAT_TOKEN", "MY_CHAT_WEBHOOK_SECRET"]
    code = [(tmp_path / f"p/src/convergekit_my_chat/{name}.py").read_text("utf-8") for name in ("adapter", "subject")]
    for method, text in (("verify", code[0]), ("reply", code[0]), ("sign", code[1])):
        assert re.search(rf"def {method}\(.*\n.*TODO: ", text), method


def test_the_templates_are_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=LONG)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    here = ROOT / "src" / "convergekit" / "cli" / "_template"
    assert {f"convergekit/cli/_template/{path.relative_to(here).as_posix()}" for path in _files(here)} <= inside


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
