"""`convergekit redeliver`: what failed goes out again, said from a shell beside the worker."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit import Hub
from convergekit.adapters.loopback import Medium
from convergekit.cli import main
from convergekit.errors import NotSentError, RejectedError, UncertainError
from convergekit.stores import SqlStore

ANN, BOB = "loopback:ann", "loopback:bob"
Run = Callable[..., tuple[int, list[str], str]]
FAILURES = [NotSentError("the line is down"), RejectedError("no such endpoint"), UncertainError("the answer was lost")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with three messages that failed, each in another way, and one that arrived."""
    found = tmp_path_factory.mktemp("redeliver")
    (found / "convergekit.toml").write_text(
        f'[store]\nurl = "sqlite:///{found}/ledger.db"\n[channels.chat]\nadapter = "loopback"\nattempts = 1\n'
    )
    anyio.run(_filled, found)
    return found


async def _filled(folder: Path) -> None:
    async with Hub(store=_store(folder)) as hub:
        medium = Medium()
        medium.script(*FAILURES)
        await hub.add_channel("chat", {"adapter": "loopback", "attempts": 1}, medium=medium)
        for number in range(4):
            handle = await hub.submit(f"secret {number}", to=(ANN, BOB)[number % 2], key=f"{number}")
            await handle.settled(20)


def _store(folder: Path) -> SqlStore:
    return SqlStore(f"sqlite:///{folder / 'ledger.db'}")


@pytest.fixture
def ledger(folder: Path, tmp_path: Path) -> Path:
    """A copy of it for each test."""
    for name in ("convergekit.toml", "ledger.db"):
        content = (folder / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(str(folder).encode(), str(tmp_path).encode()))
    return tmp_path


@pytest.fixture
def redeliver(ledger: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str) -> tuple[int, list[str], str]:
        code = main(["redeliver", *argv, "--config", str(ledger / "convergekit.toml")])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err

    return run


async def _sent(ledger: Path) -> list[str]:
    """What a worker sends that comes after it."""
    medium = Medium()
    async with Hub(store=_store(ledger)) as hub:
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
        await hub.idle()
    return medium.texts()


def test_all_that_failed_on_a_channel_goes_again(redeliver: Run, ledger: Path) -> None:
    """But not what may have arrived, on a medium that would take it for another one: that is for a person."""
    code, out, _ = redeliver("--channel", "chat", "--json")
    rows = [json.loads(line) for line in out]
    assert (code, [row["left"] for row in rows], [row["to"] for row in rows]) == (
        1,
        [None, None, "unknown"],
        [ANN, BOB, ANN],
    )
    code, out, _ = redeliver("--channel", "chat")
    assert (code, out[-1]) == (1, "0 go again, 1 left: 1 unknown")
    assert "may have gone out" in out[0]
    assert sorted(anyio.run(_sent, ledger)) == ["secret 0", "secret 1"]
    assert not any("secret" in line for line in out)


def test_a_trial_run_sends_nothing(redeliver: Run, ledger: Path) -> None:
    code, out, _ = redeliver("--channel", "chat", "--to", BOB, "--dry-run")
    assert (code, len(out), out[-1]) == (0, 2, "1 would go again")
    assert out[0].endswith("would go again")
    assert anyio.run(_sent, ledger) == []


@pytest.mark.parametrize(
    ("argv", "summary"),
    [
        (["--to", ANN], "1 goes again, 1 left: 1 unknown"),
        (["--since", "1h"], "2 go again, 1 left: 1 unknown"),
        (["--since", "2099-01-01"], "0 go again"),
        (["--until", "1h"], "0 go again"),
        (["--limit", "1"], "1 goes again"),
        (["--all"], "2 go again, 2 left: 1 unknown, 1 taken"),
    ],
)
def test_it_is_chosen(redeliver: Run, argv: list[str], summary: str) -> None:
    code, out, err = redeliver("--channel", "chat", *argv, "--backend", "trio")
    assert out[-1] == summary
    assert code == ("unknown" in summary)
    assert ("--until with that" in err) is (argv == ["--all"])


def test_a_message_is_named(redeliver: Run, ledger: Path) -> None:
    _, out, _ = redeliver("--channel", "chat", "--dry-run", "--json")
    first, second, unknown = (json.loads(line) for line in out)
    code, out, err = redeliver(first["dispatch"], second["delivery"], unknown["dispatch"], "nobody")
    assert (code, len(out)) == (1, 2)
    assert out[0].startswith(f"{first['dispatch']} goes again, by a worker, as ")
    assert f"{unknown['dispatch']}: " in err
    assert "nobody: " in err
    code, out, _ = redeliver(first["dispatch"], "--json")
    assert (code, out) == (1, []), "it is under way"
    assert sorted(anyio.run(_sent, ledger)) == ["secret 0", "secret 1"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "name messages by their ids, or a channel"),
        (["1", "--channel", "chat"], "name messages by their ids, or a channel"),
        (["1", "--all"], "go with --channel"),
        (["--channel", "chat", "--to", "nonsense"], "nonsense"),
        (["--channel", "nobody"], "there is no channel 'nobody'; there are ['chat']"),
    ],
)
def test_wrong_usage_is_said(redeliver: Run, argv: list[str], says: str) -> None:
    code, _, err = redeliver(*argv)
    assert (code, says in err) == (2, True)


def test_a_new_time_to_live_is_given(redeliver: Run, ledger: Path) -> None:
    code, out, _ = redeliver("--channel", "chat", "--expires-in", "2h", "--limit", "1")
    assert (code, out[-1]) == (0, "1 goes again")

    async def expiry() -> list[Any]:
        async with Hub(store=_store(ledger), role="submit") as hub:
            return [each.expires_at for handle in await hub.dispatches() for each in handle.deliveries]

    assert sum(each is not None for each in anyio.run(expiry)) == 1
