"""Our values to lines of IRC, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from convergekit.abc import Outgoing
from convergekit.errors import DeliveryError, RejectedError, ThrottledError, UncertainError, UnsupportedContentError
from convergekit.model import (
    Address,
    ConversationKind,
    ConversationRef,
    CustomReceived,
    Event,
    InvitationReceived,
    MembershipChanged,
    MessageReceived,
    PresenceChanged,
    TextLimit,
)

from .wire import LIMIT, Line, command, is_nick, is_room

__all__ = ["IrcNative", "refusal", "text_limit", "to_address", "to_event", "to_lines", "to_room", "to_target"]

_BREAK: Final = re.compile(r"\r\n|\r|\n")
_CTCP: Final = "\x01"
#: Bold, colours and so on: IRC has no standard for them, and clients show what they like.
_FORMAT: Final = re.compile(r"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6})?|[\x02\x0f\x11\x16\x1d\x1e\x1f]")
_LONGEST: Final = 64  # of the names of rooms and people, where it is not known which
_USER: Final = 11  # a setting has at most 10, and the server may put a ~ before it
_HOST: Final = 63  # RFC 2812 §2.3.1

# [numerics]
#: Numeric replies that refuse a message, in words (RFC 2812 §5.2). Others from 400 to 599 refuse it as well.
WORDS: Final[Mapping[str, str]] = {
    "401": "there is nobody and no room of this name",
    "403": "there is no such room",
    "404": "the room does not let us speak: we are not in it, or have no voice",
    "407": "that would be several recipients",
    "442": "we are not in the room",
    "477": "only registered nicknames may speak there",
    "482": "only operators of the room may do that",
    "486": "they take messages of registered nicknames only",
    "716": "they take messages only of people whom they have allowed",
}
#: Those that mean "not now": seconds to wait, and what has to wait. The server has not taken it.
LATER: Final[Mapping[str, tuple[float, Literal["conversation", "channel"]]]] = {
    "263": (15.0, "channel"),  # RPL_TRYAGAIN: the server is busy
    "439": (30.0, "conversation"),  # ERR_TARGETTOOFAST: too many new correspondents
}
# [numerics end]


# [limit]
def text_limit(nick: int, target: int = _LONGEST) -> TextLimit:
    """How much text a line holds, in bytes, that reaches its reader whole.

    A line has 512 bytes, and what the server puts in front of it counts: who says it, with the longest host there is.

    Args:
        nick: Bytes of our nickname.
        target: Bytes of the recipient's name.
    """
    source = len(":!@ ") + nick + _USER + _HOST
    around = len("PRIVMSG  :\r\n") + target
    action = len("\x01ACTION \x01") - len("/me ")
    return TextLimit(max=LIMIT - source - around - action, unit="byte")


# [limit end]


class IrcNative(BaseModel):
    """`Message(native={"irc": {"notice": False}})`: said as a message, though a program says it; or the reverse."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    notice: bool | None = None

    @classmethod
    def of(cls, out: Outgoing) -> IrcNative:
        """What *out* has of it; raises `UnsupportedContentError`."""
        try:
            return cls.model_validate({} if out.native is None else out.native)
        except ValidationError:
            raise UnsupportedContentError("native for IRC is {'notice': True}, or False, and nothing else") from None


def to_lines(out: Outgoing, source: str = "") -> Sequence[bytes]:
    """The lines that say *out*: one for each line of its text, blank ones left out.

    Args:
        out: What is to be said.
        source: As whom the server passes it on, where that is known.

    Raises:
        UnsupportedContentError: IRC has no way to say it.
    """
    target, notice = to_target(out.to), IrcNative.of(out).notice
    said = [line for line in _BREAK.split(out.text) if line.strip()]
    if not said:
        raise UnsupportedContentError("there is nothing to say: IRC has no empty messages")
    if any(_CTCP in line or "\0" in line for line in said):
        raise UnsupportedContentError("the text has a character (U+0001 or U+0000) that is a command on IRC")
    return [_line(line, target, source, notice=out.automatic if notice is None else notice) for line in said]


def _line(text: str, target: str, source: str, *, notice: bool) -> bytes:
    if text.startswith("/me "):
        return command("PRIVMSG", target, f"{_CTCP}ACTION {text.removeprefix('/me ')}{_CTCP}", source=source)
    if not notice:
        return command("PRIVMSG", target, text, source=source)
    # RFC 2812 §3.3.2: what programs say is a NOTICE. No program answers it, and no server says that it was refused,
    # so the one thing that can be asked is asked before: whether they are there (§4.9).
    there = b"" if is_room(target) else command("ISON", target)
    return there + command("NOTICE", target, text, source=source)


def to_target(address: Address) -> str:
    """The name behind `irc:`, of a person or a room; raises `UnsupportedContentError`."""
    name = address.value
    if not (is_nick(name) or is_room(name)):
        raise UnsupportedContentError(f"{address.uri[:100]!a} names nobody: it is irc:nick or irc:#room")
    return name


def to_room(address: Address) -> str:
    """The name of a room; raises `UnsupportedContentError`."""
    name = to_target(address)
    if not is_room(name):
        raise UnsupportedContentError(f"{address.uri[:100]!a} is a person: a room is irc:#room")
    return name


def to_address(name: str) -> Address:
    """The address of a person or a room: in lower case, since IRC does not tell cases apart."""
    return Address.build("irc", _lower(name), display_name=name)


def _lower(name: str) -> str:
    """As CASEMAPPING=ascii has it, and of other mappings what matters."""
    return re.sub(r"[A-Z]+", lambda found: found[0].lower(), name)


# [refusal]
def refusal(answers: Sequence[Line], *, said: int) -> DeliveryError | None:
    """What the server's *answers* to one line mean, or None where it has not refused it.

    Args:
        answers: What it said before it confirmed that it had read the line.
        said: How many lines of the same text it had taken before.
    """
    for answer in answers:
        code = answer.command
        if code == "303" and not "".join(answer.params[1:]).strip():  # ISON: of those we asked for, nobody
            return RejectedError(WORDS["401"], code=code)
        if code in LATER:
            seconds, scope = LATER[code]
            if said:  # trying again would say the first lines twice
                return UncertainError("the server took the first lines, and no more for now", code=code)
            return ThrottledError("the server asks for time", retry_after=seconds, scope=scope, code=code)
        if code in WORDS or (len(code) == 3 and code[0] in "45" and code.isdigit()):
            words = WORDS.get(code, "the server refuses it")
            return RejectedError(f"{words}, after {said} lines" if said else words, code=code)
    return None


# [refusal end]


# [event]
def to_event(line: Line, *, key: str, nick: str) -> Event | None:
    """The event that *line* stands for, or None where it concerns nobody; one without a key is ephemeral.

    Args:
        line: As it came.
        key: For what has no id of its own.
        nick: What we are called.
    """
    try:
        return _translated(line, key, nick)
    except (ValueError, IndexError):  # it makes no sense; it is kept, and nothing stops
        return CustomReceived(key=key, name="irc.invalid", data=line.raw, native=line.raw)


def _translated(line: Line, key: str, nick: str) -> Event | None:
    if not line.command:
        raise ValueError("no command")
    if not line.nick or line.nick == nick:  # a server's notices, and our own words
        return None
    match line.command:
        case "PRIVMSG" | "NOTICE":
            return _message(line, key)
        case "INVITE":
            room = to_address(line.params[1])
            return InvitationReceived(key=key, sender=to_address(line.nick), room=room, native=line.raw)
        case "JOIN":
            return _membership(line, key, line.nick, "joined")
        case "PART":
            return _membership(line, key, line.nick, "left")
        case "KICK":
            return _membership(line, key, line.params[1], "removed")
        case "QUIT":
            return PresenceChanged(sender=to_address(line.nick), presence="offline")
    return None


def _message(line: Line, key: str) -> Event:
    target, text = line.params
    sender = to_address(line.nick)
    id = line.tags.get("msgid")
    fields = {
        "key": f"msgid:{id}" if id else key,
        "sender": sender,
        "conversation": _conversation(target, sender),
        "at": line.tags.get("time"),
        "automated": line.command == "NOTICE" or "bot" in line.tags,
        "native": line.raw,
    }
    if text.startswith(_CTCP):
        verb, _, text = text.strip(_CTCP).partition(" ")
        if verb != "ACTION":
            return CustomReceived.model_validate({**fields, "name": f"irc.ctcp.{verb.lower()}", "data": text})
        text = f"/me {text}"
    return MessageReceived.model_validate({**fields, "message_id": id, "text": _FORMAT.sub("", text)})


# [event end]


def _membership(line: Line, key: str, member: str, membership: str) -> Event:
    room = to_address(line.params[0])
    fields = {
        "key": key,
        "sender": to_address(line.nick),
        "conversation": ConversationRef(address=room, kind=ConversationKind.GROUP),
        "member": to_address(member),
        "membership": membership,
        "native": line.raw,
    }
    return MembershipChanged.model_validate(fields)


def _conversation(target: str, sender: Address) -> ConversationRef:
    # "@#room" and "+#room" are said to some of a room: to its operators, or to those with a voice.
    room = target.lstrip("~@%+") if "#" in target else target
    if is_room(room):
        return ConversationRef(address=to_address(room), kind=ConversationKind.GROUP)
    return ConversationRef(address=sender)
