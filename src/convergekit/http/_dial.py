"""A connection to where a URL leads, once the guard has looked at it.

"Resolve, check, and let somebody else connect by the name" is no check: the name may lead elsewhere by then. So a name
is resolved once, all that it leads to is looked at, and the connection goes to one of those addresses by its number.
TLS and the Host header keep the name, for they are made from the URL.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import zip_longest
from typing import Final

import anyio
import anyio.to_thread
from anyio.abc import SocketStream

from .guard import AddressGuard, literal, refuse

__all__ = ["Lookups", "dial"]

#: RFC 8305 §5: seconds that one address has before the next one is tried beside it.
_DELAY: Final = 0.25
#: Of the addresses of one name; all of them are looked at.
_TRIED: Final = 8
#: At the same time, for one channel.
_LOOKUPS: Final = 64


class Lookups:
    """Asks the system where names lead, in threads of its own.

    The event loop's threads are a few, are the host's too, and a lookup that was cancelled keeps one until it ends:
    some names whose servers do not answer, which anybody can have, would hold up every other name.
    """

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of *host*, each once; raises `OSError` where there are none."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_LOOKUPS)
        # As bytes: for text the standard library has rules of its own.
        ask = partial(socket.getaddrinfo, host.encode("ascii"), port, type=socket.SOCK_STREAM)
        found = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=self._limiter)
        return list(dict.fromkeys(str(each[4][0]) for each in found))


async def dial(
    origin: str,
    host: str,
    port: int,
    *,
    guard: AddressGuard | None,
    channel: str,
    resolve: Callable[[str, int], Awaitable[list[str]]],
    connect: Callable[[str, int], Awaitable[SocketStream]] = anyio.connect_tcp,
    delay: float = _DELAY,
) -> SocketStream:
    """Connect to *host*, which is that of *origin*.

    Raises:
        RejectedError: *guard* objects to it, or to one of the addresses that it leads to. No connection was made.
        OSError: It cannot be resolved, or nobody answers.
    """
    if guard is None:
        return await connect(host, port)
    refuse(guard.objection_to(origin), channel)
    addresses = [str(number)] if (number := literal(host)) else await resolve(host, port)
    for address in addresses:  # one bad one is enough: which of them is asked would be chance
        refuse(guard.objection(address, origin=origin), channel)
    return await _first_to_answer(_in_turn(addresses)[:_TRIED], port, connect, delay)


def _in_turn(addresses: list[str]) -> list[str]:
    """RFC 8305 §4: the families by turns, each in the order that the resolver gave, beginning with its first."""
    first = [address for address in addresses if (":" in address) is (":" in addresses[0])]
    second = [address for address in addresses if address not in first]
    return [address for pair in zip_longest(first, second) for address in pair if address]


async def _first_to_answer(
    addresses: list[str], port: int, connect: Callable[[str, int], Awaitable[SocketStream]], delay: float
) -> SocketStream:
    """RFC 8305 §5: one after the other, the next one a while after the last one began, or at once when it failed."""
    if len(addresses) == 1:
        return await connect(addresses[0], port)
    won: list[SocketStream] = []
    failed: list[OSError] = []

    async def attempt(address: str, ended: anyio.Event) -> None:
        try:
            stream = await connect(address, port)
            if won:
                await anyio.aclose_forcefully(stream)
            else:
                won.append(stream)
                tasks.cancel_scope.cancel()
        except OSError as exc:
            failed.append(exc)
        finally:
            ended.set()

    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                tasks.start_soon(attempt, address, ended := anyio.Event())
                with anyio.move_on_after(delay):
                    await ended.wait()
        if won:
            return won[0]
    except BaseException:
        for stream in won:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)
        raise
    raise OSError("nobody answers at any of its addresses") from (failed[-1] if failed else None)
