"""The event loop of a check: time that is skipped, and an end to everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable

import anyio
import pytest

from convergekit.testing.adapter._loop import EscapesError, HangsError, run
from convergekit.testing.adapter._virtual import Time

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_hours_are_skipped_where_it_is_asked_for(backend: str) -> None:
    passed: list[float] = []

    async def work(loop: Time) -> None:
        with loop.skipped():
            before = anyio.current_time()
            with anyio.move_on_after(3600):
                await anyio.sleep_forever()
            passed.append(anyio.current_time() - before)
        with anyio.move_on_after(0.001):
            await anyio.sleep(0.3)
            pytest.fail("what is not skipped takes its time")

    before = time.monotonic()
    run(work, backend, seconds=10)
    assert passed[0] >= 3600
    assert time.monotonic() - before < 3600


@BACKENDS
def test_what_happens_comes_before_what_is_skipped(backend: str) -> None:
    """A byte, or the end of a thread's work, is waited for as ever."""

    async def work(loop: Time) -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:  # noqa: SIM117
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listener.serve, _echo)
                address = listener.extra(anyio.abc.SocketAttribute.local_address)
                with loop.skipped(), anyio.fail_after(3600):
                    async with await anyio.connect_tcp(*address[:2]) as stream:
                        await stream.send(b"x")
                        assert await stream.receive() == b"x"
                tasks.cancel_scope.cancel()

    run(work, backend, seconds=10)


async def _echo(stream: anyio.abc.SocketStream) -> None:
    async with stream:
        await stream.send(await stream.receive())


async def _sleeps(loop: Time) -> None:
    await anyio.sleep_forever()


async def _is_shielded(loop: Time) -> None:
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()


async def _holds_on(loop: Time) -> None:
    while True:
        try:
            await anyio.sleep(3600)
        except BaseException:
            continue


async def _never_lets_go(loop: Time) -> None:
    while True:
        pass


@BACKENDS
@pytest.mark.filterwarnings("ignore")  # Trio says what has become of it
@pytest.mark.parametrize("work", [_sleeps, _is_shielded, _holds_on, _never_lets_go])
def test_there_is_an_end_to_everything(work: Callable[[Time], Awaitable[None]], backend: str) -> None:
    before = set(threading.enumerate())
    with pytest.raises(HangsError, match=r"had not ended after 0\.1 s"):
        run(work, backend, seconds=0.1, grace=0.1)
    assert not [thread for thread in threading.enumerate() if thread not in before]


@BACKENDS
def test_what_is_raised_comes_out(backend: str) -> None:
    async def fails(loop: Time) -> None:
        raise TimeoutError("the adapter's own")

    with pytest.raises(TimeoutError, match="the adapter's own"):
        run(fails, backend, seconds=10)


@BACKENDS
@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_what_would_end_the_process_is_told_as_an_error(ending: type[BaseException], backend: str) -> None:
    """Also out of a task of its own, where it comes in a group."""

    async def leaves() -> None:
        raise ending(0)

    async def works(loop: Time) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leaves)

    with pytest.raises(
        EscapesError, match=rf"raised {ending.__name__} at .*test_loop:\d+, which ends the whole process"
    ):
        run(works, backend, seconds=10)


@pytest.mark.parametrize("gone", [OSError(9, "Bad file descriptor"), RuntimeError("Event loop is closed")])
def test_a_loop_that_ends_while_it_is_ended_is_no_finding(gone: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sockets may be closed between two looks at it; what hung is what is told."""

    class Ended:
        def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
            raise gone

    over = threading.Event()

    async def work(loop: Time) -> None:
        over.wait(30)  # not even the loop is let go of

    token = type("Token", (), {"native_token": Ended()})()
    monkeypatch.setattr("convergekit.testing.adapter._loop.current_token", lambda: token)
    monkeypatch.setattr("convergekit.testing.adapter._loop._PERSISTENCE", 0.1)
    with pytest.raises(HangsError, match="does not end when it is cancelled"):
        run(work, "asyncio", seconds=0.05, grace=0.05)
    over.set()
