"""`convergekit search`, `export`, `erase` and `retain`: the archive, from a shell."""

import json
import mailbox
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from convergekit import Address, Attachment, ConversationRef, Hub, Message, MessageReceived
from convergekit.adapters.loopback import Medium
from convergekit.cli import main
from convergekit.engine.clock import SystemClock
from convergekit.stores import SqlStore
from convergekit.stores.formats import from_line

ANN, BOB = "loopback:ann", "loopback:bob"
Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a ledger in which something has been said."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    anyio.run(_filled, url)
    return url


async def _filled(url: str) -> None:
    old = datetime.now(UTC) - timedelta(days=100)
    store = SqlStore(url)
    async with store.opened(SystemClock()):
        for key, who, text, at in (("1", ANN, "Where is my\x1b[31m parcel?", None), ("2", BOB, "An old parcel", old)):
            where = ConversationRef(channel="chat", address=Address(who))
            event = MessageReceived(key=key, channel="chat", conversation=where, sender=where.address, text=text, at=at)
            await store.admit("chat", [event])
    async with Hub(store=SqlStore(url)) as hub:
        hub.on_message()(_nothing)
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=Medium())
        file = Attachment(data=b"x" * 100_000, name="map.png", media_type="image/png")
        await hub.send(Message("Your parcel is on its way", attachments=[file]), to=ANN)
        await hub.idle()


async def _nothing(message: MessageReceived) -> None:
    """Handle it."""


@pytest.fixture
def run(store: str, capfd: pytest.CaptureFixture[str]) -> Run:
    def command(name: str, *args: str) -> tuple[int, list[str], str]:
        code = main([name, *args, "--store", store])
        said = capfd.readouterr()
        return code, said.out.splitlines(), said.err

    return command


def test_what_was_said_is_found_the_newest_first(run: Run) -> None:
    code, lines, _ = run("search", "parcel")
    assert code == 0
    assert [line.split("  ", 1)[1] for line in lines] == [
        f"-> chat  {ANN}  Your parcel is on its way",
        f"<- chat  {BOB}  An old parcel",
        f"<- chat  {ANN}  Where is my [31m parcel?",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (["--contact", BOB], 1),
        (["--contact", BOB, "--contact", ANN], 3),
        (["--conversation", ANN], 2),
        (["--channel", "chat", "--direction", "out"], 1),
        (["--since", "7d"], 2),
        (["--until", "7d"], 1),
        (["--since", "2020-01-01", "--until", "2020-01-02T12:00"], 0),
        (['"on its way"'], 1),
        (["parcel", "way"], 1),
        (["nothing"], 0),
    ],
)
def test_filters(run: Run, query: list[str], found: int) -> None:
    code, lines, err = run("search", *query)
    assert (code, len(lines)) == (0 if found else 1, found)
    assert err == ("" if found else "convergekit: nothing was found\n")


def test_machines_get_all_of_it_and_people_a_page(run: Run) -> None:
    _, lines, err = run("search", "parcel", "--limit", "2", "--json")
    answer = json.loads(lines[0])
    assert (answer["message"]["text"], answer["highlights"]) == ("Your parcel is on its way", [[5, 11]])
    place = err.split("--after ")[1].strip()
    _, lines, err = run("search", "parcel", "--limit", "2", "--after", place)
    assert (len(lines), err) == (1, "")


@pytest.mark.parametrize(
    "wrong",
    [
        ["search", "--contact", "ann"],
        ["search", "--since", "yesterday"],
        ["erase", "ann"],
        ["retain", "--older-than", "90"],
        ["retain", "--older-than", "d"],
        ["retain", "--older-than", "0d"],
        ["export", "--format", "pst"],
        ["export"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(run: Run, wrong: list[str]) -> None:
    code, lines, err = run(*wrong)
    assert (code, lines) == (2, [])
    assert "Traceback" not in err


def test_an_export_is_read_back(run: Run) -> None:
    code, lines, _ = run("export", "--format", "jsonl")
    found = [from_line(line) for line in lines]
    assert (code, [each.direction for each in found]) == (0, ["in", "in", "out"])
    assert found[2].content.attachments[0].claim is not None


def test_an_mbox_has_the_files_and_is_not_written_over(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ann.mbox"
    assert run("export", "parcel", "--contact", ANN, "--format", "mbox", "--output", str(path))[0] == 0
    assert path.stat().st_mode & 0o077 == 0
    box = mailbox.mbox(path)
    _, sent = box
    box.close()
    assert sent.get_payload()[1].get_payload(decode=True) == b"x" * 100_000
    code, _, err = run("export", "--format", "mbox", "--output", str(path))
    assert (code, "exists" in err) == (1, True)


def test_an_mbox_may_go_into_a_pipe(run: Run) -> None:
    _, lines, _ = run("export", "old", "--format", "mbox")
    assert lines[0].startswith("From nobody@loopback.invalid ")
    assert lines[-2:] == ["An old parcel", ""]


def test_erasure(run: Run) -> None:
    code, lines, _ = run("erase", ANN, "--json")
    assert (code, json.loads(lines[0])) == (0, {"erased": 2, "cancelled": 0, "busy": 0})
    assert len(run("search")[1]) == 1


def test_retention(run: Run) -> None:
    code, lines, _ = run("retain", "--older-than", "90d")
    assert (code, lines) == (0, ["1 emptied"])
    assert len(run("search")[1]) == 2
    assert run("retain", "--older-than", "90d", "--channel", "chat")[1] == ["0 emptied"]
