"""What only XMPP knows of a message is checked before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.xmpp.stanzas.native import XmppNative, elements_of, native_of
from convergekit.errors import UnsupportedContentError

ATTENTION = '<attention xmlns="urn:xmpp:attention:0"/>'


def test_elements_stand_beside_each_other() -> None:
    found = elements_of(f' {ATTENTION}\n<x:a xmlns:x="urn:x"><x:b k="v">text</x:b></x:a>')

    assert [each.tag for each in found] == ["{urn:xmpp:attention:0}attention", "{urn:x}a"]
    assert found[1][0].text == "text"
    assert [each.tail for each in found] == [None, None]
    assert elements_of("") == []


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        ("<a xmlns='urn:x'>", "well-formed"),
        ("</message><message xmlns='urn:x'>", "well-formed"),
        ("<!DOCTYPE a [<!ENTITY b 'secret'>]><a xmlns='urn:x'>&b;</a>", "well-formed"),
        ("<a xmlns='urn:x'>&secret;</a>", "well-formed"),
        ("<a xmlns='urn:x'>&#0;</a>", "well-formed"),
        ("<p:a/>", "well-formed"),
        ("secret", "text between"),
        (f"{ATTENTION}secret", "text between"),
        ("<body>secret</body>", "xmlns of their own"),
        ("<a xmlns=''>secret</a>", "xmlns of their own"),
        ("<a xmlns='urn:x'>secret\x1b</a>", r"U\+001B"),
    ],
)
def test_what_is_no_element_of_an_extension_is_refused_without_being_shown(xml: str, why: str) -> None:
    with pytest.raises(UnsupportedContentError, match=why) as caught:
        elements_of(xml)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("native", "field"),
    [
        ({"xlm": "secret"}, "xlm"),
        ({"xml": ["secret"]}, "xml"),
        ({"subject": 1}, "subject"),
        ({"xml": "x" * 300_000}, "xml"),
        ("secret", "it"),
    ],
)
def test_a_native_of_another_form_is_refused_by_the_name_of_its_field(native: Any, field: str) -> None:
    with pytest.raises(UnsupportedContentError, match=f"native of xmpp: {field}: ") as caught:
        native_of(native)
    assert "secret" not in str(caught.value)


def test_without_a_native_nothing_is_added() -> None:
    assert native_of(None) == XmppNative()
    assert native_of({"subject": "tea"}).subject == "tea"
