"""What a stream's bytes become, and what they cannot do to us."""

import tracemalloc
from xml.etree.ElementTree import Element, tostring

import pytest

from convergekit.adapters.xmpp.stanzas.writing import DEEPEST
from convergekit.adapters.xmpp.stream import CUT
from convergekit.adapters.xmpp.transport._parser import StanzaParser

HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s1' xml:lang='en'>"
MESSAGE = b"<message from='a@b/c' xml:lang='de'><body>hi &amp; ho</body><x xmlns='urn:x' a='1'/></message>"


def opened(octets: int = 100_000, **settings: dict[str, str]) -> StanzaParser:
    parser = StanzaParser(octets, **settings)
    assert parser.feed(HEADER) == []
    return parser


def test_stanzas_come_as_elements_in_order() -> None:
    parser = opened()
    first, second = parser.feed(MESSAGE + b" \n<presence/>")
    assert (first.tag, second.tag) == ("{jabber:client}message", "{jabber:client}presence")
    assert first.attrib == {"from": "a@b/c", "{http://www.w3.org/XML/1998/namespace}lang": "de"}
    assert first.findtext("{jabber:client}body") == "hi & ho"
    assert first.find("{urn:x}x").attrib == {"a": "1"}  # type: ignore[union-attr]


def test_it_does_not_matter_how_the_bytes_are_cut() -> None:
    parser = StanzaParser(100_000)
    found = [each for byte in b"<?xml version='1.0'?>\n" + HEADER + MESSAGE for each in parser.feed(bytes([byte]))]
    assert [tostring(each) for each in found] == [tostring(each) for each in opened().feed(MESSAGE)]
    assert parser.header is not None
    assert parser.header["id"] == "s1"


def test_the_end_of_the_stream_is_seen_and_nothing_behind_it() -> None:
    parser = opened()
    assert len(parser.feed(MESSAGE + b"</stream:stream><message/>")) == 1
    assert (parser.ended, parser.violation) == (True, None)
    assert parser.feed(MESSAGE) == []


def test_a_namespace_is_read_as_another_one() -> None:
    parser = StanzaParser(100_000, namespaces={"jabber:component:accept": "jabber:client"})
    parser.feed(HEADER.replace(b"jabber:client", b"jabber:component:accept"))
    (message,) = parser.feed(MESSAGE)
    assert message.findtext("{jabber:client}body") == "hi & ho"


@pytest.mark.parametrize(
    "prolog",
    [
        b"<!DOCTYPE stream [<!ENTITY a 'b'>]>" + HEADER,
        b"<?xml version='1.0'?><!DOCTYPE stream:stream SYSTEM 'file:///etc/passwd'>" + HEADER,
        b"<!-- hello -->" + HEADER,
        b"<?php 1 ?>" + HEADER,
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html>",
        b"<html>",
        b" " * 5000,
        HEADER.replace(b"id=", b"x='" + b"x" * 5000 + b"' id="),
        "<?xml version='1.0' encoding='utf-16'?>".encode("utf-16") + HEADER.decode().encode("utf-16"),
    ],
)
def test_before_the_header_there_is_nothing_but_a_declaration(prolog: bytes) -> None:
    parser = StanzaParser(100_000)
    assert parser.feed(prolog) == []
    assert parser.violation == "restricted-xml"
    assert parser.header is None


def test_an_encoding_that_is_declared_is_not_believed() -> None:
    parser = StanzaParser(100_000)
    parser.feed(b"<?xml version='1.0' encoding='iso-8859-1'?>" + HEADER)
    (message,) = parser.feed("<message><body>é</body></message>".encode())
    assert message.findtext("{jabber:client}body") == "é"


@pytest.mark.parametrize(
    ("content", "violation"),
    [
        (b"<message><!-- c --></message>", "restricted-xml"),
        (b"<message><?php 1 ?></message>", "restricted-xml"),
        (b"<message>&amp;&lol;</message>", "not-well-formed"),
        (b"<!DOCTYPE a><message/>", "not-well-formed"),
        (b"<message></presence>", "not-well-formed"),
        (b"<message>\x00</message>", "not-well-formed"),
        (b"<message>\xff</message>", "not-well-formed"),
        (b"<a:message/>", "not-well-formed"),
    ],
)
def test_what_is_no_xmpp_ends_the_stream_and_what_stood_before_it_counts(content: bytes, violation: str) -> None:
    parser = opened()
    assert len(parser.feed(MESSAGE + content + MESSAGE)) == 1
    assert parser.violation == violation
    assert parser.feed(MESSAGE) == []


def test_another_document_is_no_stream() -> None:
    parser = StanzaParser(100_000)
    parser.feed(HEADER.replace(b"http://etherx.jabber.org/streams", b"urn:other"))
    assert parser.violation == "invalid-namespace"


def nested(levels: int) -> bytes:
    return b"<message id='deep'>" + b"<a>" * (levels - 1) + b"text" + b"</a>" * (levels - 1) + b"</message>"


def test_a_stanza_may_be_so_deep() -> None:
    (message,) = opened().feed(nested(DEEPEST))
    assert CUT not in message.attrib


@pytest.mark.parametrize("levels", [DEEPEST + 1, 10_000])
def test_of_a_deeper_one_the_husk_is_kept_and_the_stream_goes_on(levels: int) -> None:
    husk, after = opened().feed(nested(levels) + MESSAGE)
    assert (husk.tag, husk.get("id"), husk.get(CUT), len(husk), husk.text) == (
        "{jabber:client}message",
        "deep",
        "depth",
        0,
        None,
    )
    assert after.findtext("{jabber:client}body") == "hi & ho"


@pytest.mark.parametrize("content", [b"x" * 1000, b"<a b='c'>text</a>" * 60, b"&amp;" * 200])
def test_of_a_huge_one_no_more_than_its_husk_is_ever_in_memory(content: bytes) -> None:
    parser = opened()
    parser.feed(b"<message id='huge'><body>")
    parser.feed(content * 100)
    tracemalloc.start()
    for _ in range(2_000):
        assert parser.feed(content) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    husk, after = parser.feed(b"</body></message>" + MESSAGE)
    assert (husk.get("id"), husk.get(CUT), len(husk)) == ("huge", "size", 0)
    assert CUT not in after.attrib
    assert peak < 1_000_000


def test_one_that_comes_in_one_piece_is_measured_like_any_other() -> None:
    (husk,) = opened(3000).feed(b"<message id='long'><body>" + b"x" * 4000 + b"</body></message>")
    assert (husk.get("id"), husk.get(CUT), len(husk)) == ("long", "size", 0)


def test_size_is_counted_for_each_stanza() -> None:
    parser = opened(3000)
    stanza = b"<message><body>" + b"x" * 2000 + b"</body></message>"
    found = [each for _ in range(20) for piece in (stanza[:900], stanza[900:]) for each in parser.feed(piece)]
    assert len(found) == 20
    assert not any(CUT in each.attrib for each in found)


def test_a_tag_without_an_end_ends_the_stream() -> None:
    """Nothing that a server lets pass has such a tag, and a parser has to hold it as a whole."""
    parser = opened()
    parser.feed(b"<message id='")
    for _ in range(200):
        parser.feed(b"x" * 1000)
    assert parser.violation == "policy-violation"


def test_names_are_no_memory() -> None:
    parser = opened()
    for number in range(20_000):
        parser.feed(b"<message><a%d xmlns='urn:%d'/></message>" % (number, number))
    assert len(parser._names) <= 4096


def test_whitespace_between_stanzas_is_nothing() -> None:
    parser = opened(1000)
    for _ in range(100):
        assert parser.feed(b" " * 100) == []
    (message,) = parser.feed(MESSAGE)
    assert isinstance(message, Element)
    assert parser.violation is None
