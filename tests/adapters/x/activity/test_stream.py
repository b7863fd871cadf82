"""The stream: what it tells is admitted, what ends it is told, and there are never too many connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from convergekit.adapters.x.activity import Pulse
from convergekit.adapters.x.activity.stream import Stream
from convergekit.adapters.x.arrivals import Arrivals
from convergekit.errors import CreditError, NotSentError, StoreError, ThrottledError
from convergekit.model import CustomReceived, GapDetected, MessageRetracted
from convergekit.testing.x import ClosesAtOnce, CreditsDepleted, EmptyError, HtmlError, Throttled
from tests.adapters.x.activity_kit import Desk, desk, settled
from tests.adapters.x.feed_kit import Account

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def streaming(**more: Any) -> AsyncGenerator[Desk]:
    async with desk(activity="stream", **more) as it:
        await it.listen()
        yield it


async def test_what_is_told_is_admitted_as_the_same_as_by_webhook() -> None:
    async with streaming() as it:
        assert it.is_listening.is_set()
        post, direct = it.ann.mention("hello"), it.ann.direct("psst")
        it.ann.typing()
        it.account.delete(it.account.post("oh"))
        await settled()

        assert it.admitted[:2] == [f"post:{post.id}", f"dm:{direct.id}"]
        assert isinstance(it.context.admitted[2], MessageRetracted)
        assert [event.type for event in it.context.notified] == ["typing.changed"]
        assert it.troubles == []
        assert "tells us at once" in (await it.adapter.check()).detail


async def test_several_messages_of_one_line_are_all_admitted() -> None:
    async with streaming() as it:
        it.ann.direct("one", "two", "three")
        await settled()

        assert len(it.admitted) == 3


async def test_a_stream_that_ends_is_told_and_polls_are_due_at_once() -> None:
    async with streaming() as it:
        await it.after(1)
        await it.poll("mentions")
        await it.poll("mentions")
        asked = it.server.count("GET", "/2/users/:id/mentions")
        assert asked == 1  # the second was not due

        it.server.activity.close_streams()
        await settled()
        await it.poll("mentions")

        assert [type(each) for each in it.troubles] == [NotSentError]
        assert it.server.count("GET", "/2/users/:id/mentions") == asked + 1


async def test_what_is_missed_between_two_connections_is_a_gap_and_told_once_it_holds() -> None:
    async with streaming() as it:
        await it.after(40)
        it.ann.mention("hello")
        await settled()
        it.server.activity.close_streams()
        await settled()
        await it.after(5)
        await it.listen()
        assert len(it.admitted) == 1

        await it.after(31)
        it.ann.mention("again")
        await settled()

        (gap,) = (event for event in it.context.admitted if isinstance(event, GapDetected))
        assert gap.feed == "activity"
        assert gap.since is not None
        assert gap.until is not None
        assert gap.since < gap.until


async def test_a_server_that_accepts_and_closes_at_once_gets_fewer_than_50_connections_in_15_minutes() -> None:
    """Even from somebody who starts it again without any back-off."""
    async with desk(activity="stream") as it:
        it.server.script("GET", "/2/activity/stream", then=ClosesAtOnce())
        began = it.context.clock.monotonic()
        while it.context.clock.monotonic() - began < 1800:
            ends = len(it.troubles)
            await it.listen()
            while len(it.troubles) == ends:
                await it.after(60)

        assert it.server.count("GET", "/2/activity/stream") <= 50 * 2
        assert {type(each) for each in it.troubles} <= {NotSentError, ThrottledError}


@pytest.mark.parametrize(
    ("step", "error", "seconds"),
    [
        (Throttled(reset=False), ThrottledError, 60.0),
        (Throttled(reset=True), ThrottledError, 60.0),
        (HtmlError(503), NotSentError, None),
        (CreditsDepleted(), CreditError, None),
        (EmptyError(401), NotSentError, None),
    ],
)
async def test_a_refused_connection_is_what_it_means(step: Any, error: type[Exception], seconds: float | None) -> None:
    async with desk(activity="stream") as it:
        it.server.script("GET", "/2/activity/stream", step)
        await it.listen()

        (trouble,) = it.troubles
        assert type(trouble) is error
        assert not it.is_listening.is_set()
        if seconds is not None:
            assert isinstance(trouble, ThrottledError)
            assert trouble.retry_after >= seconds
        if isinstance(step, EmptyError):
            assert "bearer_token" in str(trouble)


async def test_where_the_ledger_fails_it_ends_and_nothing_is_swallowed() -> None:
    async with streaming() as it:
        it.context.refuses_admission = StoreError("the disk is full")
        it.ann.mention("hello")
        await settled()

        assert [type(each) for each in it.troubles] == [StoreError]
        it.context.refuses_admission = None
        assert "does not tell us" in (await it.adapter.check()).detail


async def test_it_is_cancelled_cleanly() -> None:
    async with streaming() as it:
        with anyio.fail_after(5):
            await it.stop()

        assert it.troubles == []
        assert it.server.activity.streams == 0


async def test_who_listens_again_polls_again_until_the_stream_is_there() -> None:
    """Another worker may have listened meanwhile."""
    async with streaming() as it:
        await it.after(1)
        await it.poll("mentions")
        await it.stop()
        it.server.script("GET", "/2/activity/stream", HtmlError(503))
        await it.listen()
        asked = it.server.count("GET", "/2/users/:id/mentions")
        await it.poll("mentions")

        assert it.server.count("GET", "/2/users/:id/mentions") == asked + 1
        assert "does not tell us" in (await it.adapter.check()).detail


class Bytes(httpx.AsyncByteStream):
    """What a connection carries: bytes, and seconds in between."""

    def __init__(self, *said: bytes | float) -> None:
        self._said = said

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in self._said:
            if isinstance(each, bytes):
                yield each
            else:
                await anyio.sleep(each)


async def read(*said: bytes | float, silence: float = 60.0) -> tuple[Account, BaseException]:
    """What becomes of a connection that carries this."""

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Bytes(*said))

    from convergekit.testing import FakeContext

    account = Account(context=FakeContext(transport=httpx.MockTransport(answer)))
    account.client.answer = lambda asked: {"data": [], "meta": {}}
    stream = Stream(account.session, Arrivals(account.session), Pulse(account.context), silence=silence)
    with pytest.raises(NotSentError) as raised:
        await stream.read(anyio.TASK_STATUS_IGNORED)
    return account, raised.value


async def test_silence_is_a_connection_that_is_lost() -> None:
    with anyio.fail_after(5):
        _, trouble = await read(b"\r\n", 30.0, silence=0.05)

    assert "nothing came" in str(trouble)


async def test_blank_lines_keep_it() -> None:
    _, trouble = await read(*([b"\r\n", 0.03] * 5), silence=2.0)

    assert "ended" in str(trouble)


@pytest.mark.parametrize("line", [b"nonsense", b"\xff\xfe{", b"[1]", b"[" * 100_000, b'{"data": 7}', b'"text"', b"7"])
async def test_a_line_that_makes_no_sense_is_told_and_the_next_is_read(line: bytes) -> None:
    good = b'{"data":{"event_uuid":"-5","event_type":"profile.update.bio","payload":{}}}'
    account, _ = await read(line + b"\r\n" + good + b"\r\n")

    assert [type(event) for event in account.context.admitted] == [CustomReceived, CustomReceived]
    assert account.context.admitted[1].key == "activity:profile.update.bio:-5"


async def test_what_x_says_about_the_stream_itself_is_no_event() -> None:
    account, _ = await read(b'{"errors":[{"title":"operational-disconnect","detail":"bye"}]}\r\n')

    assert account.context.admitted == []
    assert "operational-disconnect" in account.context.logged
