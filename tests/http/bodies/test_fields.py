"""Paths lead into whatever came, and what they lead to is told apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.http.bodies import Condition, Item, compiled

TREE: dict[str, Any] = {
    "id": 7,
    "ok": True,
    "none": None,
    "from": {"number": "+49"},
    "to": [{"number": "1", "name": "a"}, {"name": "b"}, {"number": "3", "name": "c"}],
    "tags": ["x", "y"],
    "Url0": "u0",
    "Url1": "u1",
    "Url3": "u3",
    "UrlX": "no",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", 7),
        ("from.number", "+49"),
        ("to.0.number", "1"),
        ("to.9.number", None),
        ("to.number", None),
        ("from.0", None),
        ("id.deeper", None),
        ("From", None),
        ("to.*.number", ["1", "3"]),
        ("from.*.number", ["+49"]),
        ("tags", ["x", "y"]),
        ("tags.*", ["x", "y"]),
        ("tags.1", "y"),
        ("Url#", ["u0", "u1", "u3"]),
        ("^id", None),
    ],
)
def test_a_path_leads_into_json(path: str, value: Any) -> None:
    assert Item(TREE).get(path) == value


def test_two_paths_lie_side_by_side_with_their_gaps() -> None:
    item = Item(TREE)
    assert item.row("to.*.number") == ["1", None, "3"]
    assert item.row("Url#") == ["u0", "u1", None, "u3"]
    assert Item.of_form([("Url1", b"b"), ("Url0", b"a"), ("Url", b"x")]).row("url#") == ["a", "b"]


def test_the_first_path_that_leads_to_a_text_counts() -> None:
    item = Item(TREE)
    assert item.text(("nowhere", "none", "from", "to.*.number", "id")) == "1"
    assert item.text(("from", "ok")) == "true"
    assert item.text("tags") == "x"
    assert item.text(()) is None


def test_an_entry_knows_what_encloses_it() -> None:
    item = Item(TREE)
    assert [(each.text("name"), each.text("^id")) for each in item.items("to")] == [("a", "7"), ("b", "7"), ("c", "7")]


@pytest.mark.parametrize(
    ("value", "each", "entries"),
    [
        ({"results": [1, {}]}, "results", [1, {}]),
        ({"results": {"id": 1}}, "results", [{"id": 1}]),
        ({"results": []}, "results", []),
        ({"results": "x"}, "results", [{"results": "x"}]),
        ({"b": [2]}, ("a", "b"), [2]),
        ({"a": [{"b": [1, 2]}, {}, {"b": [3]}]}, "a.*.b", [1, 2, 3]),
        ([{"id": 1}, None], (), [{"id": 1}, None]),
        ([{"id": 1}], "results", [{"id": 1}]),
        ({"id": 1}, (), [{"id": 1}]),
    ],
)
def test_a_batch_is_a_list_or_what_stands_for_one(value: Any, each: str | tuple[str, ...], entries: list[Any]) -> None:
    assert [item.value for item in Item(value).items(each)] == entries


def test_an_item_shows_nothing_of_itself() -> None:
    assert "sesame" not in repr(Item({"text": "sesame"}))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"path": "id", "equals": "7"}, True),
        ({"path": "id", "equals": ["8", "7"]}, True),
        ({"path": "ok", "equals": "TRUE"}, True),
        ({"path": "tags", "equals": "Y"}, True),
        ({"path": "to.*.name", "equals": "b"}, True),
        ({"path": "from", "equals": "x"}, False),
        ({"path": "from.number", "matches": r"^\+"}, True),
        ({"path": "id", "matches": "^8"}, False),
        ({"path": "none", "present": False}, True),
        ({"path": "none", "present": True}, False),
        ({"path": "id", "present": True, "equals": "8"}, False),
        ({"path": "id", "present": False}, False),
        ({"path": "nowhere", "matches": ""}, False),
    ],
)
def test_a_condition_holds_or_not(condition: dict[str, Any], holds: bool) -> None:
    assert compiled([Condition.model_validate(condition)])(Item(TREE)) is holds


def test_all_conditions_have_to_hold_and_none_always_do() -> None:
    one = Condition(path="id", equals=("7",))
    other = Condition(path="id", equals=("8",))
    assert compiled([one])(Item(TREE))
    assert not compiled([one, other])(Item(TREE))
    assert compiled([])(Item(None))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.sampled_from(["a", "0", "*", "b#", "1"]), min_size=1, max_size=4).map(".".join)


@given(value=ANYTHING, path=PATHS)
def test_no_path_into_anything_fails(value: Any, path: str) -> None:
    item = Item({"a": value, "b0": value})
    for each in (path, "^" + path):
        item.get(each)
        item.text(each)
        assert isinstance(item.all(each), list)
        assert isinstance(item.row(each), list)
        assert all(isinstance(entry, Item) for entry in item.items(each))
        compiled([Condition(path=each, present=True, equals=("x",), matches="x")])(item)
