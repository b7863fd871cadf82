"""What a profile says is filled in: nothing is made up or mangled, and what is missing leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.sms.templates import compiled, compiled_url, written

SETTINGS = {"key": "s3cret", "region": "", "base": "https://api.example/v1/", "id": "a/b?c=d e"}


def filled(template: Any, **values: Any) -> Any:
    made = compiled(template, SETTINGS)
    assert made.names <= values.keys()
    return made.fill(values)


@pytest.mark.parametrize(
    ("template", "values", "found"),
    [
        ("plain", {}, "plain"),
        ("Bearer {key}", {}, "Bearer s3cret"),
        ("{text}", {"text": "ä {key} %41 +&="}, "ä {key} %41 +&="),
        ("{{{text}}}", {"text": "x"}, "{x}"),
        ("to {to}, from {from}", {"to": "1", "from": "2"}, "to 1, from 2"),
        ("{validity}", {"validity": 60}, 60),
        ("in {validity} s", {"validity": 60}, "in 60 s"),
        ("{media}", {"media": ["a", "b"]}, ["a", "b"]),
        ("{media}!", {"media": ["a", "b"]}, "a,b!"),
        (True, {}, True),
        (7, {}, 7),
        (0, {}, 0),
    ],
)
def test_what_is_filled_in_stands_as_it_is(template: Any, values: dict[str, Any], found: Any) -> None:
    assert filled(template, **values) == found


@pytest.mark.parametrize("nothing", [None, "", []])
def test_what_has_no_value_leaves_no_trace(nothing: object) -> None:
    """Neither a field, nor an entry of a list, nor the table around it."""
    tables = {
        "text": "{text}",
        "joined": "a {text} b",
        "in": {"a": {"table": "{text}"}},
        "list": ["{text}", {"of": "{text}"}],
        "kept": ["{text}", "x"],
    }

    assert filled(tables, text=nothing) == {"kept": ["x"]}
    assert filled({"text": "{text}"}, text=nothing) is None


def test_a_table_that_says_nothing_any_more_leaves_no_trace() -> None:
    """A unit without an amount would be refused, or mean something."""
    period = {"options": {"period": {"amount": "{validity}", "unit": "SECONDS"}}, "to": "{to}"}

    assert filled(period, validity=60, to="1") == {"options": {"period": {"amount": 60, "unit": "SECONDS"}}, "to": "1"}
    assert filled(period, validity=None, to="1") == {"to": "1"}
    assert filled({"always": {"unit": "SECONDS"}, "to": "{to}"}, to="1") == {"always": {"unit": "SECONDS"}, "to": "1"}


def test_a_name_may_be_filled_in() -> None:
    template = {"type": "{kind}", "{kind}": {"url": "{url}"}, "{key}": "x"}

    assert filled(template, kind="image", url="u") == {"type": "image", "image": {"url": "u"}, "s3cret": "x"}
    assert compiled(template, SETTINGS).names == {"kind", "url"}


def test_a_setting_that_is_not_said_is_missing_too() -> None:
    assert filled({"region": "{region}", "joined": "in {region}", "to": "{to}"}, to="1") == {"to": "1"}


def test_zero_and_false_are_values() -> None:
    assert filled({"a": "{a}", "b": "{b}"}, a=0, b=False) == {"a": 0, "b": False}


def test_only_what_is_open_is_asked_for() -> None:
    assert compiled({"a": "{key}", "b": ["{to}", {"c": "{text}"}]}, SETTINGS).names == {"to", "text"}


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("{base}/send", "https://api.example/v1/send"),
        ("https://api.example/{id}/send", "https://api.example/a%2Fb%3Fc%3Dd%20e/send"),
        ("https://api.example/send?to={to}", "https://api.example/send?to=%2B49%26from%3Dme"),
        ("{region}/send", None),
    ],
)
def test_a_url_begins_as_the_account_says_and_else_keeps_its_shape(template: str, url: str | None) -> None:
    """What is filled in later cannot add a path, a query or another host."""
    assert compiled_url(template, SETTINGS).fill({"to": "+49&from=me"}) == url


def test_values_that_become_text() -> None:
    assert [written(each) for each in (True, False, 7, 1.5, "x", ["a", True])] == [
        "true",
        "false",
        "7",
        "1.5",
        "x",
        "a,true",
    ]
