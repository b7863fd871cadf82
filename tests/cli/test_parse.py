"""`convergekit parse`: what a saved webhook becomes, for whoever writes rules."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from convergekit.cli import main

SECRET = "whsec_" + "A" * 43 + "="
SETTINGS = f"""
[channels.ci]
adapter = "webhook"
secrets = "{SECRET}"
[[channels.ci.messages]]
when = {{ "header.x-event" = "note", "query.part" = "2" }}
text = "{{body.by}}: {{body.note}}"
id = "body.id"
[[channels.ci.messages]]
when = {{ "header.x-event" = "noise" }}
kind = "ignored"
[channels.desk]
adapter = "email"
address = "desk@example.org"
smtp = {{ host = "mail.example.org" }}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "convergekit.toml"
    path.write_text(SETTINGS)
    return str(path)


def parse(config: str, *more: str) -> int:
    return main(["parse", "ci", "--config", config, *more])


def test_a_saved_call_is_shown_as_what_it_becomes(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "call.json"
    saved.write_text('{"by": "ann", "note": "Hi", "id": 7}')
    assert parse(config, str(saved), "--header", "X-Event: note", "--query", "part=2", "--json") == 0
    event = json.loads(capsys.readouterr().out)
    assert (event["type"], event["key"], event["text"]) == ("message.received", "7", "ann: Hi")
    assert parse(config, str(saved)) == 0
    assert capsys.readouterr().out.startswith("ci: custom.received from webhook:ci: 'webhook.received'")


def test_what_is_ignored_is_said_to_be(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert parse(config, "-", "--header", "X-Event: noise") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "make nothing of it" in said.err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["-", "--header", "X-Event"], 2, "is no header"),
        (["nothing.json"], 1, "No such file"),
        (["-", "--config", "nothing.toml"], 2, "nothing.toml"),
    ],
)
def test_what_is_wrong_is_told(
    config: str, more: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse(config, *more) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("name", "said"), [("cj", "there is ci"), ("desk", "takes no webhooks")])
def test_the_channel_has_to_be_one_that_is_called(
    config: str, name: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert main(["parse", name, "-", "--config", config]) == 2
    assert said in capsys.readouterr().err


def test_a_body_that_makes_no_sense_fails(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"secret')))
    assert parse(config, "-") == 1
    assert "secret" not in capsys.readouterr().err
