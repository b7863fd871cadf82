"""A network that is slow, or fails: relays on loopback, between a client and a server that knows nothing of them."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from select import select
from threading import Lock, Thread
from typing import Final, Literal

__all__ = ["CutProxy", "DelayProxy"]

_CHUNK: Final = 65536
_TLS_HANDSHAKE: Final = b"\x16"
_LAST_LINE: Final = re.compile(rb"\d{3}(?!-)")  # of a reply, RFC 5321 §4.2.1


class DelayProxy:
    """Whoever talks with *target* through it is far away from there; as much fits through as ever.

    Args:
        target: A port on 127.0.0.1.
        round_trip: Seconds from a question to its answer. A new connection takes the ways of TCP's handshake besides.

    Attributes:
        port: On 127.0.0.1.
    """

    def __init__(self, target: int, round_trip: float) -> None:
        script = Path(__file__).with_name("_delay.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(target), str(round_trip / 2)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and all that goes through it."""
        with self._process:
            self._process.terminate()

    def __enter__(self) -> DelayProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CutProxy:
    """Lets pass what is said with *target*, until the place where it cuts the line.

    Places are told in SMTP and LMTP, of which it sees what is not in TLS; bytes and `cut` are for every protocol.

    Args:
        target: A port on 127.0.0.1.
        at: A verb in capitals; "." is the end of data; "GREETING" the server's first words, "CONTENT" the first line
            of data.
        told: Whether the server still hears it: then it is its answer that is lost, once it has come.
        nth: Which time of one connection is meant; 1 is the first.
        after: How many bytes of the client pass.
        after_answer: How many bytes of the server pass.
        times: How many connections are cut; those after them are left alone.
        how: "close" ends the connection, "reset" breaks it, "silence" leaves both sides waiting.
        hidden: A word that the client does not get to see, such as "STARTTLS".

    Attributes:
        port: On 127.0.0.1.
        connections: How many there were.
        cuts: How many of them were cut.
        verbs: What the server heard, all connections together; "." for the end of data.
    """

    def __init__(
        self,
        target: int,
        *,
        at: str | None = None,
        told: bool = False,
        nth: int = 1,
        after: int | None = None,
        after_answer: int | None = None,
        times: int | None = None,
        how: Literal["close", "reset", "silence"] = "close",
        hidden: str = "",
    ) -> None:
        self.at, self.told, self.nth, self.how = at, told, nth, how
        self.after, self.after_answer, self.times = after, after_answer, times
        self.hidden = hidden.encode()
        self.connections = self.cuts = 0
        self.verbs: list[str] = []
        self._target = target
        self._lock = Lock()
        self._lines: list[_Line] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self.connections += 1
            line = _Line(self, client, server)
            self._lines.append(line)
            line.start()

    def may_cut(self) -> bool:
        """Whether one more is to be cut; it then counts as cut."""
        with self._lock:
            if self.times is not None and self.cuts >= self.times:
                return False
            self.cuts += 1
            return True

    def cut(self) -> None:
        """Cut all connections that there are, wherever they are."""
        for line in self._lines:
            line.cut()

    def close(self) -> None:
        """End it, and all that goes through it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for line in self._lines:
            line.end()

    def __enter__(self) -> CutProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Cut(Exception):
    """Here the line is cut."""


class _Line(Thread):
    """One connection: what each side has said, up to where it may pass."""

    def __init__(self, proxy: CutProxy, client: socket.socket, server: socket.socket) -> None:
        super().__init__(daemon=True)
        self._proxy = proxy
        self._client, self._server = client, server
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._caller, self._called = socket.socketpair()
        self._said = {client: b"", server: b""}  # and not yet a whole line
        self._passed = {client: 0, server: 0}
        self._knows_lines = bool(proxy.at or proxy.hidden)
        self._in_data = self._ends = False
        self._asked = 1  # the greeting answers the connection
        self._answered = 0
        self._seen = 0
        self._lost_answer: int | None = None
        self._reply = b""

    def cut(self) -> None:
        """Cut it now, from any thread."""
        self._caller.send(b"!")

    def end(self) -> None:
        """End it, from any thread."""
        self._ends = True
        self.cut()
        self.join()
        self._caller.close()
        self._called.close()

    def run(self) -> None:
        try:
            self._relay()
        except _Cut:
            self._be_silent() if self._proxy.how == "silence" else self._break()
        except OSError:
            pass
        finally:
            self._client.close()
            self._server.close()

    def _relay(self) -> None:
        if self._proxy.at == "GREETING":
            self._cut_at(0)
        open_sides = [self._client, self._server]
        while open_sides:
            readable, _, _ = select([*open_sides, self._called], [], [])
            if self._ends:
                return
            if self._called in readable:
                raise _Cut
            for side in readable:
                if data := side.recv(_CHUNK):
                    self._hear(side, data)
                else:
                    open_sides.remove(side)
                    self._other(side).sendall(self._said[side])
                    self._other(side).shutdown(socket.SHUT_WR)

    def _be_silent(self) -> None:
        """Until the client has had enough."""
        while not self._ends:
            readable, _, _ = select([self._client, self._called], [], [])
            if any(not side.recv(_CHUNK) for side in readable):
                return

    def _break(self) -> None:
        if self._proxy.how == "reset":
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _other(self, side: socket.socket) -> socket.socket:
        return self._server if side is self._client else self._client

    def _cut_at(self, question: int) -> None:
        """Before the server hears this question, or before the client hears the answer."""
        if self._proxy.may_cut():
            if not self._proxy.told:
                raise _Cut
            self._lost_answer = question

    # --- what passes ----------------------------------------------------------------------------------------------

    def _hear(self, side: socket.socket, data: bytes) -> None:
        if self._knows_lines and not self._said[self._client] and data.startswith(_TLS_HANDSHAKE):
            self._knows_lines = False
        if not self._knows_lines:
            self._pass(side, data)
            return
        *lines, self._said[side] = (self._said[side] + data).split(b"\n")
        out = bytearray()
        try:
            for line in (each + b"\n" for each in lines):
                out += self._asks(line) if side is self._client else self._answers(line)
        finally:
            if out:
                self._pass(side, bytes(out))

    def _pass(self, side: socket.socket, data: bytes) -> None:
        limit = self._proxy.after if side is self._client else self._proxy.after_answer
        passes = data if limit is None else data[: max(0, limit - self._passed[side])]
        if len(passes) < len(data) and not self._proxy.may_cut():
            passes = data
        self._other(side).sendall(passes)
        self._passed[side] += len(data)
        if len(passes) < len(data):
            raise _Cut

    def _asks(self, line: bytes) -> bytes:
        """What the server hears of *line*."""
        if self._lost_answer is not None:
            return b""  # it is the end already
        if self._in_data and line != b".\r\n":
            if self._proxy.at == "CONTENT" and self._proxy.may_cut():
                raise _Cut
            return line
        self._in_data = False
        verb = line.split()[0].decode("ascii", "replace").upper() if line.strip() else ""
        if verb == self._proxy.at:
            self._seen += 1
            if self._seen == self._proxy.nth:
                self._cut_at(self._asked)
        self._asked += 1
        self._proxy.verbs.append(verb)
        return line

    def _answers(self, line: bytes) -> bytes:
        """What the client hears of *line*: whole replies."""
        if self._proxy.hidden:
            line = line.replace(self._proxy.hidden, b"X" * len(self._proxy.hidden))
        if self._proxy.at is None:
            return line
        self._reply += line
        if not _LAST_LINE.match(line):
            return b""
        if self._answered == self._lost_answer:
            raise _Cut
        self._answered += 1
        self._in_data = self._in_data or line.startswith(b"354")
        reply, self._reply = self._reply, b""
        return reply
