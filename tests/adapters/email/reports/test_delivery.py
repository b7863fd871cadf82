"""Delivery reports become receipts of the right delivery (RFC 3464)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from convergekit.adapters.email.details import Mail, MailKind
from convergekit.adapters.email.identifiers import Identifiers
from convergekit.model import (
    Address,
    CustomReceived,
    EndpointDisabled,
    FailureKind,
    ReceiptReceived,
    Status,
    shared_id,
)
from tests.adapters.email.reports.kit import (
    ANN,
    DELIVERY,
    IDENTIFIERS,
    MINE,
    dsn,
    events,
    group_of,
    receipt,
    receipts,
    report,
    returned,
    sent,
)

FAILED = """
Original-Recipient: rfc822;ann@example.net
Final-Recipient: rfc822; ann@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.net>: nobody here
Last-Attempt-Date: Mon, 02 Mar 2026 09:59:00 +0000
"""
ANNS_MOMENT = datetime(2026, 3, 2, 9, 59, tzinfo=UTC)


def of_ann(action: str, status: str) -> bytes:
    """A report about Ann alone."""
    return dsn(f"Final-Recipient: rfc822; ann@example.net\nAction: {action}\nStatus: {status}\n")


# Actions


@pytest.mark.parametrize(
    ("action", "code", "status"),
    [
        ("delivered", "2.0.0", Status.DELIVERED),
        ("relayed", "2.0.0", Status.RELAYED),
        ("failed", "5.1.1", Status.FAILED),
        ("Failed", "5.1.1", Status.FAILED),
        ("failed (for good)", "5.1.1", Status.FAILED),
        ("error", "5.1.1", Status.FAILED),  # QUIRK(OpenSMTPD)
        ("", "5.1.1", Status.FAILED),
        ("", "2.0.0", Status.RELAYED),
        ("nonsense", "5.1.1", Status.FAILED),
    ],
)
def test_action_is_evidence(action: str, code: str, status: Status) -> None:
    """RFC 3464 §2.3.3; where there is none, the class of the code (RFC 3463 §3.1)."""
    assert receipt(of_ann(action, code)).status is status


@pytest.mark.parametrize(
    ("action", "code", "name"),
    [
        ("delayed", "4.4.1", "mail.delayed"),
        ("expanded", "2.0.0", "mail.expanded"),
        ("", "4.4.1", "mail.delayed"),
        ("nonsense", "2.0.0", "mail.report"),
    ],
)
def test_what_is_no_end_is_a_note(action: str, code: str, name: str) -> None:
    (event,) = events(of_ann(action, code))

    assert isinstance(event, CustomReceived)
    assert (event.name, event.data["delivery"], event.data["code"]) == (name, DELIVERY, code)
    assert event.data["address"] == ANN.uri


def test_a_delay_tells_until_when_it_is_tried() -> None:
    raw = dsn(
        "Final-Recipient: rfc822; ann@example.net\nAction: delayed\nStatus: 4.4.1\n"
        "Diagnostic-Code: smtp; 451 later\nWill-Retry-Until: Sat, 07 Mar 2026 10:00:00 +0000\n"
    )
    (event,) = events(raw)

    assert isinstance(event, CustomReceived)
    assert event.data["until"] == "2026-03-07T10:00:00+00:00"
    assert event.data["text"] == "451 later"


def test_a_failure_tells_why_and_when() -> None:
    found = receipt(dsn(FAILED))

    assert found.delivery == DELIVERY
    assert found.address == ANN
    assert found.occurred_at == ANNS_MOMENT
    assert found.failure is not None
    assert found.failure.kind is FailureKind.INVALID_ADDRESS
    assert found.failure.code == "5.1.1"
    assert found.failure.text == "550 5.1.1 <ann@example.net>: nobody here"


def test_an_event_tells_the_report_in_its_own_words() -> None:
    """`Mail.of` reads them, and the bytes stay as they came."""
    raw = dsn(FAILED)
    event = events(raw)[0]
    mail = Mail.of(event)

    assert event.native == raw
    assert event.automated
    assert mail.kind is MailKind.BOUNCE
    assert mail.report["remote-mta"] == "dns; mx.example.net"
    assert mail.report["reporting-mta"] == "dns; mx.example.net"
    assert mail.report["delivery"] == DELIVERY


def test_a_success_is_a_delivery_report() -> None:
    assert Mail.of(events(of_ann("relayed", "2.0.0"))[0]).kind is MailKind.DELIVERY_REPORT


# Which mail


def test_envid_names_the_delivery() -> None:
    """RFC 3464 §2.2.1, alone: whatever else was lost."""
    assert receipt(dsn(FAILED, back="Content-Type: text/plain\n\nnothing came back\n")).delivery == DELIVERY


def test_verp_names_the_delivery() -> None:
    verp = IDENTIFIERS.verp(MINE, "bounces@example.org")
    raw = dsn(FAILED, envid="", back="Content-Type: text/plain\n\n-\n", to=verp)

    assert receipt(raw).delivery == DELIVERY  # by what stands in its header, over IMAP
    assert receipt(dsn(FAILED, envid="", back="X: y\n\n"), recipients=[verp.upper()]).delivery == DELIVERY


@pytest.mark.parametrize("type_", ["text/rfc822-headers", "message/rfc822", "message/global-headers", "message/global"])
def test_message_id_of_what_was_returned_names_the_delivery(type_: str) -> None:
    assert receipt(dsn(FAILED, envid="", back=returned(type_=type_))).delivery == DELIVERY


def test_answered_message_id_names_the_delivery() -> None:
    """QUIRK(Exchange, Gmail): they return nothing at times, but answer the mail that failed."""
    raw = dsn(FAILED, envid="", back="Content-Type: text/plain\n\n-\n")

    assert receipt(f"In-Reply-To: <{IDENTIFIERS.message_id(MINE)}>\n".encode() + raw).delivery == DELIVERY


def test_envid_is_believed_before_all_others() -> None:
    other = sent(delivery="f" * 32)
    raw = dsn(FAILED, envid=IDENTIFIERS.envelope_id(other))

    assert receipt(raw).delivery == other.delivery


def test_a_part_of_several_is_named() -> None:
    second = sent(index=1, count=3)

    assert receipt(dsn(FAILED, envid=IDENTIFIERS.envelope_id(second))).part == 1
    assert receipt(dsn(FAILED)).part is None


def test_what_is_not_provably_ours_is_left_alone() -> None:
    stranger = Identifiers(b"another secret, of a stranger", "example.org")
    foreign = "Content-Type: text/rfc822-headers\n\nMessage-ID: <1@example.org>\n\n"

    assert not events(dsn(FAILED, envid=stranger.envelope_id(MINE), back=foreign))
    assert not events(dsn(FAILED, envid="QQ314159", back=foreign))
    assert not events(dsn(FAILED, envid="", back=foreign))


def test_a_mail_inside_of_the_returned_one_does_not_count() -> None:
    """Somebody else's mail bounced, and had one of ours with it."""
    inner = f"Content-Type: message/rfc822\n\nMessage-ID: <{IDENTIFIERS.message_id(MINE)}>\n\nours\n"
    outer = f'Message-ID: <1@else.test>\nContent-Type: multipart/mixed; boundary="b1"\n\n--b1\n{inner}--b1--\n'
    raw = dsn(FAILED, envid="", back=f"Content-Type: message/rfc822\n\n{outer}")

    assert not events(raw)


def test_a_forwarded_report_is_no_report() -> None:
    """A person asks what it means."""
    raw = (
        'From: ann@example.net\nContent-Type: multipart/mixed; boundary="b9"\n\n--b9\n\nWhat is this?\n'
        "--b9\nContent-Type: message/rfc822\n\n" + dsn(FAILED).decode() + "\n--b9--\n"
    )
    assert not events(raw.encode())


def test_copies_that_share_their_message_id_are_told_apart() -> None:
    ann, bob = group_of("mailto:ann@example.net", "mailto:bob@example.net")
    message_id = IDENTIFIERS.message_id(ann)
    assert message_id == IDENTIFIERS.message_id(bob)

    found = receipt(dsn(FAILED.replace("ann@", "bob@"), envid="", back=returned(bob)))

    assert found.delivery is None
    assert found.ids == (shared_id(message_id, bob.to),)


def test_of_copies_the_original_recipient_tells_which() -> None:
    """Behind an alias the report comes from elsewhere."""
    ann, _ = group_of("mailto:ann@example.net", "mailto:bob@example.net")
    fields = FAILED.replace("Final-Recipient: rfc822; ann@example.net", "Final-Recipient: rfc822; ann@home.test")

    found = receipt(dsn(fields, envid="", back=returned(ann)))

    assert found.ids == (shared_id(IDENTIFIERS.message_id(ann), ann.to),)


def test_of_copies_one_that_nothing_tells_is_left_alone() -> None:
    ann, _ = group_of("mailto:ann@example.net", "mailto:bob@example.net")

    assert not events(dsn("Action: failed\nStatus: 5.1.1\n", envid="", back=returned(ann)))


def test_a_reference_to_a_thread_names_no_mail() -> None:
    """It stands for no mail that could have bounced, and is no id that several copies share."""
    thread = IDENTIFIERS.thread_reference(IDENTIFIERS.thread_of(MINE))
    back = f"Content-Type: text/rfc822-headers\n\nMessage-ID: <{thread}>\n\n"

    assert not events(dsn(FAILED, envid="", back=back))


# Several recipients


def test_each_recipient_has_a_receipt_of_its_own() -> None:
    ann, bob = group_of("mailto:ann@example.net", "mailto:bob@example.net")
    both = FAILED + "\n\nFinal-Recipient: rfc822; bob@example.net\nAction: relayed\nStatus: 2.0.0\n"
    found = events(dsn(both, envid="", back=returned(ann)))

    assert [type(event) for event in found] == [ReceiptReceived, ReceiptReceived]
    assert len({event.key for event in found}) == 2
    assert [each.status for each in receipts(dsn(both, envid="", back=returned(bob)))] == [
        Status.FAILED,
        Status.RELAYED,
    ]


def test_a_report_that_comes_again_is_the_same() -> None:
    raw = dsn(FAILED)

    assert events(raw) == events(raw)


# Addresses that are nobody's


def disabled(raw: bytes) -> list[Address]:
    """Which addresses a report disables."""
    return [event.address for event in events(raw) if isinstance(event, EndpointDisabled)]


def test_nobody_has_anothers_address_disabled() -> None:
    """Whoever got one mail from us can write a report of it: about whom else it speaks, proves nothing."""
    assert disabled(dsn(FAILED.replace("ann@", "bob@"))) == []
    assert receipt(dsn(FAILED.replace("ann@", "bob@"))).status is Status.FAILED


def test_an_address_error_disables_the_address() -> None:
    event = events(dsn(FAILED))[1]

    assert isinstance(event, EndpointDisabled)
    assert event.address == ANN
    assert event.reason == "5.1.1: 550 5.1.1 <ann@example.net>: nobody here"


@pytest.mark.parametrize("status", ["5.2.1", "5.2.2", "5.7.1", "4.1.1", "5.0.0", ""])
def test_no_other_failure_disables_it(status: str) -> None:
    """A full mailbox is emptied, and a filter is not about the address."""
    raw = dsn(f"Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: {status}\n")

    assert receipt(raw).status is Status.FAILED
    assert not disabled(raw)


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered"])
def test_what_has_not_failed_disables_nothing(action: str) -> None:
    assert not disabled(of_ann(action, "5.1.1"))


def test_a_dead_address_behind_an_alias_does_not_disable_the_alias() -> None:
    """One of those to whom a list sends has gone; the list has not."""
    fields = FAILED.replace("Final-Recipient: rfc822; ann@example.net", "Final-Recipient: rfc822; gone@example.net")

    assert receipt(dsn(fields)).address == ANN
    assert not disabled(dsn(fields))


def test_a_report_that_is_not_ours_disables_nothing() -> None:
    assert not disabled(dsn(FAILED, envid="", back="Content-Type: text/plain\n\n-\n"))


# Reports that are not in order


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Final-Recipient", "FINAL-RECIPIENT"),
        ("rfc822; ", "RFC822;"),
        ("Final-Recipient: rfc822; ", "Final-Recipient: "),
        ("ann@example.net\n", "<ann@example.net>\n"),
        ("Status: 5.1.1\n", ""),
        ("Original-Recipient: rfc822;ann@example.net\n", ""),
        ("mx.example.net\nOriginal", "mx.example.net\n\n\n\nOriginal"),
        ("Action: failed\n", "Action: failed\n\n"),
        ("\n", "\r\n"),
        ("message/delivery-status", "text/plain"),
        ("message/delivery-status", "application/octet-stream"),
        ("message/delivery-status", "MESSAGE/DELIVERY-STATUS; name=report.txt"),
        ("multipart/report; report-type=delivery-status", "multipart/mixed"),
        ("\n--b0--\n", ""),
    ],
)
def test_a_broken_report_is_read_as_far_as_it_goes(old: str, new: str) -> None:
    raw = dsn(FAILED).decode().replace(old, new)
    found = receipt(raw.encode())

    assert (found.status, found.delivery, found.address) == (Status.FAILED, DELIVERY, ANN)
    assert found.failure is not None
    assert found.failure.code == "5.1.1"


def test_fields_of_mail_and_recipient_may_stand_together() -> None:
    raw = dsn(FAILED).decode().replace("\n\nOriginal-Recipient", "\nOriginal-Recipient")

    assert receipt(raw.encode()).delivery == DELIVERY


def test_status_may_be_in_base64() -> None:
    """RFC 3464 §2.1 has it in 7bit; gateways do otherwise."""
    fields = f"Original-Envelope-Id: {IDENTIFIERS.envelope_id(MINE)}\n\n{FAILED.strip()}\n"
    coded = base64.encodebytes(fields.encode()).decode()
    part = f"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n{coded}"

    assert receipt(report("delivery-status", part, headers="From: postmaster@x.test\n")).delivery == DELIVERY


def test_addresses_beyond_ascii_are_read() -> None:
    """RFC 6533 §4."""
    fields = r"""
    Original-Recipient: utf-8; \x{FC}n\x{EF}@example.net
    Final-Recipient: utf-8; ünï@example.net
    Action: failed
    Status: 5.1.1
    """
    envid = IDENTIFIERS.envelope_id(sent(Address("mailto:ünï@example.net")))
    raw = dsn(fields, envid=envid).replace(b"message/delivery-status", b"message/global-delivery-status")

    assert receipt(raw).address == Address("mailto:ünï@example.net")
    assert disabled(raw) == [Address("mailto:ünï@example.net")]


def test_an_original_recipient_that_is_still_xtext_is_undone() -> None:
    """RFC 3461 §4: what came out of ORCPT as it went in, where the final recipient shows it to be so."""
    fields = FAILED.replace("rfc822;ann@", "rfc822;ann+2Bshop@").replace("rfc822; ann@", "rfc822; ann+shop@")

    assert receipt(dsn(fields)).address == Address("mailto:ann+shop@example.net")


def test_a_plus_address_that_looks_like_xtext_stays() -> None:
    fields = FAILED.replace("ann@", "ann+3Dprinting@")

    assert receipt(dsn(fields)).address == Address("mailto:ann+3Dprinting@example.net")


def test_a_person_who_quotes_a_report_writes_none() -> None:
    text = f"What is this?\n{FAILED}\nMessage-ID: <{IDENTIFIERS.message_id(MINE)}>\n"

    assert not events(f"From: ann@example.net\nTo: support@example.org\n\n{text}".encode())


# As some systems write them


def test_exim() -> None:
    """It always says 5.0.0, and puts what it knows into the diagnostic."""
    fields = """
    Action: failed
    Final-Recipient: rfc822;ann@example.net
    Status: 5.0.0
    Remote-MTA: dns; mx.example.net
    Diagnostic-Code: smtp; 550 5.1.1 <ann@example.net>: Recipient address rejected: User unknown
    """
    found = receipt(dsn(fields, envid=""))

    assert found.failure is not None
    assert (found.delivery, found.failure.code) == (DELIVERY, "5.1.1")


def test_gmail() -> None:
    fields = f"""
    X-Original-Message-ID: <{IDENTIFIERS.message_id(MINE)}>

    Final-Recipient: rfc822; ann@example.net
    Action: failed
    Status: 5.1.1
    Remote-MTA: dns; mx.example.net. (192.0.2.5, the server for the domain example.net.)
    Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
     550-5.1.1 double-checking the recipient's email address for typos or
     550 5.1.1 unnecessary spaces. - gsmtp
    Last-Attempt-Date: Mon, 02 Mar 2026 01:59:00 -0800 (PST)
    """
    found = receipt(dsn(fields, envid="", back="Content-Type: text/plain\n\n-\n"))

    assert found.failure is not None
    assert (found.delivery, found.failure.code, found.occurred_at) == (DELIVERY, "5.1.1", ANNS_MOMENT)


def test_exchange() -> None:
    fields = """
    Final-Recipient: rfc822;ann@example.net
    Action: failed
    Status: 5.1.10
    Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@example.net not found by SMTP
     address lookup
    X-Display-Name: Ann
    """
    raw = dsn(fields, envid="").decode().replace("text/rfc822-headers", "message/rfc822")
    found = receipt(raw.encode())

    assert found.failure is not None
    assert (found.failure.code, found.failure.kind) == ("5.1.10", FailureKind.INVALID_ADDRESS)
    assert disabled(raw.encode()) == [ANN]


def test_postfix_after_it_gave_up() -> None:
    fields = """
    Final-Recipient: rfc822; ann@example.net
    Original-Recipient: rfc822;ann@example.net
    Action: failed
    Status: 4.4.1
    Diagnostic-Code: X-Postfix; connect to mx.example.net[192.0.2.5]:25: Connection timed out
    """
    found = receipt(dsn(fields))

    assert found.failure is not None
    assert (found.status, found.failure.kind) == (Status.FAILED, FailureKind.CONNECTION)


def test_gmail_that_leaves_its_report_empty() -> None:
    """It names who failed in the header alone, where it could not even connect."""
    raw = f"X-Failed-Recipients: ann@example.net\n{dsn('', envid='').decode()}".replace(
        "Reporting-MTA: dns; mx.example.net\n", ""
    )
    found = receipt(raw.encode())

    assert (found.status, found.delivery, found.address) == (Status.FAILED, DELIVERY, ANN)


def test_a_report_whose_parts_were_lost() -> None:
    """A gateway made one text of it, the returned header included, and left the type."""
    text = f"This is the mail system.\n554 <ann@example.net>... no\n\n{FAILED}\n"
    text += f"Return-Path: <support@example.org>\nMessage-Id: <{IDENTIFIERS.message_id(MINE)}>\nSubject: Hi\n\nHello\n"
    head = 'From: MAILER-DAEMON@x.test\nContent-Type: multipart/report; report-type=delivery-status; boundary="gone"\n'

    found = receipt(f"{head}\n{text}".encode())

    assert (found.status, found.delivery, found.address) == (Status.FAILED, DELIVERY, ANN)


def test_a_diagnostic_without_a_type_is_whole() -> None:
    found = receipt(dsn(FAILED.replace("smtp; 550 5.1.1 <ann@example.net>: nobody here", "550 5.1.1 no; nobody here")))

    assert found.failure is not None
    assert found.failure.text == "550 5.1.1 no; nobody here"
