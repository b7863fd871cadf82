"""What a command line says, and what an answer looks like. No I/O; takes what strangers wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["Command", "Path", "RefusedError", "Reply", "parse_command", "parse_path"]

#: Paths are liberal in what they take (dots in a row, a local part alone); what is let in is harmless in any text.
_WORD: Final = r"[^\x00-\x20\x7f<>()\[\]\\,;:\"@]+"
_QUOTED: Final = r'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*"'
_LITERAL: Final = r"\[[^\x00-\x20\x7f<>\[\]\\]+\]"
#: RFC 5321 §4.1.1.3: a source route is taken and not followed.
_PATH: Final = re.compile(
    rf" *<(?:@[^\x00-\x20\x7f<>:\"]+:)?((?:{_WORD}|{_QUOTED})(?:@(?:{_WORD}|{_LITERAL}))?|)>((?: +[^ ]+)*) *"
)
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=\x00-\x20\x7f]+))?")
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Reply(NamedTuple):
    """One answer.

    Args:
        code: Of three digits (RFC 5321 §4.2).
        enhanced: Class, subject and detail (RFC 3463), or "" where RFC 2034 §4 wants none.
        text: For people; more lines than one are told apart by LF.
    """

    code: int
    enhanced: str
    text: str

    def __bytes__(self) -> bytes:
        enhanced = f"{self.enhanced} " if self.enhanced else ""
        *first, last = self.text.split("\n")
        lines = [*(f"{self.code}-{enhanced}{line}" for line in first), f"{self.code} {enhanced}{last}"]
        return "".join(f"{line}\r\n" for line in lines).encode("ascii")


class RefusedError(Exception):
    """A command is answered with no.

    Attributes:
        reply: In which words.
    """

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, enhanced, text)


class Command(NamedTuple):
    """A command.

    Args:
        verb: In upper case.
        argument: What follows, without the spaces around it.
    """

    verb: str
    argument: str


class Path(NamedTuple):
    """Who, in MAIL or RCPT.

    Args:
        address: Without brackets; "" for the empty path.
        parameters: By name in upper case; "" where a name has no value.
    """

    address: str
    parameters: Mapping[str, str]


def parse_command(line: bytes) -> Command:
    """Read *line*, which is without its end.

    Raises:
        RefusedError: It is not UTF-8, or has control characters.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise RefusedError(500, "5.5.2", "Not UTF-8") from None
    if _UNSAFE.search(text):
        raise RefusedError(500, "5.5.2", "Control character in a command")
    verb, _, argument = text.strip(" ").partition(" ")
    return Command(verb.upper(), argument.strip(" "))


def parse_path(argument: str, keyword: str) -> Path:
    """Read what follows MAIL (*keyword* "FROM") and RCPT ("TO").

    Raises:
        RefusedError: It has another form.
    """
    found = _PATH.fullmatch(argument[len(keyword) + 1 :])
    if argument[: len(keyword) + 1].upper() != f"{keyword}:" or found is None:
        raise RefusedError(501, "5.5.4", f"Say {keyword}:<address>")
    address, rest = found.groups()
    parameters: dict[str, str] = {}
    for word in rest.split():
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None or parameter[1].upper() in parameters:
            raise RefusedError(501, "5.5.4", "Parameters make no sense")
        parameters[parameter[1].upper()] = parameter[2] or ""
    return Path(address, parameters)
