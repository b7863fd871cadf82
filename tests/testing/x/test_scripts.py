"""What goes wrong is said by a script, and comes over each of the three ways in."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from convergekit.testing import FakeClock
from convergekit.testing.x import (
    CreditsDepleted,
    Duplicate,
    EmptyError,
    HtmlError,
    LostAnswer,
    Nonsense,
    NotSummoned,
    Partial,
    Passes,
    Refused,
    Reset,
    Slow,
    Step,
    Throttled,
    XServer,
)
from tests.testing.x.openapi import validated

pytestmark = pytest.mark.anyio

Door = Callable[[XServer], AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def over_http(x: XServer) -> AsyncGenerator[httpx.AsyncClient]:
    async with x.serving() as url, httpx.AsyncClient(base_url=url) as api:
        yield api


@asynccontextmanager
async def in_process(x: XServer) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url="https://api.x.com", transport=x.transport) as api:
        yield api


@asynccontextmanager
async def as_an_app(x: XServer) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url="https://api.x.com", transport=httpx.ASGITransport(x.app)) as api:
        yield api


@pytest.fixture(params=[over_http, in_process, as_an_app])
def door(request: pytest.FixtureRequest) -> Door:
    way: Door = request.param
    return way


@pytest.fixture
def x() -> XServer:
    server = XServer()
    server.account("support")
    return server


async def post(api: httpx.AsyncClient, x: XServer, text: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {x.only_account.access_token}"}
    return await api.post("/2/tweets", json={"text": text}, headers=headers)


@pytest.mark.parametrize(
    ("step", "status", "says", "is_done"),
    [
        (Passes(), 201, b'"id"', True),
        (Throttled(), 429, b"Too Many Requests", False),
        (Throttled(reset=False), 429, b"Too Many Requests", False),
        (Throttled(code=88), 429, b'"code":88', False),
        (CreditsDepleted(), 402, b"credits-depleted", False),
        (Duplicate(), 403, b"duplicate content", False),
        (NotSummoned(), 403, b"have not been mentioned", False),
        (Refused(404, "gone", "resource-not-found"), 404, b"/problems/resource-not-found", False),
        (Partial(), 201, b'"errors"', True),
        (HtmlError(503), 503, b"<html>", False),
        (HtmlError(502, commits=True), 502, b"<html>", True),
        (EmptyError(401), 401, b"", False),
        (Nonsense(), 200, b"{", True),
    ],
    ids=repr,
)
async def test_an_answer_is_what_the_script_says(
    x: XServer, door: Door, step: Step, status: int, says: bytes, is_done: bool
) -> None:
    x.script("POST", "/2/tweets", step)
    async with door(x) as api:
        answer = await post(api, x, "hello")
        assert (answer.status_code, says in answer.content) == (status, True)
        assert bool(x.posts) == is_done
        assert x.requests[-1].status == status
        assert (await post(api, x, "and on")).status_code == 201


@pytest.mark.parametrize("way", [over_http, in_process])
@pytest.mark.parametrize(
    ("step", "raises", "is_done"),
    [
        (LostAnswer(), httpx.RemoteProtocolError, True),
        (Reset(), httpx.ReadError, False),
        (Reset(commits=True), httpx.ReadError, True),
    ],
    ids=repr,
)
async def test_an_answer_is_lost(x: XServer, way: Door, step: Step, raises: type[Exception], is_done: bool) -> None:
    x.script("POST", "/2/tweets", step)
    async with way(x) as api:
        with pytest.raises(raises):
            await post(api, x, "hello")
        assert (bool(x.posts), x.requests[0].status) == (is_done, None)
        assert (await post(api, x, "and on")).status_code == 201


async def test_a_slow_answer_comes_after_the_post_was_made() -> None:
    clock = FakeClock()
    x = XServer(now=clock.now, sleep=clock.sleep)
    x.account("support")
    x.script("POST", "/2/tweets", Slow(30))
    async with in_process(x) as api, anyio.create_task_group() as tasks:
        tasks.start_soon(post, api, x, "hello")
        await anyio.wait_all_tasks_blocked()
        assert (len(x.posts), x.requests[0].status) == (1, None)
        clock.advance(30)
    assert x.requests[0].status == 201


async def test_a_script_is_for_one_route_however_it_is_written_and_goes_on_if_it_is_told_to(x: XServer) -> None:
    x.script("GET", "/2/users/:id/mentions", Passes(), Refused(403), then=Throttled(reset=False))
    path = f"/2/users/{x.only_account.id}/mentions"
    headers = {"authorization": f"Bearer {x.only_account.access_token}"}
    async with in_process(x) as api:
        codes = [(await api.get(path, headers=headers)).status_code for _ in range(4)]
        assert (await api.get("/2/users/me", headers=headers)).status_code == 200
        assert codes == [200, 403, 429, 429]
        assert (x.count("GET", "/2/users/{id}/mentions"), x.count("GET"), x.count()) == (4, 5, 5)
        x.unscript()
        assert (await api.get(path, headers=headers)).status_code == 200


async def test_the_reset_of_a_429_is_told_or_not(x: XServer) -> None:
    x.script("POST", "/2/tweets", Throttled(seconds=60), Throttled(reset=False))
    async with in_process(x) as api:
        told, untold = [await post(api, x, "hello") for _ in range(2)]
    assert abs(int(told.headers["x-rate-limit-reset"]) - x.now().timestamp() - 60) < 5
    assert not any(name.startswith("x-rate-limit") for name in untold.headers)


async def test_what_a_script_refuses_is_counted_as_all_else(x: XServer) -> None:
    x.script("POST", "/2/tweets", CreditsDepleted())
    async with in_process(x) as api:
        refused, done = [await post(api, x, "hello") for _ in range(2)]
    assert [each.headers["x-rate-limit-remaining"] for each in (refused, done)] == ["99", "98"]
    assert x.requests[0].who == "support"


async def test_a_refusal_of_a_script_is_as_x_describes_it(x: XServer) -> None:
    with validated(x):
        x.script("POST", "/2/tweets", CreditsDepleted(), Duplicate(), NotSummoned(), Throttled(), Partial())
        async with in_process(x) as api:
            for _ in range(5):
                await post(api, x, "hello")


async def test_several_connections_stay_open_and_are_dropped(x: XServer) -> None:
    async with over_http(x) as api, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(post, api, x, str(number))
    assert len(x.posts) == 20
    async with over_http(x) as api:
        await post(api, x, "before")
        x.drop()
        await anyio.wait_all_tasks_blocked()
        assert (await post(api, x, "after")).status_code == 201


async def test_it_goes_away_and_comes_back(x: XServer) -> None:
    async with over_http(x) as api:
        x.go_away()
        with pytest.raises(httpx.ConnectError):
            await post(api, x, "hello")
        x.come_back()
        assert (await post(api, x, "hello")).status_code == 201


async def test_what_it_does_not_know_is_not_found(x: XServer, door: Door) -> None:
    async with door(x) as api:
        answer = await api.get("/2/nothing")
    assert (answer.status_code, x.requests[0].route, x.requests[0].who) == (404, "/2/nothing", "")


async def test_as_an_app_it_starts_and_stops_with_its_server(x: XServer) -> None:
    told: list[dict[str, Any]] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        told.append(message)

    await x.app({"type": "lifespan"}, receive, send)
    assert [each["type"] for each in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
