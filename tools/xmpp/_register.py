"""Registration, XEP-0077: the one way to make an account that every server has."""

from __future__ import annotations

import socket
import ssl
from typing import Final
from xml.sax.saxutils import escape, quoteattr

__all__ = ["register"]

_OPEN: Final = (
    "<?xml version='1.0'?><stream:stream to={to} version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
_ASK: Final = (
    "<iq type='set' id='register'><query xmlns='jabber:iq:register'>"
    "<username>{user}</username><password>{password}</password></query></iq>"
)


def register(host: str, port: int, context: ssl.SSLContext, domain: str, user: str, password: str) -> None:
    """Make the account *user* at *domain*.

    Args:
        host: Where the server is.
        port: Where it takes clients in TLS.
        context: Which server is trusted.
        domain: Where the account is.
        user: Its name.
        password: Its password.

    Raises:
        RuntimeError: It was refused; with what the server has said.
    """
    with socket.create_connection((host, port), 10) as plain, context.wrap_socket(plain, server_hostname=domain) as tls:
        ask = _ASK.format(user=escape(user), password=escape(password))
        tls.sendall(f"{_OPEN.format(to=quoteattr(domain))}{ask}</stream:stream>".encode())
        told = _read(tls)
    if b"type='result'" not in told.replace(b'"', b"'"):
        raise RuntimeError(f"{user} cannot be registered: {told.decode()}")


def _read(tls: ssl.SSLSocket) -> bytes:
    told = b""
    while data := tls.recv(65536):
        told += data
        if b"</stream:stream>" in told:
            break
    return told
