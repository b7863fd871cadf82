"""A stream of bytes as lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.activity.lines import Lines


def fed(*chunks: bytes, longest: int = 100) -> list[bytes]:
    lines = Lines(longest)
    return [line for chunk in chunks for line in lines.feed(chunk)]


def test_lines_end_where_they_end_and_blank_ones_are_left_out() -> None:
    assert fed(b'{"a"', b":1}\r", b"\n\r\n\r\n{}\n", b"rest") == [b'{"a":1}', b"{}"]


def test_a_line_that_is_too_long_is_left_out_and_counted_and_the_next_is_read() -> None:
    lines = Lines(10)

    assert list(lines.feed(b"x" * 8)) == []
    assert list(lines.feed(b"x" * 8)) == []
    assert list(lines.feed(b"x" * 100 + b"\nnext\n")) == [b"next"]
    assert lines.too_long == 1


@given(st.lists(st.binary(min_size=1, max_size=9).map(lambda each: each.replace(b"\n", b"-")), max_size=9), st.data())
def test_it_does_not_matter_where_the_chunks_are_cut(written: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(each + b"\n" for each in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=9)))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    assert fed(*chunks) == [each.strip() for each in written if each.strip()]
