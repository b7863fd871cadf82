"""What would end a stream is refused before it is written."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.stanzas.guard import check_stanza, is_legal, legal, octets
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stanzas.writing import DEEPEST, to_bytes
from convergekit.errors import UnsupportedContentError

ILLEGAL = {
    "NUL": "\0",
    "ESC": "\x1b",
    "VT": "\x0b",
    "FFFE": "\ufffe",
    "FFFF": "\uffff",
    "half": "\ud83d",
    "other": "\udc00",
}


def message(text: str = "hello") -> Element:
    found = Element(tag(NS.CLIENT, "message"), {"to": "ann@a.example", "id": "1"})
    SubElement(found, tag(NS.CLIENT, "body")).text = text
    return found


def nested(levels: int) -> Element:
    inner = root = Element(tag(NS.CLIENT, "message"))
    for _ in range(levels - 1):
        inner = SubElement(inner, tag("urn:x", "x"))
    return root


@pytest.mark.parametrize("character", ILLEGAL.values(), ids=ILLEGAL)
def test_the_error_names_the_character_and_its_place_and_not_the_text(character: str) -> None:
    with pytest.raises(UnsupportedContentError) as caught:
        legal("the text", f"secret{character}secret")

    assert f"the text has the character U+{ord(character):04X} at position 6" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.kind == "content"
    assert not is_legal(character)


@pytest.mark.parametrize("text", ["", "tab\tand\nline", "\u0085\u2028\ufdd0", "👩‍🚀", "\U0010ffff", "\ufffd"])
def test_what_xml_can_say_passes_as_it_is(text: str) -> None:
    assert legal("the text", text) == text


def test_the_end_of_a_line_is_a_line_feed() -> None:
    """A reader of XML makes one of it anyway, and what arrives is to be what was sent."""
    assert legal("the text", "a\r\nb\rc\n") == "a\nb\nc\n"


@given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1))
def test_what_is_legal_is_what_a_parser_takes(text: str) -> None:
    """Of the text that is let through nothing is lost, and nothing ends the stream."""
    if is_legal(text):
        written = tostring(message(legal("the text", text)), "utf-8")
        assert fromstring(written)[0].text == legal("the text", text)


@pytest.mark.parametrize("character", ILLEGAL.values(), ids=ILLEGAL)
@pytest.mark.parametrize("where", ["attribute", "text", "tail", "tag", "key"])
def test_no_place_in_a_stanza_is_passed_over(where: str, character: str) -> None:
    stanza = message()
    match where:
        case "attribute":
            stanza[0].set("id", f"a{character}")
        case "text":
            stanza[0].text = f"a{character}"
        case "tail":
            stanza[0].tail = f"a{character}"
        case "key":
            stanza[0].set(f"a{character}", "")
        case _:
            SubElement(stanza, f"{{urn:x}}a{character}")

    with pytest.raises(UnsupportedContentError, match=f"U\\+{ord(character):04X}"):
        check_stanza(stanza, 10_000)


def test_a_stanza_above_the_servers_limit_is_refused_and_the_error_says_both() -> None:
    stanza = message("x" * 1000)
    size = octets(stanza)
    check_stanza(stanza, size)
    with pytest.raises(UnsupportedContentError, match=f"{size} octets.*{size - 1}") as caught:
        check_stanza(stanza, size - 1)
    assert caught.value.kind == "too_large"


@pytest.mark.parametrize("text", ["&" * 100, '"' * 100, "<>" * 50, "ü" * 100, "👩‍🚀" * 50], ids=ascii)
@pytest.mark.parametrize("where", ["text", "attribute"])
def test_octets_count_what_escaping_and_utf_8_make_of_it(text: str, where: str) -> None:
    """It is the escaped size that the server counts, so a text that would fit may not."""
    stanza = message(text if where == "text" else "")
    SubElement(stanza, tag(NS.REPLY, "reply"), {"id": text if where == "attribute" else "1"})

    size = octets(stanza)
    assert abs(len(tostring(stanza, "utf-8")) - size) < 100  # it has other prefixes
    check_stanza(stanza, size)
    with pytest.raises(UnsupportedContentError):
        check_stanza(stanza, size - 1)


@given(st.text(), st.text())
def test_nothing_is_written_that_is_larger_than_was_counted(text: str, value: str) -> None:
    """Else a stanza could pass here, and end the stream there."""
    stanza = message(text)
    stanza.set("{http://www.w3.org/XML/1998/namespace}lang", value)
    SubElement(stanza, tag("urn:x", "x"), {"y": value, "{urn:z}z": value}).tail = text
    assert len(to_bytes(stanza)) <= octets(stanza)


def test_deep_nesting_is_refused_however_deep_it_is() -> None:
    check_stanza(nested(DEEPEST), 100_000)
    for levels in (DEEPEST + 1, 5_000):
        with pytest.raises(UnsupportedContentError, match="levels"):
            check_stanza(nested(levels), 10_000_000)
