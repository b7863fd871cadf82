"""A command that works beside the ledger loses no token: X takes each refresh token once."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from convergekit.cli import main
from convergekit.cli._tokens import parts_of
from convergekit.config import load
from convergekit.testing import XServer

SETTINGS = """
[store]
url = "{store}"
[channels.x]
adapter = "x"
oauth2 = {{ client_id = "{client_id}", client_secret = "{client_secret}", refresh_token = "{refresh_token}" }}
api = "{api}"
"""


@pytest.fixture
def server() -> XServer:
    return XServer()


@pytest.fixture
def file(server: XServer, tmp_path: Path) -> Generator[Path]:
    oauth2, found = server.account("shop").oauth2, tmp_path / "convergekit.toml"
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server.serving()) as api:
        found.write_text(SETTINGS.format(store=f"sqlite:///{tmp_path / 'ledger.db'}", api=api, **oauth2))
        yield found


def well(file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", "--json", str(file)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    detail: str = next(row["detail"] for row in rows if "channel" in row)
    return detail


def test_a_check_leaves_the_token_to_the_next_check_and_to_who_sends(
    server: XServer, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert well(file, capsys).startswith("the account is @shop")
    assert main(["send", "--config", str(file), "--to", "x:public", "We are open."]) == 0
    assert (server.oauth.refreshed, server.oauth.reused) == (1, 0)


def test_so_does_one_who_listens(server: XServer, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "import sys; from convergekit.cli import main; sys.exit(main())"
    argv = [sys.executable, "-c", command, "listen", "--json", "--config", str(file), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            channel = next(each for each in map(json.loads, process.stdout) if each["type"] == "channel")
            assert (channel["channel"], channel["state"]) == ("x", "up")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()
    well(file, capsys)
    assert (server.oauth.refreshed, server.oauth.reused) == (1, 0)


def test_where_the_ledger_ends_with_its_process_there_is_nothing_to_keep_them_in(tmp_path: Path) -> None:
    path = tmp_path / "convergekit.toml"
    path.write_text('[store]\nurl = "memory:"\n[channels.a]\nadapter = "loopback"\n')
    assert parts_of(load(path)) == {}
