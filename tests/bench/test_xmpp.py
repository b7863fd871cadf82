"""The benchmark of XMPP runs, loses nothing on the way, and says what it promises to say."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest

from bench.xmpp import XMPP
from bench.xmpp.stanzas import HEADER, Stanza, modern, plain, reads
from tests.bench.running import figures


def test_each_part_runs_and_says_what_it_found() -> None:
    """Those that go through a server say so where there is none, which their lines allow."""
    assert figures(*(f"xmpp.{part}" for part in XMPP))


@pytest.mark.parametrize("stanza", [plain, modern], ids=lambda stanza: stanza.__name__)
def test_what_is_read_is_a_stream_of_messages_that_are_all_different(stanza: Stanza) -> None:
    read = reads(stanza, range(10), 4)

    stream = fromstring(b"".join([HEADER, *read, b"</stream:stream>"]))

    assert len(read) == 3
    assert len({message.get("id") for message in stream}) == 10
