"""Whatever is said, and in whichever pieces it comes, means the same, and breaks nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

import anyio
from anyio.abc import ByteStream
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.arrival import Envelope
from convergekit.adapters.email.lmtp.recipients import Recipients
from convergekit.adapters.email.lmtp.session import Session, Terms
from convergekit.adapters.email.lmtp.wire import GONE, Wire
from convergekit.testing import FakeClock


class Pieces(ByteStream):
    """The other side says *pieces* and goes away; what it is told is kept."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = list(pieces)
        self.told = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await anyio.lowlevel.checkpoint()
        if not self._pieces:
            raise anyio.EndOfStream
        return self._pieces.pop(0)

    async def send(self, item: bytes) -> None:
        self.told += item

    async def send_eof(self) -> None:
        self.told += b"(end)"

    async def aclose(self) -> None: ...


async def talked(pieces: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """What the session has said, and which mails it has taken."""
    mails: list[bytes] = []

    async def take(raw: bytes, envelope: Envelope) -> None:
        mails.append(raw)

    terms = Terms(
        recipients=Recipients(("bob@app.test",)),
        max_recipients=100,
        max_size=65_536,
        now=FakeClock().now,
        take=take,
        large=anyio.Semaphore(1),
        log=logging.getLogger(__name__),
    )
    stream = Pieces(pieces)
    with suppress(*GONE):
        await Session(Wire(stream, 60.0), terms).run()
    return stream.told, mails


def test_a_line_that_is_too_long_is_passed_over_to_its_end() -> None:
    told, _ = anyio.run(talked, [3000 * b"x", b"NOOP\r\n", b"QUIT\r\n"])

    assert [line[:4] for line in told.splitlines()] == [b"220 ", b"500 ", b"221 ", b"(end"]


def test_a_line_that_ends_in_lf_alone_is_no_command() -> None:
    told, _ = anyio.run(talked, [b"QUIT\nQUITE\nQUIT\r\n"])

    assert [line[:4] for line in told.splitlines()] == [b"220 ", b"500 ", b"500 ", b"221 ", b"(end"]


SAID = st.lists(
    st.sampled_from(
        [
            b"LHLO a\r\n",
            b"MAIL FROM:<ann@elsewhere.test>\r\n",
            b"RCPT TO:<bob@app.test>\r\n",
            b"RCPT TO:<eve@app.test>\r\n",
            b"DATA\r\n",
            b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<bob@app.test>\r\nDATA\r\n",
            b"\r\n.\r\n",
            b".\r\n",
            b"RSET\r\n",
            b"NOOP\n",
            b"QUIT\r\n",
            b"\r",
            b"\n",
            b".",
            b"\0",
            b"\xff",
            b"text",
            3000 * b"x",
        ]
    ),
    max_size=20,
).map(b"".join)


@given(SAID, st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_pieces_change_nothing(said: bytes, sizes: Sequence[int]) -> None:
    """As large as the network makes them, which is not ours to choose."""
    pieces, rest = [], said
    for size in (*sizes, len(said)):
        pieces.append(rest[:size])
        rest = rest[size:]

    assert anyio.run(talked, [each for each in pieces if each]) == anyio.run(talked, [said])


@given(SAID)
def test_every_mail_that_is_taken_was_ended_by_a_dot_alone_on_its_line(said: bytes) -> None:
    _, mails = anyio.run(talked, [said])

    assert len(mails) <= said.count(b"\r\n.\r\n")
    assert all(mail.endswith(b"\r\n") or not mail for mail in mails)
