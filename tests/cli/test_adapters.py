"""`convergekit adapters` and `convergekit schema`."""

import json
from collections.abc import Sequence

import pytest

from convergekit.cli import adapters, main
from convergekit.config import AdapterEntry, adapter_entries
from convergekit.errors import ConfigurationError

OURS = AdapterEntry("loopback", "convergekit", "1.0", "convergekit.adapters.loopback:LoopbackAdapter")
BROKEN = AdapterEntry("broken", "broken-plugin", "2.0", "no.such.module:Adapter")


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Sequence[AdapterEntry]:
        return [BROKEN, OURS]

    def load(name: str) -> type:
        if name == "broken":
            raise ConfigurationError("the adapter 'broken' (broken-plugin 2.0) is broken: no module named 'no'")
        return type("Loopback", (), {"schemes": {"loopback", "memory"}})

    monkeypatch.setattr(adapters, "adapter_entries", found)
    monkeypatch.setattr(adapters, "adapter_class", load)


@pytest.mark.usefixtures("entries")
def test_the_list_imports_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters"]) == 0
    captured = capsys.readouterr()
    assert captured.out == (
        "NAME      DISTRIBUTION   VERSION  TARGET\n"
        "broken    broken-plugin  2.0      no.such.module:Adapter\n"
        "loopback  convergekit    1.0      convergekit.adapters.loopback:LoopbackAdapter\n"
    )
    assert captured.err == ""


@pytest.mark.usefixtures("entries")
def test_check_names_the_broken_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "--check"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1:] == [
        "broken    broken-plugin  2.0      -                broken",
        "loopback  convergekit    1.0      loopback memory  ok",
    ]
    assert captured.err == ("convergekit: the adapter 'broken' (broken-plugin 2.0) is broken: no module named 'no'\n")


@pytest.mark.usefixtures("entries")
def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "--check", "--json"]) == 1
    broken, ours = map(json.loads, capsys.readouterr().out.splitlines())
    assert (broken["name"], broken["state"]) == ("broken", "broken")
    assert "no module named" in broken["error"]
    assert ours == {
        "name": "loopback",
        "distribution": "convergekit",
        "version": "1.0",
        "target": "convergekit.adapters.loopback:LoopbackAdapter",
        "error": None,
        "state": "ok",
        "schemes": "loopback memory",
    }


def test_our_own_adapters_are_listed_and_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapters", "--check", "--json"]) == 0
    found = {row["name"]: row["state"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found == {entry.name: "ok" for entry in adapter_entries()}


def test_schema_is_the_schema_of_the_installed_adapters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    pretty = capsys.readouterr().out
    assert main(["schema", "--json"]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert json.loads(pretty) == json.loads(line)
    assert {"channel.loopback", "channel.webhook"} <= set(json.loads(line)["$defs"])
