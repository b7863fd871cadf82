"""Command lines are read as RFC 5321 and its extensions write them, and what makes no sense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.lmtp.grammar import RefusedError, Reply, parse_command, parse_path
from convergekit.adapters.email.lmtp.recipients import Recipients


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("TO:<bob@example.test>", "bob@example.test"),
        ("to: <bob@example.test> ", "bob@example.test"),
        ("TO:<>", ""),
        ("TO:<postmaster>", "postmaster"),
        ("TO:<@a.test,@b.test:bob@example.test>", "bob@example.test"),
        ('TO:<"a > b"@example.test>', '"a > b"@example.test'),
        ('TO:<"a\\" b"@example.test>', '"a\\" b"@example.test'),
        ("TO:<bob@[127.0.0.1]>", "bob@[127.0.0.1]"),
        ("TO:<a..b@example.test>", "a..b@example.test"),
        ("TO:<ünï@dömain.test>", "ünï@dömain.test"),
    ],
)
def test_paths(argument: str, address: str) -> None:
    assert parse_path(argument, "TO") == (address, {})


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "TO",
        "TO:",
        "TO:bob@example.test",
        "FROM:<bob@example.test>",
        "TO:<bob@example.test",
        "TO:<bob@@example.test>",
        "TO:<bob@example.test>SIZE=1",
        "TO:<a b@example.test>",
        "TO:<bob@exa<mple.test>",
        'TO:<"bob@example.test>',
        "TO:<bob@example.test> =1",
        "TO:<bob@example.test> SIZE=",
        "TO:<bob@example.test> SIZE=1=2",
        "TO:<bob@example.test> SIZE=1 size=2",
    ],
)
def test_what_is_not_a_path_is_refused(argument: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_path(argument, "TO")

    assert caught.value.reply.code == 501


def test_parameters_stand_behind_the_path() -> None:
    path = parse_path("FROM:<ann@a.test> size=10 BODY=8BITMIME SMTPUTF8", "FROM")

    assert path.parameters == {"SIZE": "10", "BODY": "8BITMIME", "SMTPUTF8": ""}


@pytest.mark.parametrize("line", [b"NOOP\0", b"NO\rOP", b"MAIL FROM:<a\tb>", b"NOOP \xff", "NOOP \u2028".encode()])
def test_control_characters_and_what_is_not_utf8_are_refused(line: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_command(line)

    assert bytes(caught.value.reply).startswith(b"500 5.5.2 ")


def test_every_line_of_a_reply_has_the_codes() -> None:
    assert bytes(Reply(250, "2.0.0", "one\ntwo")) == b"250-2.0.0 one\r\n250 2.0.0 two\r\n"
    assert bytes(Reply(354, "", "go on")) == b"354 go on\r\n"


@given(st.binary(max_size=300))
def test_no_line_breaks_anything(line: bytes) -> None:
    try:
        command = parse_command(line)
        parse_path(command.argument, "FROM")
    except RefusedError:
        pass


class TestRecipients:
    def test_without_entries_everybody_is_there(self) -> None:
        assert "anybody" in Recipients(())

    @pytest.mark.parametrize(
        "address", ["support@example.test", "Support@EXAMPLE.test", "support+token@example.test", "x@dömain.test"]
    )
    def test_who_is_there(self, address: str) -> None:
        assert address in Recipients(("Support@example.test", "@xn--dmain-jua.test"))

    @pytest.mark.parametrize(
        "address",
        [
            "sales@example.test",
            "support@other.test",
            "support",
            "support@sub.example.test",
            "x+support@example.test",
            '"support x"@example.test',
        ],
    )
    def test_who_is_not(self, address: str) -> None:
        assert address not in Recipients(("support@example.test", "@xn--dmain-jua.test"))
