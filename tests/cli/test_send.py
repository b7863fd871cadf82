"""`convergekit send`: status and reason, and an exit code that scripts can trust."""

import io
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit import MessageReceived
from convergekit.abc import EntryState, LedgerCounts
from convergekit.cli import main
from convergekit.engine.clock import SystemClock
from convergekit.stores import SqlStore

STORE = '[store]\nurl = "memory:"\n'
THIS_MACHINE = 'allow_networks = ["127.0.0.0/8"]\n'
LOOPBACK = STORE + '[channels.one]\nadapter = "loopback"\n'


@pytest.fixture
def send(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `convergekit send` over *settings*; return exit code, stdout and stderr."""

    def run(*argv: str, settings: str = LOOPBACK) -> tuple[int, str, str]:
        path = tmp_path / "convergekit.toml"
        path.write_text(settings)
        code = main(["send", "--config", str(path), *argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_taken_is_0(send: Any, backend: str) -> None:
    assert send("--to", "loopback:ann", "hello", "--backend", backend) == (0, "ACCEPTED\n", "")


def test_machines_get_an_object(send: Any) -> None:
    code, out, _ = send("--to", "loopback:ann", "--key", "k1", "--subject", "S", "hello", "--json")
    told = json.loads(out)
    assert code == 0
    assert told.pop("dispatch")
    assert told == {
        "status": "accepted",
        "state": "satisfied",
        "reason": None,
        "code": None,
        "key": "k1",
        "channels": ["one"],
    }


def test_text_may_come_from_standard_input(send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("grüß dich".encode())))
    assert send("--to", "loopback:ann", "-")[0] == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"gr\xfc\xdf dich")))
    code, _, err = send("--to", "loopback:ann", "-")
    assert (code, err) == (2, "convergekit: what comes from standard input is not UTF-8 at byte 2\n")


def test_a_channel_is_chosen_where_several_serve(send: Any) -> None:
    settings = LOOPBACK + '[channels.two]\nadapter = "loopback"\n'
    code, out, _ = send("--to", "loopback:ann", "--channel", "two", "hello", "--json", settings=settings)
    assert (code, json.loads(out)["channels"]) == (0, ["two"])
    code, out, err = send("--to", "loopback:ann", "hello", settings=settings)
    assert (code, out) == (2, "")
    assert "one" in err
    assert "two" in err


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (("--to", "ann@example.org", "hello"), 2, "--to: not an address: 'ann@example.org' has no scheme"),
        (("--to", "loopback:ann", "a\0b"), 2, "text: there are characters in it that no medium carries"),
        (("--to", "loopback:ann", "--subject", "a\nb", "\udcff"), 2, "subject and text: there are characters"),
        (("--to", "loopback:ann", "--timeout", "nan", "hello"), 2, "'nan' is not a number of seconds"),
        (("--to", "loopback:ann", "--timeout", "-1", "hello"), 2, "'-1' is not a number of seconds"),
        (("--to", "loopback:ann", "--channel", "tow", "hello"), 2, "there is no channel 'tow'"),
        (("--to", "sms:+4915112345678", "hello"), 2, "sms"),
    ],
)
def test_what_cannot_be_sent_says_why(send: Any, argv: tuple[str, ...], code: int, told: str) -> None:
    found, out, err = send(*argv)
    assert (found, out) == (code, "")
    assert told in err
    assert err.startswith("convergekit")
    assert err.count("\n") == 1


def test_what_waits_is_1_and_says_for_what(send: Any) -> None:
    """The ledger is in memory and ends with the process: what waits in it will never go out."""
    secret = "whsec_" + "A" * 44
    settings = STORE + f'[channels.hook]\nadapter = "webhook"\nsecrets = ["{secret}"]\n{THIS_MACHINE}'
    code, out, _ = send("--to", "http://127.0.0.1:1/hook", "hello", "--json", settings=settings)
    told = json.loads(out)
    assert (code, told["status"], told["state"]) == (1, "queued", "pending")
    assert told["reason"]
    code, out, _ = send("--to", "http://127.0.0.1:1/hook", "hello", settings=settings)
    assert code == 1
    assert "the ledger in memory ends here" in out


def test_what_waits_in_a_file_is_sent_by_the_next_worker(send: Any, tmp_path: Path) -> None:
    """Under its key it is one message, however often it is asked for."""
    secret = "whsec_" + "A" * 44
    store = f'[store]\nurl = "sqlite:///{tmp_path / "ledger.db"}"\n'
    settings = store + f'[channels.hook]\nadapter = "webhook"\nsecrets = ["{secret}"]\n{THIS_MACHINE}'
    argv = ("--to", "http://127.0.0.1:1/hook", "hello", "--key", "k1", "--timeout", "0.5")
    code, out, err = send(*argv, settings=settings)
    assert (code, err) == (1, "")
    assert "it stays in the ledger, and the next worker goes on with it" in out
    first = json.loads(send(*argv, "--json", settings=settings)[1])
    again = json.loads(send(*argv, "--json", settings=settings)[1])
    assert first["dispatch"] == again["dispatch"]


def test_what_comes_in_is_left_to_those_who_handle_it(send: Any, tmp_path: Path) -> None:
    """A command that sends has no handlers: it would have everything done that waits."""
    ledger = SqlStore(f"sqlite:///{tmp_path / 'ledger.db'}")

    async def waiting() -> LedgerCounts:
        async with ledger.opened(SystemClock()):
            await ledger.admit("one", [MessageReceived(key="1", channel="one", text="help")])
            return await ledger.counts()

    anyio.run(waiting)
    settings = f'[store]\nurl = "sqlite:///{tmp_path / "ledger.db"}"\n[channels.one]\nadapter = "loopback"\n'
    assert send("--to", "loopback:ann", "hello", settings=settings)[0] == 0
    assert anyio.run(waiting).entries == {("one", EntryState.READY): 1}
