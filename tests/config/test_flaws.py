"""What is no adapter gets one clear line, wherever it is met."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, RootModel

from convergekit import Hub, MemoryStore
from convergekit.abc import Adapter
from convergekit.cli import main
from convergekit.config.flaws import class_flaw, models_of, settings_flaw
from convergekit.errors import ConfigurationError
from convergekit.model import Capabilities, Status

from .plugins import Nothing, PlainAdapter, PostConfig, Settings


def plain(**declared: Any) -> type[Adapter[Any]]:
    """`PlainAdapter` with other declarations."""
    return type("Odd", (PlainAdapter,), declared)


class Thawed(BaseModel, extra="forbid"):
    mode: str = ""


class Generous(BaseModel, frozen=True):
    mode: str = ""


class Numbers(RootModel[list[int]], frozen=True):
    pass


class Nested(Settings):
    servers: dict[str, Thawed | None]
    numbers: Numbers = Numbers([1])
    again: "list[Nested]"


class Rated(Settings):
    rate: int = 1


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"name": ""}, "Odd.name is ''"),
        ({"name": 7}, "Odd.name is 7"),
        ({"name": "two words"}, "Odd.name is 'two words'"),
        ({"schemes": "plain"}, "Odd.schemes must be a set of address schemes, and is 'plain'"),
        ({"schemes": {"Plain:", "ok"}}, "Odd.schemes names 'Plain:': a scheme is in lower case and without the colon"),
        ({"backends": frozenset()}, "Odd.backends is frozenset()"),
        ({"backends": {"twisted"}}, "Odd.backends is {'twisted'}: it is a set of 'asyncio' and 'trio'"),
        ({"backends": None}, "Odd.backends is None"),
        ({"Config": dict}, "Odd.Config is not a pydantic model"),
        ({"capabilities": {"text": 100}}, "Odd.capabilities is {'text': 100}, and not a Capabilities"),
        ({"capabilities": property(lambda self: Capabilities())}, "Odd.capabilities is <property"),
        (
            {"capabilities": Capabilities(receipts=frozenset({Status.QUEUED, Status.ACCEPTED}))},
            "Odd.capabilities.receipts names QUEUED, of which no medium reports",
        ),
        ({"retry": 3}, "Odd.retry is 3, and not a RetryPolicy"),
        ({"hold": -1}, "Odd.hold is -1"),
        ({"hold": float("nan")}, "Odd.hold is nan"),
        ({"send_timeout": 0}, "Odd.send_timeout is 0"),
        ({"send_timeout": "60 s"}, "Odd.send_timeout is '60 s'"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_named(declared: dict[str, Any], told: str) -> None:
    flaw = class_flaw(plain(**declared))
    assert flaw is not None
    assert flaw.startswith(told)
    assert "\n" not in flaw


def test_what_is_right_has_no_flaw() -> None:
    assert class_flaw(PlainAdapter) is None
    assert settings_flaw(PostConfig) is None
    assert settings_flaw(Nothing) is None


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (Thawed, "Config is not frozen: say model_config = ConfigDict(frozen=True"),
        (Generous, "Config takes names that it does not know: say model_config ="),
        (Nested, "Config.servers is not frozen"),
        (Rated, "its setting 'rate' has the name of one that every channel has; rename it"),
    ],
)
def test_settings_that_may_change_or_hide_something_are_named(config: type[BaseModel], told: str) -> None:
    flaw = settings_flaw(config)
    assert flaw is not None
    assert flaw.startswith(told)
    assert "\n" not in flaw


def test_the_models_of_settings_are_found_once_each() -> None:
    assert dict(models_of(Nested)) == {"Config": Nested, "Config.servers": Thawed}


BROKEN = {
    "does not import": ("gone", "no_such_module:Adapter", "ModuleNotFoundError: No module named 'no_such_module'"),
    "nonsense at import": ("nonsense", "nonsense:Adapter", "TextLimit.max: Input should be greater than or equal to 1"),
    "lacks a name": ("nameless", "nameless:Nameless", "Nameless has no name"),
    "declares nonsense": ("backless", "backless:Backless", "Backless.backends is {'twisted'}"),
    "is not frozen": ("thawed", "thawed:Thawed", "Config is not frozen"),
}
MODULES = {
    "nonsense": "from convergekit.model import TextLimit\n\nLIMIT = TextLimit(max=0)\n",
    "nameless": "from tests.config.plugins import Nothing, PlainAdapter\n"
    "from convergekit.abc import Adapter\n\n"
    "class Nameless(Adapter):\n    schemes, Config = {'plain'}, Nothing\n    send = PlainAdapter.send\n",
    "backless": "from tests.config.plugins import PlainAdapter\n\n"
    "class Backless(PlainAdapter):\n    name, backends = 'backless', {'twisted'}\n",
    "thawed": "from pydantic import BaseModel\nfrom tests.config.plugins import PlainAdapter\n\n"
    "class Thawed(PlainAdapter):\n    name, Config = 'thawed', BaseModel\n",
}


@pytest.fixture(params=list(BROKEN.values()), ids=list(BROKEN))
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """(name, what is told) of a plugin that is installed, beside one that is well."""
    name, target, told = request.param
    for module, text in MODULES.items():
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    announced = {"bad-plugin": f"{name} = {target}", "plain-plugin": "plain = tests.config.plugins:PlainAdapter"}
    for distribution, line in announced.items():
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[convergekit.adapters]\n{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in MODULES:
        monkeypatch.delitem(sys.modules, module, raising=False)
    return name, told


def test_the_listing_tells_it_on_one_line(broken: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    name, told = broken
    assert main(["adapters", "--check", "--json"]) == 1
    captured = capsys.readouterr()
    rows = {row["name"]: row for row in map(json.loads, captured.out.splitlines())}
    assert (rows[name]["state"], rows["plain"]["state"]) == ("broken", "ok")
    (line,) = captured.err.splitlines()
    assert line.startswith(f"convergekit: the adapter {name!r} (bad-plugin 1.0) is broken: ")
    assert told in line
    assert rows[name]["error"] in line


@pytest.mark.parametrize("command", ["check", "verify"])
def test_every_command_tells_it_on_one_line(
    command: str, broken: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, told = broken
    path = tmp_path / "a.toml"
    path.write_text(f'[store]\nurl = "memory:"\n[channels.a]\nadapter = "{name}"\n', encoding="utf-8")
    assert main([command, {"check": str(path), "verify": name}[command]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    where = f"{path}: channels.a.adapter: " if command == "check" else ""
    assert line.startswith(f"convergekit: {where}the adapter {name!r} (bad-plugin 1.0) is broken: ")
    assert told in line


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        (type("Nameless", (Adapter,), {"send": PlainAdapter.send}), "has no name and no schemes and no Config"),
        (plain(backends={"twisted"}), "Odd.backends is {'twisted'}"),
        (plain(Config=Thawed), "Config is not frozen"),
        (dict, "is not a subclass of convergekit.abc.Adapter"),
    ],
)
async def test_add_channel_tells_it_on_one_line(adapter: Any, told: str) -> None:
    async with Hub(store=MemoryStore()) as hub:
        with pytest.raises(ConfigurationError) as caught:
            await hub.add_channel("a", {}, adapter=adapter)
        assert str(caught.value).startswith(f"channel 'a': the adapter {adapter.__name__} is broken: ")
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not hub.channels


@pytest.mark.anyio
async def test_add_channel_tells_it_of_settings_that_are_there_already() -> None:
    async with Hub(store=MemoryStore()) as hub:
        with pytest.raises(ConfigurationError, match=r"^channel 'a': the adapter Odd is broken: Config is not frozen"):
            await hub.add_channel("a", Thawed(), adapter=plain(Config=Thawed))
