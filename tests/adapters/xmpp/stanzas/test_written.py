"""A stanza as text says the same as the stanza, and is bounded."""

from xml.etree.ElementTree import Element, SubElement, canonicalize, fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.stanzas.written import DEEPEST, written

NAMES = st.sampled_from(["a", "b", "{urn:one}c", "{urn:two}d", "{http://www.w3.org/XML/1998/namespace}lang"])
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r<>&\"'")
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> Element:
    tags = st.sampled_from(["a", "{urn:one}b", "{urn:two}c", "{jabber:client}body"])
    element = Element(draw(tags), draw(st.dictionaries(NAMES, TEXTS, max_size=3)))
    element.text = draw(st.none() | TEXTS)
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        child = draw(elements(depth - 1))
        child.tail = draw(st.none() | TEXTS)
        element.append(child)
    return element


@given(elements())
def test_what_is_written_is_read_back_as_it_was(element: Element) -> None:
    text = written(element)

    assert text is not None
    assert canonicalize(tostring(fromstring(text), "unicode")) == canonicalize(tostring(element, "unicode"))


def test_a_namespace_is_named_where_it_changes_only() -> None:
    xml = '<message xmlns="jabber:client" xml:lang="en"><body>a &lt; b</body><x xmlns="urn:x"><y/></x></message>'

    assert written(fromstring(xml)) == xml


def nested(levels: int) -> Element:
    root = element = Element("a")
    for _ in range(levels - 1):
        element = SubElement(element, "a")
    return root


def test_what_is_too_deep_is_not_written() -> None:
    assert written(nested(DEEPEST)) is not None
    assert written(nested(DEEPEST + 1)) is None
    assert written(nested(100_000)) is None


def test_what_is_too_large_is_not_written() -> None:
    element = fromstring("<a>" + "x" * 100 + "</a>")

    assert written(element, largest=107) is not None
    assert written(element, largest=106) is None


@pytest.mark.parametrize("text", ["a\r\nb", "\t", 'say "no"', "\u2028", "\U0001f600"])
def test_no_character_is_read_as_another(text: str) -> None:
    element = Element("a", {"b": text})
    element.text = text

    again = fromstring(written(element) or "")
    assert (again.text, again.get("b")) == (text, text)
