"""What became of a message, as the medium tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convergekit.abc import Outgoing
from convergekit.errors import InvalidInputError
from convergekit.model import Event, Receipt, ReceiptReceived, Status
from tests.testing.adapter.subjects import TelegraphSubject
from tests.testing.adapter.telegraph import WORDS, TelegraphAdapter

from .registry import breaks


def _changed(events: Sequence[Any], **changes: Any) -> list[Any]:
    return [event.model_copy(update=changes) for event in events]


def _report(document: Mapping[str, Any], status: Status) -> list[Event]:
    id, word = document["id"], document["word"]
    return [ReceiptReceived(key=f"{id}:{word}", receipt=Receipt(status, ids=(id,)), native=document)]


@breaks("status-words", TelegraphSubject)
class SentIsDelivered(TelegraphAdapter):
    """Takes what was sent for delivered."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        if document["word"] == "wired":
            return _report(document, Status.DELIVERED)
        return super().read_report(document)


@breaks("status-words", TelegraphSubject)
class NewsFromNothing(TelegraphAdapter):
    """Takes a word that is no news for one."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        if document["word"] == "on the desk":
            return _report(document, Status.ACCEPTED)
        return super().read_report(document)


@breaks("status-words", TelegraphSubject)
class ReportsNothingInParticular(TelegraphAdapter):
    """Does not say which message a report is about."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        events: Any = super().read_report(document)
        return [
            event.model_copy(update={"receipt": event.receipt.model_copy(update={"ids": (f"<{document['id']}>",)})})
            for event in events
        ]


@breaks("reports-in-any-order", TelegraphSubject)
class OneReportForEach(TelegraphAdapter):
    """Takes the id of the message for the key of its reports: the second is taken for a repeat."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        return _changed(super().read_report(document), key=document["id"])


@breaks("reports-in-any-order", TelegraphSubject)
class CountsReports(TelegraphAdapter):
    """Gives each report a number of its own for a key."""

    number = 0

    def read_report(self, document: Mapping[str, Any]) -> Any:
        self.number += 1
        return _changed(super().read_report(document), key=f"report-{self.number}")


@breaks("reports-in-any-order", TelegraphSubject)
class ExpectsTheOrder(TelegraphAdapter):
    """Does not believe that a message arrives before it was sent."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.last: dict[str, Status] = {}

    def read_report(self, document: Mapping[str, Any]) -> Any:
        events: Any = super().read_report(document)
        for event in events:
            before, now = self.last.get(document["id"], Status.QUEUED), event.receipt.status
            if before is Status.FAILED or (now is Status.DELIVERED and before is Status.QUEUED):
                return []
            self.last[document["id"]] = now
        return events


@breaks("reports-in-any-order", TelegraphSubject)
class KnowsOnlyItsOwn(TelegraphAdapter):
    """Drops reports of what this instance has not sent: early ones, and all after a restart."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent: set[str] = set()

    async def send(self, out: Outgoing) -> Receipt:
        receipt = await super().send(out)
        self.sent.update(receipt.ids)
        return receipt

    def read_report(self, document: Mapping[str, Any]) -> Any:
        return super().read_report(document) if document["id"] in self.sent or document["word"] not in WORDS else []


@breaks("unknown-word-noted", TelegraphSubject)
class RaisesOnAWord(TelegraphAdapter):
    """Raises for a status word that it does not know."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        if isinstance(document["word"], str) and document["word"] not in WORDS:
            raise InvalidInputError("an unknown word")
        return super().read_report(document)


@breaks("unknown-word-noted", TelegraphSubject)
class Guesses(TelegraphAdapter):
    """Takes a status word that it does not know for a failure."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        if document["word"] not in WORDS:
            return _report(document, Status.FAILED)
        return super().read_report(document)


@breaks("unknown-word-noted", TelegraphSubject)
class PassesOverAWord(TelegraphAdapter):
    """Drops a status word that it does not know in silence."""

    def read_report(self, document: Mapping[str, Any]) -> Any:
        return super().read_report(document) if document["word"] in WORDS else []
