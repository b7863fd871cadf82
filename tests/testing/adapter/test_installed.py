"""Subjects that packages announce."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.adapters.loopback.subject import LoopbackSubject
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.adapters.webhook.subject import WebhookSubject
from convergekit.errors import ConfigurationError
from convergekit.testing.adapter import SUBJECTS, Subject, Verdict, installed_subject, verify, without_subject


def announced(value: str, distribution: str = "loop-plugin") -> EntryPoint:
    point = EntryPoint("loopback", value, SUBJECTS)
    vars(point)["dist"] = type("Distribution", (), {"name": distribution, "version": "2.0"})
    return point


def test_ours_are_announced_as_everybodys_are() -> None:
    assert installed_subject(LoopbackAdapter) is LoopbackSubject
    assert installed_subject(WebhookAdapter) is WebhookSubject


def test_an_adapter_may_have_none() -> None:
    assert installed_subject(LoopbackAdapter, list) is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("absent", None, "No module named"),
        ("number", 7, "7 is not a subclass of convergekit.testing.adapter.Subject"),
        ("Other", WebhookSubject, "WebhookSubject.adapter is not LoopbackAdapter"),
        ("Bare", type("Bare", (Subject,), {}), "Bare.adapter is not LoopbackAdapter"),
    ],
)
def test_what_is_wrong_with_one_is_told_with_whose_it_is(
    name: str, value: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("loop_plugin")
    vars(module)[name] = value
    if value is not None:
        monkeypatch.setitem(sys.modules, "loop_plugin", module)
    with pytest.raises(ConfigurationError) as caught:
        installed_subject(LoopbackAdapter, lambda: [announced(f"loop_plugin:{name}")])
    assert str(caught.value).startswith("the subject 'loopback' (loop-plugin 2.0) is broken: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_that_are_called_the_same_name_both_distributions() -> None:
    points = [announced("one:S", "one"), announced("two:S", "two")]
    with pytest.raises(ConfigurationError, match=r"two subjects are called 'loopback': by one .* and two"):
        installed_subject(LoopbackAdapter, lambda: points)


def test_without_one_the_class_is_checked_and_nothing_is_made_up() -> None:
    results = {result.check.rule.id: result for result in verify(without_subject(LoopbackAdapter), backends=["trio"])}
    assert results["class-complete"].verdict is Verdict.KEPT
    assert results["taken-is-receipt"].verdict is Verdict.SKIPPED
    assert "announces no subject" in results["taken-is-receipt"].text
    assert {result.verdict for result in results.values()} == {Verdict.KEPT, Verdict.SKIPPED}


def test_without_one_a_broken_class_is_found() -> None:
    odd = type("Odd", (LoopbackAdapter,), {"schemes": frozenset({"Loop:"})})
    (result,) = verify(without_subject(odd), backends=["asyncio"], rules=["class-complete"])
    assert result.verdict is Verdict.BROKEN
