"""What elements are written as is what is read of it; as a text it is bounded."""

from xml.etree.ElementTree import Element, SubElement, canonicalize, fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stanzas.writing import DEEPEST, to_bytes, to_text
from convergekit.adapters.xmpp.transport._parser import StanzaParser

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
    text = to_text(element)

    assert text is not None
    assert canonicalize(tostring(fromstring(text), "unicode")) == canonicalize(tostring(element, "unicode"))


def test_a_namespace_is_named_where_it_changes_only() -> None:
    xml = '<message xmlns="jabber:client" xml:lang="en"><body>a &lt; b</body><x xmlns="urn:x"><y/></x></message>'

    assert to_text(fromstring(xml)) == xml


def nested(levels: int) -> Element:
    root = element = Element("a")
    for _ in range(levels - 1):
        element = SubElement(element, "a")
    return root


def test_what_is_too_deep_is_not_written() -> None:
    assert to_text(nested(DEEPEST)) is not None
    assert to_text(nested(DEEPEST + 1)) is None
    assert to_text(nested(100_000)) is None


def test_what_is_too_large_is_not_written() -> None:
    element = fromstring("<a>" + "x" * 100 + "</a>")

    assert to_text(element, largest=107) is not None
    assert to_text(element, largest=106) is None


@pytest.mark.parametrize("text", ["a\r\nb", "\t", 'say "no"', "\u2028", "\U0001f600"])
def test_no_character_is_read_as_another(text: str) -> None:
    element = Element("a", {"b": text})
    element.text = text

    again = fromstring(to_text(element) or "")
    assert (again.text, again.get("b")) == (text, text)


# --- to a stream ------------------------------------------------------------------------------------------------------

HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


def stanza(xml: str) -> Element:
    return fromstring(xml.replace(">", " xmlns='jabber:client'>", 1))


@pytest.mark.parametrize(
    ("xml", "written"),
    [
        ("<presence></presence>", "<presence/>"),
        ("<message to='a@b'><body>x</body></message>", '<message to="a@b"><body>x</body></message>'),
        ("<message><x xmlns='urn:x'><y/></x></message>", '<message><x xmlns="urn:x"><y/></x></message>'),
        (
            "<message><x xmlns='urn:x'><y xmlns='jabber:client'/></x></message>",
            '<message><x xmlns="urn:x"><y xmlns="jabber:client"/></x></message>',
        ),
        ("<message><x xmlns=''/></message>", '<message><x xmlns=""/></message>'),
        ("<message xml:lang='de'></message>", '<message xml:lang="de"/>'),
        ("<message>a<b/>c</message>", "<message>a<b/>c</message>"),
    ],
)
def test_it_is_short(xml: str, written: str) -> None:
    assert to_bytes(stanza(xml)).decode() == written


def test_a_sender_is_added_where_there_is_none() -> None:
    assert to_bytes(stanza("<presence></presence>"), sender="gw.localhost") == b'<presence from="gw.localhost"/>'
    own = stanza("<presence from='a@gw.localhost'></presence>")
    assert to_bytes(own, sender="gw.localhost") == b'<presence from="a@gw.localhost"/>'
    assert "from" not in stanza("<presence></presence>").attrib


text = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\ufffe\uffff").filter(
        lambda each: each in "\t\n\r" or ord(each) >= 32
    )
)
name = st.sampled_from(["body", "x", "y"])
namespace = st.sampled_from([NS.CLIENT, "urn:x", "urn:\"y'<&>", ""])


@st.composite
def stanzas(draw: st.DrawFn, depth: int = 0) -> Element:
    space = draw(namespace) if depth else NS.CLIENT
    local = draw(name) if depth else "message"
    found = Element(tag(space, local) if space else local)
    for key in draw(st.lists(st.sampled_from(["a", "b", "{urn:x}c", "{urn:y}c"]), unique=True, max_size=3)):
        found.set(key, draw(text))
    found.text = draw(text) or None
    for child in draw(st.lists(stanzas(depth + 1), max_size=3)) if depth < 3 else ():
        found.append(child)
        child.tail = draw(text) or None
    return found


@given(stanzas())
def test_what_goes_out_is_read_as_it_was(element: Element) -> None:
    parser = StanzaParser(1_000_000)
    parser.feed(HEADER)
    (found,) = parser.feed(to_bytes(element))
    assert tostring(found) == tostring(element)


def test_what_xml_would_read_otherwise_is_written_as_its_number() -> None:
    message = Element(tag(NS.CLIENT, "message"))
    SubElement(message, tag(NS.CLIENT, "body")).text = "]]>\r\n\"'&<\t"
    assert to_bytes(message) == b"<message><body>]]&gt;&#13;\n\"'&amp;&lt;\t</body></message>"
