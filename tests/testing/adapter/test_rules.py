"""The table of rules, and what stands beside it."""

import re

import pytest

from convergekit.testing.adapter import RULES, rules
from docs.rules import PAGE, anchors, page


def test_the_page_is_up_to_date() -> None:
    """If not: python docs/rules.py."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text


@pytest.mark.parametrize("rule", RULES.values(), ids=str)
def test_a_rule_says_what_why_and_where(rule: object) -> None:
    known = RULES[str(rule)]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", known.id)
    assert known.demand.endswith(".")
    assert known.why.endswith(".")
    assert known.topic in anchors(), "the contract has a section that explains it"
    assert known.page == f"docs/plugins/rules.md#{known.id}"


def test_rules_are_asked_for_by_their_ids() -> None:
    assert [rule.id for rule in rules("ack-after-admit")] == ["ack-after-admit"]
    assert rules() == tuple(RULES.values())
    with pytest.raises(LookupError, match="no-such-rule"):
        rules("no-such-rule")
