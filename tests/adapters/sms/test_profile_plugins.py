"""Packages bring profiles by the entry-point group `convergekit.sms_profiles`, as the page shows it."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from convergekit.adapters.sms import SmsConfig, profiles
from convergekit.errors import ConfigurationError

PLUGIN = Path(__file__).parents[3] / "examples" / "drum"


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, profiles.GROUP)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example, as `pip` would lay it out: its module, and a dist-info with what its pyproject.toml says."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / f"convergekit_drum-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    shutil.copytree(PLUGIN / "src" / "convergekit_drum", tmp_path / "convergekit_drum")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("convergekit_drum", None)


@pytest.mark.usefixtures("installed")
def test_a_profile_of_an_installed_package_is_known_by_its_name() -> None:
    assert "drum" in profiles.names()
    assert profiles.load("drum").title == "Drum"


@pytest.mark.usefixtures("installed")
def test_settings_and_dsns_take_it_as_one_of_ours() -> None:
    config = SmsConfig.model_validate({"gateway": "drum", "account": {"token": "wonderland"}})
    assert config.value("url") == "https://api.drum.example"

    assert SmsConfig.from_dsn("drum://wonderland@drum.example.org").value("url") == "https://drum.example.org"


@pytest.mark.usefixtures("installed")
def test_to_name_them_imports_none_of_them() -> None:
    profiles.names()

    assert "convergekit_drum" not in sys.modules


@pytest.mark.parametrize("target", ["TABLE", "made", "PROFILE"])
def test_a_table_a_function_and_a_path_are_profiles(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(PLUGIN / "src" / "convergekit_drum" / "drum.toml", tmp_path / "drum.toml")
    (tmp_path / "drum_of_a_test.py").write_text(
        "import tomllib\n"
        "from pathlib import Path\n"
        "PROFILE = Path(__file__).with_name('drum.toml')\n"
        "TABLE = tomllib.loads(PROFILE.read_text(encoding='utf-8'))\n"
        "def made():\n"
        "    return TABLE\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "drum_of_a_test", raising=False)

    assert profiles.load("drum", lambda: [point("drum", f"drum_of_a_test:{target}")]).title == "Drum"


def test_ours_cannot_be_replaced_by_a_package() -> None:
    assert profiles.load("kannel", lambda: [point("kannel", "nowhere:PROFILE")]).title == "Kannel"


def test_two_packages_that_bring_the_same_are_named() -> None:
    with pytest.raises(ConfigurationError, match="two SMS profiles are called 'drum': a:P and b:P; uninstall one"):
        profiles.load("drum", lambda: [point("drum", "a:P"), point("drum", "b:P")])


def test_a_package_that_cannot_be_imported_is_told_of() -> None:
    with pytest.raises(ConfigurationError, match=r"the SMS profile 'drum' .* is broken: ModuleNotFoundError"):
        profiles.load("drum", lambda: [point("drum", "nowhere_at_all:PROFILE")])


def test_a_profile_that_calls_itself_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PLUGIN / "src" / "convergekit_drum", tmp_path / "drum_of_another")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="calls itself 'drum'"):
        profiles.load("fife", lambda: [point("fife", "drum_of_another:PROFILE")])


def test_an_unknown_name_has_a_near_one() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'kannel'"):
        profiles.load("kanel", list)
