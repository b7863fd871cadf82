"""What elements are written as is what is read of it."""

from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.transport._parser import StanzaParser
from convergekit.adapters.xmpp.transport._writing import to_bytes

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
def elements(draw: st.DrawFn, depth: int = 0) -> Element:
    space = draw(namespace) if depth else NS.CLIENT
    local = draw(name) if depth else "message"
    found = Element(tag(space, local) if space else local)
    for key in draw(st.lists(st.sampled_from(["a", "b", "{urn:x}c", "{urn:y}c"]), unique=True, max_size=3)):
        found.set(key, draw(text))
    found.text = draw(text) or None
    for child in draw(st.lists(elements(depth + 1), max_size=3)) if depth < 3 else ():
        found.append(child)
        child.tail = draw(text) or None
    return found


@given(elements())
def test_what_is_written_is_read_as_it_was(element: Element) -> None:
    parser = StanzaParser(1_000_000)
    parser.feed(HEADER)
    (found,) = parser.feed(to_bytes(element))
    assert tostring(found) == tostring(element)


def test_what_xml_would_read_otherwise_is_written_as_its_number() -> None:
    message = Element(tag(NS.CLIENT, "message"))
    SubElement(message, tag(NS.CLIENT, "body")).text = "]]>\r\n\"'&<\t"
    assert to_bytes(message) == b"<message><body>]]&gt;&#13;\n\"'&amp;&lt;\t</body></message>"
