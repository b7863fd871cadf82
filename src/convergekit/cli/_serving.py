"""An ASGI app on a socket of this machine, under hypercorn, on either event loop."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio

from convergekit.errors import ConfigurationError

from ._console import Console

if TYPE_CHECKING:
    from hypercorn import Config

__all__ = ["refusals_told", "server_installed", "serving"]

App = Callable[..., Awaitable[None]]
_GRACE = 3.0
_REFUSALS_EVERY = 1.0


def server_installed() -> None:
    """Raise `ConfigurationError` with the way out when there is no server to serve with."""
    try:
        import hypercorn  # noqa: F401
    except ImportError:
        raise ConfigurationError("there is no server to receive with: pip install 'convergekit[serve]'") from None


class _Refusals(logging.Handler):
    """Tells of a call that was refused, at most once a second: whoever calls from outside does not fill the screen.

    Args:
        tell: Takes a line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell
        self._last, self._left_out = -_REFUSALS_EVERY, 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno > logging.INFO:
            return  # told as every warning is
        if 0 <= record.created - self._last < _REFUSALS_EVERY:
            self._left_out += 1
            return
        more = f" (and {self._left_out} before it)" if self._left_out else ""
        self._last, self._left_out = record.created, 0
        line = record.getMessage().partition("\n")[0]
        self._tell("".join(each if each.isprintable() else "?" for each in line)[:300] + more)


@contextmanager
def refusals_told(console: Console) -> Generator[None]:
    """Inside, *console* says which webhooks were refused, and why; nothing of what was in them."""
    log = logging.getLogger("convergekit.asgi")
    if log.isEnabledFor(logging.INFO):  # --debug, which tells everything
        yield
        return
    level, handler = log.level, _Refusals(console.warn)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@asynccontextmanager
async def serving(app: App, *, backend: str, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serve *app* inside, and yield its URL; connections are taken from then on.

    Args:
        app: An ASGI 3 application.
        backend: "asyncio" or "trio", whichever runs.
        host: A name or an address of this machine.
        port: 0 takes any that is free.

    Raises:
        ConfigurationError: hypercorn is not installed.
        OSError: The address cannot be had.
    """
    server_installed()
    listener = _bound(host, port)
    url = _url(host, listener.getsockname()[1])
    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_serve, app, _config(listener), backend, stop.wait)
        try:
            yield url
        finally:
            stop.set()


async def _serve(app: App, config: Config, backend: str, stopped: Callable[[], Awaitable[None]]) -> None:
    serve: Any
    if backend == "trio":
        from hypercorn.trio import serve
    else:
        from hypercorn.asyncio import serve
    # Shielded, for hypercorn ends in good order only when it is asked to; bounded by its own graceful time-out.
    with anyio.CancelScope(shield=True):
        await serve(app, config, shutdown_trigger=stopped)


def _config(listener: socket.socket) -> Config:
    from hypercorn import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = _GRACE
    config.include_server_header = False
    config.errorlog = logging.getLogger("hypercorn.error")  # rather than a handler of its own on stderr
    return config


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens: from here on callers wait in the kernel's queue until the server has started."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as exc:
        listener.close()
        raise OSError(f"cannot listen on {host} port {port}: {exc.strerror}") from exc
    return listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
