"""Whatever a system sends is read, or refused by a typed error."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.webhook.mapping.documents import DEEPEST, document
from convergekit.errors import InvalidInputError
from convergekit.model import CustomReceived, event_from_json, event_to_json
from tests.adapters.webhook.mapping.kit import call

FORM = "application/x-www-form-urlencoded"


def read(body: bytes, content_type: str = "") -> Any:
    return document(call(body, {"content-type": content_type} if content_type else {})).value


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", FORM, ""])
def test_what_looks_like_json_is_json(content_type: str) -> None:
    assert read(b' {"a": [1]}\n', content_type) == {"a": [1]}
    assert read(b'[{"a": 1}]', content_type) == [{"a": 1}]


def test_a_form_is_its_fields() -> None:
    assert read(b"text=Hello+there%21&id=7", FORM) == {"text": "Hello there!", "id": "7"}
    assert read("text=Grün".encode("latin-1"), f"{FORM}; charset=iso-8859-1") == {"text": "Grün"}


def test_a_query_is_not_mixed_into_a_form() -> None:
    assert document(call(b"a=1", {"content-type": FORM}, query="b=2")).value == {"a": "1"}


def test_a_form_whose_only_field_is_json_is_that_json() -> None:
    """So GitHub sends where it is set to forms, and so Slack tells what was clicked."""
    body = urlencode({"payload": json.dumps({"action": "opened"})}).encode()
    assert read(body, FORM) == {"action": "opened"}
    assert read(b"payload=plain", FORM) == {"payload": "plain"}
    assert read(body + b"&more=1", FORM)["more"] == "1"


def test_plain_text_is_one_value_in_its_charset() -> None:
    assert read(b"a = b & c", "text/plain") == "a = b & c"
    assert read("Grün".encode("latin-1"), "text/plain; charset=iso-8859-1") == "Grün"
    assert read("Grün".encode(), "text/plain") == "Grün"


def test_nothing_is_an_empty_document() -> None:
    assert read(b"") == {}
    assert read(b" \r\n") == {}


def test_what_json_does_not_allow_is_read_all_the_same() -> None:
    """It was signed, and would be sent again for hours: better half a text than none."""
    assert read(b'{"a": "\\ud83d"}') == {"a": "\ufffd"}
    assert read(b'{"a": NaN}') == {"a": "NaN"}
    assert read(b'{"a": [{"b": -1e999}]}') == {"a": [{"b": "-1e999"}]}
    assert read('{"a": "ü"}'.encode("utf-16")) == {"a": "ü"}


@pytest.mark.parametrize("body", [b'{"a"', b"[", b"{]", b"<xml/>", b'{"a":' * 101 + b"1" + b"}" * 101])
def test_what_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read(body)


@pytest.mark.parametrize("form", [False, True])
def test_nesting_is_bounded_where_the_ledger_can_still_write_it(form: bool) -> None:
    def nested(levels: int) -> bytes:
        body = b'{"a":' * levels + b"1" + b"}" * levels
        return urlencode({"payload": body}).encode() if form else body

    event = CustomReceived(key="k", name="n", native=read(nested(DEEPEST), FORM if form else ""))
    assert event_from_json(event_to_json(event)) == event
    with pytest.raises(InvalidInputError, match="nested"):
        read(nested(DEEPEST + 2), FORM if form else "")


@given(st.binary(max_size=300), st.sampled_from(["", "text/plain; charset=utf-16", FORM, "multipart/form-data"]))
def test_any_bytes_at_all(body: bytes, content_type: str) -> None:
    with contextlib.suppress(InvalidInputError):
        read(body, content_type)
