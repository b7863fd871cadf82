"""What leaves as commands and as content: exact, and nothing in it ends a line that it does not mean to end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.smtp import Extensions, SmtpEnvelope
from convergekit.adapters.email.smtp.envelope import commands, in_lines, stuffed
from convergekit.errors import RejectedError, UnsupportedContentError

ALL = Extensions(pipelining=True, size=1000, eight_bit=True, smtputf8=True, dsn=True)
MAIL = b"Subject: x\r\n\r\ny\r\n"


def said(extensions: Extensions = ALL, content: bytes = MAIL, **fields: Any) -> tuple[str, str]:
    fields = {"reverse_path": "ann@a.test", "recipient": "bob@b.test", **fields}
    envelope = SmtpEnvelope(**fields)
    envelope.refuse_unsafe()
    mail, rcpt = commands(envelope, extensions, content)
    assert mail.endswith(b"\r\n")
    assert rcpt.endswith(b"\r\n")
    return mail[:-2].decode(), rcpt[:-2].decode()


def test_nothing_is_asked_for_that_is_not_offered() -> None:
    plain = said(Extensions(), envid="e1", notify=frozenset({"success"}), ret="full", orcpt="bob@b.test")
    assert plain == ("MAIL FROM:<ann@a.test>", "RCPT TO:<bob@b.test>")


def test_a_mail_that_must_not_cause_reports_has_an_empty_reverse_path() -> None:
    assert said(Extensions(), reverse_path="")[0] == "MAIL FROM:<>"


def test_the_size_is_announced_without_the_dots_that_are_doubled() -> None:
    assert said(content=b".\r\n")[0] == "MAIL FROM:<ann@a.test> SIZE=3"
    assert said(Extensions(size=0), content=b"x" * 5000)[0] == "MAIL FROM:<ann@a.test> SIZE=5000"


def test_octets_above_127_are_announced() -> None:
    assert said(content="ü\r\n".encode())[0] == "MAIL FROM:<ann@a.test> SIZE=4 BODY=8BITMIME"
    with pytest.raises(UnsupportedContentError, match="8BITMIME"):
        said(Extensions(), content="ü\r\n".encode())


def test_reports_are_asked_for() -> None:
    mail, rcpt = said(
        envid="a+b=c",
        notify=frozenset({"delay", "success", "failure"}),
        ret="headers",
        orcpt="bob+tag=x@b.test",
    )
    assert mail == f"MAIL FROM:<ann@a.test> SIZE={len(MAIL)} RET=HDRS ENVID=a+2Bb+3Dc"
    assert rcpt == "RCPT TO:<bob@b.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob+2Btag+3Dx@b.test"
    assert said(ret="full")[0].endswith(" RET=FULL")
    assert said(notify=frozenset({"never"}))[1].endswith(" NOTIFY=NEVER")
    assert said(envid="ü")[0].endswith(" ENVID=+C3+BC")


@pytest.mark.parametrize("notify", [{"never", "delay"}, {"always"}, {"SUCCESS\r\nQUIT"}])
def test_reports_that_cannot_be_asked_for_are_refused(notify: set[str]) -> None:
    with pytest.raises(UnsupportedContentError, match="notify"):
        said(notify=frozenset(notify))


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UnsupportedContentError, match="envid"):
        said(envid="x" * 101)
    with pytest.raises(UnsupportedContentError, match="recipient"):
        said(recipient="")


def test_characters_beyond_ascii_need_smtputf8() -> None:
    mail, rcpt = said(recipient="ünï@u.test", orcpt="ünï+a@u.test")
    assert mail.endswith(" SMTPUTF8")
    assert rcpt == r"RCPT TO:<ünï@u.test> ORCPT=utf-8;ünï\x{2B}a@u.test"
    assert said(needs_smtputf8=True)[0].endswith(" SMTPUTF8")
    assert said(reverse_path="ünï@u.test")[0].endswith(" SMTPUTF8")
    for fields in ({"recipient": "ünï@u.test"}, {"reverse_path": "ünï@u.test"}, {"needs_smtputf8": True}):
        with pytest.raises(RejectedError) as caught:
            said(Extensions(eight_bit=True, dsn=True), **fields)
        assert caught.value.code == "553 5.6.7"
    # An ASCII mail whose original recipient was not has no way to say so.
    assert said(orcpt="ünï@u.test")[1] == "RCPT TO:<bob@b.test>"


def test_a_mail_that_is_too_large_is_refused_before_it_is_sent() -> None:
    assert said(content=b"x" * 1000)
    with pytest.raises(RejectedError) as caught:
        said(content=b"x" * 1001)
    assert caught.value.code == "552 5.3.4"


@pytest.mark.parametrize(
    ("keywords", "offered"),
    [
        ({}, Extensions()),
        ({"size": "1000"}, Extensions(size=1000)),
        ({"size": ""}, Extensions(size=0)),
        ({"size": "0"}, Extensions(size=0)),
        ({"size": "-5"}, Extensions(size=0)),
        ({"size": "many"}, Extensions(size=0)),
        ({"size": "٣"}, Extensions(size=0)),
        ({"size": "9" * 5000}, Extensions(size=0)),
        ({"smtputf8": ""}, Extensions()),  # RFC 6531 §3.1: not without 8BITMIME
        (
            {"pipelining": "", "size": " 7 ", "8bitmime": "", "smtputf8": "", "dsn": "", "x": "y"},
            Extensions(pipelining=True, size=7, eight_bit=True, smtputf8=True, dsn=True),
        ),
    ],
)
def test_what_a_server_offers_is_read(keywords: dict[str, str], offered: Extensions) -> None:
    assert Extensions.offered(keywords) == offered


@given(st.text("a.\r\n", max_size=30).map(str.encode))
def test_content_leaves_in_lines_and_its_end_is_only_at_its_end(content: bytes) -> None:
    lines = in_lines(content)
    wire = stuffed(lines) + b".\r\n"
    assert lines.count(b"\r\n") == lines.count(b"\r") == lines.count(b"\n") > 0
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3
    # As RFC 5321 §4.5.2 has servers read it.
    read = [line.removeprefix(b".") for line in wire.removesuffix(b".\r\n").split(b"\r\n")]
    assert b"\r\n".join(read) == lines


def test_content_that_is_right_is_not_copied() -> None:
    assert stuffed(in_lines(MAIL)) is MAIL
