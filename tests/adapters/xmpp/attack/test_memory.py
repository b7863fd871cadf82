"""How much one who sends can have of our memory and of our time."""

from __future__ import annotations

import resource
import time
import tracemalloc
from pathlib import Path

import pytest

from convergekit.adapters.xmpp.inflow import Inflow
from convergekit.adapters.xmpp.transport._parser import StanzaParser
from tests.adapters.xmpp.fake_stream import FakeStream, element
from tests.adapters.xmpp.stanzas.inbound.known import Known, chat

pytestmark = pytest.mark.anyio


async def test_large_stanzas_are_read_a_few_at_a_time() -> None:
    """Reading takes time in which nobody else has their turn."""
    inflow = Inflow(stanzas=1000, octets=2**23)
    inflow.attach(FakeStream(inflow))
    for number in range(64):
        inflow(element(f"<message from='ann@example.org/x' id='{number}'><body>{'x' * 50_000}</body></message>"))
    assert len(await inflow.take(64)) == 3


@pytest.mark.parametrize("one", ["*a* _b_ ", "*_~`", "> ", "```\n", "`a` ", "~a~\n> *b*\n"])
def test_a_text_full_of_styling_takes_no_time(one: str) -> None:
    text = one * (60_000 // len(one))
    known = Known()
    took = []
    for length in (10_000, 60_000):
        began = time.process_time()
        known.read(chat(f"<body>{text[:length].replace('>', '&gt;')}</body>"))
        took.append(time.process_time() - began)
    assert max(took) < 0.5


@pytest.mark.parametrize(
    "endless", [b"<a>", b"<a/>", b"<a b='x'/>", b"x", b"&lt;", b" ", b"<![CDATA[x]]>"], ids=range(7)
)
def test_a_stanza_that_comes_to_no_end_takes_no_memory(endless: bytes) -> None:
    """It is a server of one's own that says such; what others say has passed its limits."""
    parser = StanzaParser(200_000)
    parser.feed(
        b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message id='1'><body>"
    )
    tracemalloc.start()
    try:
        chunk = endless * (65_536 // len(endless))
        for _ in range(20):
            parser.feed(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000
    assert parser.violation in (None, "policy-violation")


MESSAGE = "{jabber:client}message"
_HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s'>"
)


@pytest.mark.parametrize(
    "one", ["<a{}{}/>", "<a a{}{}='1'/>", "<a xmlns='{}{}'/>", "<n:a xmlns:n='{}{}' n:a='1'/>"], ids=range(4)
)
def test_names_without_end_take_no_memory(one: str) -> None:
    """Expat remembers each: who sends a gigabyte of names would have two of memory, for as long as we are connected."""
    parser = StanzaParser(1_048_576)
    parser.feed(_HEADER)
    before = _memory()
    for number in range(160):
        names = "".join(one.format(f"{number}x{each}", "x" * 1000) for each in range(250))
        stanza = f"<message id='{number}'>{names}</message>".encode()
        found = [*parser.feed(stanza[:1000]), *parser.feed(stanza[1000:])]
        assert [(each.tag, each.get("id"), len(each)) for each in found] == [(MESSAGE, str(number), 250)]
    assert _memory() - before < 30_000_000
    assert parser.header is not None
    assert parser.header["id"] == "s"
    parser.feed(b"</stream:stream>")
    assert parser.ended


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
