"""What servers and frameworks say to an app, and how it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from convergekit.abc import Response

__all__ = ["App", "Receive", "Scope", "Send", "answer", "answer_lifespan", "below", "refuse_websocket"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
#: Each framework has types of its own for what an application is called with.
App: TypeAlias = Callable[..., Awaitable[None]]

_PLAIN: Final = (b"content-type", b"text/plain; charset=utf-8")
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")


def below(scope: Scope) -> str:
    """The path as seen from where the app is mounted.

    Some hosts give the whole path and say in `root_path` what of it is theirs; others strip it, and say so nowhere.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}:
        return path[len(root) :]
    return path


async def answer(response: Response, scope: Scope, send: Send) -> None:
    """Send *response*, as the version of HTTP and the method want it."""
    headers = _headers(response)
    if response.headers and not scope.get("http_version", "1.1").startswith("1"):
        # RFC 9113 §8.2.2: HTTP/2 has no such field, and servers refuse it
        headers = [field for field in headers if field[0] != b"connection"]
    body = b"" if scope["method"] == "HEAD" else response.body  # RFC 9110 §9.3.2; its length is told all the same
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _headers(response: Response) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    if response.status != 204:  # RFC 9110 §8.6; and nothing can be taken for what it is not
        names = {name for name, _ in headers}
        headers += [_NOSNIFF, (b"content-length", b"%d" % len(response.body))]
        if b"content-type" not in names:
            headers.append(_PLAIN)
    return headers


async def answer_lifespan(receive: Receive, send: Send) -> None:
    """Agree to start and to stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def refuse_websocket(send: Send) -> None:
    """Before the handshake: the caller gets 403."""
    await send({"type": "websocket.close", "code": 1000})
