"""The connection under the client library: bounded in what it takes, and to be listened to without waiting.

imaplib lets a subclass say how it reads (`open`, `read`, `readline`, `shutdown`). What is read here is counted: a
server that announces a literal of a terabyte, or never ends its line, ends the connection and not the process. What
has been read and not used stays in a buffer of ours, so nothing that came together with the answer to a command is
overlooked when the socket is waited for.

What a FETCH answers is taken here, past imaplib and past the reader of the client library, which together cost several
times what it costs to receive; and nothing of it is kept that nobody asked for.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from contextlib import suppress
from typing import Any, Final

from ._fetched import Fetched, fetched

__all__ = ["SMALL", "Wire"]

#: Octets of an answer that has no reason to be large.
SMALL: Final = 1024 * 1024
_FETCH: Final = re.compile(rb"\* \d{1,10} FETCH \(", re.IGNORECASE)
_LITERAL: Final = re.compile(rb"\{(\d{1,18})\}\r\n\Z")
_CHUNK: Final = 64 * 1024


class Wire(imaplib.IMAP4):
    """IMAP over a connection that is there already.

    Args:
        sock: Connected; TLS has begun, where it begins at once.
        host: Whom the certificate has to name.
        timeout: Seconds that may pass without a byte.

    Attributes:
        allowance: Octets that may still come. Whoever sends a command sets it.
        fetched: What was told of messages. Whoever sends a command empties it.
    """

    def __init__(self, sock: socket.socket, host: str, timeout: float) -> None:
        self.allowance = SMALL
        self.fetched: list[Fetched] = []
        self._buffer = bytearray()
        self._chunk = memoryview(bytearray(_CHUNK))  # made once: TLS hands over 16 KiB at a time
        self._searched = 0
        self._patience = timeout
        self.sock = sock
        sock.settimeout(timeout)
        super().__init__(host)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """See `imaplib.IMAP4.open`; it is open."""
        self.host, self.port = host, port

    def shutdown(self) -> None:
        """See `imaplib.IMAP4.shutdown`; may be called twice."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:
        """See `imaplib.IMAP4.starttls`."""
        assert ssl_context is not None, "verified, always"
        answer = self.xatom("STARTTLS")
        if answer[0] == "OK":
            if self._buffer:  # it would be believed as if it had come by TLS
                raise self.abort("the server said more before TLS than STARTTLS asks for")
            self.sock = ssl_context.wrap_socket(self.sock, server_hostname=self.host)
        return answer

    def read(self, size: int) -> bytes:
        """See `imaplib.IMAP4.read`: a literal."""
        if size > self.allowance + len(self._buffer):
            raise self.abort("the server announces more than was asked for")
        self.sock.settimeout(self._patience)  # what has begun is waited for, also where we only listen
        while len(self._buffer) < size:
            self._receive()
        return self._take(size)

    def readline(self) -> bytes:
        """See `imaplib.IMAP4.readline`."""
        end = self._line()
        self._searched = 0
        return self._take(end)

    def _line(self) -> int:
        """How long the line is that comes next, once all of it is there."""
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            self._receive()
        self._searched = end
        return end + 1

    def listen(self) -> None:
        """Take what the server has said of its own accord, if anything, into `untagged_responses`."""
        try:
            while True:
                self.sock.settimeout(0)
                self._get_response()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            self.sock.settimeout(self._patience)

    def _get_response(self, *args: Any) -> Any:
        self._line()
        if not _FETCH.match(self._buffer):
            imaplib_reads: Any = super()
            return imaplib_reads._get_response(*args)
        told = line = self.readline()
        content = None
        while literal := _LITERAL.search(line, max(0, len(line) - 24)):
            content = self.read(int(literal[1]))
            line = self.readline()
            told += line
        if (message := fetched(told, content)) is not None:
            self.fetched.append(message)
        return line

    def _receive(self) -> None:
        size = self.sock.recv_into(self._chunk)
        if not size:
            raise self.abort("the connection ended")
        self.allowance -= size
        if self.allowance < 0:
            raise self.abort("the server says more than was asked for")
        self._buffer += self._chunk[:size]

    def _take(self, size: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        return taken
