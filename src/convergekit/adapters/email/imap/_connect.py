"""A connection without a thread: to be cancelled at any time."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Final

import anyio

from convergekit.errors import NotSentError

__all__ = ["connect"]

_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, getattr(errno, "WSAEWOULDBLOCK", 0)})


async def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A socket that is connected, and blocks; each address of *host* gets an equal share of *timeout* seconds.

    Raises:
        NotSentError: Nobody is there.
    """
    reason = f"nobody answered within {timeout:g} s"
    with anyio.move_on_after(timeout):
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise NotSentError(f"imap: there is no host {host!r}; if that stays so, see imap.host") from None
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                with anyio.move_on_after(timeout / len(found)):
                    if not (error := await _reach(sock, address)):
                        return sock
                    reason = os.strerror(error)
            except BaseException:
                sock.close()
                raise
            sock.close()
    raise NotSentError(f"imap: no connection to {host}:{port}: {reason}; if that stays so, see imap.host and imap.port")


async def _reach(sock: socket.socket, address: tuple[str | int, ...]) -> int:
    """The error number, 0 for none."""
    sock.setblocking(False)
    error = sock.connect_ex(address)
    if error in _UNDER_WAY:
        await anyio.wait_writable(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if not error:
        sock.setblocking(True)
        with suppress(OSError):
            # So that a line that is dead, and on which nobody says anything, is found out before IDLE is renewed.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return error
