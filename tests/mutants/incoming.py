"""What comes in: by webhook, by poll, on a connection, and reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import anyio

from convergekit.abc import Admission, Outgoing, Polled, Request, Response
from convergekit.adapters.loopback import LoopbackAdapter, translator
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import InvalidInputError, SignatureError, StoreError
from convergekit.http import hmac_signature, verify_hmac
from convergekit.model import Address, Event, MessageReceived, Receipt, ReceiptReceived, Status
from convergekit.testing.adapter import Call
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, TelegraphSubject, WebhookSubject, pigeons
from tests.testing.adapter.telegraph import WORDS, TelegraphAdapter

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter


def _changed(events: Sequence[Any], **changes: Any) -> list[Any]:
    return [event.model_copy(update=changes) for event in events]


# Events


@breaks("says-what-came", PigeonSubject)
class FromTheLoft(Pigeon):
    """Says that a message is from the provider, and not from who wrote it."""

    def parse(self, request: Request) -> Any:
        return _changed(super().parse(request), sender=Address("pigeon:loft"), lane=json.loads(request.body)["from"])


@breaks("says-what-came", LoopbackSubject)
class AnswersInPrivate(LoopbackAdapter):
    """Forgets in which room something was said."""

    def parse(self, request: Request) -> Any:
        return _changed(super().parse(request), conversation=None)


@breaks("keys-scoped-by-sender", TelegraphSubject)
class KeyOfPeer(TelegraphAdapter):
    """Reuses a peer's id as the key."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return _changed(super().read_telegram(document), key=document["number"])


@breaks("keys-stable", TelegraphSubject)
class KeyOfPlace(TelegraphAdapter):
    """Takes the place in the feed for the key: what is delivered again stands at another one."""

    def read_item(self, item: Any) -> Any:
        events = super().read_item(item)
        key = f"serial-{item['serial']}"
        return [_changed([each], key=key)[0] if isinstance(each, MessageReceived) else each for each in events]


@breaks("lanes-right", PigeonSubject)
class LaneOfItsOwn(Pigeon):
    """Puts each message into a lane of its own."""

    def parse(self, request: Request) -> Any:
        events = super().parse(request)
        return _changed(events, lane=events[0].key)


@breaks("lanes-right", LoopbackSubject)
class NewestFirst(LoopbackAdapter):
    """Hands a page of the feed over as it stands there: the newest first."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, cursor)
        return Polled(polled.events[::-1], polled.cursor, polled.more)


@breaks("original-kept", PigeonSubject)
class KeepsWhatItKnows(Pigeon):
    """Keeps of the original what it has understood."""

    def parse(self, request: Request) -> Any:
        events = super().parse(request)
        return _changed(events, native={"from": events[0].sender.value, "text": events[0].text})


@breaks("original-kept", TelegraphSubject)
class UsesUpTheOriginal(TelegraphAdapter):
    """Takes the original apart while it reads it."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        events = super().read_telegram(document)
        document.pop("from")  # type: ignore[attr-defined]
        return events


@breaks("own-messages-ignored", TelegraphSubject)
class HearsItself(TelegraphAdapter):
    """Takes a copy of what it sent for a message."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return super().read_telegram({**document, "from": "someone"} if document["from"] == "us" else document)


@breaks("own-messages-ignored", TelegraphSubject)
class KnowsItsOwnWords(TelegraphAdapter):
    """Drops what it sent by its words, and so whoever answers in the same ones."""

    async def send(self, out: Outgoing) -> Receipt:
        receipt = await super().send(out)
        _, version = await self.context.state.get(out.text)
        await self.context.state.put(out.text, True, version=version)
        return receipt

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, cursor)
        events = [
            each for each in polled.events if (await self.context.state.get(getattr(each, "text", "")))[0] is None
        ]
        return Polled(events, polled.cursor, polled.more)


# A connection


@breaks("no-ack-without-admit", LoopbackSubject)
class AcknowledgesAnyway(LoopbackAdapter):
    """Acknowledges also what could not be stored."""

    async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            try:
                await self.context.admit(translator.to_event_or_invalid(said))
            except StoreError:
                self.context.log.warning("not stored")
            self.medium.acknowledge()


@breaks("nonsense-does-not-stop", LoopbackSubject)
class StopsAtNonsense(LoopbackAdapter):
    """Ends hearing when something makes no sense."""

    async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            await self.context.admit(translator.to_event(await self.medium.next_pushed()))
            self.medium.acknowledge()


@breaks("nonsense-noted", LoopbackSubject)
class SwallowsNonsense(LoopbackAdapter):
    """Drops in silence what makes no sense."""

    async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            with suppress(InvalidInputError):
                await self.context.admit(translator.to_event(said))
            self.medium.acknowledge()


# Feeds


@breaks("nonsense-does-not-stop", TelegraphSubject)
class PollsNoFurther(TelegraphAdapter):
    """Cannot poll past something that makes no sense."""

    def read_item(self, item: Any) -> Any:
        return self.read(item["document"])


@breaks("poll-repeats-until-stored", TelegraphSubject)
class AdvancesFirst(TelegraphAdapter):
    """Advances its own cursor before admission."""

    after = 0

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, max(cursor or 0, self.after))
        self.after = polled.cursor
        return polled


@breaks("poll-repeats-until-stored", LoopbackSubject)
class DeletesWhatItRead(LoopbackAdapter):
    """Deletes at the medium what it has read, before it is stored."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, None)
        del self.medium._feed[: polled.cursor]
        return Polled(polled.events, (cursor or 0) + polled.cursor, polled.more)


@breaks("poll-goes-on", LoopbackSubject)
class SkipsOne(LoopbackAdapter):
    """Polls on from one too far."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, cursor)
        return Polled(polled.events, polled.cursor + bool(polled.events), polled.more)


@breaks("poll-goes-on", LoopbackSubject)
class SkipsPages(LoopbackAdapter):
    """Reads one page, and goes on from the end of the feed."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, cursor)
        return Polled(polled.events, self.medium.size)


@breaks("poll-goes-on", TelegraphSubject)
class RemembersPlaces(TelegraphAdapter):
    """Has a cursor that means something to this instance alone."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.places: list[int] = []

    async def poll(self, feed: str, cursor: Any) -> Polled:
        place = 0 if cursor is None else self.places[cursor] if cursor < len(self.places) else 10**6
        polled = await super().poll(feed, place)
        self.places.append(polled.cursor)
        return Polled(polled.events, len(self.places) - 1, polled.more)


@breaks("poll-goes-on", TelegraphSubject)
class CursorOfItsOwn(TelegraphAdapter):
    """Has a cursor that is no JSON."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled = await super().poll(feed, cursor and int(cursor))
        return Polled(polled.events, str(polled.cursor).encode(), polled.more)


# Signatures


@breaks("forged-refused", PigeonSubject)
class ComparesTheBeginning(Pigeon):
    """Compares the beginning of a signature only."""

    async def verify(self, request: Request) -> None:
        wanted = hmac_signature(self.config.secret.get_secret_value().encode(), request.body).decode()
        if not request.headers.get("pigeon-signature", "").startswith(wanted[:16]):
            raise SignatureError("another signature")


@breaks("forged-refused", PigeonSubject)
class ComparesTheEnd(Pigeon):
    """Compares the end of a signature only."""

    async def verify(self, request: Request) -> None:
        wanted = hmac_signature(self.config.secret.get_secret_value().encode(), request.body).decode()
        if request.headers.get("pigeon-signature", "")[-16:] != wanted[-16:]:
            raise SignatureError("another signature")


@breaks("forged-refused", PigeonSubject)
class ComparesWhatIsThere(Pigeon):
    """Compares as much of a signature as there is."""

    async def verify(self, request: Request) -> None:
        given = request.headers.get("pigeon-signature")
        wanted = hmac_signature(self.config.secret.get_secret_value().encode(), request.body).decode()
        if given is None or not wanted.startswith(given):
            raise SignatureError("another signature")


def _signs_the_time_only(self: Any, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
    time = str(int(at.timestamp()))
    return {"telegraph-time": time, "telegraph-signature": hmac_signature(secret.encode(), time.encode()).decode()}


@breaks("forged-refused", TelegraphSubject, sign=_signs_the_time_only)
class BelievesAnyBody(TelegraphAdapter):
    """Verifies a signature that does not cover the body."""

    async def verify(self, request: Request) -> None:
        time = request.headers.get("telegraph-time", "")
        secrets = [secret.get_secret_value().encode() for secret in self.config.secrets]
        verify_hmac(time.encode(), request.headers.get("telegraph-signature"), secrets)
        if abs(self.context.clock.now().timestamp() - int(time)) > 300:
            raise SignatureError("too old")


@breaks("stale-refused", WebhookSubject)
class HasTime(WebhookAdapter):
    """Accepts an old timestamp."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._verifies.tolerance = 10.0**9


def _signs_the_body_only(self: Any, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
    signature = hmac_signature(secret.encode(), call.body).decode()
    return {"telegraph-time": str(int(at.timestamp())), "telegraph-signature": signature}


@breaks("stale-refused", TelegraphSubject, sign=_signs_the_body_only)
class BelievesAnyTime(TelegraphAdapter):
    """Looks at a time that nobody has signed."""

    async def verify(self, request: Request) -> None:
        time = request.headers.get("telegraph-time", "")
        secrets = [secret.get_secret_value().encode() for secret in self.config.secrets]
        verify_hmac(request.body, request.headers.get("telegraph-signature"), secrets)
        if not time.isdecimal() or len(time) > 12 or abs(self.context.clock.now().timestamp() - int(time)) > 300:
            raise SignatureError("too old")


@breaks("rotation", TelegraphSubject)
class KnowsOneSecret(TelegraphAdapter):
    """Knows the newest secret only."""

    async def verify(self, request: Request) -> None:
        config = self.config
        self.config = config.model_copy(update={"secrets": config.secrets[:1]})
        await super().verify(request)


@breaks("verify-raises-one-error", PigeonSubject)
class DecodesTheSignature(Pigeon):
    """Lets a ValueError out when a signature is not hexadecimal."""

    async def verify(self, request: Request) -> None:
        bytes.fromhex(request.headers.get("pigeon-signature", ""))
        await super().verify(request)


@breaks("verify-raises-one-error", TelegraphSubject)
class TrustsDigits(TelegraphAdapter):
    """Takes for a number what `isdigit` says is one."""

    async def verify(self, request: Request) -> None:
        if request.headers.get("telegraph-time", "").isdigit():
            datetime.fromtimestamp(int(request.headers["telegraph-time"]))  # noqa: DTZ006
        await super().verify(request)


@breaks("verify-raises-one-error", PigeonSubject)
class LooksUpTheSender(Pigeon):
    """Looks into the body for whose secret it is, and fails where there is nobody."""

    async def verify(self, request: Request) -> None:
        with suppress(ValueError, RecursionError):
            self.context.log.debug("from %s", json.loads(request.body)["from"])
        await super().verify(request)


@breaks("replay-once", PigeonSubject)
class ConflictsWithItself(Pigeon):
    """Answers a repeated call with an error."""

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        return Response(409 if Admission.DUPLICATE in admitted else 204)


# What a call says


@breaks("probe-answered", TelegraphSubject)
class KnowsNoProbe(TelegraphAdapter):
    """Does not answer a probe."""

    def challenge(self, request: Request) -> Response | None:
        return None


@breaks("probe-answered", PigeonSubject)
class TakesAnythingForAProbe(Pigeon):
    """Answers whatever comes before it has verified it."""

    def challenge(self, request: Request) -> Response | None:
        return Response(200, b"hello") if b"from" in request.body else None


@breaks("probe-answered", PigeonSubject)
class LooksForAProbe(Pigeon):
    """Fails where it looks for a probe in something that is no document."""

    def challenge(self, request: Request) -> Response | None:
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            return None
        return Response(200, document["challenge"].encode()) if document.get("type") == "probe" else None


@breaks("oversized-refused", PigeonSubject)
class ReadsBeforeItBelieves(Pigeon):
    """Parses the body of a call that nobody has signed."""

    async def verify(self, request: Request) -> None:
        try:
            document = json.loads(request.body)
        except ValueError:
            raise SignatureError("this is not JSON") from None
        if not document:
            raise SignatureError("there is nothing in it")
        await super().verify(request)


@breaks("nonsense-is-invalid-input", PigeonSubject)
class RaisesValueError(Pigeon):
    """Raises ValueError for a body that makes no sense."""

    def parse(self, request: Request) -> Any:
        try:
            return super().parse(request)
        except InvalidInputError as error:
            raise ValueError("no note") from error


@breaks("nonsense-is-invalid-input", TelegraphSubject)
class TrustsTypes(TelegraphAdapter):
    """Believes that each field is of the type that the documents say."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        try:
            return super().read_telegram({**document, "text": document["text"].strip()})
        except AttributeError as error:
            raise RuntimeError("no text") from error


@breaks("nonsense-is-invalid-input", PigeonSubject)
class SaysThatAllIsWell(Pigeon):
    """Swallows in silence a call that makes no sense."""

    def parse(self, request: Request) -> Any:
        try:
            return super().parse(request)
        except InvalidInputError:
            return []


# Reports


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
