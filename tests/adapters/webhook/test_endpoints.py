"""What is known of each endpoint: one that fails is left alone, one that wants no more is written to no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from convergekit import Hub, MemoryStore
from convergekit.abc import Outgoing
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.adapters.webhook.endpoints import Endpoints, EndpointState
from convergekit.errors import (
    DeliveryError,
    NotSentError,
    RejectedError,
    StoreError,
    ThrottledError,
    UncertainError,
)
from convergekit.model import Address, EndpointDisabled
from convergekit.testing import FakeClock, FakeContext, outgoing

from .kit import HOME, adapter_over, config

pytestmark = pytest.mark.anyio

OTHER = "https://other.example/hook"


class Remote:
    """An endpoint that answers as it is told, and counts."""

    def __init__(self, status: int = 204, **headers: str) -> None:
        self.status, self.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self.status == 0:
            raise httpx.ConnectError("no")
        return httpx.Response(self.status, headers=self.headers)


def sender(remote: Callable[[httpx.Request], httpx.Response], **more: Any) -> tuple[WebhookAdapter, FakeContext]:
    context = FakeContext(channel="hooks", transport=httpx.MockTransport(remote))
    return adapter_over(remote, context, **more), context


async def outcome(adapter: WebhookAdapter, out: Outgoing) -> DeliveryError | None:
    try:
        await adapter.send(out)
    except DeliveryError as error:
        return error
    return None


async def fail(adapter: WebhookAdapter, times: int, to: str = HOME) -> None:
    for _ in range(times):
        assert type(await outcome(adapter, outgoing(to))) in (NotSentError, UncertainError)


@pytest.mark.parametrize("status", [0, 500, 502, 504])
async def test_an_endpoint_that_fails_again_and_again_is_left_alone(status: int) -> None:
    """What is put off has had no attempt, and the next one goes by itself."""
    remote = Remote(status)
    adapter, context = sender(remote)
    await fail(adapter, 5)

    error = await outcome(adapter, outgoing(HOME))
    assert isinstance(error, ThrottledError)
    assert (error.scope, error.asked, error.code) == ("conversation", False, None)
    assert "failed 5 times in a row" in error.reason
    assert 30 <= error.retry_after <= 36
    assert len(remote.asked) == 5

    context.clock.advance(30)
    await fail(adapter, 1)
    assert isinstance(await outcome(adapter, outgoing(HOME)), ThrottledError)
    assert len(remote.asked) == 6


async def test_it_is_left_alone_for_longer_each_time_up_to_ten_minutes() -> None:
    state = EndpointState(1, clock := FakeClock(), lambda: 0.0)
    waits = []
    for _ in range(8):
        with pytest.raises(NotSentError), state:
            raise NotSentError("busy")
        with pytest.raises(ThrottledError) as caught:
            state.check()
        waits.append(caught.value.retry_after)
        clock.advance(waits[-1])
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]


async def test_while_one_request_finds_out_no_other_goes() -> None:
    state = EndpointState(1, clock := FakeClock(), lambda: 0.5)
    with pytest.raises(UncertainError), state:
        raise UncertainError("lost")
    clock.advance(30)
    with state:
        with pytest.raises(ThrottledError, match="just being asked") as caught:
            state.check()
        assert caught.value.retry_after == pytest.approx(22), "as long as one request may take"
    state.check()  # it is back


async def test_what_was_under_way_when_it_became_clear_says_nothing_new() -> None:
    """Or sixteen that fail at once would make it ten minutes at once."""
    state = EndpointState(5, FakeClock(), lambda: 0.0)
    calls = [state] * 16
    for each in calls:
        each.__enter__()
    for each in calls:
        each.__exit__(NotSentError, NotSentError("busy"), None)
    with pytest.raises(ThrottledError) as caught:
        state.check()
    assert caught.value.retry_after == 30


@pytest.mark.parametrize("answer", [None, RejectedError("no", code="400"), ThrottledError("slow", retry_after=0)])
async def test_any_answer_of_an_endpoint_that_works_ends_it(answer: DeliveryError | None) -> None:
    state = EndpointState(2, clock := FakeClock(), lambda: 0.0)

    def call(error: DeliveryError | None) -> None:
        state.__enter__()
        state.__exit__(None if error is None else type(error), error, None)

    call(NotSentError("busy"))
    call(answer)
    call(NotSentError("busy"))  # two, but not in a row
    state.check()
    call(NotSentError("busy"))
    clock.advance(30)
    call(answer)
    state.check()
    call(NotSentError("busy"))
    state.check()


@pytest.mark.parametrize("error", [RejectedError("refused by the address guard"), KeyboardInterrupt(), None])
async def test_a_call_that_never_came_to_an_answer_leaves_the_question_to_the_next(error: BaseException | None) -> None:
    state = EndpointState(1, clock := FakeClock(), lambda: 0.0)
    with pytest.raises(NotSentError), state:
        raise NotSentError("busy")
    clock.advance(30)
    if error is None:
        with anyio.CancelScope() as scope, state:
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    else:
        with pytest.raises(type(error)), state:
            raise error
    with pytest.raises(NotSentError), state:
        raise NotSentError("busy")
    with pytest.raises(ThrottledError) as caught:
        state.check()
    assert caught.value.retry_after == 60


async def test_a_breaker_of_nought_never_opens() -> None:
    remote = Remote(500)
    adapter, _ = sender(remote, breaker=0)
    await fail(adapter, 50)
    assert len(remote.asked) == 50


async def test_one_endpoints_trouble_is_nobody_elses() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(204 if str(request.url) == OTHER else 503)

    adapter, _ = sender(answer)
    await fail(adapter, 5)
    assert isinstance(await outcome(adapter, outgoing(HOME)), ThrottledError)
    assert await outcome(adapter, outgoing(OTHER)) is None


async def test_an_endpoint_that_asks_for_time_has_it_from_all() -> None:
    """For ten minutes at most: the message that was told so waits for what it was told."""
    remote = Remote(429, retry_after="60")
    adapter, context = sender(remote)
    told = await outcome(adapter, outgoing(HOME))
    assert isinstance(told, ThrottledError)
    assert (told.retry_after, told.asked) == (60, True)
    other = await outcome(adapter, outgoing(HOME, key="another"))
    assert isinstance(other, ThrottledError)
    assert (other.asked, len(remote.asked)) == (False, 1)
    context.clock.advance(60)
    remote.headers["retry-after"] = "9999999"
    assert isinstance(await outcome(adapter, outgoing(HOME)), ThrottledError)
    context.clock.advance(600)
    remote.status = 204
    assert await outcome(adapter, outgoing(HOME)) is None


async def test_what_is_remembered_is_bounded() -> None:
    context = FakeContext()
    endpoints = Endpoints(context, breaker=5)
    for number in range(5000):
        await endpoints.find(Address(f"https://{number}.example/"))
    assert len(endpoints._known) == 4096


async def test_a_send_costs_no_look_into_the_ledger() -> None:
    """It is asked once a minute and endpoint."""
    asked: list[str] = []

    class Counting:
        async def get(self, key: str) -> tuple[Any, int]:
            asked.append(key)
            return None, 0

        async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
            raise AssertionError("nothing is to be written")

    adapter, context = sender(Remote())
    context.state = Counting()
    for _ in range(59):
        await adapter.send(outgoing(HOME))
        context.clock.advance(1)
    assert len(asked) == 1
    assert "example.org" not in asked[0], "a URL may hold a token"
    context.clock.advance(1)
    await adapter.send(outgoing(HOME))
    assert len(asked) == 2


async def test_an_endpoint_that_wants_no_more_gets_no_more_and_it_is_told_once() -> None:
    remote = Remote(410)
    adapter, context = sender(remote)
    errors = [await outcome(adapter, outgoing(HOME, key=str(number))) for number in range(3)]

    assert [type(error) for error in errors] == [RejectedError] * 3
    assert [error.code for error in errors if error] == ["410", "disabled", "disabled"]
    assert len(remote.asked) == 1
    (event,) = context.admitted
    assert isinstance(event, EndpointDisabled)
    assert event.address.uri == HOME

    again = adapter_over(remote, context)  # another worker, or the same after a restart
    assert isinstance(await outcome(again, outgoing(HOME)), RejectedError)
    assert len(remote.asked) == 1


async def test_many_that_are_told_so_at_once_tell_it_once() -> None:
    remote = Remote(410)
    adapter, context = sender(remote)
    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(outcome, adapter, outgoing(HOME, key=str(number)))
    assert len(context.admitted) == 1


async def test_it_is_written_to_again_when_somebody_says_so() -> None:
    remote = Remote(410)
    adapter, context = sender(remote)
    other = adapter_over(remote, context)
    await outcome(adapter, outgoing(HOME))
    await outcome(other, outgoing(HOME))
    remote.status = 204

    assert await adapter.enable(Address(HOME))
    assert await outcome(adapter, outgoing(HOME)) is None
    assert not await adapter.enable(Address(HOME))
    context.clock.advance(60)
    assert await outcome(other, outgoing(HOME)) is None, "the other worker learns of it within a minute"

    remote.status = 410
    await outcome(adapter, outgoing(HOME))
    assert len({event.key for event in context.admitted}) == 2, "the second time is told, too"


async def test_a_410_that_cannot_be_stored_is_told_by_the_next_one() -> None:
    """Told and written down, or neither."""
    remote = Remote(410)
    adapter, context = sender(remote)
    context.refuses_admission = StoreError("the disk is full")
    assert isinstance(await outcome(adapter, outgoing(HOME)), RejectedError)
    context.refuses_admission = None
    error = await outcome(adapter, outgoing(HOME))
    assert error is not None
    assert error.code == "410"
    assert len(context.admitted) == 1
    assert HOME not in context.logged


async def test_who_dies_between_telling_and_writing_does_not_tell_twice() -> None:
    remote = Remote(410)
    adapter, context = sender(remote)
    state, cut = context.state, True

    class Cut:
        get = staticmethod(state.get)

        async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
            if cut:
                raise StoreError("killed")
            return await state.put(key, value, version=version)

    context.state = Cut()
    await outcome(adapter, outgoing(HOME))
    cut = False
    await outcome(adapter, outgoing(HOME))
    assert len(context.admitted) == 1
    error = await outcome(adapter, outgoing(HOME))
    assert error is not None
    assert error.code == "disabled"


async def test_the_channel_has_the_verb() -> None:
    """`hub.channel("hooks").enable(...)`, in words of the ledger that every worker reads."""
    remote = Remote(410)
    async with Hub(store=MemoryStore()) as hub:
        channel = await hub.add_channel("hooks", config(), transport=httpx.MockTransport(remote))
        with pytest.raises(RejectedError, match="410"):
            await hub.send("hello", to=HOME)
        with pytest.raises(RejectedError, match="enable"):
            await hub.send("hello", to=HOME)
        remote.status = 204
        assert await channel.enable(HOME)
        await hub.send("hello", to=HOME)
        assert len(remote.asked) == 2
