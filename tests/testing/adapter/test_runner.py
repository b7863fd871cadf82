"""What a check says, with pytest and without."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from convergekit.errors import ConfigurationError
from convergekit.testing.adapter import RULES, Verdict, verify
from tests.inner import run_pytest
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, pigeons

STRANGER = """
import pytest
from convergekit.testing import AdapterContract
from convergekit.testing.adapter import Subject
from convergekit.adapters.loopback import LoopbackAdapter, LoopbackConfig

class ChattyConfig(LoopbackConfig):
    colour: str = "grey"

class Chatty(LoopbackAdapter):
    Config = ChattyConfig

class ChattySubject(Subject):
    adapter = Chatty
    to = "loopback:ann"
    cannot = {"check-in-words": "the server is away"}

class TestChatty(AdapterContract):
    @pytest.fixture
    def subject(self):
        return ChattySubject()
"""


class Deaf(pigeons.PigeonAdapter):  # type: ignore[misc, name-defined]
    async def verify(self, request: Any) -> None:
        pass


class DeafSubject(PigeonSubject):
    adapter = Deaf


def test_a_failure_says_rule_reason_and_page_first() -> None:
    result, *_ = verify(DeafSubject, backends=["trio"], rules=["unsigned-refused"])
    assert result.verdict is Verdict.BROKEN
    assert not result.is_good
    rule = RULES["unsigned-refused"]
    assert str(result).splitlines() == [
        f"unsigned-refused: {rule.demand}",
        f"  why:  {rule.why}",
        "  page: docs/plugins/rules.md#unsigned-refused",
        "  case: on trio",
        "broken: a call without a signature was taken",
    ]


def test_what_an_adapter_has_not_is_skipped_with_the_reason() -> None:
    (result,) = verify(PigeonSubject, backends=["asyncio"], rules=["ack-after-admit"])
    assert (result.verdict, result.text) == (Verdict.SKIPPED, "the adapter does not listen")


def test_what_a_subject_cannot_play_is_skipped_with_the_reason() -> None:
    (result, _) = verify(LoopbackSubject, backends=["asyncio"], rules=["malformed-answer-uncertain"])
    assert (result.verdict, result.text) == (
        Verdict.SKIPPED,
        "answers in memory have no form that could be wrong",
    )


def test_a_loop_that_the_adapter_does_not_declare_is_skipped() -> None:
    only = type("Only", (PigeonSubject,), {"adapter": type("A", (Deaf,), {"backends": frozenset({"asyncio"})})})
    results = list(verify(only, rules=["class-complete"]))
    assert [each.verdict for each in results] == [Verdict.KEPT, Verdict.SKIPPED]


def test_what_nobody_foresaw_is_no_broken_rule() -> None:
    class Absent(PigeonSubject):
        def received(self) -> Any:
            raise LookupError("nothing here")

    (result,) = verify(Absent, backends=["asyncio"], rules=["taken-is-receipt"])
    assert result.verdict is Verdict.FAILED
    assert "cannot be told: the subject raised LookupError: nothing here, at test_runner.py:" in str(result)


@pytest.mark.parametrize(
    ("flawed", "rule", "told"),
    [
        ({"schemes": {"Deaf:"}}, "class-complete", "Flawed.schemes names 'Deaf:': a scheme is in lower case"),
        ({"backends": {"twisted"}}, "class-complete", "Flawed.backends is {'twisted'}: it is a set of"),
        ({"Config": BaseModel}, "config-frozen", "Config is not frozen: say model_config ="),
    ],
)
def test_what_is_no_adapter_is_said_once(flawed: dict[str, Any], rule: str, told: str) -> None:
    """On one line, and by one rule; no other is tried, since each would fail in a way of its own."""
    subject = type("FlawedSubject", (PigeonSubject,), {"adapter": type("Flawed", (Deaf,), flawed)})
    results = list(verify(subject, backends=["asyncio"]))
    (broken,) = [each for each in results if each.verdict is Verdict.BROKEN]
    assert broken.check.rule.id == rule
    assert broken.text.startswith(told)
    assert "\n" not in broken.text
    others = {each.text for each in results if each.check.rule.id not in ("class-complete", "config-frozen")}
    assert others == {f"before this can be checked: {broken.text}"}


def test_a_rule_that_is_not_there_cannot_be_left_out() -> None:
    odd = type("Odd", (PigeonSubject,), {"cannot": {"no-such-rule": "why not"}})
    with pytest.raises(ConfigurationError, match=r"Odd\.cannot names no rule: no-such-rule"):
        list(verify(odd))


def test_a_stranger_inherits_it_with_one_fixture(tmp_path: Path) -> None:
    """From a folder that knows nothing of ours, with no plugin for asynchronous tests."""
    (tmp_path / "test_chatty.py").write_text(STRANGER)
    done = run_pytest(tmp_path, "-q", "-rs", "-p", "no:anyio", "-k", "config-schema or check-in-words")
    assert "config-schema: The settings have a JSON schema" in done.stdout
    assert "broken: what these settings are is not said: colour" in done.stdout
    assert "check-in-words: the server is away" in done.stdout
    assert re.search(r"\n2 failed, \d+ skipped", done.stdout)


@pytest.mark.parametrize(
    ("declared", "asked", "told"),
    [
        ("asyncio", "asyncio", r"\n1 passed, 1 skipped, "),
        ("asyncio trio", "asyncio", r"trio, and TestChatty\.backends leaves it out\n(.*\n)*1 failed, 1 passed, "),
        ("asyncio trio", "asyncio trio", r"\n3 passed, "),
    ],
    ids=["by the adapter", "by its tests", "by nobody"],
)
def test_a_loop_is_left_out_where_the_adapter_leaves_it_out(
    declared: str, asked: str, told: str, tmp_path: Path
) -> None:
    """As one skipped test; whoever leaves out another one would prove less than the adapter says."""
    loops = STRANGER.replace("    Config = ChattyConfig", f"    backends = frozenset({declared.split()})")
    loops = loops.replace("(AdapterContract):", f"(AdapterContract):\n    backends = {asked.split()}")
    (tmp_path / "test_chatty.py").write_text(loops)
    done = run_pytest(tmp_path, "-q", "-p", "no:anyio", "-k", "class-complete or asks_on_each")
    assert re.search(told, done.stdout), done.stdout


@pytest.mark.filterwarnings("ignore")  # Trio says what has become of it
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_adapter_that_never_ends_is_broken_and_the_run_goes_on(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that catches everything around its loop would otherwise hold up a test run for ever."""

    class HoldsOn(pigeons.PigeonAdapter):  # type: ignore[misc, name-defined]
        async def send(self, out: Any) -> Any:
            while True:
                try:
                    await anyio.sleep(3600)
                except BaseException:
                    continue

    monkeypatch.setattr("convergekit.testing.adapter._runner._LONGEST", 0.1)
    holds_on = type("HoldsOnSubject", (PigeonSubject,), {"adapter": HoldsOn})
    hangs, goes_on = (
        list(verify(holds_on, backends=[backend], rules=[rule])) for rule in ("taken-is-receipt", "class-complete")
    )
    assert [(each.verdict, each.text[:29]) for each in hangs] == [(Verdict.BROKEN, "it had not ended after 0.1 s,")]
    assert [each.verdict for each in goes_on] == [Verdict.KEPT]


def test_where_everything_hangs_nobody_waits_an_hour_to_hear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleepy(pigeons.PigeonAdapter):  # type: ignore[misc, name-defined]
        async def send(self, out: Any) -> Any:
            await anyio.sleep_forever()

    monkeypatch.setattr("convergekit.testing.adapter._runner._LONGEST", 0.05)
    sleepy = type("SleepySubject", (PigeonSubject,), {"adapter": Sleepy})
    results = list(verify(sleepy, backends=["asyncio"], rules=["throttled-says-when", "only-our-errors"]))
    assert [each.verdict for each in results[:6]] == [Verdict.BROKEN] * 6
    assert {str(each.verdict) for each in results[6:]} == {"failed"}
    assert results[-1].text == "6 checks before this one have hung: mend those first"


@pytest.mark.parametrize("how", [RuntimeError("no server"), SystemExit(0)])
def test_a_subject_that_cannot_be_made_is_told_on_one_line(how: BaseException) -> None:
    """And does not end the run as if all were well."""

    class Unmade(PigeonSubject):
        def __init__(self) -> None:
            raise how

    told = rf"^the subject cannot be made: it raised {type(how).__name__}: .*, at .*test_runner:\d+$"
    with pytest.raises(ConfigurationError, match=told):
        list(verify(Unmade, rules=["class-complete"]))


def test_an_adapter_that_exits_is_broken_and_the_run_goes_on() -> None:
    class Exits(pigeons.PigeonAdapter):  # type: ignore[misc, name-defined]
        async def send(self, out: Any) -> Any:
            sys.exit(0)

    exits = type("ExitsSubject", (PigeonSubject,), {"adapter": Exits})
    for backend in ("asyncio", "trio"):
        (result,) = verify(exits, backends=[backend], rules=["taken-is-receipt"])
        assert result.verdict is Verdict.BROKEN
        assert result.text.startswith("it raised SystemExit at ")


def test_the_contract_runs_without_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None; from convergekit.testing.adapter import Subject, verify;"
        "from convergekit.adapters.loopback import LoopbackAdapter;"
        "subject = type('S', (Subject,), {'adapter': LoopbackAdapter, 'to': 'loopback:ann'});"
        "print(*verify(subject, rules=['class-complete']), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.count("kept:"), done.stderr) == (2, "")
