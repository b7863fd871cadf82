"""Which files an HTML shows, for what we write and for what we read alike."""

from __future__ import annotations

import pytest

from convergekit.adapters.email.content_ids import shown_in


@pytest.mark.parametrize(
    ("html", "ids"),
    [
        ('<img src="cid:a%40x"> <IMG SRC=CID:b&amp;c>', {"a@x", "b&c"}),
        ("<p style='background: url(cid:wall)'>", {"wall"}),
        ("<p>acid: none</p>", set()),
        ("", set()),
        (None, set()),
    ],
)
def test_an_id_is_read_as_it_is_written(html: str | None, ids: set[str]) -> None:
    """RFC 2392: percent-encoded, and as HTML has it in an attribute."""
    assert shown_in(html) == ids
