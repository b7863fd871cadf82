"""A refusal by the medium's rules says which way is open, now and whenever the ledger is read."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from convergekit import Hub, all_of, sync, via
from convergekit.adapters.loopback import Medium
from convergekit.errors import NotPermittedError, RejectedError
from convergekit.model import DispatchState, Failure, FailureKind, Status, from_json, to_json
from convergekit.testing import FakeClock, RecordingHub

pytestmark = pytest.mark.anyio

ANN, BOB = "loopback:ann", "loopback:bob"
REFUSED = NotPermittedError(
    "only who mentions the account may be answered", alternative="x:42 takes direct messages", code="403"
)


@pytest.fixture(params=["memory:", "sqlite"])
def store(request: pytest.FixtureRequest, quick_path: Path) -> str:
    return "memory:" if request.param == "memory:" else f"sqlite:///{quick_path / 'ledger.db'}"


async def opened(hub: Hub, medium: Medium) -> None:
    await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)


async def test_the_alternative_comes_with_the_error_and_stays_in_the_ledger(store: str) -> None:
    medium = Medium()
    hub = Hub(store=store, clock=FakeClock(), random=Random(1))
    async with hub:
        await opened(hub, medium)
        medium.script(REFUSED)
        with pytest.raises(NotPermittedError) as caught:
            await hub.send("hello", to=ANN)
        told = caught.value
        assert (told.alternative, told.kind, told.code) == ("x:42 takes direct messages", "not_permitted", "403")
        assert told.channel == "loop"
        assert told.dispatch is not None
        found = await hub.dispatch(told.dispatch)
        assert found is not None
        assert (found.status, found.state) == (Status.FAILED, DispatchState.EXHAUSTED)
        again = found.error
        assert isinstance(again, NotPermittedError)
        assert again.alternative == told.alternative
        failure = found.deliveries[0].failure
        assert failure is not None
        assert (failure.kind, failure.alternative) == (FailureKind.NOT_PERMITTED, told.alternative)
        assert medium.sent == []


async def test_where_nobody_knows_another_way_there_is_none(store: str) -> None:
    medium = Medium()
    async with Hub(store=store, clock=FakeClock(), random=Random(1)) as hub:
        await opened(hub, medium)
        medium.script(NotPermittedError("the recipient takes no messages"))
        with pytest.raises(NotPermittedError) as caught:
            await hub.send("hello", to=ANN)
        assert caught.value.alternative is None


async def test_a_plain_refusal_stays_one() -> None:
    medium = Medium()
    async with Hub(store="memory:", clock=FakeClock(), random=Random(1)) as hub:
        await opened(hub, medium)
        medium.script(RejectedError("no such user"))
        with pytest.raises(RejectedError) as caught:
            await hub.send("hello", to=ANN)
        assert type(caught.value) is RejectedError


async def test_what_is_refused_there_may_go_elsewhere() -> None:
    """It is a refusal like another: a route goes on, and a leg that is not permitted is not tried again."""
    async with RecordingHub(channels={"loop": "loopback"}) as hub:
        hub.captured.script(REFUSED, to=ANN)
        sent = await hub.submit("hello", to=ANN, via=all_of(via(ANN), via(BOB)))
        await hub.advance(3600)
        assert [each.status for each in sent.deliveries] == [Status.FAILED, Status.ACCEPTED]
        assert len(sent.deliveries[0].history) == 1


def test_blocking_code_gets_the_same() -> None:
    medium = Medium()
    with sync.Hub(store="memory:") as hub:
        hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        medium.script(REFUSED)
        with pytest.raises(NotPermittedError) as caught:
            hub.send("hello", to=ANN)
        assert caught.value.alternative == "x:42 takes direct messages"


async def test_an_alternative_is_one_line_of_bounded_length() -> None:
    """As all that another side says: it goes into logs and terminals."""
    async with RecordingHub(channels={"loop": "loopback"}) as hub:
        hub.captured.script(NotPermittedError("no", alternative="write\x1b[31m to\n" + "x:42" * 5000))
        with pytest.raises(NotPermittedError) as caught:
            await hub.send("hello", to=ANN)
    told = caught.value.alternative or ""
    assert told.startswith("write")
    assert told.isprintable()
    assert len(told) < 5000


def test_it_is_read_as_it_was_written() -> None:
    failure = Failure(kind=FailureKind.NOT_PERMITTED, alternative="write to x:42")
    assert from_json(Failure, to_json(failure)) == failure
