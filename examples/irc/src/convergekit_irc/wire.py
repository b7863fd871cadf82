"""Lines of IRC, as bytes and as values. Pure.

    @tags :source COMMAND middle parameters :the last one, which may have spaces

Rules kept here:

- Nothing leaves that is more than one line: what holds CR, LF or NUL is refused, and so is what a server would cut.
- Whatever comes in is a `Line`; what makes no sense is one without a command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from convergekit.errors import UnsupportedContentError

__all__ = ["LIMIT", "Line", "command", "is_nick", "is_room", "read"]

#: RFC 2812 §2.3: bytes of a line, the final CR LF and the source that the server puts in front included.
LIMIT: Final = 512

# More than RFC 2812 §2.3.1 allows, since servers do; without what would mean several targets, a mask or a server.
_ROOM: Final = re.compile(r"[#&+!][^\x00-\x20\x7f,:]{1,63}")
_NICK: Final = re.compile(r"[^\x00-\x20\x7f!-+,./0-9:;<=>?@~-][^\x00-\x20\x7f!-+,./:;<=>?@~]{0,62}")
_ESCAPED: Final = {"\\:": ";", "\\s": " ", "\\\\": "\\", "\\r": "\r", "\\n": "\n"}


# [line]
@dataclass(frozen=True, slots=True)
class Line:
    """One line that came in.

    Args:
        command: "PRIVMSG", "001", ...; in upper case.
        params: What stands behind it.
        source: Who says it: "nick!user@host", the name of a server, or "".
        tags: IRCv3 message tags.
        raw: As it came, without CR LF.
    """

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""

    @property
    def nick(self) -> str:
        """Of the person who says it; "" where no person does."""
        nick, is_person, _ = self.source.partition("!")
        return nick if is_person else ""


# [line end]


def read(raw: bytes) -> Line:
    """What stands in *raw*, which is one line without CR LF."""
    try:
        rest = raw.decode()
    except UnicodeDecodeError:
        rest = raw.decode("latin-1")  # older clients; every byte is a character there
    tags: dict[str, str] = {}
    source = ""
    if rest.startswith("@"):
        said, _, rest = rest[1:].partition(" ")
        tags = {name: _unescaped(value) for name, _, value in (tag.partition("=") for tag in said.split(";"))}
    rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    front, has_last, last = rest.lstrip(" ").partition(" :")
    words = [word for word in front.split(" ") if word]
    if not words:
        return Line("", raw=raw)
    params = (*words[1:], last) if has_last else tuple(words[1:])
    return Line(words[0].upper(), params, source, tags, raw)


# [command]
def command(name: str, *params: str, source: str = "") -> bytes:
    """One line to send, CR LF included.

    Args:
        name: The command.
        params: The last one may have spaces, and may be empty.
        source: As whom the server will pass it on, where that is known: then nobody would get more than `LIMIT` bytes.

    Raises:
        UnsupportedContentError: It would be more than one line, or a longer one than the server passes on.
    """
    *middle, last = params or ("",)
    words = [name, *middle, f":{last}"] if params else [name]
    line = " ".join(words)
    if re.search(r"[\0\r\n]", line) or any(not word or " " in word or word[0] == ":" for word in middle):
        raise UnsupportedContentError("this would be more than one line of IRC, or another one than was meant")
    encoded = line.encode() + b"\r\n"
    if len(encoded) + (len(f":{source} ".encode()) if source else 0) > LIMIT:
        raise UnsupportedContentError(f"this line is longer than the {LIMIT} bytes that a server passes on")
    return encoded


# [command end]


def is_room(name: str) -> bool:
    """Whether *name* can be a room's."""
    return _ROOM.fullmatch(name) is not None


def is_nick(name: str) -> bool:
    """Whether *name* can be a person's."""
    return _NICK.fullmatch(name) is not None


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.?)", lambda found: _ESCAPED.get(found[0], found[1]), value)
