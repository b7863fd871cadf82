"""Our own name of a message comes back as it went."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convergekit.adapters.sms.references import (
    is_reference,
    read_reference,
    reference_in,
    reference_of,
    with_reference,
)
from tests.adapters.sms.gateway_kit import out


@pytest.mark.parametrize("delivery", ["d41", "0" * 32, "a-b_C"])
@pytest.mark.parametrize("index", [0, 7, 9999])
def test_a_reference_is_read_as_it_was_written(delivery: str, index: int) -> None:
    assert read_reference(reference_of(replace(out(), delivery=delivery, index=index))) == (delivery, index)


@pytest.mark.parametrize("text", [None, "", "d41", ".0", "d41.", "d41.x", "d41.-1", "d 41.0", "d41.0\n", "d41.00000"])
def test_what_is_no_reference(text: str | None) -> None:
    assert read_reference(text) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://a.example/b", "https://a.example/b?ref=d41.0"),
        ("https://a.example/b?c=d#e", "https://a.example/b?c=d&ref=d41.0#e"),
        (None, None),
    ],
)
def test_it_rides_in_a_query_and_leaves_the_rest_as_it_is(url: str | None, said: str | None) -> None:
    assert with_reference(url, "d41.0") == said


def test_what_has_no_name_adds_nothing() -> None:
    assert with_reference("https://a.example/b", "") == "https://a.example/b"


@pytest.mark.parametrize(
    ("query", "found", "alone"),
    [
        ("ref=d41.0", "d41.0", True),
        ("status=1&ref=d%3441.0", "d441.0", False),
        ("ref=d41.0&status=1", "d41.0", False),
        ("&ref=d41.0", "d41.0", False),
        ("xref=d41.0", None, False),
        ("ref=", None, False),
        ("", None, False),
    ],
)
def test_it_is_found_in_a_query(query: str, found: str | None, alone: bool) -> None:
    assert reference_in(query) == found
    assert is_reference(query) is alone
