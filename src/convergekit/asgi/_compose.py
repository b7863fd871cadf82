"""Several apps behind one, for frameworks that mount none: Django, Quart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from types import MappingProxyType
from typing import Any, Final

from convergekit.errors import ConfigurationError

from ._wire import App, Receive, Scope, Send, answer_lifespan, below

__all__ = ["compose"]

_log: Final = logging.getLogger("convergekit.asgi")
_NONE: Final[Mapping[str, App]] = MappingProxyType({})


def compose(
    app: App, mounts: Mapping[str, App] = _NONE, *, lifespan: AbstractAsyncContextManager[Any] | None = None
) -> Callable[..., Coroutine[Any, Any, None]]:
    """An app that hands what is below a prefix to another one, and all the rest to *app*.

    The longest prefix that fits decides; what is mounted gets the whole path, with the prefix in `root_path`, as ASGI
    has it. HTTP and WebSocket go both ways; the server's start and stop are *app*'s to hear, and are answered for it
    where it does not speak lifespan.

    Args:
        app: The application that is there already.
        mounts: What goes where: paths that begin with a slash, as "/hooks"; a slash at the end does not count.
        lifespan: What is entered when the server starts, before *app* hears of it, and left when it stops, after *app*
            has: the hub, where the framework offers no place for that. None where the host enters it himself.

    Raises:
        ConfigurationError: A prefix is none.
    """
    prefixes = sorted({_prefix(each): each for each in mounts}.items(), key=lambda pair: -len(pair[0]))
    inner = [(prefix, mounts[each]) for prefix, each in prefixes]
    context = lifespan or nullcontext()

    async def composed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(app, context, scope, receive, send)
        if scope["type"] in {"http", "websocket"}:
            path = below(scope)
            for prefix, mounted in inner:
                if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in {"", "/"}:
                    return await mounted(_mounted(scope, path, prefix), receive, send)
        await app(scope, receive, send)

    return composed


def _prefix(given: str) -> str:
    prefix = given.rstrip("/")
    if not prefix.startswith("/") or "//" in prefix or set(prefix) & set("?#%"):
        raise ConfigurationError(f"compose: {given!r} is no prefix to mount at: it is a path such as '/hooks'")
    return prefix


def _mounted(scope: Scope, path: str, prefix: str) -> Scope:
    root: str = scope.get("root_path", "").rstrip("/")
    return {**scope, "root_path": root + prefix, "path": root + path}


async def _live(
    app: App, context: AbstractAsyncContextManager[Any], scope: Scope, receive: Receive, send: Send
) -> None:
    """*app* lives inside *context*; the server hears that we have stopped only when *context* has been left."""
    last: MutableMapping[str, Any] | None = None

    async def forwarded(message: MutableMapping[str, Any]) -> None:
        nonlocal last
        if message["type"].startswith("lifespan.shutdown."):
            last = message
        else:
            await send(message)

    entered = False
    try:
        async with context:
            entered = True
            await _spoken(app, scope, receive, forwarded)
    except Exception as exc:
        if entered:
            raise
        _log.error("what is to live as long as the server did not start: %s", type(exc).__name__, exc_info=exc)
        await receive()  # lifespan.startup
        await send({"type": "lifespan.startup.failed", "message": type(exc).__name__})
    else:
        if last is not None:
            await send(last)


async def _spoken(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """As *app* speaks lifespan; where it does not, as one does that has nothing to start."""
    heard = False

    async def listening() -> MutableMapping[str, Any]:
        nonlocal heard
        heard = True
        return await receive()

    try:
        await app(scope, listening, send)
    except Exception:
        if heard:
            raise  # it does speak lifespan, and failed
    if not heard:
        await answer_lifespan(receive, send)
