"""Read receipts move a delivery to READ when they say that it was displayed (RFC 8098)."""

from __future__ import annotations

import pytest

from convergekit.adapters.email.details import Mail, MailKind
from convergekit.model import Address, CustomReceived, FailureKind, Status, shared_id
from tests.adapters.email.reports.kit import (
    ANN,
    DELIVERY,
    IDENTIFIERS,
    MINE,
    events,
    group_of,
    receipt,
    report,
    returned,
)

MANUAL = "manual-action/MDN-sent-manually; displayed"


def mdn(
    disposition: str = MANUAL,
    *,
    original: str | None = None,
    final: str = "rfc822; ann@example.net",
    more: str = "",
    text: str = "Your mail was displayed.",
    back: str = "",
) -> bytes:
    """A read receipt of Ann's, about `MINE` unless *original* says something else."""
    original = f"<{IDENTIFIERS.message_id(MINE)}>" if original is None else original
    fields = f"Reporting-UA: reader.example.net; Reader 1\nFinal-Recipient: {final}\n"
    fields += f"Original-Message-ID: {original}\n" if original else ""
    parts = [
        f"Content-Type: text/plain\n\n{text}\n",
        f"Content-Type: message/disposition-notification\n\n{fields}{more}Disposition: {disposition}\n",
    ]
    headers = "From: Ann <ann@example.net>\nTo: support@example.org\nDate: Mon, 02 Mar 2026 10:00:00 +0000\n"
    return report("disposition-notification", *parts, *([back] if back else []), headers=headers)


@pytest.mark.parametrize(
    "disposition",
    [
        MANUAL,
        "automatic-action/MDN-sent-automatically; displayed",
        "manual-action/MDN-sent-automatically;displayed",
        "MANUAL-ACTION/MDN-SENT-MANUALLY; DISPLAYED",
        "displayed",
    ],
)
def test_displayed_is_read(disposition: str) -> None:
    """RFC 8098 §3.2.6.2: it was on somebody's screen, whoever asked for it and for the notification."""
    found = receipt(mdn(disposition))

    assert (found.status, found.delivery, found.address) == (Status.READ, DELIVERY, ANN)


@pytest.mark.parametrize("disposition", ["deleted", "processed", "dispatched", "denied", "failed"])
def test_nothing_else_is_read(disposition: str) -> None:
    """Each may come without anybody's having seen it."""
    (event,) = events(mdn(f"automatic-action/MDN-sent-automatically; {disposition}"))

    assert isinstance(event, CustomReceived)
    assert event.name == "mail.disposition"
    assert (event.data["disposition"], event.data["delivery"]) == (disposition, DELIVERY)


def test_displayed_with_an_error_is_not_read() -> None:
    """RFC 8098 §3.2.6.3: the error kept it from being processed."""
    (event,) = events(mdn("manual-action/MDN-sent-manually; displayed/error", more="Error: it was garbled\n"))

    assert isinstance(event, CustomReceived)
    assert event.data["text"] == "it was garbled"


def test_modes_are_kept() -> None:
    event = events(mdn())[0]

    assert Mail.of(event).kind is MailKind.READ_RECEIPT
    assert Mail.of(event).report["disposition"] == MANUAL


def test_what_was_returned_names_it_where_the_field_is_missing() -> None:
    assert receipt(mdn(original="", back=returned())).delivery == DELIVERY
    answered = f"In-Reply-To: <{IDENTIFIERS.message_id(MINE)}>\n".encode() + mdn(original="")
    assert receipt(answered).delivery == DELIVERY


def test_of_copies_the_reader_tells_which() -> None:
    _, bob = group_of("mailto:ann@example.net", "mailto:bob@example.net")
    message_id = IDENTIFIERS.message_id(bob)

    found = receipt(mdn(original=f"<{message_id}>", final="rfc822; bob@example.net"))

    assert found.ids == (shared_id(message_id, Address("mailto:bob@example.net")),)


def test_whoever_sent_it_is_the_reader_where_it_names_none() -> None:
    """QUIRK(Exchange): Final-Recipient is empty at times."""
    ann, _ = group_of("mailto:ann@example.net", "mailto:bob@example.net")
    message_id = IDENTIFIERS.message_id(ann)

    assert receipt(mdn(original=f"<{message_id}>", final="")).ids == (shared_id(message_id, ANN),)


@pytest.mark.parametrize("original", ["<1@example.org>", "", "<>", "<" + "x" * 100_000 + "@example.org>"])
def test_what_is_not_provably_ours_is_left_alone(original: str) -> None:
    assert not events(mdn(original=original))


@pytest.mark.parametrize("disposition", ["", ";", "/", "; /error"])
def test_a_receipt_that_says_nothing_is_left_alone(disposition: str) -> None:
    assert not events(mdn(disposition))


def test_a_filter_that_refuses_by_deleting_is_a_failure() -> None:
    """RFC 5429 §2.2: a refusal in the form of a read receipt, as Dovecot's filter writes it."""
    raw = mdn(
        "automatic-action/MDN-sent-automatically; deleted",
        text="Your message to <ann@example.net> was automatically rejected:\n550 5.7.1 not wanted",
    )
    found = receipt(raw)

    assert found.failure is not None
    assert (found.status, found.failure.kind) == (Status.FAILED, FailureKind.BLOCKED)
    assert found.delivery is None or found.delivery == DELIVERY
