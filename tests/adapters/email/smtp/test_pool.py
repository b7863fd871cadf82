"""Connections are few, kept while they are good, and given to whoever asked first."""

import asyncio
import gc
from typing import Any

import anyio
import pytest

from convergekit.adapters.email.smtp import Extensions, pool, transaction
from convergekit.errors import NotSentError
from convergekit.testing import FakeClock

from .kit import ENVELOPE, MAIL, Answer, Do, FakeServer, RealClock, Tries, cancelled_at, pool_on

pytestmark = pytest.mark.anyio

OK = "250 2.0.0 Ok"


async def send_all(tries: Tries, number: int) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(tries.send)


async def test_mail_after_mail_goes_over_one_connection() -> None:
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        for _ in range(10):
            await Tries(pool).send()
        assert server.connections == 1
        assert "RSET" not in server.verbs
    assert server.verbs[-1] == "QUIT"


async def test_there_are_never_more_connections_than_allowed() -> None:
    async with FakeServer().serving() as server, pool_on(server.port, pool_size=3) as pool:
        await send_all(Tries(pool), 30)
    assert server.connections == 3
    assert len(server.mails) == 30


async def test_a_connection_is_closed_after_so_many_mails() -> None:
    async with FakeServer().serving() as server, pool_on(server.port, max_messages=4) as pool:
        for _ in range(9):
            await Tries(pool).send()
    assert server.connections == 3
    assert server.verbs.count("QUIT") == 3


async def test_a_connection_is_closed_when_it_is_old() -> None:
    clock = FakeClock()
    async with FakeServer().serving() as server, pool_on(server.port, clock=clock, max_age=10, idle_timeout=99) as pool:
        for _ in range(4):  # at 0, 4, 8 and 12 seconds
            await Tries(pool).send()
            clock.advance(4)
        assert server.connections == 2
        await server.hears("QUIT")


async def test_a_connection_that_nobody_needs_is_closed() -> None:
    async with FakeServer().serving() as server, pool_on(server.port, clock=RealClock(), idle_timeout=0.05) as pool:
        await send_all(Tries(pool), 4)
        with anyio.fail_after(5):
            await server.hears("QUIT", server.connections)
        await Tries(pool).send()
    assert len(server.mails) == 5


async def test_a_connection_that_was_idle_for_too_long_is_not_used_even_where_nobody_has_closed_it() -> None:
    clock = FakeClock()
    async with FakeServer().serving() as server, pool_on(server.port, clock=clock, idle_timeout=20) as pool:
        await Tries(pool).send()
        clock.advance(20)
        await Tries(pool).send()
        assert server.connections == 2


async def test_a_server_that_was_not_heard_of_for_a_while_is_asked() -> None:
    clock = FakeClock()
    async with FakeServer().serving() as server, pool_on(server.port, clock=clock) as pool:
        await Tries(pool).send()
        clock.advance(4.9)
        await Tries(pool).send()
        assert "RSET" not in server.verbs
        clock.advance(5)
        await Tries(pool).send()
        assert server.verbs.count("RSET") == 1
        assert server.connections == 1


@pytest.mark.parametrize("answer", [Do.CLOSE, Do.RESET, Do.HANG, "421 4.4.2 Timeout", "500 What?", b"<html>\r\n"])
async def test_where_it_is_not_there_any_more_the_mail_goes_over_another_connection(answer: Answer) -> None:
    clock = FakeClock()
    server = FakeServer({"RSET": [answer]})
    async with server.serving(), pool_on(server.port, clock=clock, timeout=0.3) as pool:
        await Tries(pool).send()
        clock.advance(6)
        tries = Tries(pool)
        await tries.send()
        assert tries.started == 1
    assert server.connections == 2
    assert len(server.mails) == 2


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("answer", [Do.CLOSE, Do.RESET, "421 4.4.2 Timeout"])
async def test_a_connection_that_was_gone_at_mail_is_replaced_once(answer: Answer, pipelining: bool) -> None:
    server = FakeServer({"MAIL": [OK, answer]})
    async with server.serving(), pool_on(server.port, pipelining=pipelining) as pool:
        await Tries(pool).send()
        tries = Tries(pool)
        await tries.send()
        assert tries.started == 1
    assert len(server.mails) == 2
    assert server.connections == 2


@pytest.mark.parametrize("waits", [True, False])
async def test_a_connection_that_the_server_closes_between_two_mails_is_replaced(waits: bool) -> None:
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        await Tries(pool).send()
        server.drop()
        if waits:
            await anyio.wait_all_tasks_blocked()
        await Tries(pool).send()
    assert len(server.mails) == 2


@pytest.mark.parametrize("answer", [Do.CLOSE, "421 4.4.2 Timeout"])
async def test_it_is_replaced_once_and_no_more(answer: Answer) -> None:
    server = FakeServer({"MAIL": [OK, answer, answer]})
    async with server.serving(), pool_on(server.port) as pool:
        await Tries(pool).send()
        with pytest.raises(NotSentError):
            await Tries(pool).send()
    assert server.connections == 2


@pytest.mark.parametrize(
    "answers",
    [
        {"MAIL": [Do.CLOSE]},
        {"MAIL": ["421 4.3.2 Bye"]},
        {"MAIL": [OK, Do.HANG]},
        {"MAIL": [OK, "450 4.3.0 Later"]},
        {"RCPT": [OK, Do.CLOSE]},
        {"RCPT": [OK, "421 4.3.2 Bye"]},
        {"DATA": ["354 Go on", Do.CLOSE]},
    ],
)
async def test_in_all_other_cases_that_is_for_the_caller_to_decide(answers: Any) -> None:
    server = FakeServer(answers)
    async with server.serving(), pool_on(server.port, timeout=0.3) as pool:
        tries = Tries(pool)
        for _ in range(len(next(iter(answers.values()))) - 1):
            await tries.send()
        with pytest.raises(NotSentError):
            await tries.send()
    assert server.connections == 1


async def test_what_is_made_again_is_made_for_the_new_connection() -> None:
    server = FakeServer({"EHLO": ["250-far\r\n250 8BITMIME"], "MAIL": [OK, Do.CLOSE]}, offers=())
    made: list[bool] = []

    def make(extensions: Extensions) -> bytes:
        made.append(extensions.eight_bit)
        return MAIL

    async with server.serving(), pool_on(server.port) as pool:
        await Tries(pool).send(content=make)
        await Tries(pool).send(content=make)
    assert made == [True, True, False]


async def test_who_waits_is_served_in_the_order_of_asking() -> None:
    order: list[int] = []
    first, go = anyio.Event(), anyio.Event()

    async def send(pool: Any, number: int) -> None:
        async def make(extensions: Extensions) -> bytes:
            order.append(number)
            first.set()
            await go.wait()
            return MAIL

        await Tries(pool).send(content=make)

    async def line_up(pool: Any) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, pool, 0)
            await first.wait()
            for number in range(1, 6):
                tasks.start_soon(send, pool, number)
                await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(send, pool, 99)
                await anyio.wait_all_tasks_blocked()
                impatient.cancel_scope.cancel()
            go.set()

    async with FakeServer().serving() as server, pool_on(server.port, pool_size=1) as pool:
        await line_up(pool)
    assert order == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("warm", [True, False])
async def test_whoever_is_cancelled_anywhere_leaves_nothing_behind(pipelining: bool, warm: bool) -> None:
    """The next mail goes out; the one that was cancelled before its end has not been taken."""
    server = FakeServer(offers=("PIPELINING", "AUTH LOGIN"))
    settings = {"username": "ann", "password": "pw", "auth": "login", "pipelining": pipelining, "pool_size": 1}
    server.next("AUTH", *["334 x"] * 100)
    checkpoint, was_cancelled, taken = 0, True, 0
    async with server.serving():
        while was_cancelled:
            async with pool_on(server.port, **settings) as pool:
                if warm:
                    await Tries(pool).send(content=b"before\r\n")
                tries = Tries(pool)
                was_cancelled = await cancelled_at(checkpoint, tries.send(content=b"first\r\n"))
                await Tries(pool).send(content=b"second\r\n")
                assert server.mails[-1] == b"second\r\n"
                took = b"first\r\n" in server.mails
                assert tries.started or not took
                taken += took
                server.mails.clear()
            checkpoint += 1
    assert checkpoint > (2 if warm else 6)
    assert taken


@pytest.mark.parametrize("at", ["EHLO", "MAIL", "RCPT", "DATA", "CONTENT", "."])
async def test_whoever_is_cancelled_while_the_server_hangs_ends_at_once(at: str) -> None:
    """What lies in buffers does not go out after all."""
    server = FakeServer({at: [Do.HANG]}, offers=())
    async with server.serving(), pool_on(server.port) as pool:
        tries = Tries(pool)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tries.send, ENVELOPE, (b"x" * 998 + b"\r\n") * (20_000 if at == "CONTENT" else 1))
            await server.hears(at)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert tries.started == (at == ".")
        await anyio.wait_all_tasks_blocked()
        assert not pool._all
        server.mails.clear()
        await Tries(pool).send()
    assert server.mails == [MAIL]


@pytest.mark.parametrize("answer", [Do.HANG, Do.CLOSE, "500 What?"])
async def test_a_server_that_does_not_say_good_bye_holds_nobody(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "_QUIT_TIMEOUT", 0.05)
    async with FakeServer({"QUIT": [answer]}).serving() as server:
        with anyio.fail_after(2):
            async with pool_on(server.port) as pool:
                await Tries(pool).send()
    assert server.verbs[-1] == "QUIT"


async def test_nothing_outlives_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_GOODBYE", 0.05)
    async with FakeServer({"QUIT": [Do.HANG] * 9}).serving() as server:
        before = asyncio.all_tasks()
        async with pool_on(server.port) as connections:
            await send_all(Tries(connections), 4)
            sessions = tuple(connections._all)
            assert sessions
        assert all(session.ended.done() for session in sessions)
        server.drop()
        await anyio.wait_all_tasks_blocked()
        assert {each for each in asyncio.all_tasks() if "serve" not in repr(each)} <= before
    gc.collect()  # an open socket would be a warning


async def test_what_goes_wrong_inside_comes_out_as_it_is() -> None:
    async def use(port: int) -> None:
        async with pool_on(port) as pool:
            await Tries(pool).send()
            raise ZeroDivisionError

    async with FakeServer().serving() as server:
        with pytest.raises(ZeroDivisionError):
            await use(server.port)


async def test_probing_logs_in_anew_and_sends_nothing() -> None:
    async with FakeServer().serving() as server, pool_on(server.port) as pool:
        await Tries(pool).send()
        health = await pool.probe()
        assert (health.ok, server.connections, server.verbs.count("MAIL")) == (True, 2, 1)
        assert f"127.0.0.1:{server.port}" in health.detail
        server.next("GREETING", "554 5.7.1 We do not like you")
        health = await pool.probe()
        assert not health.ok
        assert "We do not like you" in health.detail
