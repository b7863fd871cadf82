"""What is wrong with a subject is said once, on one line, before any rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from convergekit.errors import ConfigurationError
from convergekit.testing.adapter import HttpSubject, Subject, Verdict, verify
from tests.inner import run_pytest
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, pigeons

Pigeon: Any = pigeons.PigeonAdapter


class Bare(HttpSubject):
    adapter = Pigeon
    to = "pigeon:ann"


def _nothing(self: Any, *given: Any) -> Any:
    raise AssertionError


async def _awaited(self: Any, *given: Any) -> Any:
    raise AssertionError


def _sign_by_place(self: Any, call: Any, at: Any) -> Any:
    raise AssertionError


def flawed(of: type[Any], **changed: Any) -> type[Subject]:
    """A subject that differs from *of* in *changed*."""
    return cast("type[Subject]", type("Lighthouse", (of,), changed))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PigeonSubject, r"the subject is the class PigeonSubject, and not an instance: say PigeonSubject\(\)"),
        (object, r"the subject is a object, and no convergekit\.testing\.adapter\.Subject"),
        (Bare, r"Bare does not implement accept"),
        (flawed(HttpSubject, accept=_nothing), r"Lighthouse\.adapter is not said"),
        (flawed(PigeonSubject, to="ann"), r"Lighthouse\.to is 'ann': "),
        (flawed(PigeonSubject, to=None), r"Lighthouse\.to is None: not an address"),
        (flawed(PigeonSubject, senders=("pigeon:ann", "pigeon:ann")), r"Lighthouse\.senders are to be two people"),
        (flawed(PigeonSubject, senders=("pigeon:ann", "bob")), r"Lighthouse\.senders names 'bob': "),
        (flawed(PigeonSubject, sign=_sign_by_place), r"Lighthouse\.sign cannot be called as sign\(self, call: 'Call',"),
        (flawed(PigeonSubject, push=_nothing), r"Lighthouse\.push is to be awaited"),
        (flawed(PigeonSubject, received=_awaited), r"Lighthouse\.received is not to be awaited"),
        (flawed(PigeonSubject, settings={}), r"Lighthouse\.settings are not valid: .*: Field required"),
        (flawed(LoopbackSubject, settings={"secret": "short"}), r"Lighthouse has a secret of fewer than 6 characters"),
        (flawed(Bare, accept=_nothing, mesage=_nothing), r"Lighthouse\.mesage: did you mean message\?"),
        (flawed(Bare, accept=_nothing, rotate=_nothing), r"Lighthouse\.rotate: did you mean rotating\?"),
        (flawed(Bare, accept=_nothing, setings={}), r"Lighthouse\.setings: did you mean settings\?"),
        (flawed(PigeonSubject, cannot={"no-such-rule": "why"}), r"Lighthouse\.cannot names no rule: no-such-rule"),
    ],
)
def test_a_subject_that_cannot_be_used_is_one_line_and_no_rule_is_tried(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        next(verify(make, rules=["taken-is-receipt"]))
    assert "\n" not in str(caught.value)


def test_a_name_of_ones_own_is_no_misspelling() -> None:
    """Not even where it is alike, if what it could be meant for is there as well."""
    own = flawed(PigeonSubject, messages=[], _mesage=1, harbour="x", signs=_nothing)
    assert [each.verdict for each in verify(own, rules=["taken-is-receipt"])] == [Verdict.KEPT] * 2


def test_a_misspelt_verb_of_an_adapter_is_named() -> None:
    odd = flawed(PigeonSubject, adapter=type("Odd", (Pigeon,), {"eidt": _nothing}))
    (result,) = verify(odd, backends=["trio"], rules=["verbs-callable"])
    assert (result.verdict, result.text) == (
        Verdict.BROKEN,
        "Odd.eidt: did you mean edit? If not, call it _eidt",
    )


@pytest.mark.parametrize("send", [_nothing, lambda self: None])
def test_a_send_that_cannot_be_called_is_said_by_one_rule(send: Any) -> None:
    odd = flawed(PigeonSubject, adapter=type("Odd", (Pigeon,), {"send": send}))
    results = list(verify(odd, backends=["asyncio"]))
    (broken,) = [each for each in results if not each.is_good]
    assert broken.check.rule.id == "verbs-callable"
    others = {
        each.text for each in results if each.verdict is Verdict.SKIPPED and each.check.rule.id != "verbs-callable"
    }
    assert others == {f"before this can be checked: {broken.text}"}


def test_pytest_shows_one_failure(tmp_path: Path) -> None:
    tests = """
import pytest
from convergekit.testing import AdapterContract
from convergekit.testing.adapter import HttpSubject
from convergekit.adapters.loopback import LoopbackAdapter

class Half(HttpSubject):
    adapter = LoopbackAdapter
    to = "loopback:ann"

class TestHalf(AdapterContract):
    @pytest.fixture
    def subject(self):
        return Half()
"""
    (tmp_path / "test_half.py").write_text(tests)
    done = run_pytest(tmp_path, "-q", "-rs", "-k", "settings or config or check-in-words")
    assert "Half does not implement accept" in done.stdout
    assert "1 failed, " in done.stdout
    assert "error" not in done.stdout
