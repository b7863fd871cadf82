"""Bounces in words are read too, where a machine wrote them and they bring back a mail of ours."""

from __future__ import annotations

import base64

import pytest

from convergekit.adapters.email.details import Mail, MailKind
from convergekit.model import CustomReceived, EndpointDisabled, FailureKind, Status
from tests.adapters.email.reports.kit import ANN, DELIVERY, IDENTIFIERS, MINE, events, receipt, receipts

COPY = f"From: support@example.org\nMessage-ID: <{IDENTIFIERS.message_id(MINE)}>\nSubject: Hi\n\nHello\n"

QMAIL = """\
Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@example.net>:
192.0.2.5 does not like recipient.
Remote host said: 550 5.1.1 no such mailbox
Giving up on 192.0.2.5.

--- Below this line is a copy of the message.

"""

EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.net
    host mx.example.net [192.0.2.5]
    SMTP error from remote mail server after RCPT TO:<ann@example.net>:
    552 5.2.2 the mailbox is full

------ This is a copy of the message, including all the headers. ------

"""

WARNING = """\
Delivery to the following recipient has been delayed:

     ann@example.net

Message will be retried for 2 more day(s)

----- Original message -----

"""


def bounce(text: str, *, headers: str = "", sender: str = "MAILER-DAEMON@mx.example.net", copy: str = COPY) -> bytes:
    """A mail of *sender* that says *text*, with *copy* below it."""
    head = f"From: {sender}\nTo: support@example.org\nDate: Mon, 02 Mar 2026 10:00:00 +0000\n{headers}"
    return f"{head}\n{text}{copy}".encode()


def test_qmail() -> None:
    found = receipt(bounce(QMAIL))

    assert found.failure is not None
    assert (found.status, found.delivery, found.address) == (Status.FAILED, DELIVERY, ANN)
    assert (found.failure.kind, found.failure.code) == (FailureKind.INVALID_ADDRESS, "5.1.1")
    assert found.failure.text is not None
    assert found.failure.text.startswith("192.0.2.5 does not like recipient.")


def test_exim_names_who_failed_in_the_header() -> None:
    found = receipt(bounce(EXIM, headers="X-Failed-Recipients: ann@example.net\n"))

    assert found.failure is not None
    assert (found.delivery, found.address) == (DELIVERY, ANN)
    assert (found.failure.kind, found.failure.code) == (FailureKind.UNREACHABLE, "5.2.2")


def test_an_address_error_in_words_disables_the_address_too() -> None:
    assert [event.address for event in events(bounce(QMAIL)) if isinstance(event, EndpointDisabled)] == [ANN]


def test_several_recipients_have_a_code_each() -> None:
    text = EXIM.replace(
        "\n------ This",
        "  bob@example.net\n    SMTP error from remote mail server:\n    550 5.1.1 nobody here\n\n------ This",
    ).replace("552 5.2.2", "552")
    found = receipts(bounce(text, headers="X-Failed-Recipients: ann@example.net,\n bob@example.net\n"))
    codes = {str(each.address): each.failure and each.failure.code for each in found}

    assert codes == {"mailto:ann@example.net": "552", "mailto:bob@example.net": "5.1.1"}


def test_a_warning_is_a_note() -> None:
    (event,) = events(bounce(WARNING))

    assert isinstance(event, CustomReceived)
    assert (event.name, event.data["delivery"], event.data["address"]) == ("mail.delayed", DELIVERY, ANN.uri)
    assert Mail.of(event).kind is MailKind.DELIVERY_REPORT


def test_the_text_of_a_failure_has_nothing_of_the_message() -> None:
    text = QMAIL.replace("Remote host said: 550 5.1.1 no such mailbox\nGiving up on 192.0.2.5.\n", "")
    found = receipt(bounce(text, copy=COPY + "the secret is 42\n"))

    assert found.failure is not None
    assert "Hello" not in str(found.failure)
    assert "42" not in str(found.failure)


def test_a_text_that_is_encoded_is_read() -> None:
    coded = base64.encodebytes((QMAIL + COPY).encode()).decode()
    headers = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n"

    assert receipt(bounce(coded, headers=headers, copy="")).delivery == DELIVERY


def test_a_copy_that_is_attached_names_the_mail() -> None:
    body = f"--b0\n\n{QMAIL}\n--b0\nContent-Type: message/rfc822\n\n{COPY}\n--b0--\n"
    raw = bounce(body, headers='Content-Type: multipart/mixed; boundary="b0"\n', copy="")

    assert receipt(raw).delivery == DELIVERY


def test_verp_names_the_mail_where_no_copy_came() -> None:
    verp = IDENTIFIERS.verp(MINE, "bounces@example.org")

    assert receipt(bounce(QMAIL, copy=""), recipients=[verp]).delivery == DELIVERY


@pytest.mark.parametrize(
    ("sender", "headers"),
    [
        ("MAILER-DAEMON@mx.example.net", ""),
        ("Mail Delivery System <Postmaster@mx.example.net>", ""),
        ("<>", ""),
        ("robot@mx.example.net", "Return-Path: <>\n"),
        ("robot@mx.example.net", "Auto-Submitted: auto-replied\n"),
        ("robot@mx.example.net", "X-Failed-Recipients: ann@example.net\n"),
    ],
)
def test_a_machine_is_known(sender: str, headers: str) -> None:
    assert receipt(bounce(QMAIL, sender=sender, headers=headers)).delivery == DELIVERY


def test_a_person_who_forwards_a_bounce_writes_none() -> None:
    assert not events(bounce("Why this?\n" + QMAIL, sender="ann@example.net", headers="Auto-Submitted: no\n"))


def test_a_copy_that_is_not_ours_names_nothing() -> None:
    """Nor does what that copy, a mail of a stranger's, brings along."""
    assert not events(bounce(QMAIL, copy=f"Message-ID: <1@else.test>\n\nSubject: x\n{COPY}"))


def test_what_a_machine_says_otherwise_is_no_bounce() -> None:
    assert not events(bounce(f"I am on holiday.\n\n{COPY}", headers="Auto-Submitted: auto-replied\n"))


def test_a_notice_of_absence_is_no_bounce_though_it_answers_our_mail() -> None:
    """Whatever it says of mail that is not delivered."""
    raw = bounce(QMAIL, copy="", sender="ann@example.net", headers="Auto-Submitted: auto-replied\n")

    assert not events(f"In-Reply-To: <{IDENTIFIERS.message_id(MINE)}>\n".encode() + raw)


def test_what_a_header_calls_a_bounce_may_name_the_mail_by_answering_it() -> None:
    raw = bounce("It failed.", copy="", headers="X-Failed-Recipients: ann@example.net\n")

    assert receipt(f"In-Reply-To: <{IDENTIFIERS.message_id(MINE)}>\n".encode() + raw).delivery == DELIVERY


def test_words_are_looked_at_only_where_a_mail_of_ours_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """It takes long, and there are more notices of programs than bounces."""
    caplog.set_level("INFO", "flufl.bounce")

    assert not events(bounce(QMAIL, copy="Message-ID: <1@else.test>\n\n"))
    assert not caplog.records
    assert events(bounce(QMAIL))
    assert caplog.records
