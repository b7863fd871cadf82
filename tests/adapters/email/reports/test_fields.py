"""Groups of fields are read from reports that are in order, and from those that are not."""

from __future__ import annotations

import pytest

from convergekit.adapters.email.reports.fields import address_in, groups, line, xtext_decoded
from convergekit.model import Address

MAIL = {"reporting-mta": "dns; mx.example.net"}
ANN = {"final-recipient": "rfc822; ann@example.net", "action": "failed", "status": "5.1.1"}
BOB = {"final-recipient": "rfc822; bob@example.net", "action": "delayed", "status": "4.2.2"}

IN_ORDER = """\
Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; ann@example.net
Action: failed
Status: 5.1.1

Final-Recipient: rfc822; bob@example.net
Action: delayed
Status: 4.2.2
"""


@pytest.mark.parametrize(
    "text",
    [
        IN_ORDER,
        IN_ORDER.replace("\n", "\r\n"),
        IN_ORDER.upper().replace("RFC822", "rfc822").replace("DNS; MX", "dns; mx").lower(),
        IN_ORDER.replace("\n", "\n\n"),  # each line ended twice
        IN_ORDER.replace(": ", ":\t"),
        IN_ORDER.replace(":", " :", 1),
        "\n\n" + IN_ORDER + "\n\n\n",
        "".join(f"    {line}\n" for line in IN_ORDER.splitlines()),  # all of it indented
    ],
)
def test_each_recipient_has_a_group(text: str) -> None:
    assert groups(text) == [MAIL, ANN, BOB]


def test_groups_are_told_apart_without_blank_lines() -> None:
    assert groups(IN_ORDER.replace("\n\n", "\n")) == [MAIL | ANN, BOB]


def test_original_recipient_begins_the_next_group_without_a_blank_line() -> None:
    text = IN_ORDER.replace("\n\n", "\n").replace("Final-", "Original-Recipient: rfc822; x@y.test\nFinal-")

    assert [group.get("original-recipient") for group in groups(text)] == ["rfc822; x@y.test"] * 2


def test_an_action_before_its_recipient_is_of_that_recipient() -> None:
    text = "Action: failed\nFinal-Recipient: rfc822; ann@example.net\nStatus: 5.1.1\n"

    assert groups(text) == [ANN]


def test_lines_go_on_folded_or_broken() -> None:
    folded = "Diagnostic-Code: smtp; 550\n  nobody\n\there\n"
    broken = "Diagnostic-Code: smtp; 550\nnobody\nhere\n"

    assert groups(folded) == groups(broken) == [{"diagnostic-code": "smtp; 550 nobody here"}]


def test_the_first_of_a_field_counts() -> None:
    assert groups("X-Foo: 1\nX-Foo: 2\n and more\n") == [{"x-foo": "1"}]


def test_reading_ends_after_a_hundred_recipients() -> None:
    many = "".join(f"Final-Recipient: rfc822; u{number}@example.net\nAction: failed\n\n" for number in range(100_000))

    assert 100 <= len(groups(many)) <= 101


def test_values_are_bounded() -> None:
    (group,) = groups("Diagnostic-Code: " + "x" * 1_000_000 + "\n" + (" " + "y" * 900 + "\n") * 1000)

    assert len(group["diagnostic-code"]) < 5_000


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822; ann@example.net", "mailto:ann@example.net"),
        ("RFC822;ann@EXAMPLE.net", "mailto:ann@example.net"),
        ("rfc822;<ann@example.net>", "mailto:ann@example.net"),
        ("rfc822; Ann <ann@example.net>", "mailto:ann@example.net"),
        ("rfc822; ann@example.net (Ann)", "mailto:ann@example.net"),
        ("<ann@example.net>", "mailto:ann@example.net"),
        ("ann@example.net", "mailto:ann@example.net"),
        ("rfc822; @relay.test:ann@example.net", "mailto:ann@example.net"),
        ('rfc822; "ann lee"@example.net', None),  # no address of ours has a space
        (r"utf-8; \x{FC}n\x{EF}@example.net", "mailto:%C3%BCn%C3%AF@example.net"),
        ("utf-8; ünï@exämple.net", "mailto:%C3%BCn%C3%AF@xn--exmple-cua.net"),
        ("x400; /C=DE/A=MAIL/S=ann@example.net/", None),
        ("local; ann", None),
        ("rfc822; ", None),
        ("", None),
        ("rfc822; ann@example.net\x00\x1b[31m", None),
        ("rfc822; " + "a" * 1_000_000 + "@example.net", None),
        (r"utf-8; \x{110000}@example.net", None),
    ],
)
def test_an_address_is_read_from_a_field(value: str, address: str | None) -> None:
    """RFC 3464 §2.1.2, RFC 6533 §3, and what is seen beside them."""
    assert address_in(value) == (Address(address) if address else None)


def test_xtext_is_undone() -> None:
    """RFC 3461 §4."""
    assert xtext_decoded(Address("mailto:ann+2Btag+3D1@example.net")) == Address("mailto:ann+tag=1@example.net")


def test_xtext_that_hides_what_no_address_has_stays() -> None:
    address = Address("mailto:ann+0A@example.net")

    assert xtext_decoded(address) == address


def test_a_line_has_no_control_characters() -> None:
    assert line("550\r\n\x1b[31m nobody\x00\u2028here", longest=18) == "550 [31m nobody he"
