"""What is heard goes on: nonsense in between, feeds from where they were."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from convergekit.abc import Polls
from convergekit.errors import AccountError, DeliveryError, ThrottledError
from convergekit.model import Event

from .._bench import Bench, Heard, Way
from .._subject import Fault
from ._registry import broken, check, expect

__all__: list[str] = []

_GOES_ON: Final[list[Way]] = ["listen", "poll"]
_MOST_PAGES: Final = 1000


@check("nonsense-does-not-stop", way=_GOES_ON)
async def _does_not_stop(bench: Bench, way: Way) -> None:
    async with bench.hearing(way) as ear:
        for number, nonsense in enumerate(bench.subject.nonsense(), 1):
            heard = await ear.hear(nonsense, bench.said(number))
            expect(not heard.trouble, heard.trouble)
            arrived = any(_says(event, bench.words(number)) for event in heard.events)
            expect(arrived, "a message that came after it is lost")


@check("nonsense-noted", way=_GOES_ON)
async def _noted(bench: Bench, way: Way) -> None:
    for nonsense in bench.subject.nonsense():
        before = len(bench.records)
        heard = Heard([])
        async with bench.hearing(way) as ear:
            heard = await ear.hear(nonsense)
        logged = any(record.levelno >= logging.WARNING for record in bench.records[before:])
        expect(heard.events or heard.trouble or logged, "it was dropped, and neither an event nor the log says so")


@check("poll-repeats-until-stored", Polls)
async def _repeats(bench: Bench) -> None:
    """First with what came before anything was polled, then from a cursor."""
    async with bench.entered() as (adapter, _):
        _, cursors = await _found(adapter, {})
        for number in (1, 3):
            await _feed(bench, number, number + 1)
            first, after = await _found(adapter, cursors)
            again, _ = await _found(adapter, cursors)
            expect(first, "nothing came in")
            missing = {event.key for event in first} - {event.key for event in again}
            expect(
                not missing, f"of {len(first)} events, a second poll from the same cursor did not find {len(missing)}"
            )
            cursors = after


@check("poll-goes-on", Polls, what=["restart", "pages"])
async def _goes_on(bench: Bench, what: str) -> None:
    """The second poll is made by another instance, as after a restart: what the first has in memory is gone."""
    many = bench.subject.page + 1 if what == "pages" else 2
    async with bench.entered() as (adapter, _):
        _, cursors = await _found(adapter, {})
        await _feed(bench, 1)
        _, cursors = await _found(adapter, cursors)
    async with bench.entered() as (adapter, _):
        await _feed(bench, *range(2, 2 + many))
        found, _ = await _found(adapter, cursors)
    missing = [each for each in range(2, 2 + many) if not any(_says(event, bench.words(each)) for event in found)]
    expect(not missing, f"of {many} messages that came since, the poll from the new cursor did not find {len(missing)}")


@check(
    "poll-tells-failure",
    Polls,
    fault=[Fault.UNREACHABLE, Fault.ACCOUNT, Fault.THROTTLED, Fault.SERVER_ERROR, Fault.NONSENSE, Fault.ANSWER_LOST],
)
async def _tells_failure(bench: Bench, fault: Fault) -> None:
    async with bench.entered() as (adapter, _):
        await _feed(bench, 1)
        bench.subject.fail_poll(fault)
        try:
            polled = await adapter.poll(adapter.feeds[0], None)
        except DeliveryError as error:
            kind = {Fault.ACCOUNT: AccountError, Fault.THROTTLED: ThrottledError}.get(fault, DeliveryError)
            expect(isinstance(error, kind), f"a poll met a far side that is {fault}, and raised {type(error).__name__}")
        except Exception as error:
            raise broken(f"a poll met a far side that is {fault}, and raised {type(error).__name__}") from error
        else:
            broken(f"a poll met a far side that is {fault}, and found {len(polled.events)} events as if nothing were")


async def _feed(bench: Bench, *numbers: int) -> None:
    for number in numbers:
        await bench.subject.feed(bench.said(number))


async def _found(adapter: Any, cursors: Mapping[str, Any]) -> tuple[Sequence[Event], Mapping[str, Any]]:
    """All that is found from *cursors* on, and where to go on from."""
    found: list[Event] = []
    after: dict[str, Any] = {}
    for feed in adapter.feeds:
        after[feed], more, pages = cursors.get(feed), True, 0
        while more:
            polled = await adapter.poll(feed, after[feed])
            found += polled.events
            after[feed], more, pages = _stored(polled.cursor), polled.more, pages + 1
            expect(pages < _MOST_PAGES, f"after {pages} polls it says that there is more to fetch at once")
    return found, after


def _stored(cursor: Any) -> Any:
    """*cursor* as it comes back from a store."""
    try:
        return json.loads(json.dumps(cursor, allow_nan=False))
    except (TypeError, ValueError):
        broken(f"the cursor, a {type(cursor).__name__}, cannot be written as JSON")


def _says(event: Event, words: str) -> bool:
    return any(words in str(getattr(event, name, "")) for name in ("text", "markdown", "html"))
