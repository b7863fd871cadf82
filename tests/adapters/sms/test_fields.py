"""Whatever a gateway sends, its fields are found, or it is refused with a typed error."""

from __future__ import annotations

import json
from contextlib import suppress
from time import process_time
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.fields import Item, compiled, read_body, read_json
from convergekit.adapters.sms.profile import Condition
from convergekit.errors import InvalidInputError

FORM = "application/x-www-form-urlencoded"


def call(body: bytes | str = b"", content_type: str = "", *, query: str = "", method: str = "POST") -> Request:
    headers = Headers({"Content-Type": content_type} if content_type else {})
    return Request(method, query=query, headers=headers, body=body.encode() if isinstance(body, str) else body)


# --- bodies ------------------------------------------------------------------


def test_a_form_is_read_and_its_names_compare_without_case() -> None:
    item = read_body(call("From=%2B491511&Body=Hello+there%21&empty=", FORM))
    assert item.text("from") == "+491511"
    assert item.text("BODY") == "Hello there!"
    assert item.text("empty") is None
    assert item.value == {"From": "+491511", "Body": "Hello there!", "empty": ""}


@pytest.mark.parametrize("content_type", ["", FORM, "text/plain", "application/json", "application/x-unknown;"])
def test_what_a_body_looks_like_counts_for_more_than_what_it_is_called(content_type: str) -> None:
    assert read_body(call('{"id": 1}', content_type)).text("id") == "1"
    assert read_body(call("id=1", content_type)).text("id") == "1"
    assert read_body(call('[{"id": 1}]', content_type)).value == [{"id": 1}]


def test_of_a_name_that_comes_twice_the_first_counts() -> None:
    form = read_body(call("To=1&to=2&To=3", FORM))
    assert form.text("To") == "1"
    assert form.all("to.*") == form.all("To") == ["1", "2", "3"]
    assert form.value == {"To": ["1", "3"], "to": "2"}
    assert form.text("To.1") == "2"
    assert read_body(call('{"To": "1", "To": "2"}')).text("To") == "1"


def test_a_query_alone_is_a_call_too() -> None:
    item = read_body(call(query="from=%2B49&text=a%20b", method="GET"))
    assert (item.text("from"), item.text("text")) == ("+49", "a b")


def test_a_query_adds_what_a_form_lacks_and_encloses_json() -> None:
    form = read_body(call("id=1&status=sent", FORM, query="ID=2&ref=d.0"))
    assert (form.all("id"), form.text("ref")) == (["1"], "d.0")
    body = read_body(call('[{"id": 1}]', query="status=8"))
    assert [each.text("^status") for each in body.items()] == ["8"]
    assert read_body(call('{"id": 1}', query="status=8")).text("^status") == "8"


def test_a_body_beside_a_get_is_not_read() -> None:
    assert read_body(call("id=1", FORM, query="id=2", method="GET")).text("id") == "2"


def test_a_multipart_form_gives_its_texts_and_not_its_files() -> None:
    body = (
        b'--xyz\r\nContent-Disposition: form-data; name="id"\r\n\r\n7\r\n'
        b'--xyz\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nsecret\r\n'
        b"--xyz\r\nContent-Disposition: form-data; name=text\r\nContent-Type: text/plain"
        b"\r\n\r\na\r\nb \xc3\xa9\r\n--xyz--\r\n"
    )
    item = read_body(call(body, 'multipart/form-data; boundary="xyz"'))
    assert item.value == {"id": "7", "text": "a\r\nb é"}


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("text=%E9", FORM, "é"),  # neither UTF-8 nor declared: latin-1 loses nothing
        ("text=%E9", FORM + "; charset=ISO-8859-1", "é"),
        ("text=%A4", FORM + "; charset=iso-8859-15", "€"),
        ("text=%C3%A9", FORM + '; charset="utf-8"', "é"),
        ("text=%C3%A9", FORM + "; charset=no-such-thing", "é"),
        ("text=%C3%A9", FORM + "; charset=idna", "é"),
        ("text=%00H%00i", FORM + "; charset=UTF-16BE", "Hi"),
        ("text=a%00b", FORM, "ab"),
        ('{"text": "é"}'.encode("latin-1"), "application/json", "é"),
        ('{"text": "é"}'.encode("utf-16"), "application/json", "é"),
        ('{"text": "é"}'.encode("utf-8-sig"), "application/json", "é"),
        (r'{"text": "a\ud83dz\ud83d\ude00\u0000"}', "application/json", "a\ufffdz\U0001f600"),
    ],
)
def test_text_is_cleaned_and_no_reason_to_refuse(body: str | bytes, content_type: str, text: str) -> None:
    item = read_body(call(body, content_type))
    assert item.text("text") == text
    json.dumps(item.value, ensure_ascii=False, allow_nan=False).encode()


def test_the_bytes_of_a_form_are_there_whatever_its_charset() -> None:
    item = read_body(call(query="text=%00%E9%4E-&x=1", method="GET"))
    assert item.bytes("TEXT") == b"\x00\xe9N-"
    assert read_body(call('{"text": "x"}')).bytes("text") is None


def test_numbers_stay_and_those_that_json_cannot_write_are_text() -> None:
    item = read_json('{"a": 1, "b": 1.5, "c": 1e999, "d": NaN, "e": -Infinity, "f": ' + "9" * 5000 + "}")
    assert [item.text(name) for name in "abcde"] == ["1", "1.5", "1e999", "NaN", "-Infinity"]
    assert item.text("f") == "9" * 5000
    assert (item.get("a"), item.get("b")) == (1, 1.5)
    json.dumps(item.value, allow_nan=False)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (call(), "nothing"),
        (call(b"  \r\n "), "nothing"),
        (call('{"a": 1'), "not JSON"),
        (call('{"a": 1} x', "application/json"), "not JSON"),
        (call("nonsense", "application/json"), "neither an object nor a list"),
        (call("<xml/>", "text/xml"), "XML"),
        (call("[" * 101 + "]" * 101), "nested"),
        (call("[" * 500_000), "not JSON"),
        (call('{"a":' * 100_000), "not JSON"),
        (call("&" * 3000, FORM), "fields"),
        (call("--x\r\n\r\n", "multipart/form-data"), "boundary"),
        (call("--x--", "multipart/form-data; boundary=x"), "no field"),
        (call(query="&a" * 3000, method="GET"), "fields"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_typed_error(request_: Request, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        read_body(request_)


def test_an_error_shows_nothing_of_the_body() -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_body(call('{"text": "sesame'))
    assert "sesame" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert "sesame" not in repr(Item.of({"text": "sesame"}))


# --- paths -------------------------------------------------------------------

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
    assert Item.of(TREE).get(path) == value


def test_two_paths_lie_side_by_side_with_their_gaps() -> None:
    item = Item.of(TREE)
    assert item.row("to.*.number") == ["1", None, "3"]
    assert item.row("Url#") == ["u0", "u1", None, "u3"]
    assert read_body(call("Url1=b&Url0=a&Url=x", FORM)).row("url#") == ["a", "b"]


def test_the_first_path_that_leads_to_a_text_counts() -> None:
    item = Item.of(TREE)
    assert item.text(("nowhere", "none", "from", "to.*.number", "id")) == "1"
    assert item.text(("from", "ok")) == "true"
    assert item.text("tags") == "x"
    assert item.text(()) is None


def test_an_entry_knows_what_encloses_it() -> None:
    item = Item.of(TREE)
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
    assert [item.value for item in Item.of(value).items(each)] == entries


# --- conditions --------------------------------------------------------------


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
    assert Item.of(TREE).fits([Condition.model_validate(condition)]) is holds


def test_all_conditions_have_to_hold_and_none_always_do() -> None:
    one = Condition(path="id", equals=("7",))
    other = Condition(path="id", equals=("8",))
    assert compiled([one])(Item.of(TREE))
    assert not compiled([one, other])(Item.of(TREE))
    assert compiled([])(Item.of(None))


# --- anything ----------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.sampled_from(["a", "0", "*", "b#", "1"]), min_size=1, max_size=4).map(".".join)


@given(value=ANYTHING, path=PATHS)
def test_no_path_into_anything_fails(value: Any, path: str) -> None:
    item = Item.of({"a": value, "b0": value})
    for each in (path, "^" + path):
        item.get(each)
        item.text(each)
        assert isinstance(item.all(each), list)
        assert isinstance(item.row(each), list)
        assert all(isinstance(entry, Item) for entry in item.items(each))
        item.fits([Condition(path=each, present=True, equals=("x",), matches="x")])


@given(
    body=st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud83d0=&%;', max_size=60).map(str.encode),
    kind=st.integers(0, 3),
)
def test_no_body_is_met_with_anything_but_a_typed_error(body: bytes, kind: int) -> None:
    content_type = ("", FORM + "; charset=utf-16", "application/json; charset=x", "multipart/form-data; boundary=0")[
        kind
    ]
    try:
        item = read_body(call(body, content_type, query="a=%ff"))
    except InvalidInputError:
        return
    json.dumps(item.value, ensure_ascii=False, allow_nan=False).encode()


@given(fields=st.lists(st.tuples(st.text(min_size=1, max_size=6), st.text(max_size=12)), min_size=1, max_size=8))
def test_a_form_is_what_was_written_into_it(fields: list[tuple[str, str]]) -> None:
    fields = [(name, text) for name, text in fields if name.isalnum()] or [("a", "b")]
    item = read_body(call(urlencode(fields), FORM))
    assert item.bytes(fields[0][0]) == fields[0][1].encode()
    written: dict[str, list[str]] = {}
    for name, text in fields:
        written.setdefault(name, []).append(text)
    assert item.value == {name: texts[0] if len(texts) == 1 else texts for name, texts in written.items()}


@pytest.mark.parametrize(
    ("unit", "content_type"),
    [
        ("text=" + quote("é&=", safe="") * 50 + "&", FORM),
        ('{"a":[1,2,{"b":"\\ud83d"}]},', "application/json"),
        ("\r\n--x\r\nContent-Disposition: form-data; " + "name " * 500 + "\r\n\r\n", "multipart/form-data; boundary=x"),
    ],
)
def test_a_body_of_a_megabyte_takes_a_moment(unit: str, content_type: str) -> None:
    """What grows as the square of its input would take minutes."""
    body = unit * (1_000_000 // len(unit))
    if content_type.endswith("json"):
        body = "[" + body.rstrip(",") + "]"
    started = process_time()
    with suppress(InvalidInputError):
        read_body(call(body, content_type))
    assert process_time() - started < 10
