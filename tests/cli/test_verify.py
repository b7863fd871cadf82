"""`convergekit verify`."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.adapters.loopback.subject import LoopbackSubject
from convergekit.cli import main, verify
from convergekit.errors import NotSentError
from convergekit.model import Capabilities, Idempotency, IdempotencyKind, Receipt
from convergekit.testing.adapter import RULES, Subject


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install an adapter and, if there is one, its subject."""

    def install(adapter: type[Any], subject: type[Subject] | None) -> None:
        monkeypatch.setattr(verify, "adapter_class", lambda name: adapter)
        monkeypatch.setattr(verify, "installed_subject", lambda adapter: subject)

    return install


class Careless(LoopbackAdapter):
    """Verifies nothing, and knows one event loop."""

    backends = frozenset({"asyncio"})

    async def verify(self, request: Any) -> None:
        self.context.log.warning("somebody called")

    async def send(self, out: Any) -> Receipt:
        self.context.log.warning("about to send")
        raise NotSentError("not today")


class CarelessSubject(LoopbackSubject):
    adapter = Careless
    cannot = {"check-in-words": "the server is away"}  # noqa: RUF012


class Odd(CarelessSubject):
    """Fails by itself."""

    adapter = LoopbackAdapter

    def received(self) -> Any:
        raise LookupError("nothing here")


@pytest.mark.parametrize("name", ["loopback", "webhook"])
def test_ours_keep_the_contract_where_there_is_no_pytest(name: str) -> None:
    """As a user has them: from what is installed, and without the tools for tests."""
    code = "import sys; sys.modules['pytest'] = None; from convergekit.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "verify", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    first, *told, last = (line for line in done.stdout.splitlines() if not line.startswith("not told by the subject"))
    assert first == f"{name}, on asyncio and trio:"
    assert [line[9:].split(":")[0].split(" ")[0] for line in told] == list(RULES)
    assert {line[:9].rstrip() for line in told} == {"kept", "skipped"}
    assert f"{len(RULES)} rules in " in last


def test_a_broken_rule_is_told_with_its_reason_its_page_and_what_happened(
    installed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(Careless, CarelessSubject)
    assert main(["verify", "careless", "--rule", "unsigned-refused", "--rule", "forged-refused"]) == 1
    captured = capsys.readouterr()
    rule = RULES["unsigned-refused"]
    lines = captured.out.splitlines()
    assert lines[:5] == [
        "careless, on asyncio (the adapter declares that it does not run on trio):",
        f"broken   unsigned-refused: {rule.demand}",
        f"         why:  {rule.why}",
        "         page: docs/plugins/rules.md#unsigned-refused",
        "         on asyncio: a call without a signature was taken",
    ]
    assert "         body, on asyncio: a call with another body was taken" in lines
    assert lines[-2] == "broken: unsigned-refused, forged-refused"
    assert lines[-1].startswith("2 rules in ")
    assert lines[-1].endswith(": 2 broken")
    assert captured.err == "", "what the adapter warns of meanwhile is no finding"


def test_what_is_skipped_and_what_is_kept_in_part_say_why(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    installed(Careless, CarelessSubject)
    assert main(["verify", "careless", "--rule", "check-in-words", "--rule", "only-our-errors"]) == 0
    _, skipped, kept, last = capsys.readouterr().out.splitlines()
    assert skipped == "skipped  check-in-words: the server is away"
    assert kept == "kept     only-our-errors (in part: answers in memory have no form that could be wrong)"
    assert last.endswith(": 1 kept, 1 skipped")


def test_what_is_declared_and_cannot_be_looked_at_is_told_at_the_end(
    installed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Apart from what does not concern the adapter."""
    limits = Capabilities(idempotency=Idempotency(kind=IdempotencyKind.KEY))
    adapter = type("Keyed", (LoopbackAdapter,), {"capabilities": limits})
    untold = type("Untold", (LoopbackSubject,), {"adapter": adapter, "received": Subject.received})
    installed(adapter, untold)
    main(["verify", "keyed", "--rule", "same-key-once", "--rule", "poll-goes-on"])
    assert "not told by the subject, so not proven: same-key-once" in capsys.readouterr().out.splitlines()


def test_a_check_that_cannot_be_done_counts_as_no_good(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    installed(LoopbackAdapter, Odd)
    assert main(["verify", "odd", "--rule", "taken-is-receipt", "--backend", "asyncio"]) == 1
    captured = capsys.readouterr()
    assert "cannot be told taken-is-receipt: " in captured.out
    assert "         on asyncio: the subject raised LookupError: nothing here, at test_verify.py:" in captured.out
    assert "Traceback" not in captured.out
    assert main(["verify", "odd", "--rule", "taken-is-receipt", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().out


def test_debug_shows_what_is_logged(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    installed(Careless, CarelessSubject)
    assert main(["verify", "careless", "--rule", "taken-is-receipt", "--debug"]) == 1
    assert "about to send" in capsys.readouterr().err


def test_logging_is_as_it_was_afterwards(installed: Any) -> None:
    installed(Careless, CarelessSubject)
    before = list(logging.getLogger().handlers)
    main(["verify", "careless", "--rule", "taken-is-receipt"])
    assert logging.getLogger().handlers == before


def test_json_is_one_object_for_each_rule(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    installed(Careless, CarelessSubject)
    assert main(["verify", "careless", "--rule", "unsigned-refused", "--rule", "check-in-words", "--json"]) == 1
    broken, skipped = map(json.loads, capsys.readouterr().out.splitlines())
    rule = RULES["unsigned-refused"]
    first, *_ = broken.pop("checks")
    assert broken == {
        "rule": "unsigned-refused",
        "verdict": "broken",
        "demand": rule.demand,
        "why": rule.why,
        "page": rule.page,
    }
    assert first == {
        "case": "",
        "backend": "asyncio",
        "verdict": "broken",
        "text": "a call without a signature was taken",
        "trace": "",
    }
    assert (skipped["rule"], skipped["verdict"]) == ("check-in-words", "skipped")


def test_without_a_subject_the_class_is_checked_and_the_way_to_the_rest_is_told(
    installed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(Careless, None)
    assert main(["verify", "careless"]) == 0
    captured = capsys.readouterr()
    assert "kept     class-complete" in captured.out.splitlines()
    assert "skipped  taken-is-receipt: its package announces no subject" in captured.out
    for looks_at_all in ("does-not-block", "no-content-logged"):
        assert f"skipped  {looks_at_all}: its package announces no subject" in captured.out
    assert captured.err.count("\n") == 1
    assert 'careless = "package.subject:ItsSubject" of the group convergekit.subjects' in captured.err
    assert "`convergekit new-adapter` shows how" in captured.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["lopback"], "no adapter 'lopback' is installed; did you mean 'loopback'?"),
        (["loopback", "--rule", "no-such"], "there is no rule no-such; see docs/plugins/rules.md"),
    ],
)
def test_wrong_usage_is_one_line_and_2(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"convergekit: {told}\n"
    assert captured.out == ""


def test_a_loop_that_the_adapter_does_not_know_is_told(installed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    installed(Careless, CarelessSubject)
    assert main(["verify", "careless", "--backend", "trio"]) == 2
    assert "the adapter declares that it does not run on trio" in capsys.readouterr().err


def test_a_subject_that_leaves_out_a_rule_that_is_not_there_is_told(
    installed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(LoopbackAdapter, type("Wrong", (LoopbackSubject,), {"cannot": {"no-such-rule": "why not"}}))
    assert main(["verify", "loopback"]) == 2
    assert capsys.readouterr().err == "convergekit: Wrong.cannot names no rule: no-such-rule\n"
