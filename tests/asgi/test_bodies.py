"""Nobody is turned away because others are slow; what they keep is bounded."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from convergekit.asgi import WebhookApp
from tests.asgi_kit import Answer, Channels, Scripted, call, silence

pytestmark = pytest.mark.anyio


def app_for(**limits: Any) -> WebhookApp:
    return WebhookApp(Channels(hooks=Scripted()), **limits)


class Caller:
    """Sends its body when the test says so.

    Args:
        begun: What is there from the beginning, more of which is to come.
    """

    def __init__(self, app: Any, begun: bytes = b"") -> None:
        self._app = app
        self._chunks, self._later = anyio.create_memory_object_stream[tuple[bytes, bool]](100)
        if begun:
            self.sends(begun)
        self.answer: Answer | None = None

    def sends(self, chunk: bytes, *, more: bool = True) -> None:
        self._chunks.send_nowait((chunk, more))

    async def __call__(self) -> None:
        with self._chunks, self._later:
            self.answer = await call(self._app, receive=self._receive)

    async def _receive(self) -> Any:
        chunk, more = await self._later.receive()
        return {"type": "http.request", "body": chunk, "more_body": more}

    @property
    def status(self) -> int | None:
        return None if self.answer is None else self.answer.status


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the paces of bodies go by."""
    time, real = [0.0], anyio.current_time
    monkeypatch.setattr("convergekit.asgi._bodies.anyio.current_time", lambda: real() + time[0])
    return time


async def test_bytes_are_given_back_by_those_who_keep_most_and_longest_and_not_by_the_small(now: list[float]) -> None:
    app = app_for(max_body=100_000, max_waiting=250_000, body_timeout=1000)
    small, idle, quick = Caller(app, b"{"), Caller(app, b"x" * 90_000), Caller(app, b"x" * 95_000)
    more = Caller(app, b"x" * 99_000)
    async with anyio.create_task_group() as tasks:
        for second, each in enumerate((small, idle, quick)):
            now[0] = second
            tasks.start_soon(each)
            await anyio.wait_all_tasks_blocked()
        now[0] = 2.5
        tasks.start_soon(more)
        await anyio.wait_all_tasks_blocked()
        assert [each.status for each in (small, idle, quick, more)] == [None, 408, None, None]
        for each in (small, quick, more):
            each.sends(b"}", more=False)
    assert [each.status for each in (small, quick, more)] == [200, 200, 200]


async def test_hundreds_who_send_next_to_nothing_keep_nobody_waiting() -> None:
    app = app_for(max_concurrent=1)
    async with anyio.create_task_group() as tasks:
        for _ in range(500):
            tasks.start_soon(Caller(app, b"{"))
        await anyio.wait_all_tasks_blocked()
        honest = Caller(app, b"{")
        tasks.start_soon(honest)
        await anyio.wait_all_tasks_blocked()
        honest.sends(b"}", more=False)
        await anyio.wait_all_tasks_blocked()
        assert honest.status == 200
        assert (await call(app)).status == 200
        tasks.cancel_scope.cancel()


async def test_the_bytes_of_all_who_are_waited_for_are_bounded(now: list[float]) -> None:
    app = app_for(max_body=100_000, max_waiting=250_000)
    async with anyio.create_task_group() as tasks:
        callers = [Caller(app, b"x" * 99_999) for _ in range(5)]
        for second, each in enumerate(callers):
            now[0] = second
            tasks.start_soon(each)
            await anyio.wait_all_tasks_blocked()
        assert [each.status for each in callers] == [408, 408, 408, None, None]
        for each in callers[3:]:
            each.sends(b"x", more=False)
    assert [each.status for each in callers] == [408, 408, 408, 200, 200]


@pytest.mark.parametrize("ends", ["in time", "too late", "too large", "gone", "cancelled"])
async def test_whoever_ends_gives_his_place_and_his_bytes_back(ends: str) -> None:
    app = app_for(max_body=100, max_waiting=100, body_timeout=0.01 if ends == "too late" else 60)
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "in time": lambda: call(app, body=[b"a", b"b"]),
        "too late": lambda: call(app, receive=silence),
        "too large": lambda: call(app, body=[b"a" * 99, b"b" * 9]),
        "gone": lambda: call(app, receive=_leaves()),
    }
    if ends == "cancelled":
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Caller(app, b"a" * 90))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    else:
        await ways[ends]()
    bodies = app._bodies
    assert (bodies._waiting, bodies._bytes) == (set(), 0)


def _leaves() -> Callable[[], Awaitable[Any]]:
    said = [{"type": "http.request", "body": b"half", "more_body": True}]

    async def receive() -> Any:
        await anyio.lowlevel.checkpoint()
        return said.pop() if said else {"type": "http.disconnect"}

    return receive


async def test_who_is_cut_off_in_the_moment_of_coming_to_the_end_is_answered_once(now: list[float]) -> None:
    """The last chunk is there already, and the task has not yet seen it."""
    app = app_for(max_body=10, max_waiting=10, body_timeout=1000)
    first, second = Caller(app, b"12345678"), Caller(app, b"12345678")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        now[0] = 1
        first.sends(b"{}", more=False)
        tasks.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        second.sends(b"{}", more=False)
    assert first.status in {200, 408}
    assert second.status == 200
    assert (app._bodies._waiting, app._bodies._bytes) == (set(), 0)


@pytest.mark.parametrize("lengths", [(b"2", b"2"), (b"2", b"3")])
async def test_two_lengths_are_refused_also_where_they_agree(lengths: tuple[bytes, bytes]) -> None:
    headers = [(b"content-length", each) for each in lengths]
    answer = Answer()

    async def send(message: Any) -> None:
        answer.status = message.get("status", answer.status)

    scope = {"type": "http", "method": "POST", "path": "/hooks", "headers": headers}
    await app_for()(scope, silence, send)
    assert answer.status == 400


async def test_the_count_is_right_whatever_happens_in_whichever_order() -> None:
    app, chance = app_for(max_body=1000, max_waiting=3000, body_timeout=1000), random.Random(1)
    bodies, callers, most = app._bodies, list[Caller](), 0
    async with anyio.create_task_group() as tasks:
        for _ in range(300):
            if len(callers) < 3 or chance.random() < 0.3:
                callers.append(Caller(app))
                tasks.start_soon(callers[-1])
            else:
                chosen = chance.choice(callers)
                chosen.sends(b"x" * chance.randrange(400), more=chance.random() < 0.8)
            for _ in range(20):  # to wait until all are blocked takes asyncio a tenth of a second each time
                await anyio.lowlevel.checkpoint()
            callers = [each for each in callers if each.answer is None]
            assert bodies._bytes == sum(each.size for each in bodies._waiting) <= 3000
            assert len(bodies._waiting) == len(callers)
            most = max(most, bodies._bytes)
        tasks.cancel_scope.cancel()
    assert most > 2500, "it comes near its limit"
    assert (bodies._waiting, bodies._bytes) == (set(), 0)
