"""Lines: what comes in is understood or is nothing, and nothing leaves that is more than one line."""

from random import Random

import pytest
from convergekit_irc.wire import LIMIT, Line, command, is_nick, is_room, read

from convergekit.errors import UnsupportedContentError


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"PING :a b", Line("PING", ("a b",))),
        (b"ping x", Line("PING", ("x",))),
        (b":irc.test 001 bot :Welcome to it", Line("001", ("bot", "Welcome to it"), "irc.test")),
        (b":ann!a@h PRIVMSG #r ::) :x", Line("PRIVMSG", ("#r", ":) :x"), "ann!a@h")),
        (b":ann!a@h PRIVMSG bot :", Line("PRIVMSG", ("bot", ""), "ann!a@h")),
        (b":ann!a@h JOIN  #r ", Line("JOIN", ("#r",), "ann!a@h")),
        (
            b"@time=2026-01-01T00:00:00.000Z;+x;msgid=a\\sb\\:\\\\\\n :ann!a@h PRIVMSG bot :hi",
            Line(
                "PRIVMSG",
                ("bot", "hi"),
                "ann!a@h",
                {"time": "2026-01-01T00:00:00.000Z", "+x": "", "msgid": "a b;\\\n"},
            ),
        ),
        ("PRIVMSG bot :grüß dich".encode(), Line("PRIVMSG", ("bot", "grüß dich"))),
        ("PRIVMSG bot :grüß dich".encode("latin-1"), Line("PRIVMSG", ("bot", "grüß dich"))),
        (b"", Line("")),
        (b":only.a.source", Line("", source="only.a.source")),
        (b"@only=tags", Line("", tags={"only": "tags"})),
    ],
)
def test_a_line_is_read_as_the_standards_have_it(raw: bytes, line: Line) -> None:
    found = read(raw)
    assert (found.command, found.params) == (line.command, line.params)
    assert found.source == line.source or not line.command
    assert found.tags == line.tags or not line.command
    assert found.raw == raw


def test_a_person_has_a_nickname_and_a_server_has_none() -> None:
    assert read(b":ann!a@h PRIVMSG bot :hi").nick == "ann"
    assert read(b":irc.test NOTICE bot :hi").nick == ""
    assert read(b"PING x").nick == ""


def test_no_bytes_make_it_fail() -> None:
    random = Random(1)
    for _ in range(5000):
        raw = bytes(random.choices(b"@: ;=\\\x00\x01\r!PRIVMSG#ab\xff\xc3\xbc", k=random.randrange(40)))
        assert read(raw).raw == raw


def test_a_command_is_one_line() -> None:
    assert command("CAP", "END") == b"CAP :END\r\n"
    assert command("PRIVMSG", "#r", "") == b"PRIVMSG #r :\r\n"
    assert command("PRIVMSG", "#r", ":x  y ") == b"PRIVMSG #r ::x  y \r\n"
    assert command("QUIT") == b"QUIT\r\n"


@pytest.mark.parametrize(
    "params",
    [
        ("bot", "a\nQUIT"),
        ("bot", "a\rQUIT"),
        ("bot", "a\0b"),
        ("bot x", "a"),
        (":bot", "a"),
        ("", "a"),
        ("b\nQUIT", "a"),
    ],
)
def test_nothing_leaves_that_is_more_or_other_than_one_line(params: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedContentError):
        command("PRIVMSG", *params)


def test_a_line_that_would_be_cut_does_not_leave() -> None:
    """What counts is what the reader gets: with the sender in front."""
    source = "bot!~bot@host.example"
    room = LIMIT - len(f":{source} PRIVMSG ann :\r\n")
    assert len(command("PRIVMSG", "ann", "x" * room, source=source)) == LIMIT - len(f":{source} ")
    with pytest.raises(UnsupportedContentError, match="512"):
        command("PRIVMSG", "ann", "x" * (room + 1), source=source)
    with pytest.raises(UnsupportedContentError, match="512"):
        command("PRIVMSG", "ann", "ü" * (room // 2 + 1), source=source)


@pytest.mark.parametrize("name", ["ann", "Ann[away]", "a1-2", "_", "`^{}|\\", "jürgen", "x" * 63])
def test_nicknames(name: str) -> None:
    assert is_nick(name)
    assert not is_room(name)


@pytest.mark.parametrize("name", ["#r", "&local", "+modeless", "!12345safe", "#über", "#a#b", "#" + "x" * 63])
def test_rooms(name: str) -> None:
    assert is_room(name)
    assert not is_nick(name)


@pytest.mark.parametrize(
    "name",
    ["", "1st", "-x", "a b", "a,b", "a!b@c", "a@b", "$*", "*", "a.b", ":a", "a\n", "#", "#a b", "#a,b", "#a:b", "#a\7"],
)
def test_neither(name: str) -> None:
    """Several targets, masks, servers, and what would break the line."""
    assert not is_nick(name)
    assert not is_room(name)
