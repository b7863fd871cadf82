"""JIDs are compared in one form, and written as servers want them."""

import pytest

from convergekit.adapters.xmpp.jids import address_of, bare, is_of, jid_of, resource, same_bare, shown, split
from convergekit.errors import InvalidInputError
from convergekit.model import Address

NOT_JIDS = ["", "@example.org", "ann@", "a@b@example.org", "ann@example.org/", "a b@example.org", "x" * 5000]
NOT_JIDS += ["ann@example.org/\x01", "\ud800@example.org", "ann@exa\u202emple.org", "ann@-"]


@pytest.mark.parametrize(
    ("jid", "normal"),
    [
        ("Ann@Example.ORG/Desk", ("ann@example.org", "Desk")),
        ("example.org", ("example.org", None)),
        ("room@conference.example.org/Ann of the Desk", ("room@conference.example.org", "Ann of the Desk")),
        ("room@conference.example.org/a/b@c?d%20#e", ("room@conference.example.org", "a/b@c?d%20#e")),
        ("jos\u0065\u0301@b\u00fccher.example", ("jos\u00e9@xn--bcher-kva.example", None)),
        ("ann\\40home@example.org", ("ann\\40home@example.org", None)),  # XEP-0106: of no meaning to us
    ],
)
def test_one_form_of_a_jid_is_compared(jid: str, normal: tuple[str, str | None]) -> None:
    assert split(jid) == normal
    assert (bare(jid), resource(jid)) == normal
    assert split(jid_of(address_of(jid))) == normal


@pytest.mark.parametrize("jid", NOT_JIDS)
def test_what_is_no_jid_is_refused_as_foreign_input_is(jid: str) -> None:
    with pytest.raises(InvalidInputError):
        split(jid)
    assert not same_bare(jid, jid)


def test_both_spellings_of_a_domain_are_one_account() -> None:
    assert same_bare("ann@b\u00fccher.example/desk", "Ann@xn--bcher-kva.example")
    assert not same_bare("ann@example.org", "ann@example.com")


def test_a_name_is_decoration() -> None:
    named = address_of("ann@example.org", "Ann")

    assert named.display_name == "Ann"
    assert named == address_of("ann@example.org")


def test_on_the_wire_a_domain_is_in_unicode() -> None:
    """RFC 7622 §3.2."""
    assert jid_of(Address("xmpp:ann@b\u00fccher.example/desk")) == "ann@b\u00fccher.example/desk"
    assert jid_of(Address("xmpp:ann@xn--zzzzzz.example")) == "ann@xn--zzzzzz.example"
    assert jid_of(Address("xmpp:ann@example.org/xn--a%3F")) == "ann@example.org/xn--a?"


def test_what_others_chose_is_harmless_in_a_log() -> None:
    assert shown("ann@example.org/\n\u202etxt") == "ann@example.org/\\n\\u202etxt"
    assert len(shown("\u202e" * 100_000)) < 2000
    assert shown(None) == "nobody"


def test_who_is_at_a_domain() -> None:
    assert is_of("ann@gw.example/x", "gw.example")
    assert is_of("gw.example", "gw.example")
    assert not is_of("ann@sub.gw.example", "gw.example")
    assert not is_of("", "gw.example")
