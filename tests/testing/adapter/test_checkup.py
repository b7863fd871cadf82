"""What is wrong with a subject is said once, on one line, before any rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from convergekit.errors import ConfigurationError
from convergekit.model import Idempotency, IdempotencyKind
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


def keyed(key: Callable[[Any], str]) -> list[tuple[Verdict, str]]:
    """What is said of an adapter that declares a key, whose subject does not say where it is."""

    async def send(self: Any, out: Any) -> Any:
        return await Pigeon.send(self, replace(out, key=key(out)))

    limits = Pigeon.capabilities.model_copy(update={"idempotency": Idempotency(kind=IdempotencyKind.KEY)})
    adapter = type("Keyed", (Pigeon,), {"capabilities": limits, "send": send})
    untold = flawed(PigeonSubject, adapter=adapter, identity=Subject.identity)
    found = verify(untold, backends=["trio"], rules=["same-key-once"])
    return [(each.verdict, each.text) for each in found if not each.check.case]


def test_a_key_that_is_declared_goes_along_even_where_the_subject_does_not_say_where() -> None:
    ((verdict, text),) = keyed(lambda out: "another")
    assert verdict is Verdict.BROKEN
    assert text.startswith("the key is declared, and is not in what the far side got")
    assert keyed(lambda out: out.key) == [
        (Verdict.SKIPPED, "this subject does not say by what its medium knows a repeat")
    ]


def test_what_the_far_side_raises_is_said_to_be_its_own() -> None:
    """The adapter got it in place of an answer, and has nothing to do with it."""

    def accept(self: Any, request: Any) -> Any:
        raise LookupError("no such field")

    (result,) = verify(flawed(PigeonSubject, accept=accept), backends=["asyncio"], rules=["taken-is-receipt"])
    assert result.verdict is Verdict.FAILED
    assert re.fullmatch(r"the subject raised LookupError: no such field, at test_checkup\.py:\d+", result.text)


class Silent(LoopbackSubject):
    async def _listens(self: Any, *, task_status: Any = None) -> None:
        await anyio.sleep_forever()

    adapter = type("SilentAdapter", (LoopbackSubject.adapter,), {"listen": _listens})
    patience = 0.1


def test_whatever_listens_waits_no_second_time_for_what_never_says_that_it_is_connected() -> None:
    results = list(verify(Silent, backends=["trio"], rules=["says-when-connected", "hears-again", "ack-after-admit"]))
    broken = {each.check.rule.id for each in results if each.verdict is Verdict.BROKEN}
    assert broken == {"says-when-connected"}
    others = {each.text for each in results if each.check.rule.id != "says-when-connected"}
    assert others == {"before this can be checked: `listen` has to call task_status.started(), see says-when-connected"}
