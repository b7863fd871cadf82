"""The sums can fail: whatever must not be is found, and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from convergekit.abc import EntryState, LedgerCounts
from convergekit.model import (
    Address,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    Message,
    PartReport,
    Report,
    Status,
)

from .driver import Outcome, Torture
from .sums import summed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Address("mailto:ann@example.test")


def dispatch(what: str, state: DeliveryState = DeliveryState.CLOSED, status: Status = Status.ACCEPTED) -> Dispatch:
    leg = Delivery(
        id=f"d{what}",
        dispatch=what,
        channel="out",
        address=ANN,
        conversation=ConversationRef(channel="out", address=ANN),
        key=what,
        state=state,
        report=Report(parts={0: PartReport(status=status, failed=status is Status.FAILED)}),
        due=NOW,
    )
    message = Message("hello", subject=what)
    return Dispatch(id=what, key=what, recipient=ANN.uri, message=message, deliveries=(leg,), created_at=NOW)


def outcome() -> Outcome:
    """Three messages and one kill: one is unknown and has not arrived, one was handled twice, one went well."""
    sound = Outcome(Torture(seed=1, messages=3, kills=1, handlers=1, sends=1), kills=1)
    sound.dispatches = [dispatch("0", DeliveryState.UNKNOWN, Status.UNKNOWN), dispatch("1"), dispatch("2")]
    sound.mailbox = sound.finished = Counter("12")
    sound.began, sound.ended = Counter("112"), Counter("112")
    sound.counts = LedgerCounts({("into", EntryState.DONE): 2}, {})
    return sound


def test_what_went_well_passes() -> None:
    assert summed(outcome()).wrong == []


def _lost(bad: Outcome) -> None:
    bad.mailbox = bad.finished = Counter("1")
    bad.counts = LedgerCounts({("into", EntryState.DONE): 1}, {})


def _doubled(bad: Outcome) -> None:
    bad.mailbox = Counter("112")
    bad.counts = LedgerCounts({("into", EntryState.DONE): 3}, {})


def _never_handled(bad: Outcome) -> None:
    bad.finished = Counter("1")


def _finished_twice(bad: Outcome) -> None:
    bad.finished = Counter("112")


def _admitted_twice(bad: Outcome) -> None:
    bad.counts = LedgerCounts({("into", EntryState.DONE): 3}, {})


def _not_done(bad: Outcome) -> None:
    bad.counts = LedgerCounts({("into", EntryState.DONE): 1, ("into", EntryState.READY): 1}, {})


def _begun_too_often(bad: Outcome) -> None:
    bad.began = Counter("11122")


def _too_many_unknown(bad: Outcome) -> None:
    bad.dispatches = [*bad.dispatches[:2], dispatch("2", DeliveryState.UNKNOWN, Status.UNKNOWN)]


def _not_sent(bad: Outcome) -> None:
    bad.dispatches = [*bad.dispatches[:2], dispatch("2", DeliveryState.DEAD, Status.QUEUED)]


def _refused(bad: Outcome) -> None:
    bad.dispatches = [*bad.dispatches[:2], dispatch("2", status=Status.FAILED)]


def _not_in_the_ledger(bad: Outcome) -> None:
    bad.dispatches = bad.dispatches[:2]


def _twice_in_the_ledger(bad: Outcome) -> None:
    bad.dispatches = [*bad.dispatches, dispatch("2")]


def _from_nobody(bad: Outcome) -> None:
    bad.mailbox = bad.finished = Counter("127")
    bad.counts = LedgerCounts({("into", EntryState.DONE): 3}, {})


def _not_killed(bad: Outcome) -> None:
    bad.kills = 0


def _stuck(bad: Outcome) -> None:
    bad.stuck = "nothing has happened"


@pytest.mark.parametrize(
    ("breaks", "word"),
    [
        (_lost, "neither with the server nor unknown: 2"),
        (_doubled, "in the mailbox twice: 1"),
        (_never_handled, "never handled: 2"),
        (_finished_twice, "finished twice: 1"),
        (_admitted_twice, "3 events of 2 mails"),
        (_not_done, "1 events of 2 are done"),
        (_begun_too_often, "3 runs were begun again, more than 1"),
        (_too_many_unknown, "2 unknown, more than 1"),
        (_not_sent, "2 is dead/queued"),
        (_refused, "2 is closed/failed"),
        (_not_in_the_ledger, "not in the ledger: 2"),
        (_twice_in_the_ledger, "in the ledger twice"),
        (_from_nobody, "nobody sent: 7"),
        (_not_killed, "0 kills of 1"),
        (_stuck, "did not come to its end"),
    ],
)
def test_what_must_not_be_is_found(breaks: Callable[[Outcome], None], word: str) -> None:
    bad = outcome()
    breaks(bad)

    assert any(word in wrong for wrong in summed(bad).wrong), summed(bad).wrong
