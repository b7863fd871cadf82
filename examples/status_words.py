"""What a medium says of our messages, and what that is evidence of: a table, and a function beside it."""

from collections.abc import Mapping
from typing import Any, Final

from convergekit.model import (
    CustomReceived,
    Event,
    Evidence,
    Failure,
    FailureKind,
    Receipt,
    ReceiptReceived,
    Status,
    fold,
)

# [table]
#: The loft's words (its documents, chapter 4) and what they prove.
WORDS: Final[Mapping[str, Evidence]] = {
    "noted": Evidence(Status.ACCEPTED),
    "flying": Evidence(Status.SENT),  # it has left the loft, and nothing more
    "handed on": Evidence(Status.RELAYED),  # to another loft, which does not report
    "landed": Evidence(Status.DELIVERED),
    "read": Evidence(Status.READ),
    "no such roof": Evidence(Status.FAILED, FailureKind.INVALID_ADDRESS),
    "hawk": Evidence(Status.FAILED, FailureKind.UNREACHABLE),
    "too late": Evidence(Status.FAILED, FailureKind.EXPIRED),
}
# [table end]


# [report]
def to_event(report: Mapping[str, Any]) -> Event:
    """The report that came in; one in a word that we do not know is kept, and changes nothing."""
    id, word = report["id"], report["state"]
    key = f"{id}:{word}"  # the loft repeats a report until we have answered
    evidence = WORDS.get(word)
    if evidence is None:
        return CustomReceived(key=key, name="pigeon.state", data=word, native=report)
    failed = evidence.status is Status.FAILED
    receipt = Receipt(
        evidence.status,
        ids=(id,),  # what `send` put into its own receipt
        occurred_at=report["at"],
        failure=Failure(kind=evidence.kind, code=word) if failed else None,
        native=report,
    )
    return ReceiptReceived(key=key, receipt=receipt)


# [report end]


def main() -> None:
    """The same reports, in an order that they came in, and in another."""
    reports = [
        {"id": "n1", "state": word, "at": "2026-01-01T12:00:00Z"} for word in ("flying", "hawk", "read", "molting")
    ]
    events = [to_event(report) for report in reports]
    receipts = [event.receipt for event in events if isinstance(event, ReceiptReceived)]
    # [fold]
    for order in (receipts, [*reversed(receipts), *receipts]):
        known = fold(order).whole
        print(known.status, "disputed" if known.disputed else "")
    # [fold end]
    print(*(f"not known: {event.data}" for event in events if isinstance(event, CustomReceived)))


if __name__ == "__main__":
    main()
