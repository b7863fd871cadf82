"""`convergekit listen`: real webhooks on a real port, printed as they come in."""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from convergekit.cli import main
from convergekit.http import StandardWebhooks
from convergekit.http.signatures import Hmac

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
SETTINGS = f'[store]\nurl = "memory:"\n[channels.hook]\nadapter = "webhook"\nsecrets = ["{SECRET}"]\n'
#: A channel whose calls are signed with their URL, and where the other side finds us.
COVERING_THE_URL = f"""
[channels.signed]
adapter = "webhook"
preset = "flat"
scheme = {{ name = "hmac", header = "X-Signature", signed = "{{url}}{{body}}" }}
secrets = ["{SECRET}"]
"""
PUBLIC = ("--public-url", "https://example.org/hooks/")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "convergekit.toml"
    path.write_text(SETTINGS)
    return path


def post(url: str, text: str) -> int:
    body = json.dumps({"type": "message.created", "timestamp": "2026-01-01T12:00:00Z", "data": {"text": text}}).encode()
    headers = StandardWebhooks([SecretStr(SECRET)]).sign("msg_1", datetime.now(UTC), body)
    return httpx.post(url, content=body, headers=dict(headers), trust_env=False).status_code


def post_covering_the_url(url: str) -> int:
    scheme = Hmac(SECRET, header="X-Signature", signed="{url}{body}")
    body = b'{"id": "1", "text": "hello", "sender": "ann"}'
    headers = scheme.sign("1", datetime.now(UTC), body, url="https://example.org/hooks/signed")
    return httpx.post(url, content=body, headers=dict(headers), trust_env=False).status_code


def told(lines: Iterable[str], kind: str) -> dict[str, Any]:
    """The next object of this type; others may stand between, for channels come up when they like."""
    found: dict[str, Any] = next(each for each in map(json.loads, lines) if each["type"] == kind)
    return found


@pytest.mark.parametrize(("backend", "ends", "code"), [("asyncio", signal.SIGINT, 130), ("trio", signal.SIGTERM, 0)])
def test_events_are_printed_until_a_signal(config: Path, backend: str, ends: signal.Signals, code: int) -> None:
    command = "import sys; from convergekit.cli import main; sys.exit(main())"
    config.write_text(SETTINGS + COVERING_THE_URL)
    argv = ["listen", "--json", "--config", str(config), "--port", "0", "--backend", backend, *PUBLIC]
    with subprocess.Popen(
        [sys.executable, "-c", command, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert told(process.stdout, "listening")["url"].startswith("http://127.0.0.1:")
            channel = told(process.stdout, "channel")
            assert (channel["channel"], channel["state"]) == ("hook", "up")
            assert post(channel["url"], "hello") == 204
            event = told(process.stdout, "message.received")
            assert (event["channel"], event["text"]) == ("hook", "hello")
            assert post_covering_the_url(channel["url"].replace("hook", "signed")) == 204
            for _ in range(2):
                assert httpx.post(channel["url"], content=b"a private word", trust_env=False).status_code == 401
            process.send_signal(ends)
            assert process.wait(timeout=60) == code
            refused = (
                "convergekit: hook: a webhook was refused for its signature: the header webhook-timestamp is missing"
            )
            assert process.stderr.read().startswith(refused)
        finally:
            process.kill()


def test_without_a_server_it_says_what_to_install(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "hypercorn", None)
    assert main(["listen", "--config", str(config)]) == 2
    assert "pip install 'convergekit[serve]'" in capsys.readouterr().err
