"""Ledger, mailbox and record, compared: issue 5, "Must hold"."""

from __future__ import annotations

from convergekit.abc import EntryState
from convergekit.model import Delivery, DeliveryState, Status
from tests.torture.sums import Sums

from .driver import Outcome

__all__ = ["summed"]


def summed(outcome: Outcome) -> Sums:
    """Every sum."""
    sums, torture = Sums(), outcome.torture
    sums.expect(not outcome.stuck, f"it did not come to its end: {outcome.stuck}")
    sums.expect(outcome.kills == torture.kills, f"{outcome.kills} kills of {torture.kills} took place")
    _out(outcome, sums)
    _into(outcome, sums)
    sums.figures |= {
        "seed": torture.seed,
        "kills": outcome.kills,
        "before the worker was ready": outcome.young,
        "seconds": round(outcome.seconds, 1),
    }
    return sums


def _out(outcome: Outcome, sums: Sums) -> None:
    keys = {str(number) for number in range(outcome.torture.messages)}
    ledger = {str(each.message.subject): each.deliveries[0] for each in outcome.dispatches}
    sums.none("messages are in the ledger twice", range(len(outcome.dispatches) - len(ledger)))
    sums.none("messages are not in the ledger", sorted(keys - ledger.keys()))
    sums.none("mails that nobody sent", sorted(outcome.mailbox.keys() - keys))
    sums.none("mails are in the mailbox twice", (what for what, number in outcome.mailbox.items() if number > 1))
    unknown = {what for what, delivery in ledger.items() if delivery.state is DeliveryState.UNKNOWN}
    wrong = ((what, each) for what, each in ledger.items() if what not in unknown and not _is_taken(each))
    sums.none(
        "messages stand where they should not",
        (f"{what} is {each.state.value}/{each.status.value}" for what, each in wrong),
    )
    sums.none(
        "messages are neither with the server nor unknown", sorted(ledger.keys() - unknown - outcome.mailbox.keys())
    )
    limit = outcome.kills * outcome.torture.sends
    sums.expect(len(unknown) <= limit, f"{len(unknown)} unknown, more than {limit}")
    sums.figures |= {
        "messages": len(ledger),
        "in the mailbox": len(outcome.mailbox),
        "unknown": len(unknown),
        "unknown at most": limit,
        "unknown, and in the mailbox": len(unknown & outcome.mailbox.keys()),
    }


def _is_taken(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.CLOSED and Status.ACCEPTED <= delivery.status != Status.FAILED


def _into(outcome: Outcome, sums: Sums) -> None:
    entries = {state: number for (channel, state), number in outcome.counts.entries.items() if channel == "into"}
    sums.none("mails never handled", sorted(outcome.mailbox.keys() - outcome.finished.keys()))
    sums.none("mails handled that are not there", sorted(outcome.finished.keys() - outcome.mailbox.keys()))
    sums.none("mails finished twice", (what for what, number in outcome.finished.items() if number > 1))
    # Each mail has an event, for its handler has finished; so where there are as many as mails, each has one.
    admitted = sum(entries.values())
    sums.expect(admitted == len(outcome.mailbox), f"{admitted} events of {len(outcome.mailbox)} mails")
    done = entries.get(EntryState.DONE, 0)
    sums.expect(done == admitted, f"{done} events of {admitted} are done")
    again = outcome.began.total() - len(outcome.began)
    limit = outcome.kills * outcome.torture.handlers
    sums.expect(again <= limit, f"{again} runs were begun again, more than {limit}")
    sums.figures |= {
        "events": admitted,
        "runs begun again": again,
        "runs begun again at most": limit,
        "runs that ended twice": outcome.ended.total() - len(outcome.ended),
    }
