"""What the medium tells of our own messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from convergekit.model import CustomReceived, Event, Receipt, ReceiptReceived, Status

from .._bench import WAYS, Bench, Way
from .._subject import Cannot
from ._registry import check, expect, listed

__all__: list[str] = []

_UNHEARD_OF: Final = "unheard-of"


@check("status-words", way=list(WAYS))
async def _status_words(bench: Bench, way: Way) -> None:
    words = _words(bench)
    async with bench.hearing(way) as ear:
        for word, meaning in words.items():
            sent = await _sent(bench, ear.adapter)
            heard = await ear.hear(bench.subject.report(id=sent.ids[0], word=word))
            expect(not heard.trouble, f"{word!r}: {heard.trouble}")
            receipts = _receipts(heard.events)
            found = [receipt.status for receipt in receipts]
            expected = [] if meaning is None else [meaning]
            expect(found == expected, f"{word!r} stands for {listed(expected)}, and became {listed(found)}")
            named = all(set(receipt.ids) & set(sent.ids) or receipt.delivery for receipt in receipts)
            expect(named, f"{word!r}: the report has none of the ids that the receipt of `send` had")


@check("status-words", of=["send"])
async def _says_no_more(bench: Bench, of: str) -> None:
    """What the medium tells later by a word of its own is not known when it takes the message."""
    later = {meaning for meaning in _words(bench).values() if meaning is not None and meaning >= Status.DELIVERED}
    async with bench.entered() as (adapter, _):
        attempt = await bench.attempt(adapter)
    if attempt.receipt is not None:
        said = attempt.receipt.status
        expect(said not in later, f"the receipt of `{of}` says {said}, which the medium has a report for, later")


@check("reports-in-any-order", way=list(WAYS), order=["reversed", "doubled", "early"])
async def _any_order(bench: Bench, way: Way, order: str) -> None:
    """Early is: to an instance that has sent nothing. It may also be another worker, or the one after a restart."""
    words = {word: meaning for word, meaning in _words(bench).items() if meaning is not None}
    async with bench.hearing(way) as ear:
        id, context = (await _sent(bench, ear.adapter)).ids[0], ear.context
    reports = [bench.subject.report(id=id, word=word) for word in words]
    told = {"reversed": reports[::-1], "doubled": [each for each in reports for _ in range(2)]}.get(order, reports)
    async with bench.hearing(way, context=None if order == "early" else context) as ear:
        heard = await ear.hear(*told)
    expect(not heard.trouble, heard.trouble)
    found, end = _statuses(_receipts(heard.events)), max(words.values())
    expect(end in found, f"reports that came {order} should end as {end}, and became {_named(found)}")
    twice = len(heard.events) - len(reports)
    expect(twice <= 0, f"{len(reports)} reports, each told twice, gave {len(heard.events)} events")


@check("unknown-word-noted", way=list(WAYS))
async def _unknown_word(bench: Bench, way: Way) -> None:
    _words(bench)
    async with bench.hearing(way) as ear:
        sent = await _sent(bench, ear.adapter)
        before = len(bench.records)
        heard = await ear.hear(bench.subject.report(id=sent.ids[0], word=_UNHEARD_OF))
    expect(not heard.trouble, heard.trouble)
    found = _statuses(_receipts(heard.events))
    expect(not found, f"a word that nobody knows became {_named(found)}")
    kept = any(isinstance(event, CustomReceived) for event in heard.events)
    noted = any(record.levelno >= logging.INFO and _UNHEARD_OF in _text(record) for record in bench.records[before:])
    expect(kept or noted, "a word that nobody knows was dropped, and the log does not name it")


def _words(bench: Bench) -> Mapping[str, Status | None]:
    if not bench.subject.statuses:
        raise Cannot("this subject has no table of status words")
    return bench.subject.statuses


async def _sent(bench: Bench, adapter: Any) -> Receipt:
    """What a new message was taken with."""
    attempt = await bench.attempt(adapter)
    if attempt.receipt is None or not attempt.receipt.ids:
        raise Cannot(f"there is no message that a report could be about: {attempt}")
    return attempt.receipt


def _receipts(events: Sequence[Event]) -> list[Receipt]:
    return [event.receipt for event in events if isinstance(event, ReceiptReceived)]


def _statuses(receipts: Sequence[Receipt]) -> set[Status]:
    return {receipt.status for receipt in receipts}


def _named(statuses: set[Status]) -> str:
    return listed(sorted(map(str, statuses)))


def _text(record: logging.LogRecord) -> str:
    return f"{record.getMessage()} {vars(record)}"
