"""`convergekit demo`: the main job, and a failure whenever a part of it did not happen."""

import json
import sys
from typing import Any

import pytest

from convergekit import Conversation, MessageReceived
from convergekit.cli import demo, main
from convergekit.cli._partner import Got, Partner

STEPS = ["forgery", "taken", "handled", "replied", "repeat", "refused", "reached", "ledger"]


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def steps(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_step_happens(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json", "--backend", backend]) == 0
    told = steps(capsys)
    assert [step["name"] for step in told] == STEPS
    assert [step["step"] for step in told] == list(range(1, len(STEPS) + 1))
    assert all(step["ok"] for step in told)
    by_name = {step["name"]: step for step in told}
    assert by_name["forgery"]["status"] == 401
    assert by_name["replied"]["genuine"]
    assert by_name["refused"]["answer"] == 410
    assert by_name["reached"]["body_text"] == "Your parcel is on its way."
    assert [leg["status"] for leg in by_name["ledger"]["legs"]] == ["delivered", "failed", "delivered"]


def test_people_can_read_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    captured = capsys.readouterr()
    assert "4 ok   The reply goes out signed" in captured.out
    assert "LEG  ADDRESS" in captured.out
    assert captured.out.endswith("All of it happened, and the partner's own check of each signature agrees.\n")
    assert captured.err == ""


def test_no_secret_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = demo._secret
    monkeypatch.setattr(demo, "_secret", lambda: made.append(make()) or made[-1])
    assert main(["demo"]) == 0
    captured = capsys.readouterr()
    assert len(made) == 2
    assert not any(secret.removeprefix("whsec_") in captured.out + captured.err for secret in made)


class TestWhatDoesNotHappen:
    """Each part is broken in turn; the demonstration has to notice."""

    def missed(self, capsys: pytest.CaptureFixture[str]) -> list[str]:
        assert main(["demo", "--json"]) == 1
        captured = capsys.readouterr()
        missed = [step["name"] for step in map(json.loads, captured.out.splitlines()) if not step["ok"]]
        assert captured.err == f"convergekit: these steps did not happen: {', '.join(missed)}\n"
        return missed

    def test_signatures_that_do_not_fit(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        judged = Partner._judged

        def distrusting(self: Partner, scope: Any, body: bytes) -> Got:
            return judged(self, scope, body + b" ")

        monkeypatch.setattr(Partner, "_judged", distrusting)
        assert {"replied", "refused", "reached", "ledger"} <= set(self.missed(capsys))

    def test_a_second_address_that_refuses_as_well(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        judged = Partner._judged

        def refusing(self: Partner, scope: Any, body: bytes) -> Got:
            self.answers = {"/ann/old": 410, "/ann/new": 404}
            return judged(self, scope, body)

        monkeypatch.setattr(Partner, "_judged", refusing)
        assert self.missed(capsys) == ["reached", "ledger"]

    def test_a_handler_that_says_something_else(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def answer(self: Any, message: MessageReceived, conversation: Conversation) -> None:
            self._handled.append(message)
            await conversation.reply("something else")

        monkeypatch.setattr(demo._Story, "_answer", answer)
        assert self.missed(capsys) == ["replied"]

    def test_time_that_runs_out(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(demo, "_PATIENCE", 0)
        assert main(["demo", "--json"]) == 1
        assert "did not end within 0 seconds" in capsys.readouterr().err

    def test_without_a_server_it_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "hypercorn", None)
        assert main(["demo"]) == 2
        assert "pip install 'convergekit[serve]'" in capsys.readouterr().err
