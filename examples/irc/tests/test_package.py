"""The distribution: found by its name, and built from public names only."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import convergekit_irc
import pytest
from kit import settings
from ngircd import Ngircd
from people import person

from convergekit import Hub, MemoryStore, Status
from convergekit.abc import Listens, SupportsRooms
from convergekit.config import adapter_entries, channel_settings

HERE = Path(__file__).parents[1]
SOURCE = Path(convergekit_irc.__file__).parent
#: What the documentation names for authors of adapters.
OPEN = {"convergekit", "convergekit.abc", "convergekit.errors", "convergekit.http", "convergekit.model"}
#: And for the far side.
OPEN_TO_SUBJECTS = OPEN | {"convergekit.testing.adapter"}

is_installed = pytest.mark.skipif(
    not any(point.name == "irc" for point in entry_points(group="convergekit.adapters")),
    reason="convergekit-irc is not installed here: pip install .",
)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import from convergekit."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


# [imports]
@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.name)
def test_it_uses_nothing_private(path: Path) -> None:
    ours = [(module, name) for module, name in imported(path) if module.partition(".")[0] == "convergekit"]
    allowed = OPEN_TO_SUBJECTS if path.name == "subject.py" else OPEN
    assert [(module, name) for module, name in ours if module not in allowed or name.startswith("_")] == []
    for module, name in ours:
        assert name in __import__(module, fromlist=["__all__"]).__all__


# [imports end]


def test_every_module_was_looked_at() -> None:
    assert {"adapter.py", "config.py", "transport.py", "translator.py"} <= {path.name for path in SOURCE.glob("*.py")}


def test_what_it_can_do_is_read_off_the_class() -> None:
    assert issubclass(convergekit_irc.IrcAdapter, Listens)
    assert issubclass(convergekit_irc.IrcAdapter, SupportsRooms)
    assert convergekit_irc.IrcAdapter.exclusive


@is_installed
def test_it_is_listed() -> None:
    (entry,) = [entry for entry in adapter_entries() if entry.name == "irc"]
    assert (entry.distribution, entry.target, entry.error) == ("convergekit-irc", "convergekit_irc:IrcAdapter", None)


@is_installed
@pytest.mark.anyio
async def test_a_hub_finds_it_by_its_name(server: Ngircd) -> None:
    async with person(server.port, "ann") as ann, Hub(store=MemoryStore()) as hub:
        await hub.add_channel("chat", f"irc://bot@127.0.0.1:{settings(server.port).port}/%23room")
        assert (await hub.send("hi", to="irc:ann")).status is Status.ACCEPTED
        assert await ann.heard() == ["hi"]


@is_installed
@pytest.mark.anyio
async def test_the_bot_of_the_tutorial_answers(server: Ngircd, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings that are shown there, on another server."""
    from support import router

    for setting, value in (("HOST", "127.0.0.1"), ("PORT", str(server.port)), ("TLS", "false")):
        monkeypatch.setenv(f"CONVERGEKIT_CHANNELS__CHAT__{setting}", value)
    async with person(server.port, "ann") as ann, Hub.from_toml(HERE / "convergekit.toml", router=router):
        await ann.joins("#support")
        await ann.says("Where is it?", "#support")
        assert "NOTICE #support :Thanks, we have your message: 'Where is it?'" in await ann.hears("NOTICE")


def test_the_settings_of_the_readme_are_right() -> None:
    table = tomllib.loads((HERE / "README.md").read_text("utf-8").partition("```toml\n")[2].partition("```")[0])
    chat = table["channels"]["chat"]
    assert channel_settings("chat", chat, adapter=convergekit_irc.IrcAdapter, environ={"IRC_PASSWORD": "sesame"})
