"""What strangers can do with header fields, before any signature was looked at."""

from __future__ import annotations

from collections.abc import Iterator

from convergekit.abc import Headers


class Counted(list[tuple[bytes, bytes]]):
    """Header fields that count how often all of them are gone through."""

    passes = 0

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self.passes += 1
        return super().__iter__()


def test_thousands_of_fields_are_gone_through_a_few_times_and_not_once_for_each() -> None:
    """A server takes 16 KB of header: 3000 short fields and one twice took a second for each call."""
    fields = Counted([(b"%x" % number, b"") for number in range(3000)] + [(b"0", b"again")])

    assert Headers(fields)["0"] == ", again"
    assert fields.passes <= 3


def test_a_field_that_came_several_times_is_joined_in_the_order_of_arrival() -> None:
    headers = Headers([(b"A", b"1"), (b"b", b"2"), (b"a", b"3")])

    assert (headers["a"], headers["B"], len(headers)) == ("1, 3", "2", 2)
