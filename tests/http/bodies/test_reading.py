"""Whatever a gateway sends, its fields are found, or it is refused with a typed error."""

from __future__ import annotations

import json
from contextlib import suppress
from time import process_time
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import Headers, Request
from convergekit.errors import InvalidInputError
from convergekit.http.bodies import read_body, read_json

FORM = "application/x-www-form-urlencoded"


def call(body: bytes | str = b"", content_type: str = "", *, query: str = "", method: str = "POST") -> Request:
    headers = Headers({"Content-Type": content_type} if content_type else {})
    return Request(method, query=query, headers=headers, body=body.encode() if isinstance(body, str) else body)


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
