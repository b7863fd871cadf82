"""Complaints come beside the status, and name the mail that they are about (RFC 5965)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from convergekit.adapters.email.details import Mail, MailKind
from convergekit.model import ComplaintReceived
from tests.adapters.email.reports.kit import ANN, DELIVERY, IDENTIFIERS, MINE, events, group_of, report, returned


def arf(fields: str = "Feedback-Type: abuse\n", *, back: str | None = None) -> bytes:
    """A provider's report about `MINE`."""
    return report(
        "feedback-report",
        "Content-Type: text/plain\n\nThis is an abuse report.\n",
        f"Content-Type: message/feedback-report\n\n{fields}Version: 1\nUser-Agent: Loop/1.0\n",
        returned(type_="message/rfc822") if back is None else back,
        headers="From: <feedback@provider.test>\nDate: Mon, 02 Mar 2026 10:00:00 +0000\n",
    )


def complaint(raw: bytes) -> ComplaintReceived:
    """The only one in *raw*."""
    (event,) = events(raw)
    assert isinstance(event, ComplaintReceived)
    return event


def test_a_complaint_names_who_what_and_which() -> None:
    fields = (
        "Feedback-Type: abuse\nOriginal-Rcpt-To: <ann@example.net>\nArrival-Date: Mon, 02 Mar 2026 09:00:00 +0000\n"
    )
    found = complaint(arf(fields))

    assert found.address == ANN
    assert found.kind == "abuse"
    assert found.target == IDENTIFIERS.message_id(MINE)
    assert found.at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert found.automated
    assert found.key == "mail:k:0"
    assert Mail.of(found).kind is MailKind.COMPLAINT
    assert Mail.of(found).report["delivery"] == DELIVERY


@pytest.mark.parametrize("kind", ["abuse", "fraud", "virus", "other", "miscategorized"])
def test_kind_is_the_providers_word(kind: str) -> None:
    assert complaint(arf(f"Feedback-Type: {kind.upper()}\n")).kind == kind


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_feedback_that_is_no_complaint_is_none(kind: str) -> None:
    """RFC 6430: it was no abuse after all. RFC 6591: a machine's view of a signature."""
    assert not events(arf(f"Feedback-Type: {kind}\n"))


def test_envid_and_reverse_path_name_the_mail_where_its_id_was_taken_out() -> None:
    """Providers take out what could name a person (RFC 6590)."""
    blank = "Content-Type: message/rfc822\n\nMessage-ID: <redacted@provider.test>\n\n"
    verp = IDENTIFIERS.verp(MINE, "bounces@example.org")

    for field in (
        f"Original-Envelope-Id: {IDENTIFIERS.envelope_id(MINE)}",
        f"Original-Mail-From: <{verp}>",
    ):
        found = complaint(arf(f"Feedback-Type: abuse\n{field}\n", back=blank))
        assert Mail.of(found).report["delivery"] == DELIVERY

    back = returned(type_="message/rfc822", more=f"Return-Path: <{verp}>\n").replace("Message-ID", "X-Gone")
    assert Mail.of(complaint(arf(back=back))).report["delivery"] == DELIVERY


def test_a_complaint_about_copies_names_their_shared_id() -> None:
    """Who of them complains is often taken out; that somebody does is told all the same."""
    ann, _ = group_of("mailto:ann@example.net", "mailto:bob@example.net")
    found = complaint(arf(back=returned(ann, type_="message/rfc822")))

    assert found.target == IDENTIFIERS.message_id(ann)
    assert found.address is None


def test_a_complaint_that_is_not_provably_about_us_is_left_alone() -> None:
    assert not events(arf(back="Content-Type: message/rfc822\n\nMessage-ID: <1@example.org>\n\n"))
    assert not events(arf(back="Content-Type: text/plain\n\n-\n"))


def test_outlook_sends_back_the_mail_alone() -> None:
    """QUIRK(Outlook.com): no report stands beside it, and a field in it names who complains."""
    back = returned(type_="message/rfc822", more="X-HmXmrOriginalRecipient: ann@example.net\n")
    raw = f'From: staff@provider.test\nContent-Type: multipart/mixed; boundary="b0"\n\n--b0\n{back}--b0--\n'.encode()
    found = complaint(raw)

    assert (found.address, found.kind) == (ANN, "abuse")
    assert Mail.of(found).report["delivery"] == DELIVERY


def test_a_mail_of_ours_that_somebody_forwards_is_no_complaint() -> None:
    back = returned(type_="message/rfc822")
    raw = f'From: ann@example.net\nContent-Type: multipart/mixed; boundary="b0"\n\n--b0\n{back}--b0--\n'.encode()

    assert not events(raw)
