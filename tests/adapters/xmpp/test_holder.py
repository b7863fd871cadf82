"""Who holds the session."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskStatus
from anyio.lowlevel import checkpoint

from convergekit.adapters.xmpp.holder import Holder
from convergekit.errors import AuthenticationError, NotSentError, UncertainError
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio


class Sessions:
    """Holds sessions, and counts them."""

    def __init__(self) -> None:
        self.held = self.made = 0
        self.refuses: Exception | None = None
        self.answers: anyio.Event | None = None
        self.over = anyio.Event()
        self.why: Exception = NotSentError("the connection was lost")

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        await checkpoint()
        if self.answers is not None:
            await self.answers.wait()
        if self.refuses is not None:
            raise self.refuses
        self.made += 1
        self.held += 1
        assert self.held == 1, "two at a time"
        try:
            task_status.started()
            await self.over.wait()
            raise self.why
        finally:
            self.held -= 1

    def end(self) -> None:
        over, self.over = self.over, anyio.Event()
        over.set()


@asynccontextmanager
async def holders(context: FakeContext | None = None) -> AsyncGenerator[tuple[Holder, Sessions]]:
    sessions = Sessions()
    async with anyio.create_task_group() as tasks:
        yield Holder(sessions.run, tasks, context or FakeContext()), sessions
        tasks.cancel_scope.cancel()


async def settled() -> None:
    for _ in range(50):
        await checkpoint()


async def test_who_sends_where_nobody_listens_makes_a_session_for_all() -> None:
    async with holders() as (holder, sessions):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(holder.ready)
        assert (sessions.made, sessions.held) == (1, 1)


async def test_where_somebody_is_about_to_listen_nobody_else_makes_one() -> None:
    """The engine enters, and then listens: what is sent in between waits for that session."""
    async with holders() as (holder, sessions), anyio.create_task_group() as tasks:
        tasks.start_soon(holder.ready)
        for _ in range(5):  # from opening to hearing the engine takes a few turns
            await checkpoint()
        tasks.start_soon(holder.listen)
        await settled()
        assert sessions.made == 1
        tasks.cancel_scope.cancel()


async def test_who_listens_takes_the_session_over() -> None:
    async with holders() as (holder, sessions), anyio.create_task_group() as tasks:
        await holder.ready()
        await tasks.start(lambda *, task_status: holder.listen(task_status=task_status))
        assert (sessions.made, sessions.held) == (2, 1)
        tasks.cancel_scope.cancel()


async def test_a_session_that_is_being_made_is_given_up_for_who_listens() -> None:
    async with holders() as (holder, sessions):
        sessions.answers = anyio.Event()
        async with anyio.create_task_group() as senders:
            senders.start_soon(holder.ready)
            await settled()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(holder.listen)
                await settled()  # the server goes on not to answer, and nobody is made to wait for it
                sessions.answers.set()
                await settled()
                assert (sessions.made, sessions.held) == (1, 1)
                tasks.cancel_scope.cancel()


async def test_once_somebody_has_listened_sends_make_no_sessions() -> None:
    """A thousand of them that wait would hammer a server that is down; the engine knows when to try again."""
    async with holders() as (holder, sessions):
        sessions.refuses = NotSentError("refused")
        with pytest.raises(NotSentError):
            await holder.listen()
        sessions.refuses = None
        await holder.ready()
        assert sessions.made == 0


@pytest.mark.parametrize("error", [NotSentError("unreachable"), AuthenticationError("refused")])
async def test_who_needs_a_session_that_cannot_be_made_is_told_why(error: Exception) -> None:
    async with holders() as (holder, sessions):
        sessions.refuses = error
        with pytest.raises(type(error)):
            await holder.ready()
        sessions.refuses = None
        await holder.ready()  # and the next one is made
        assert sessions.made == 1


@pytest.mark.parametrize(("is_begun", "ends_as"), [(False, NotSentError), (True, UncertainError)])
async def test_what_is_under_way_ends_with_a_session_that_nobody_listens_on(
    is_begun: bool, ends_as: type[Exception]
) -> None:
    """Nobody would make another one for it: it would wait for as long as the server is waited for."""
    async with holders() as (holder, sessions):

        async def sent() -> None:
            with anyio.fail_after(5), pytest.raises(ends_as):
                await holder.during(anyio.sleep_forever, is_begun=lambda: is_begun)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sent)
            await settled()
            sessions.end()


async def test_what_is_under_way_outlives_a_session_where_somebody_listens() -> None:
    """The next one has it written again."""
    async with holders() as (holder, sessions), anyio.create_task_group() as tasks:
        done = anyio.Event()
        await holder.ready()

        async def sent() -> None:
            await holder.during(done.wait, is_begun=lambda: True)

        tasks.start_soon(sent)
        await settled()
        tasks.start_soon(holder.listen)  # takes over while it is under way
        await settled()
        assert sessions.held == 1
        done.set()
        await settled()
        tasks.cancel_scope.cancel()


async def test_a_session_that_is_lost_is_made_anew_by_who_needs_it_next_and_ends_nothing_else() -> None:
    context = FakeContext()
    async with holders(context) as (holder, sessions):
        await holder.ready()
        sessions.end()
        await settled()
        assert sessions.held == 0
        await holder.ready()
        assert (sessions.made, sessions.held) == (2, 1)
    assert "the session is over" in context.logged
