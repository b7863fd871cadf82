"""The commands with an SMS channel, as somebody types them who has just written its settings."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from convergekit.adapters.sms import SmsConfig
from convergekit.cli import main
from convergekit.config import load

TOKEN = "a-path-that-nobody-guesses"
SETTINGS = """
[store]
url = "memory:"

[channels.alerts]
adapter = "sms"
gateway = "kannel"
from = "+4930123456"
account = {{ url = "http://127.0.0.1:{port}", username = "alerts", password = "secret-of-kannel" }}
callback_url = "http://127.0.0.1:8000/alerts"
callback_token = "{token}"
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def config(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "convergekit.toml"
    path.write_text(SETTINGS.format(port=port, token=TOKEN))
    return path


def test_a_check_says_whom_it_could_not_reach(config: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(config)]) == 1

    told = "".join(capsys.readouterr())
    assert f"http://127.0.0.1:{port}: no connection" in told
    assert "secret-of-kannel" not in told


def test_what_a_gateway_may_carry_and_this_one_does_not_is_named(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", "--config", str(config), "--to", "whatsapp:+4915112345678", "x"]) == 2
    assert 'adapter = "sms" and whatsapp = WHO WE ARE THERE' in capsys.readouterr().err


def test_what_is_heard_is_printed_in_words(config: Path) -> None:
    """Also which way a consent went, what a report says, and what nobody has understood."""
    command = "import sys; from convergekit.cli import main; sys.exit(main())"
    calls = [
        {"from": "+4915112345678", "to": "+4930123456", "text": "STOP", "id": "1"},
        {"from": "+4915112345678", "to": "+4930123456", "text": "Start", "id": "2"},
        {"status": "1", "ref": "delivery.0"},
        {"status": "99", "ref": "delivery.0"},
    ]
    with subprocess.Popen(
        [sys.executable, "-c", command, "listen", "--config", str(config), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            url = next(line for line in process.stdout if "takes webhooks at" in line).split()[-1]
            for query in calls:
                httpx.get(f"{url}/{TOKEN}", params=query, trust_env=False).raise_for_status()
            heard = {process.stdout.readline().strip() for _ in range(6)}
        finally:
            process.send_signal(signal.SIGTERM)
    assert heard == {
        "alerts: message.received from sms:+4915112345678: 'STOP'",
        "alerts: consent.changed from sms:+4915112345678: they want no more",
        "alerts: message.received from sms:+4915112345678: 'Start'",
        "alerts: consent.changed from sms:+4915112345678: they agree",
        "alerts: receipt.received: DELIVERED",
        "alerts: custom.received: 'sms.report': {'word': '99', 'id': None, 'reference': 'delivery.0'}",
    }


def test_the_shortest_settings_are_right(tmp_path: Path) -> None:
    """A DSN and the name of the adapter."""
    path = tmp_path / "convergekit.toml"
    path.write_text('[channels.alerts]\nadapter = "sms"\ndsn = "twilio://SID:TOKEN@default?from=%2B15005550006"\n')
    config = load(path, {}).channels["alerts"].config
    assert isinstance(config, SmsConfig)
    assert (config.gateway, config.sender) == ("twilio", "+15005550006")
    assert (config.value("account_sid"), config.value("auth_token")) == ("SID", "TOKEN")
