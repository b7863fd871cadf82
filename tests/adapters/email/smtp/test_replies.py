"""What a server answers is read within bounds, shown without harm, and means one of the four outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.smtp.replies import (
    Accepted,
    MalformedReply,
    Reply,
    ReplyReader,
    Step,
    broken_at,
    error_for,
)
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)


@pytest.mark.parametrize(
    ("data", "replies"),
    [
        (b"250 Ok\r\n", [Reply(250, b"Ok")]),
        (b"250\r\n", [Reply(250)]),
        (b"250 Ok\n354 Go on\n", [Reply(250, b"Ok"), Reply(354, b"Go on")]),
        (b"250-one\r\n250-two\r\n250 three\r\n", [Reply(250, b"one\ntwo\nthree")]),
        (b"250-one\r\n250\r\n", [Reply(250, b"one\n")]),
        (b"250-one\r\n", []),
    ],
)
def test_replies_are_read_in_whatever_pieces_they_come(data: bytes, replies: list[Reply]) -> None:
    assert ReplyReader().feed(data) == replies
    one_by_one = ReplyReader()
    assert [reply for octet in data for reply in one_by_one.feed(bytes([octet]))] == replies


@pytest.mark.parametrize(
    "data",
    [
        b"<html>\r\n",
        b"\r\n",
        b"25\r\n",
        b"2500 Ok\r\n",
        b"250_Ok\r\n",
        b"150 Ok\r\n",
        b"650 Ok\r\n",
        b"\xb2\xb5\xb0 Ok\r\n",
        "٢٥٠ Ok\r\n".encode(),
        b"250-one\r\n550 two\r\n",
        b"250 " + b"x" * 9000,
        b"250 " + b"x" * 9000 + b"\r\n",
        b"250-x\r\n" * 10_000,
        b"250 x\r\n" * 17,
    ],
)
def test_what_is_no_reply_or_has_no_end_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedReply):
        ReplyReader().feed(data)


def test_a_reply_without_end_takes_up_no_memory() -> None:
    reader = ReplyReader()
    for _ in range(65):
        assert reader.feed(b"250-" + b"x" * 1000 + b"\r\n") == []
    with pytest.raises(MalformedReply):
        reader.feed(b"250-" + b"x" * 1000 + b"\r\n")


@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_octets_raise_anything_else(data: bytes, size: int) -> None:
    reader = ReplyReader()
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
    except MalformedReply:
        pass


@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        (Reply(550, b"5.1.1 No such user"), "550 5.1.1", "No such user"),
        (Reply(550, b"5.1.1"), "550 5.1.1", ""),
        (Reply(550, b"No such user"), "550", "No such user"),
        (Reply(550, b"2.1.1 No such user"), "550", "No such user"),  # RFC 2034 §4: the classes agree
        (Reply(550, b"5.7.1 first\n5.7.1 second"), "550 5.7.1", "first second"),
        (Reply(550, b"4.4.4.4 is no friend of 5.5.5.5"), "550", "4.4.4.4 is no friend of 5.5.5.5"),
        (Reply(550, b"5.1.1234 x"), "550", "5.1.1234 x"),
        (Reply(550, b"a\x00b\x1b[31mc\x7f\r"), "550", "a b [31mc"),
        (Reply(550, "a\u202eb\u2028c\x85d".encode()), "550", "a b c d"),
        (Reply(550, b"\xff\xfe"), "550", "\ufffd\ufffd"),
        (Reply(550, b"x" * 10_000), "550", "x" * 500),
    ],
)
def test_what_is_said_is_shown_cut_and_without_control_characters(reply: Reply, status: str, text: str) -> None:
    assert (reply.status, reply.text) == (status, text)


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        (b"2.0.0 Ok: queued as 4Vd8Jx2zGnz9sQ", "4Vd8Jx2zGnz9sQ"),
        (b"OK id=1rPxyz-0001Ab-2c", "1rPxyz-0001Ab-2c"),
        (b"2.6.0 <a@b> [InternalId=59622461767746, Hostname=x] Queued mail for delivery", "59622461767746"),
        (b"2.0.0 40ABCDEF012345 Message accepted for delivery", "40ABCDEF012345"),
        (b"ok 1700000000 qp 12345", "12345"),
        (b"Ok 0100018c2b3a4d5e-aabbccdd-1122-000000", "0100018c2b3a4d5e-aabbccdd-1122-000000"),
        (b"2.0.0 Ok", None),
        (b"", None),
    ],
)
def test_the_name_under_which_the_server_keeps_it_is_found(text: bytes, queue_id: str | None) -> None:
    assert Accepted.by(Reply(250, text)).queue_id == queue_id


@pytest.mark.parametrize(
    ("step", "code", "text", "error"),
    [
        # After a mail was begun, the first digit tells.
        *((step, 451, b"", NotSentError) for step in (Step.MAIL, Step.RCPT, Step.DATA, Step.CONTENT, Step.END)),
        *((step, 550, b"", RejectedError) for step in (Step.MAIL, Step.RCPT, Step.DATA, Step.CONTENT, Step.END)),
        (Step.RCPT, 452, b"4.5.3 Too many recipients", NotSentError),
        (Step.RCPT, 452, b"4.2.2 The mailbox has exceeded its quota", NotSentError),
        (Step.MAIL, 452, b"4.3.1 Insufficient system storage, limit reached", NotSentError),
        (Step.MAIL, 552, b"5.3.4 Too large", RejectedError),
        (Step.RCPT, 450, b"4.2.0 Greylisted, come back in 300 seconds", NotSentError),
        # Before that, it is us whom the server does not want.
        (Step.GREETING, 421, b"", NotSentError),
        (Step.GREETING, 554, b"No SMTP service here", AccountError),
        (Step.EHLO, 550, b"I do not like your name", AccountError),
        (Step.STARTTLS, 454, b"4.7.0 TLS not available", NotSentError),
        (Step.STARTTLS, 502, b"", AccountError),
        (Step.AUTH, 535, b"5.7.8 No", AuthenticationError),
        (Step.AUTH, 504, b"", AuthenticationError),
        (Step.AUTH, 454, b"4.7.0 Temporary authentication failure", NotSentError),
        (Step.AUTH, 334, b"", NotSentError),
        # RFC 4954 §6, wherever they come.
        *((step, code, b"", AuthenticationError) for step in (Step.AUTH, Step.MAIL) for code in (530, 534, 535, 538)),
        (Step.AUTH, 432, b"4.7.12 A password transition is needed", AuthenticationError),
        (Step.AUTH, 432, b"4.3.2 Concurrent connections limit exceeded", ThrottledError),
        # Rates, as servers speak of them.
        (Step.GREETING, 421, b"4.7.0 mx Error: too many connections from 192.0.2.1", ThrottledError),
        (Step.MAIL, 450, b"4.7.1 Error: too much mail from 192.0.2.1", ThrottledError),
        (Step.MAIL, 421, b"4.7.0 Our system has detected an unusual rate of unsolicited mail", ThrottledError),
        (Step.MAIL, 454, b"Throttling failure: Maximum sending rate exceeded.", ThrottledError),
        (Step.AUTH, 454, b"4.7.0 Too many login attempts, please try again later.", ThrottledError),
        (Step.RCPT, 452, b"You have exceeded the hourly limit of this account", ThrottledError),
        (Step.RCPT, 450, b"4.7.1 Please try again in a moderate way", NotSentError),
        (Step.RCPT, 550, b"5.7.1 Rate limit exceeded", RejectedError),  # what it means for good is meant for good
        (Step.END, 550, b"5.4.5 Daily user sending limit exceeded", CreditError),
        # Out of turn.
        (Step.DATA, 250, b"", NotSentError),
        (Step.MAIL, 354, b"", NotSentError),
        (Step.END, 354, b"", UncertainError),
    ],
)
def test_each_answer_means_one_outcome(step: Step, code: int, text: bytes, error: type[DeliveryError]) -> None:
    found = error_for(step, Reply(code, text))
    assert type(found) is error
    if error not in (UncertainError,) and 400 <= code < 600:
        assert found.code is not None
        assert found.code.startswith(str(code))


@pytest.mark.parametrize(
    "text",
    [
        b"4.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery",
        b"4.1.1 Unverified address: mx.example.org said: 450 Too many connections",
    ],
)
def test_a_rate_of_one_mailbox_holds_up_nobody_else(text: bytes) -> None:
    one = error_for(Step.RCPT, Reply(450, text))
    all_of_us = error_for(Step.RCPT, Reply(450, b"4.7.1 Rate limit exceeded"))
    assert isinstance(one, ThrottledError)
    assert isinstance(all_of_us, ThrottledError)
    assert (one.scope, all_of_us.scope) == ("conversation", "channel")
    assert one.retry_after == 60


def test_an_address_that_sounds_like_a_rate_is_none() -> None:
    """Otherwise whoever is called so would hold up all the others."""
    found = error_for(Step.RCPT, Reply(450, b"4.7.1 <rates@too-many.example>: Recipient address rejected: Greylisted"))
    assert type(found) is NotSentError


@pytest.mark.parametrize("step", list(Step))
def test_only_after_the_end_of_the_data_a_break_leaves_the_outcome_open(step: Step) -> None:
    assert type(broken_at(step, "it broke")) is (UncertainError if step is Step.END else NotSentError)


def test_what_is_wrong_before_a_mail_has_begun_names_the_settings() -> None:
    assert "smtp.password" in str(error_for(Step.AUTH, Reply(535, b"5.7.8 no")))
    assert "smtp.port and smtp.security" in str(broken_at(Step.GREETING, "there was no answer in time"))
    assert "smtp." not in str(broken_at(Step.RCPT, "the connection ended"))
