"""Pools of connections: bounded, idle ones closed, and nothing lost whoever is cancelled."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest

from convergekit.http import Http
from convergekit.http._pools import Pools
from tests.http import raw

pytestmark = pytest.mark.anyio


class Net:
    """Makes connections that go nowhere, and counts.

    Attributes:
        open: Connections that were lent and not closed.
        most: How many were lent to one origin at the same time.
    """

    def __init__(self, connections: int = 2, **more: Any) -> None:
        self.now, self.none_is_open = 0.0, anyio.Event()
        self.made, self.closed = 0, list[object]()
        self.pools = Pools(lambda: Link(self), connections, clock=lambda: self.now, **more)

    @property
    def open(self) -> int:
        return self.made - len(self.closed)


class Link:
    def __init__(self, net: Net) -> None:
        net.made += 1
        self._net = net

    async def release(self) -> None:
        return

    async def aclose(self) -> None:
        self._net.closed.append(self)
        if not self._net.open:
            self._net.none_is_open.set()
        await anyio.lowlevel.checkpoint()


async def test_what_is_idle_for_long_is_closed_when_another_is_asked_for() -> None:
    net = Net(keep=60)
    async with net.pools.lend("a") as first:
        net.now = 1000.0
        async with net.pools.lend("b") as second:
            assert net.closed == [], "what is in use stays"
    net.now = 2000.0
    async with net.pools.lend("c"):
        assert set(net.closed) == {first, second}
        assert len(net.pools) == 1


async def test_idle_connections_are_bounded_over_all_origins_and_pools_with_them() -> None:
    """The one that was idle for longest goes; the rest can be used again."""
    net = Net(most=256)
    async with AsyncExitStack() as all_at_once:
        for number in range(1000):
            await all_at_once.enter_async_context(net.pools.lend(str(number)))
        assert net.open == 1000
    assert (net.open, len(net.pools)) == (256, 256)
    async with net.pools.lend("0"):
        assert net.made == 1000
    await net.pools.aclose()
    assert (len(net.pools), net.open) == (0, 0)


async def test_each_request_is_alone_on_the_connection_that_was_used_last() -> None:
    net = Net(keep=60)
    async with net.pools.lend("a") as first, net.pools.lend("a") as second:
        assert first is not second
        with anyio.move_on_after(0) as scope:
            async with net.pools.lend("a"):
                raise AssertionError("there are two")
        assert scope.cancelled_caught
    for now in (0.0, 50.0, 70.0):
        net.now = now
        async with net.pools.lend("a") as again:
            assert again is first, "it was given back last"
    assert net.closed == [second]


async def test_a_closed_pool_closes_what_is_still_lent_when_it_is_given_back() -> None:
    net = Net(connections=1)
    waited = anyio.Event()

    async def wait() -> None:
        async with net.pools.lend("a"):
            waited.set()

    async with anyio.create_task_group() as tasks:
        async with net.pools.lend("a"):
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await net.pools.aclose()
            async with net.pools.lend("a"):
                assert len(net.pools) == 1, "what is asked for later is made anew"
        await waited.wait()
    assert net.open == 1
    await net.pools.aclose()
    assert net.open == 0


async def test_cancelling_whoever_waits_or_works_loses_no_turn() -> None:
    net = Net(connections=3)

    async def use(origin: str) -> None:
        async with net.pools.lend(origin):
            await anyio.sleep_forever()

    for blocked in (True, False):  # cancelled while they wait, and before they have begun to
        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(use, str(number % 5))
            if blocked:
                await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        async with net.pools.lend("0"), net.pools.lend("0"), net.pools.lend("0"):
            pass
    assert len(net.pools) <= 5
    await net.pools.aclose()
    assert (len(net.pools), net.open) == (0, 0)


async def test_a_connection_that_cannot_be_made_takes_no_turn() -> None:
    net = Net(connections=2)
    works, net.pools._make = net.pools._make, lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        await net.pools.take("a")
    assert len(net.pools) == 0
    net.pools._make = works
    async with net.pools.lend("a"):
        net.pools._make = lambda: 1 / 0
        with pytest.raises(ZeroDivisionError):
            await net.pools.take("a")
        net.pools._make = works
        with anyio.fail_after(60):
            async with net.pools.lend("a"):
                pass


@pytest.mark.parametrize(("hosts", "each"), [(1, 50), (200, 20)])
async def test_many_at_once_all_get_their_turn(hosts: int, each: int) -> None:
    """What a turn costs does not depend on how many hosts there are, or how many wait."""
    net = Net(connections=8)
    busy: dict[str, int] = {}
    most = done = 0

    async def use(origin: str) -> None:
        nonlocal most, done
        async with net.pools.lend(origin):
            busy[origin] = busy.get(origin, 0) + 1
            most = max(most, busy[origin])
            await anyio.lowlevel.checkpoint()
            busy[origin] -= 1
            done += 1

    async with anyio.create_task_group() as tasks:
        for number in range(hosts * each):
            tasks.start_soon(use, str(number % hosts))
    assert (most, done) == (8, hosts * each)
    await net.pools.aclose()
    assert (len(net.pools), net.open) == (0, 0)


async def test_idle_ones_are_closed_by_themselves_where_somebody_keeps_tidy() -> None:
    """And nobody wakes up where there is nothing to close."""
    net = Net(keep=0.001)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(net.pools.tidy)
        for _ in range(2):
            async with net.pools.lend("a"), net.pools.lend("b"):
                pass
            net.now, net.none_is_open = net.now + 1, anyio.Event()
            with anyio.fail_after(60):
                await net.none_is_open.wait()
            assert len(net.pools) == 0
        tasks.cancel_scope.cancel()
    assert net.made == 4


@asynccontextmanager
async def tidied(http: Http) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(http.tidy)
        yield
        tasks.cancel_scope.cancel()


async def test_a_server_sees_that_an_idle_connection_was_closed() -> None:
    ended = anyio.Event()

    async def script(stream: Any) -> None:
        await raw.answers(b"HTTP/1.1 204 No Content\r\n\r\n")(stream)
        ended.set()

    http = Http(keep_alive=0.01)
    async with raw.serving(script) as origin, tidied(http):
        await http.request("POST", origin)
        with anyio.fail_after(60):
            await ended.wait()
    await http.aclose()


async def test_wherever_a_request_is_cancelled_the_next_one_has_its_turn() -> None:
    http, done = Http(connections=1), 0

    async def ask() -> None:
        nonlocal done
        await http.request("POST", origin, content=b"body", timeout=60)
        done += 1

    async with raw.serving(raw.answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as origin:
        for turns in range(40):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                tasks.start_soon(ask)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        before = done
        await ask()
        await http.aclose()
    assert done == before + 1
