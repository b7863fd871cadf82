"""The table of a store's rules, and the tests that try them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from convergekit.testing.store import RULES, Rule, StoreContract
from convergekit.testing.store._keeps import keeps, rule_of
from docs.rules import STORE_PAGE, store_page
from tests.inner import run_pytest

TESTS = {name: getattr(StoreContract, name) for name in dir(StoreContract) if name.startswith("test_")}


def test_the_page_is_up_to_date() -> None:
    """If not: python docs/rules.py."""
    text = STORE_PAGE.read_text(encoding="utf-8")
    assert store_page(text) == text


@pytest.mark.parametrize("rule", RULES.values(), ids=str)
def test_a_rule_says_what_why_and_where(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
    assert rule.demand.endswith(".")
    assert rule.why.endswith(".")
    assert rule.page == f"docs/plugins/store-rules.md#{rule.id}"


@pytest.mark.parametrize("name", TESTS)
def test_a_test_says_which_rule_it_tries(name: str) -> None:
    assert rule_of(TESTS[name]) in RULES.values()


def test_every_rule_is_tried() -> None:
    assert {str(rule_of(test)) for test in TESTS.values()} == set(RULES)


STORE = """
import pytest
from convergekit.abc import Admission
from convergekit.errors import StoreError
from convergekit.stores import MemoryStore
from convergekit.testing import StoreContract

class Forgetful(MemoryStore):
    async def admit(self, *args, **options):
        await super().admit(*args, **options)
        return (Admission.NEW,)

    async def counts(self):
        raise StoreError("nobody counts here")

    async def submit(self, dispatches, **options):
        try:
            return await super().submit(dispatches, **options)
        except Exception:
            return ()

class TestForgetful(StoreContract):
    @pytest.fixture
    async def store(self, clock):
        mine = Forgetful()
        async with mine.opened(clock):
            yield mine
"""


#: Whatever a test fails with: a comparison, an error of the store, an error that is missing.
FAILURES = {
    "test_an_event_is_admitted_once_for_good": ("admitted-once", "broken: assert (<Admission.NEW: 'new'>,) == "),
    "test_sums_by_channel_and_state": ("lists-in-order", "broken: nobody counts here"),
    "test_one_call_may_not_hold_two_contents_for_one_key": ("other-content-refused", "broken: DID NOT RAISE"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """By pytest, from a folder that knows nothing of ours, with nothing set up but anyio's plugin."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "test_forgetful.py").write_text(STORE)
    return run_pytest(folder, "-q", "-k", f"({' or '.join(FAILURES)}) and trio").stdout


@pytest.mark.parametrize("test", FAILURES)
def test_a_failure_says_rule_reason_and_page_first(test: str, said: str) -> None:
    (rule, what), lines = FAILURES[test], said.splitlines()
    start = next(number for number, line in enumerate(lines) if re.match(f"_+ .*{test}", line)) + 1
    known = RULES[rule]
    assert lines[start : start + 3] == [
        f"{rule}: {known.demand}",
        f"  why:  {known.why}",
        f"  page: docs/plugins/store-rules.md#{rule}",
    ]
    assert lines[start + 3].startswith(what)
    assert any(f"in {test}" in line for line in lines[start:]), "and where"


def test_what_differs_is_shown(said: str) -> None:
    assert "At index 0 diff: <Admission.NEW: 'new'> != <Admission.DUPLICATE: 'duplicate'>" in said


def test_a_mark_changes_nothing_else() -> None:
    @keeps("admitted-once")
    async def test_it(self: Any, store: Any, *, clock: int = 1) -> None:
        """What it says."""

    assert (test_it.__name__, test_it.__doc__) == ("test_it", "What it says.")
    with pytest.raises(KeyError):
        keeps("no-such-rule")
