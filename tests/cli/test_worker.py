"""`convergekit worker`: a process of its own that does what others submit, and handles what comes in."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from convergekit import Hub, MessageReceived, Router, Status
from convergekit.abc import EntryState, LedgerCounts
from convergekit.cli import main
from convergekit.cli._app import imported
from convergekit.engine.clock import SystemClock
from convergekit.errors import ConfigurationError
from convergekit.stores import SqlStore

from .test_listen import COVERING_THE_URL, PUBLIC, SECRET, post, post_covering_the_url

SETTINGS = """
[store]
url = "sqlite:///{file}"
[channels.chat]
adapter = "loopback"
[channels.hook]
adapter = "webhook"
secrets = ["{secret}"]
{signed}
"""
APP = """
import json
from convergekit import Hub, MessageReceived, Router

router = Router("shop")
hub = Hub(store="memory:")
number = 3

@router.on_message()
async def handle(message: MessageReceived) -> None:
    print(json.dumps({"type": "handled", "text": message.text}), flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "convergekit.toml").write_text(
        SETTINGS.format(file=tmp_path / "ledger.db", secret=SECRET, signed=COVERING_THE_URL)
    )
    (tmp_path / "shop_app.py").write_text(APP)
    (tmp_path / "broken_app.py").write_text("import no_such_thing\n")
    return tmp_path


@contextmanager
def worker(folder: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    command = "import sys; from convergekit.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", command, "worker", "--json", *argv],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(lines: Iterable[str] | None, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in map(json.loads, lines or ()) if each["type"] == kind)
    return found


async def _submitted(folder: Path) -> Status:
    """What a web process does: it submits, and learns what the worker has made of it."""
    async with Hub.from_toml(folder / "convergekit.toml", role="submit") as web:
        handle = await web.submit("hello", to="loopback:ann")
        return await handle.wait(timeout=60)


@pytest.mark.parametrize(("backend", "ends"), [("asyncio", signal.SIGINT), ("trio", signal.SIGTERM)])
def test_it_sends_what_others_submit_and_handles_what_comes_in(
    folder: Path, backend: str, ends: signal.Signals
) -> None:
    with worker(folder, "shop_app:router", "--port", "0", "--backend", backend, *PUBLIC) as process:
        assert process.stderr is not None
        url = told(process.stdout, "working")["url"]
        assert told(process.stdout, "channel")["state"] in {"up", "opening"}
        assert anyio.run(_submitted, folder) is Status.ACCEPTED
        assert post(f"{url}/hook", "where is it?") == 204
        assert told(process.stdout, "handled")["text"] == "where is it?"
        assert post_covering_the_url(f"{url}/signed") == 204
        assert httpx.post(f"{url}/hook", content=b"a private word", trust_env=False).status_code == 401
        assert httpx.get(f"{url}/-/ready", trust_env=False).text == "ready"
        process.send_signal(ends)
        assert process.wait(timeout=60) == 0
        (line,) = process.stderr.read().splitlines()
        assert line.startswith("convergekit: hook: a webhook was refused for its signature: ")


def test_without_handlers_it_only_sends(folder: Path) -> None:
    """What came in is kept for those who handle it."""
    store = SqlStore(f"sqlite:///{folder / 'ledger.db'}")

    async def admitted() -> LedgerCounts:
        async with store.opened(SystemClock()):
            await store.admit("hook", [MessageReceived(key="1", channel="hook", text="help")])
            return await store.counts()

    anyio.run(admitted)
    with worker(folder) as process:
        assert told(process.stdout, "working")["url"] is None
        assert anyio.run(_submitted, folder) is Status.ACCEPTED
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert anyio.run(admitted).entries == {("hook", EntryState.READY): 1}


def test_a_router_and_a_hub_are_found_by_their_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert isinstance(imported("shop_app:router"), Router)
    assert isinstance(imported("shop_app:hub"), Hub)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["shop_app"], "'shop_app' is no MODULE:NAME"),
        (["shop_app:"], "'shop_app:' is no MODULE:NAME"),
        (["shop_app:rooter"], "there is no 'rooter' in shop_app; did you mean 'router'?"),
        (["shop_app:number"], "shop_app:number is a int; a worker serves a Hub or a Router"),
        (["nowhere_app:router"], "nowhere_app cannot be imported: ModuleNotFoundError: No module named 'nowhere_app'"),
        (["broken_app:router"], "broken_app cannot be imported: ModuleNotFoundError: No module named 'no_such_thing'"),
        (["shop_app:hub", "--config", "x.toml"], "--config: shop_app:hub is a Hub, which has its own settings"),
        (["shop_app:router", "--config", "none.toml"], "none.toml: there is no such file"),
    ],
)
def test_what_cannot_be_served_is_2_and_says_why(
    argv: list[str], told: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["worker", *argv]) == 2
    assert told in capsys.readouterr().err


def test_imported_wants_a_name() -> None:
    with pytest.raises(ConfigurationError, match="MODULE:NAME"):
        imported(":router")
