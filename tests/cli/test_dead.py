"""`convergekit dead`: a person looks at what was given up, and decides, from a shell beside the worker."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit import Hub, MessageReceived
from convergekit.abc import Lease
from convergekit.adapters.loopback import Medium
from convergekit.cli import main
from convergekit.engine.clock import SystemClock
from convergekit.errors import NotSentError, UncertainError
from convergekit.stores import SqlStore

ANN = "loopback:ann"
Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A ledger with one event and one message that were given up, and one message that is unknown."""
    file, path = tmp_path / "ledger.db", tmp_path / "convergekit.toml"
    path.write_text(f'[store]\nurl = "sqlite:///{file}"\n[channels.chat]\nadapter = "loopback"\nattempts = 1\n')
    anyio.run(_filled, path)
    return path


async def _filled(path: Path) -> None:
    store = _store(path)
    async with store.opened(SystemClock()):
        event = MessageReceived(key="1", channel="chat", text="help", sender=ANN, at=datetime(2026, 1, 1, tzinfo=UTC))
        await store.admit("chat", [event])
        lease: Lease = (await store.claim("in", limit=1, seconds=60)).leases[0]
        await store.bury(lease, reason="ValueError in handler answer")
    medium = Medium()
    medium.script(NotSentError("the line is down", code="450"), UncertainError("the answer was lost"))
    async with _hub(path, medium) as hub:
        for text in ("parcel", "invoice"):
            handle = await hub.submit(text, to=ANN)
            await handle.settled(20)


def _store(path: Path) -> SqlStore:
    return SqlStore(f"sqlite:///{path.parent / 'ledger.db'}")


class _hub:
    """A worker on the ledger, whose only channel talks over *medium*."""

    def __init__(self, path: Path, medium: Medium) -> None:
        self.hub, self.medium = Hub(store=_store(path)), medium

    async def __aenter__(self) -> Hub:
        await self.hub.__aenter__()
        await self.hub.add_channel("chat", {"adapter": "loopback", "attempts": 1}, medium=self.medium)
        return self.hub

    async def __aexit__(self, *error: Any) -> None:
        await self.hub.__aexit__(*error)


@pytest.fixture
def dead(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(action: str, *argv: str) -> tuple[int, list[str], str]:
        code = main(["dead", action, *argv, "--config", str(config)])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err

    return run


def letters(dead: Run, *argv: str) -> dict[str, dict[str, Any]]:
    """What is listed, by what it is."""
    code, out, _ = dead("list", "--json", *argv)
    assert code == 0
    return {f"{row['direction']} {row['state']}": row for row in map(json.loads, out)}


def test_they_are_listed_without_their_content(dead: Run) -> None:
    found = letters(dead)
    assert list(found) == ["in dead", "out dead", "out unknown"]
    assert found["in dead"]["reason"] == "ValueError in handler answer"
    assert found["out dead"]["reason"] == "not sent in 1 attempt: the line is down"
    assert {row["who"] for row in found.values()} == {ANN}
    assert {row["attempts"] for row in found.values()} == {1}
    assert list(letters(dead, "--direction", "in")) == ["in dead"]
    assert list(letters(dead, "--state", "unknown", "--channel", "chat")) == ["out unknown"]
    assert letters(dead, "--channel", "other") == {}
    code, out, err = dead("list", "--limit", "1")
    assert (code, len(out)) == (0, 2)
    assert "there are more than 1" in err
    assert out[0].split() == ["ID", "DIRECTION", "STATE", "CHANNEL", "WHO", "AT", "ATTEMPTS", "REASON"]
    assert "help" not in "".join(dead("list")[1])


def test_one_is_shown_with_all_that_is_known(dead: Run) -> None:
    found = letters(dead)
    code, out, _ = dead("show", found["out dead"]["id"])
    assert code == 0
    assert any(line.startswith("attempt") and line.endswith("part 1: not_sent 450 the line is down") for line in out)
    assert out[-1].split() == ["content", "'parcel'"]
    code, out, _ = dead("show", "--json", *[row["id"] for row in found.values()])
    event, given_up, unknown = map(json.loads, out)
    assert event["event"]["text"] == "help"
    assert given_up["message"]["text"] == "parcel"
    assert unknown["delivery"]["state"] == "unknown"
    code, out, err = dead("show", "nobody")
    assert (code, out) == (1, [])
    assert err.startswith("convergekit: nobody: not there")


async def _works(path: Path) -> tuple[list[str], list[str]]:
    """What a worker sends and handles that comes after the decision."""
    medium, handled = Medium(), []
    worker = _hub(path, medium)

    @worker.hub.on_message
    async def handle(message: MessageReceived) -> None:
        handled.append(message.text or "")

    async with worker as hub:
        await hub.idle()
    return medium.texts(), handled


@pytest.mark.parametrize(
    ("argv", "which", "sent", "handled", "left"),
    [
        (["retry"], "in dead", [], ["help"], ["out dead", "out unknown"]),
        (["resend"], "out dead", ["parcel"], [], ["in dead", "out unknown"]),
        (["resend", "--text", "the parcel"], "out dead", ["the parcel"], [], ["in dead", "out unknown"]),
        (["resend"], "out unknown", ["invoice"], [], ["in dead", "out dead"]),
        (["discard"], "in dead", [], [], ["out dead", "out unknown"]),
        (["discard"], "out unknown", [], [], ["in dead", "out dead"]),
        (["settle", "--sent"], "out unknown", [], [], ["in dead", "out dead"]),
        (["settle", "--not-sent"], "out unknown", ["invoice"], [], ["in dead", "out dead"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_is_decided_is_done_by_the_next_worker(
    dead: Run, config: Path, argv: list[str], which: str, sent: list[str], handled: list[str], left: list[str]
) -> None:
    id = letters(dead)[which]["id"]
    code, out, err = dead(*argv, id, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out[0]) == {"id": id, "done": argv[0]}
    assert list(letters(dead)) == left
    assert anyio.run(_works, config) == (sent, handled)
    assert dead(*argv, id)[0] == 1


def test_all_are_those_that_were_given_up(dead: Run, config: Path) -> None:
    """What is unknown is decided one by one."""
    assert dead("resend", "--all", "--channel", "other")[:2] == (0, [])
    assert dead("resend", "--all")[0] == 0
    assert dead("retry", "--all", "--channel", "chat")[0] == 0
    assert list(letters(dead)) == ["out unknown"]
    assert anyio.run(_works, config) == (["parcel"], ["help"])
    assert dead("discard", "--all")[:2] == (0, [])


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["retry"], "name the letters by their ids, or say --all"),
        (["retry", "1", "--all"], "name the letters by their ids, or say --all"),
        (["resend", "--all", "--text", "x"], "--text is for one message"),
        (["settle", "1"], "one of the arguments --sent --not-sent is required"),
        (["list", "--limit", "0"], "'0' is not a number from 1 on"),
    ],
)
def test_wrong_usage_is_2(dead: Run, argv: list[str], told: str) -> None:
    code, out, err = dead(*argv)
    assert (code, out) == (2, [])
    assert told in err


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("memory:", 'a ledger at "memory:" ends with its process'),
        ("sqlite:///none.db", "there is no ledger at sqlite:///none.db"),
        ("mysql://u:hunter22@db/x", "SQLite"),
        ("nonsense", "cannot be read as a URL"),
    ],
)
def test_a_ledger_that_is_not_there_is_not_made(
    url: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dead", "list", "--store", url]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "hunter22" not in err
    assert not list(tmp_path.iterdir())


def test_who_decides_needs_no_secrets_of_channels(dead: Run, config: Path) -> None:
    with config.open("a") as file:
        file.write('[channels.hook]\nadapter = "webhook"\nsecrets = [{ env = "NO_SUCH_VARIABLE" }]\n')
    id = letters(dead)["out dead"]["id"]
    code, _, err = dead("resend", id, "--text", "other words")
    assert code == 2
    assert "NO_SUCH_VARIABLE" in err
    assert dead("resend", id)[0] == 0


def test_a_ledger_can_be_named_by_its_url(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dead", "list", "--json", "--store", f"sqlite:///{config.parent / 'ledger.db'}"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
