"""`convergekit check`: the settings first, then every channel by itself."""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import anyio
import pytest

from convergekit.abc import Adapter, Health, Outgoing
from convergekit.cli import check, main
from convergekit.config import ChannelSettings, Settings, StoreSettings
from convergekit.engine.options import ChannelOptions
from convergekit.errors import AuthenticationError, ConfigurationError, NotRunningError
from convergekit.model import MessageReceived, Receipt, Value

SECRET = "hunter2hunter2"


class Nothing(Value):
    pass


class Well(Adapter[Nothing]):
    name, schemes, Config = "well", frozenset({"well"}), Nothing

    async def send(self, out: Outgoing) -> Receipt:
        raise AssertionError("a check sends nothing")

    async def check(self) -> Health:
        return Health(ok=True, detail="logged in")


class Ill(Well):
    name = "ill"

    async def check(self) -> Health:
        return Health(ok=False, detail="no such mailbox")


class Refused(Well):
    name = "refused"

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        raise AuthenticationError("the token is refused", channel=self.context.channel)
        yield self


class Buggy(Well):
    name = "buggy"

    async def check(self) -> Health:
        raise KeyError(SECRET)


class Unset(Well):
    name = "unset"

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with anyio.create_task_group():
            yield self

    async def check(self) -> Health:
        raise ConfigurationError("ca: x.pem is no file of certificates in PEM")


class Silent(Well):
    name = "silent"

    async def check(self) -> Health:
        await anyio.sleep_forever()
        raise AssertionError


class TrioOnly(Well):
    name, backends = "trio-only", frozenset({"trio"})


class Admitting(Well):
    name = "admitting"

    async def check(self) -> Health:
        try:
            await self.context.admit(MessageReceived(key="1", text="hello"))
        except NotRunningError:
            return Health(ok=True, detail="nothing was taken in")
        raise AssertionError("a check takes nothing in: the ledger of a real run is not open")


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*adapters: type[Adapter[Any]]) -> None:
        found = {kind.name: ChannelSettings(kind.name, kind, Nothing(), ChannelOptions()) for kind in adapters}
        settings = Settings(found, StoreSettings(url="memory:"), Path("convergekit.toml"))
        monkeypatch.setattr(check, "load", lambda path: settings)

    return use


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = [row for row in found if "channel" in row]
    return {row["channel"]: (row["state"], row["detail"]) for row in found}


def test_a_file_that_is_wrong_is_2_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[store]\nurl = "memory:"\n[channels.a]\nadapter = "loopbak"\n[channels.b]\nadapter = "twitter"\n')
    assert main(["check", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        f"convergekit: {path}: channels.a.adapter: no adapter 'loopbak' is installed; did you mean 'loopback'?",
        f"convergekit: {path}: channels.b.adapter: no adapter 'twitter' is installed; it is called 'x'",
    ]
    assert captured.out == ""


def test_a_file_without_channels_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[store]\nurl = "memory:"\n')
    assert main(["check", str(path)]) == 0
    assert "there is no channel in it" in capsys.readouterr().err


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_every_channel_is_asked_whatever_the_others_do(
    backend: str, channels: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    channels(Refused, Well, Buggy, Ill)
    assert main(["check", "--json", "--backend", backend]) == 1
    assert rows(capsys) == {
        "refused": ("not ok", "refused: the token is refused"),
        "well": ("ok", "logged in"),
        "buggy": ("not ok", "KeyError in the adapter 'buggy': a bug of its own"),
        "ill": ("not ok", "no such mailbox"),
    }


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_mistake_is_told_also_where_a_task_group_stands_around_it(
    backend: str, channels: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    channels(Unset)
    assert main(["check", "--json", "--backend", backend]) == 1
    assert rows(capsys) == {"unset": ("not ok", "ca: x.pem is no file of certificates in PEM")}


def test_all_well_is_0(channels: Any, capsys: pytest.CaptureFixture[str]) -> None:
    channels(Well)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "store memory: is ok: in memory: nothing in it outlives the process",
        "CHANNEL  ADAPTER  STATE  DETAIL",
        "well     well     ok     logged in",
    ]


def test_nothing_is_taken_in(channels: Any, capsys: pytest.CaptureFixture[str]) -> None:
    channels(Admitting)
    assert main(["check", "--json"]) == 0
    assert rows(capsys) == {"admitting": ("ok", "nothing was taken in")}


def test_an_adapter_that_never_answers_is_told_so(
    channels: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    channels(Silent, Well)
    monkeypatch.setattr(check, "_PATIENCE", 0)
    assert main(["check", "--json"]) == 1
    assert rows(capsys)["silent"] == ("not ok", "no answer within 0 seconds")


def test_an_adapter_for_the_other_event_loop_says_which(channels: Any, capsys: pytest.CaptureFixture[str]) -> None:
    channels(TrioOnly)
    assert main(["check", "--json"]) == 1
    told = "the adapter 'trio-only' does not run on asyncio, but on trio"
    assert rows(capsys) == {"trio-only": ("not ok", told)}
    assert main(["check", "--json", "--backend", "trio"]) == 0


def test_our_own_channels_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[store]\nurl = "memory:"\n[channels.a]\nadapter = "loopback"\n')
    assert main(["check", "--json", str(path)]) == 0
    assert rows(capsys) == {"a": ("ok", "in memory")}


LEDGER = '[store]\nurl = "sqlite:///{file}"\n[channels.a]\nadapter = "loopback"\n'


def ledger(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["check", "--json", str(path)])
    row = next(each for line in capsys.readouterr().out.splitlines() if "store" in (each := json.loads(line)))
    assert row["store"].startswith("sqlite:///")
    return code, row["state"], row["detail"]


def test_the_ledger_is_looked_at_and_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, path = tmp_path / "ledger.db", tmp_path / "a.toml"
    path.write_text(LEDGER.format(file=file))
    assert ledger(path, capsys) == (0, "ok", "not there yet; it is made when a hub is opened")
    assert not file.exists()
    assert main(["send", "--config", str(path), "--to", "loopback:ann", "hello"]) == 0
    capsys.readouterr()
    code, state, detail = ledger(path, capsys)
    assert (code, state) == (0, "ok")
    assert detail.startswith("its tables have version ")
    assert detail.endswith("; 0 events (0 waiting, 0 dead), 1 deliveries (0 to go, 0 unknown, 0 dead)")


def test_a_file_that_is_no_ledger_is_told_and_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, path = tmp_path / "ledger.db", tmp_path / "a.toml"
    path.write_text(LEDGER.format(file=file))
    file.write_bytes(b"somebody's letters, and no database" * 100)
    code, state, detail = ledger(path, capsys)
    assert (code, state) == (1, "not ok")
    assert "not a database" in detail
    assert file.read_bytes().startswith(b"somebody's letters")
    file.unlink()
    sqlite3.connect(file).execute("CREATE TABLE letters (text)").connection.close()
    assert ledger(path, capsys) == (0, "ok", "there are no tables yet; whoever opens it makes them")
