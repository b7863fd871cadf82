"""What a server tells of a message, in whatever order, and beside whatever else."""

from datetime import UTC, datetime
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.imap._fetched import Fetched, fetched

RECEIVED = datetime(2026, 2, 8, 5, 52, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "content", "found"),
    [
        (
            b'* 3 FETCH (UID 9 RFC822.SIZE 44 INTERNALDATE " 7-Feb-2026 21:52:25 -0800")\r\n',
            None,
            Fetched(9, 44, RECEIVED, None),
        ),
        (b"* 3 FETCH (FLAGS (\\Seen) BODY[] {5}\r\n UID 9)\r\n", b"hello", Fetched(9, None, None, b"hello")),
        (b"* 3 FETCH (uid 9 body[header]<0> {5}\r\n)\r\n", b"hello", Fetched(9, None, None, b"hello")),
        (b'* 3 FETCH (UID 9 BODY[] "")\r\n', None, Fetched(9, None, None, b"")),
        (rb'* 3 FETCH (BODY[] "a\"b\\c" UID 9)', None, Fetched(9, None, None, rb'a"b\c')),
        (b"* 3 FETCH (UID 9 BODY[] NIL)\r\n", None, Fetched(9, None, None, None)),
        (b'* 3 FETCH (UID 9 INTERNALDATE "31-Feb-2026 21:52:25 -0800")\r\n', None, Fetched(9, None, None, None)),
        (
            b'* 3 FETCH (UID 9 INTERNALDATE "01-Jan-0001 00:00:00 +0100")\r\n',
            None,
            Fetched(9, None, None, None),
        ),
        (b"* 3 FETCH (FLAGS (\\Seen))\r\n", None, None),
    ],
)
def test_items_are_found(line: bytes, content: bytes | None, found: Fetched | None) -> None:
    assert fetched(line, content) == found


@given(st.binary(), st.none() | st.binary())
def test_nonsense_is_none_of_ours(line: bytes, content: bytes | None) -> None:
    fetched(b"* 1 FETCH (UID 3" + line, content)


@pytest.mark.parametrize("piece", [b" BODY[", b' BODY[] "', b' BODY[] "\\"', b" UID 1", b' INTERNALDATE "'])
def test_a_line_that_begins_over_and_over_takes_no_time(piece: bytes) -> None:
    """Eight times the line takes about eight times as long, and not 64 times."""

    def seconds(octets: int) -> float:
        line = b"* 1 FETCH (UID 3 " + piece * (octets // len(piece))
        best = float("inf")
        for _ in range(3):
            begun = process_time()
            fetched(line, None)
            best = min(best, process_time() - begun)
        return best

    # Below half a millisecond the clock says little.
    assert seconds(800_000) < 24 * max(seconds(100_000), 0.0005)
