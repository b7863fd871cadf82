"""The phone network behind Kannel: what its fake SMSC is connected with, one line for each message, both ways.

- It takes all it is given, and Kannel reports 8 (the network has it) and 1 (delivered) at once: of what is sent side by
  side, a third comes with 1 before 8.
- What is sent while the link is down waits, with nothing reported, and goes out within a second of its coming back.
- A part with a header says nothing of its coding on this link; from a phone, a part in UCS-2 comes through as binary.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from tools.mail.processes import eventually

__all__ = ["Phones", "Sms", "header"]

_LINE: Final = re.compile(rb"(.*?) (\S+) (text|data|ucs-2|udh) (.*)", re.DOTALL)


@dataclass
class Sms:
    """One part that has gone out to a phone.

    Args:
        sender, to: As Kannel has written them.
        coding: What Kannel calls it: "text", "ucs-2", "data" or, of a part with a header, "udh".
        body: In UTF-8 (text), in UTF-16BE (UCS-2), or bytes.
        udh: The user data header; empty where there is none.
        raw: The line as it came.
    """

    sender: str
    to: str
    coding: str
    body: bytes
    udh: bytes = b""
    raw: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """What the phone shows; of a part with a header, the coding is guessed."""
        wide = self.coding == "ucs-2" or (self.coding == "udh" and _looks_wide(self.body))
        return self.body.decode("utf-16-be", "surrogatepass") if wide else self.body.decode()

    @property
    def part(self) -> tuple[int, int, int] | None:
        """Its reference, of how many it is, and which; None for one that is whole."""
        if self.udh.startswith(b"\x05\x00\x03"):
            return self.udh[3], self.udh[4], self.udh[5]
        if self.udh.startswith(b"\x06\x08\x04"):
            return int.from_bytes(self.udh[3:5]), self.udh[5], self.udh[6]
        return None


def header(reference: int, total: int, number: int, *, wide: bool = False) -> bytes:
    """The header of part *number* of *total*; *wide* takes a reference of 16 bits."""
    if wide:
        return bytes((6, 8, 4, *divmod(reference, 256), total, number))
    return bytes((5, 0, 3, reference, total, number))


class Phones:
    """All phones there are, at the other end of Kannel's link.

    Args:
        port: Of Kannel's fake SMSC, on 127.0.0.1.
        is_up: Whether Kannel takes the link for being up.

    Attributes:
        parts: What has gone out to them, oldest first.
    """

    def __init__(self, port: int, is_up: Callable[[], bool]) -> None:
        self._port, self._is_up = port, is_up
        self._link: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self.parts: list[Sms] = []

    def connect(self) -> None:
        """Bring the link up, unless it is; return when Kannel knows. What it has kept comes within a second."""
        if self._link is None:
            self._link = socket.create_connection(("127.0.0.1", self._port))
            self._reader = threading.Thread(target=self._read, args=(self._link,), daemon=True)
            self._reader.start()
            eventually(self._is_up)

    def drop(self) -> None:
        """Take the link down, unless it is; return when Kannel knows."""
        if self._link is None or self._reader is None:
            return
        # Only our half: what Kannel has taken for delivered has to arrive.
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_WR)
        self._reader.join(10)
        self._link.close()
        self._link = self._reader = None
        eventually(lambda: not self._is_up())

    def say(self, sender: str, to: str, text: str, *, ucs2: bool = False, udh: bytes = b"") -> None:
        """A phone, *sender*, sends *text* to us, *to*; see `header` for *udh*.

        Raises:
            ValueError: The link cannot say that: a line has one line, and a part in UCS-2 is not known as one.
        """
        if ucs2 and udh:
            raise ValueError("a part in UCS-2 comes through this link as binary")
        if ucs2:
            self.write(sender, to, b"ucs2", quote_from_bytes(text.encode("utf-16-be")).encode())
        elif "\n" in text:
            raise ValueError("a text of several lines goes through this link in UCS-2 only")
        elif udh:
            self.write(sender, to, b"udh-text", quote_from_bytes(udh).encode(), text.encode())
        else:
            self.write(sender, to, b"text", text.encode())

    def write(self, sender: str, to: str, *more: bytes) -> None:
        """Write a line as it is: `text WORDS`, `data %00%FF`, `ucs2 %4E%2D`, `udh %05.. %00..`, `udh-text %05.. WORDS`.

        Raises:
            ConnectionError: The link is down.
        """
        if self._link is None:
            raise ConnectionError("the link to Kannel is down")
        self._link.sendall(b" ".join((sender.encode(), to.encode(), *more)) + b"\n")

    def messages(self) -> list[Sms]:
        """What has gone out, its parts joined, in the order in which each was complete."""
        waiting: dict[tuple[str, str, int], dict[int, Sms]] = {}
        found = []
        for sms in tuple(self.parts):
            if sms.part is None:
                found.append(sms)
                continue
            reference, total, number = sms.part
            parts = waiting.setdefault((sms.sender, sms.to, reference), {})
            parts[number] = sms
            if len(parts) == total:
                body = b"".join(parts[number].body for number in sorted(parts))
                found.append(Sms(sms.sender, sms.to, sms.coding, body))
                del waiting[sms.sender, sms.to, reference]
        return found

    def _read(self, link: socket.socket) -> None:
        with suppress(ConnectionError), link.makefile("rb") as lines:
            for line in lines:
                if found := _LINE.fullmatch(line[:-1]):
                    self.parts.append(_sms(found, line))
                else:  # a text of several lines
                    self.parts[-1].body += b"\n" + line[:-1]
                    self.parts[-1].raw += line


def _sms(found: re.Match[bytes], raw: bytes) -> Sms:
    sender, to, kind, body = found.groups()
    udh = b""
    if kind == b"udh":
        quoted, _, body = body.partition(b" data ")
        udh = _unquoted(quoted)
    if kind != b"text":
        body = _unquoted(body)
    return Sms(sender.decode(), to.decode(), kind.decode(), body, udh, raw)


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _looks_wide(body: bytes) -> bool:
    """Whether *body* is UTF-16BE rather than UTF-8: bytes there are that no text has. Of Han alone nobody can tell."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return True
    return any(letter < " " and letter not in "\n\r\f" for letter in text)
