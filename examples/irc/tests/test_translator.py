"""Between lines and our values: tables, and no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from convergekit_irc.translator import refusal, text_limit, to_event, to_lines
from convergekit_irc.wire import LIMIT, Line, read

from convergekit.errors import DeliveryError, RejectedError, ThrottledError, UncertainError, UnsupportedContentError
from convergekit.model import (
    Address,
    ConversationKind,
    CustomReceived,
    Event,
    InvitationReceived,
    MembershipChanged,
    MessageReceived,
    PresenceChanged,
)
from convergekit.testing import outgoing

ANN = Address("irc:ann")


def event(line: str | bytes) -> Event | None:
    raw = line.encode() if isinstance(line, str) else line
    return to_event(read(raw), key="k", nick="bot")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (":Ann!a@h PRIVMSG bot :hi", {"text": "hi", "to": "irc:ann", "kind": "direct"}),
        (":Ann!a@h PRIVMSG #Room :hi", {"text": "hi", "to": "irc:#room", "kind": "group"}),
        (":Ann!a@h PRIVMSG @#room :ops", {"text": "ops", "to": "irc:#room", "kind": "group"}),
        (":Ann!a@h NOTICE bot :beep", {"text": "beep", "to": "irc:ann", "kind": "direct", "automated": True}),
        ("@bot :Ann!a@h PRIVMSG bot :beep", {"text": "beep", "to": "irc:ann", "kind": "direct", "automated": True}),
        (":Ann!a@h PRIVMSG bot :\1ACTION waves\1", {"text": "/me waves", "to": "irc:ann", "kind": "direct"}),
        (":Ann!a@h PRIVMSG bot :\2b\2 \0034,12c\3 \x1di\x0f", {"text": "b c i", "to": "irc:ann", "kind": "direct"}),
    ],
)
def test_what_people_say(line: str, expected: Mapping[str, Any]) -> None:
    said = event(line)
    assert isinstance(said, MessageReceived)
    assert said.conversation is not None
    assert said.text == expected["text"]
    assert said.automated is expected.get("automated", False)
    assert (said.conversation.address.uri, said.conversation.kind) == (expected["to"], expected["kind"])
    assert (said.sender, said.sender and said.sender.display_name) == (ANN, "Ann")
    assert (said.key, said.native) == ("k", line.encode())


def test_time_and_id_are_the_servers_where_it_has_them() -> None:
    """Then a line that comes again, from a bouncer for one, is known by its id."""
    said = event("@time=2026-01-02T03:04:05.678Z;msgid=abc :ann!a@h PRIVMSG bot :hi")
    assert isinstance(said, MessageReceived)
    assert said.at is not None
    assert said.at.isoformat() == "2026-01-02T03:04:05.678000+00:00"
    assert (said.key, said.message_id) == ("msgid:abc", "abc")

    plain = event(":ann!a@h PRIVMSG bot :hi")
    assert isinstance(plain, MessageReceived)
    assert (plain.at, plain.message_id) == (None, None)


def test_who_comes_and_goes() -> None:
    def changed(line: str) -> tuple[str, str, str]:
        change = event(line)
        assert isinstance(change, MembershipChanged)
        assert change.conversation is not None
        assert change.conversation.kind is ConversationKind.GROUP
        return change.conversation.address.uri, change.member.uri, change.membership

    assert changed(":ann!a@h JOIN :#Room") == ("irc:#room", "irc:ann", "joined")
    assert changed(":ann!a@h PART #room :bye") == ("irc:#room", "irc:ann", "left")
    assert changed(":ann!a@h KICK #room Bot :out") == ("irc:#room", "irc:bot", "removed")
    gone = event(":ann!a@h QUIT :bye")
    assert isinstance(gone, PresenceChanged)
    assert (gone.sender, gone.presence, gone.key) == (ANN, "offline", "")


def test_an_invitation_names_the_room() -> None:
    invitation = event(":ann!a@h INVITE bot #room")
    assert isinstance(invitation, InvitationReceived)
    assert (invitation.sender, invitation.room.uri) == (ANN, "irc:#room")


def test_a_question_of_a_client_is_kept_and_is_no_message() -> None:
    asked = event(":ann!a@h PRIVMSG bot :\1VERSION\1")
    assert isinstance(asked, CustomReceived)
    assert (asked.name, asked.data, asked.sender) == ("irc.ctcp.version", "", ANN)


@pytest.mark.parametrize(
    "line", [":bot!b@h PRIVMSG #room :ours", ":bot!b@h JOIN #room", ":irc.test NOTICE bot :stats", "PRIVMSG bot :who?"]
)
def test_what_we_said_ourselves_and_what_servers_say_is_no_event(line: str) -> None:
    assert event(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b":",
        b":ann!a@h",
        b":ann!a@h PRIVMSG bot",
        b":ann!a@h PRIVMSG",
        b":ann!a@h PRIVMSG bot :nul \0",
        b":a\xe2\x80\xaenn!a@h PRIVMSG bot :hi",
        b":ann!a@h PRIVMSG bot x :hi",
        b":ann!a@h INVITE bot",
        b":ann!a@h KICK #room",
        b":ann!a@h JOIN",
        b"@time=yesterday :ann!a@h PRIVMSG bot :hi",
        b"@msgid=a\\nb :ann!a@h PRIVMSG bot :hi",
    ],
)
def test_what_makes_no_sense_is_kept_as_it_came(line: bytes) -> None:
    kept = event(line)
    assert isinstance(kept, CustomReceived)
    assert (kept.key, kept.name, kept.native) == ("k", "irc.invalid", line)


# What goes out


def test_each_line_of_a_text_is_a_line() -> None:
    assert to_lines(outgoing("irc:#room", "one\ntwo\r\n\n  \nthree\rfour")) == [
        b"PRIVMSG #room :one\r\n",
        b"PRIVMSG #room :two\r\n",
        b"PRIVMSG #room :three\r\n",
        b"PRIVMSG #room :four\r\n",
    ]


def test_an_action_is_said_as_one() -> None:
    assert to_lines(outgoing("irc:ann", "/me waves")) == [b"PRIVMSG ann :\x01ACTION waves\x01\r\n"]
    assert to_lines(outgoing("irc:ann", "/men at work")) == [b"PRIVMSG ann :/men at work\r\n"]


def test_what_a_program_says_is_a_notice() -> None:
    """And since nobody is told where a notice went, it is asked first whether they are there."""
    assert to_lines(outgoing("irc:#room", "hi", automatic=True)) == [b"NOTICE #room :hi\r\n"]
    assert to_lines(outgoing("irc:ann", "hi", automatic=True)) == [b"ISON :ann\r\nNOTICE ann :hi\r\n"]


def test_a_host_may_say_which_of_the_two_it_is() -> None:
    def said(notice: object, *, automatic: bool) -> bytes:
        (line,) = to_lines(outgoing("irc:#room", "hi", automatic=automatic, native={"notice": notice}))
        return line.partition(b" ")[0]

    assert said(False, automatic=True) == b"PRIVMSG"
    assert said(True, automatic=False) == b"NOTICE"
    assert said(None, automatic=True) == b"NOTICE"
    for native in ({"notices": True}, {"notice": "perhaps"}, ["notice"]):
        with pytest.raises(UnsupportedContentError, match="native"):
            to_lines(outgoing("irc:#room", "hi", native=native))


@pytest.mark.parametrize("text", ["", " \n\t\n", "\1VERSION\1", "hi \1DCC SEND x\1"])
def test_what_irc_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedContentError):
        to_lines(outgoing("irc:ann", text))


@pytest.mark.parametrize("uri", ["irc:ann,bob", "irc:$*", "irc:a!b@c", "irc://host/room", "irc:%23room", "irc:1st"])
def test_an_address_that_names_nobody_is_refused(uri: str) -> None:
    with pytest.raises(UnsupportedContentError, match="irc:nick or irc:#room"):
        to_lines(outgoing(uri))


@pytest.mark.parametrize("text", ["x", "/me "])
@pytest.mark.parametrize("target", ["ann", "#a-room-with-a-long-name", "#übermäßig"])
def test_a_part_as_long_as_the_limit_arrives_whole_from_the_longest_source(target: str, text: str) -> None:
    """Nickname, user and host as long as they can get."""
    nick = "n" * 33
    limit = text_limit(len(nick), len(target.encode()))
    text = text.ljust(limit.max, "x")
    (line,) = to_lines(outgoing(f"irc:{target}", text), f"{nick}!~{'u' * 10}@{'h' * 63}")
    longest = len(f":{nick}!~{'u' * 10}@{'h' * 63} ") + len(line)
    assert longest == LIMIT if text[0] == "/" else longest <= LIMIT
    assert limit.unit == "byte"


# What the server answers


@pytest.mark.parametrize(
    ("line", "error", "code"),
    [
        (":s 401 bot ann :No such nick", RejectedError, "401"),
        (":s 403 bot #r :No such channel", RejectedError, "403"),
        (":s 404 bot #r :Cannot send to channel", RejectedError, "404"),
        (":s 442 bot #r :Not on channel", RejectedError, "442"),
        (":s 482 bot #r :Not operator", RejectedError, "482"),
        (":s 531 bot ann :Never heard of this one", RejectedError, "531"),
        (":s 716 bot ann :is in +g", RejectedError, "716"),
        (":s 303 bot :", RejectedError, "303"),
        (":s 263 bot PRIVMSG :Try again", ThrottledError, "263"),
        (":s 439 bot ann :Target change too fast", ThrottledError, "439"),
    ],
)
def test_a_refusal_has_an_outcome_and_its_code(line: str, error: type[DeliveryError], code: str) -> None:
    refused = refusal([read(line.encode())], said=0)
    assert type(refused) is error
    assert refused.code == code
    assert "Never heard" not in refused.reason, "the server's words may hold anything"


def test_who_has_to_wait_says_the_code() -> None:
    busy, new = (refusal([Line(code)], said=0) for code in ("263", "439"))
    assert isinstance(busy, ThrottledError)
    assert isinstance(new, ThrottledError)
    assert (busy.scope, new.scope) == ("channel", "conversation")
    assert busy.retry_after > 0


def test_a_text_that_has_gone_out_in_part_is_never_said_again_from_its_start() -> None:
    assert type(refusal([Line("263")], said=1)) is UncertainError
    assert type(refusal([Line("404")], said=1)) is RejectedError


@pytest.mark.parametrize("line", [":s 301 bot ann :gone fishing", ":s 303 bot :ann", ":s 353 bot = #r :ann bot"])
def test_other_answers_refuse_nothing(line: str) -> None:
    assert refusal([read(line.encode())], said=0) is None
