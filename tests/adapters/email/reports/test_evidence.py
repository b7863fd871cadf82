"""What mail systems' codes mean to us."""

from __future__ import annotations

import pytest

from convergekit.adapters.email.reports.evidence import code_of, is_dead_address, kind_of_failure, status_of
from convergekit.model import FailureKind, Status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("5.1.0", FailureKind.INVALID_ADDRESS),
        ("5.1.1", FailureKind.INVALID_ADDRESS),
        ("5.1.2", FailureKind.INVALID_ADDRESS),
        ("5.1.3", FailureKind.INVALID_ADDRESS),
        ("5.1.6", FailureKind.INVALID_ADDRESS),
        ("5.1.8", FailureKind.CONFIG),
        ("5.1.10", FailureKind.INVALID_ADDRESS),
        ("5.2.1", FailureKind.UNREACHABLE),
        ("5.2.2", FailureKind.UNREACHABLE),
        ("4.2.2", FailureKind.UNREACHABLE),
        ("5.2.3", FailureKind.TOO_LARGE),
        ("5.3.0", FailureKind.PROVIDER),
        ("5.3.4", FailureKind.TOO_LARGE),
        ("4.4.1", FailureKind.CONNECTION),
        ("5.4.4", FailureKind.CONNECTION),
        ("4.4.7", FailureKind.EXPIRED),
        ("5.4.7", FailureKind.EXPIRED),
        ("5.5.1", FailureKind.PROVIDER),
        ("5.6.0", FailureKind.CONTENT),
        ("5.7.1", FailureKind.BLOCKED),
        ("5.7.26", FailureKind.BLOCKED),
        ("5.7.8", FailureKind.AUTH),
        ("5.9.9", None),
        ("5.0.0", None),
        ("550", FailureKind.UNREACHABLE),
        ("553", FailureKind.INVALID_ADDRESS),
        ("599", None),
        (None, None),
    ],
)
def test_a_code_tells_the_kind_of_failure(code: str | None, kind: FailureKind | None) -> None:
    assert kind_of_failure(code) is kind


@pytest.mark.parametrize(
    ("status", "diagnostic", "code"),
    [
        ("5.1.1", "", "5.1.1"),
        ("5.1.1 (bad destination mailbox address)", "smtp; 550 nobody here", "5.1.1"),
        ("", "smtp; 550 5.1.1 <ann@example.net>: nobody here", "5.1.1"),
        ("", "smtp; 550-5.1.1 nobody\n 550 5.1.1 here", "5.1.1"),
        ("", "smtp;550 nobody here", "550"),
        ("5.0.0", "smtp; 550 #5.1.0 Address rejected.", "5.1.0"),
        ("5.0.0", "smtp; 552 the mailbox is full", "552"),  # a reply says more than "something"
        ("5.0.0", "", "5.0.0"),
        ("", "host mx.example.net[192.0.2.5] said: 451 later", "451"),
        ("", "connection to 192.168.5.1 port 25: 2.5.1 is a version, and no failure", None),
        ("", "", None),
        ("nonsense", "nonsense", None),
    ],
)
def test_the_finest_code_is_taken(status: str, diagnostic: str, code: str | None) -> None:
    """Many put 5.0.0 into Status, and what they know into the diagnostic; some leave Status out."""
    assert code_of(status, diagnostic) == code


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"])
def test_an_address_is_dead_by_codes_that_say_so(code: str) -> None:
    assert is_dead_address(code)


@pytest.mark.parametrize("code", ["5.2.1", "5.2.2", "5.7.1", "4.1.1", "5.1.0", "5.1.4", "5.1.8", "550", "5.0.0", None])
def test_an_address_is_not_dead_by_anything_else(code: str | None) -> None:
    """A full mailbox, a filter or a moment's trouble is not a reason never to write again."""
    assert not is_dead_address(code)


@pytest.mark.parametrize(
    ("code", "status"),
    [("2.1.5", Status.RELAYED), ("4.4.1", None), ("5.1.1", Status.FAILED), ("550", Status.FAILED), (None, None)],
)
def test_a_code_alone_is_evidence_by_its_class(code: str | None, status: Status | None) -> None:
    assert status_of(code) is status
