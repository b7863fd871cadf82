"""Broken in ways that show only now and then: beside another message, after a failure, in another process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import anyio

from convergekit.abc import Health, Outgoing, Polled, Request
from convergekit.adapters.loopback import LoopbackAdapter, translator
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import (
    AccountError,
    DeliveryError,
    NotSentError,
    RejectedError,
    SignatureError,
    StoreError,
    UncertainError,
)
from convergekit.http import verify_hmac
from convergekit.model import Address, Attachment, Event, MessageReceived, Receipt, Status
from tests.testing.adapter.parcel import ParcelAdapter
from tests.testing.adapter.subjects import (
    LanternSubject,
    LoopbackSubject,
    ParcelSubject,
    PigeonSubject,
    TelegraphSubject,
    WebhookSubject,
    example,
    pigeons,
)
from tests.testing.adapter.telegraph import TelegraphAdapter

from .outgoing import saying
from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter
Lantern: Any = example("lantern").LanternAdapter
IGNORED: Any = anyio.TASK_STATUS_IGNORED


def changed(events: Sequence[Any], **changes: Any) -> list[Any]:
    return [event.model_copy(update=changes) if isinstance(event, MessageReceived) else event for event in events]


# Letter by letter


@breaks("text-whole", PigeonSubject)
class CutsBytes(Pigeon):
    """Cuts a text by its bytes, and so what is not ASCII earlier than it may."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.text.encode()[:500].decode("utf-8", "ignore")))


@breaks("text-whole", PigeonSubject)
class TidiesUp(Pigeon):
    """Makes one space of many."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, " ".join(out.text.split())))


@breaks("text-whole", PigeonSubject)
class EscapesForAPage(Pigeon):
    """Escapes a text for a page, and there is none."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, html.escape(out.text)))


@breaks("text-whole", WebhookSubject)
class FilesWithoutWords(WebhookAdapter):
    """Drops the text where there are files."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, "") if out.part.attachments else out)


@breaks("text-whole", WebhookSubject)
class SubjectForText(WebhookAdapter):
    """Takes the subject for the text."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.part.subject or out.text))


@breaks("says-what-came", TelegraphSubject)
class HearsAscii(TelegraphAdapter):
    """Drops letters of what comes in that are not ASCII."""

    def read_telegram(self, document: Any) -> Any:
        events = super().read_telegram(document)
        return [each.model_copy(update={"text": each.text.encode("ascii", "ignore").decode()}) for each in events]


@breaks("says-what-came", TelegraphSubject)
class HearsTheBeginning(TelegraphAdapter):
    """Cuts what comes in."""

    def read_telegram(self, document: Any) -> Any:
        events = super().read_telegram(document)
        return [each.model_copy(update={"text": each.text[:160]}) for each in events]


@breaks("says-what-came", TelegraphSubject)
class MakesUpTheTime(TelegraphAdapter):
    """Says that it was written when it was heard."""

    def read_telegram(self, document: Any) -> Any:
        return changed(super().read_telegram(document), at=self.context.clock.now())


# To whom, and beside what


@breaks("to-whom", PigeonSubject)
class RemembersTheFirst(Pigeon):
    """Sends everything to whoever was written to first."""

    first: Address | None = None

    async def send(self, out: Outgoing) -> Receipt:
        self.first = self.first or out.to
        return await super().send(replace(out, to=self.first))


@breaks("to-whom", PigeonSubject)
class KeepsARoundRobin(Pigeon):
    """Adds each recipient to a list, and names all of them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.readers: list[str] = []

    async def send(self, out: Outgoing) -> Receipt:
        self.readers.append(out.to.value)
        return await super().send(replace(out, native={"readers": self.readers, **(out.native or {})}))


@breaks("to-whom", LoopbackSubject)
class SendsToItself(LoopbackAdapter):
    """Sends everything to one address."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, to=Address("loopback:default")))


@breaks("many-at-once", PigeonSubject)
class OneAtATime(Pigeon):
    """Keeps the message that it sends in the instance, where the next one finds its place."""

    current: Outgoing

    async def send(self, out: Outgoing) -> Receipt:
        self.current = out
        await anyio.lowlevel.checkpoint()
        return await super().send(self.current)


@breaks("many-at-once", PigeonSubject)
class AnswersAnybody(Pigeon):
    """Gives each the answer that belongs to the one before."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.before: Receipt | DeliveryError | None = None

    async def send(self, out: Outgoing) -> Receipt:
        answer: Receipt | DeliveryError
        try:
            answer = await super().send(out)
        except DeliveryError as error:
            answer = error
        self.before, answer = answer, self.before or answer
        if isinstance(answer, DeliveryError):
            raise answer
        return answer


# After a failure


@breaks("usable-after-failure", PigeonSubject)
class StaysLocked(Pigeon):
    """Holds its lock for ever once something was refused."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lock = anyio.Semaphore(1)

    async def send(self, out: Outgoing) -> Receipt:
        await self.lock.acquire()
        try:
            receipt: Receipt = await super().send(out)
        except RejectedError:
            raise
        except BaseException:
            self.lock.release()
            raise
        self.lock.release()
        return receipt


@breaks("usable-after-failure", PigeonSubject)
class BreaksTheCircuit(Pigeon):
    """Sends nothing any more once the far side has failed."""

    is_broken = False

    async def send(self, out: Outgoing) -> Receipt:
        if self.is_broken:
            raise NotSentError("the circuit is open", channel=self.context.channel)
        try:
            return await super().send(out)
        except UncertainError:
            self.is_broken = True
            raise


@breaks("usable-after-failure", TelegraphSubject)
class GivesUpForGood(TelegraphAdapter):
    """Sends nothing any more once anything has gone wrong."""

    is_broken = False

    async def send(self, out: Outgoing) -> Receipt:
        if self.is_broken:
            raise RejectedError("it has failed before", code="0")
        try:
            return await super().send(out)
        except DeliveryError:
            self.is_broken = True
            raise


@breaks("offered-again", PigeonSubject)
class RemembersTooEarly(Pigeon):
    """Remembers an id before it is stored, and takes the second time for a repeat."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: set[str] = set()

    def parse(self, request: Request) -> Any:
        events = [event for event in super().parse(request) if event.key not in self.seen]
        self.seen.update(event.key for event in events)
        return events


@breaks("offered-again", LoopbackSubject)
class AcknowledgesWhatItHasSeen(LoopbackAdapter):
    """Remembers what it has seen, and acknowledges that, though it was never stored."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: set[str] = set()

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            event = translator.to_event_or_invalid(await self.medium.next_pushed())
            if event.key not in self.seen:
                self.seen.add(event.key)
                await self.context.admit(event)
            self.medium.acknowledge()


@breaks("lost-lease-ends-listening", LoopbackSubject)
class HoldsOn(LoopbackAdapter):
    """Takes a lease that is lost for a disk that is full, and waits for it."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            try:
                await self.context.admit(translator.to_event_or_invalid(said))
            except StoreError:
                await anyio.sleep(0.01)
                continue
            self.medium.acknowledge()


@breaks("one-attempt", PigeonSubject)
class TriesWhenItIsSilent(Pigeon):
    """Sends again when no answer has come in time."""

    async def send(self, out: Outgoing) -> Receipt:
        for _ in range(3):
            with anyio.move_on_after(5):
                receipt: Receipt = await super().send(out)
                return receipt
        raise UncertainError("no answer in time", channel=self.context.channel)


@breaks("cancellation-passes", TelegraphSubject)
class PollsOnAndOn(TelegraphAdapter):
    """Takes the end of a poll for an empty feed."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        try:
            return await super().poll(feed, cursor)
        except BaseException:
            return Polled((), cursor)


@breaks("cancellation-passes", TelegraphSubject)
class ProvesAnyway(TelegraphAdapter):
    """Goes on with a call that nobody waits for."""

    async def verify(self, request: Request) -> None:
        try:
            await anyio.lowlevel.checkpoint()
        except BaseException:
            self.context.log.debug("nobody waits")
        await super().verify(request)


@breaks("cancellation-passes", LanternSubject)
class RaisesNothing(Lantern):
    """Raises nothing in `check`, and not the cancellation either."""

    async def check(self) -> Health:
        try:
            async with self._connected():
                return Health(ok=True, detail="it lets us in")
        except BaseException:
            return Health(ok=False, detail="something is wrong")


@breaks("leaves-nothing", TelegraphSubject)
class LeavesATaskPerCall(TelegraphAdapter):
    """Starts a task for each call, and waits for none of them."""

    backends = frozenset({"asyncio"})

    def parse(self, request: Request) -> Any:
        self.task = asyncio.get_running_loop().create_task(asyncio.sleep(3600))
        return super().parse(request)


@breaks("check-in-words", LanternSubject)
class AllIsWell(Lantern):
    """Says that all is well, whatever it has found."""

    async def check(self) -> Health:
        try:
            async with self._connected():
                pass
        except DeliveryError:
            self.context.log.warning("strange")
        return Health(ok=True, detail="it lets us in")


# Elsewhere


@breaks("keys-stable", TelegraphSubject)
class KeyByHash(TelegraphAdapter):
    """Makes keys by `hash`, which is another one in each process."""

    def read_telegram(self, document: Any) -> Any:
        events = super().read_telegram(document)
        return changed(events, key=f"{hash(events[0].key):x}") if events else events


@breaks("keys-stable", TelegraphSubject)
class KeyByTime(TelegraphAdapter):
    """Has the time in its keys."""

    def read_telegram(self, document: Any) -> Any:
        events = super().read_telegram(document)
        return [each.model_copy(update={"key": f"{each.key} {self.context.clock.now()}"}) for each in events]


@breaks("keys-stable", TelegraphSubject)
class KeyBySession(TelegraphAdapter):
    """Has in its keys what only this instance knows."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.session = uuid4().hex

    def read_telegram(self, document: Any) -> Any:
        events = super().read_telegram(document)
        return [each.model_copy(update={"key": f"{self.session}-{each.key}"}) for each in events]


@breaks("keys-distinct", TelegraphSubject)
class KnowsNoCapitals(TelegraphAdapter):
    """Makes one of ids that differ in capitals."""

    def read_telegram(self, document: Any) -> Any:
        return [each.model_copy(update={"key": each.key.casefold()}) for each in super().read_telegram(document)]


@breaks("keys-distinct", TelegraphSubject)
class CutsIds(TelegraphAdapter):
    """Makes one of ids that begin alike."""

    def read_telegram(self, document: Any) -> Any:
        return [each.model_copy(update={"key": each.key[:64]}) for each in super().read_telegram(document)]


@breaks("same-key-once", WebhookSubject)
class OneKeyForAllParts(WebhookAdapter):
    """Takes the message's key for that of each part: the second part is a repeat of the first."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, key=out.key.partition("-")[0]))


@breaks("lanes-right", LoopbackSubject)
class ATaskForEach(LoopbackAdapter):
    """Offers each message in a task of its own: the ledger has them in any order."""

    async def listen(self, *, task_status: Any = IGNORED) -> None:
        self._log_in()
        task_status.started()
        pushed = self.medium._pushed
        async with anyio.create_task_group() as tasks:
            while True:
                tasks.start_soon(self._admit, translator.to_event_or_invalid(await self.medium.next_pushed()))
                pushed.popleft()

    async def _admit(self, event: Event) -> None:
        await self.context.admit(event)


@breaks("status-words", TelegraphSubject)
class DeliveredAtOnce(TelegraphAdapter):
    """Says that what was taken is delivered."""

    async def send(self, out: Outgoing) -> Receipt:
        return (await super().send(out)).model_copy(update={"status": Status.DELIVERED})


# Proof


@breaks("compares-in-constant-time", PigeonSubject)
class ComparesAtOnce(Pigeon):
    """Compares a signature as any two texts."""

    async def verify(self, request: Request) -> None:
        wanted = hmac.new(self.config.secret.get_secret_value().encode(), request.body, hashlib.sha256).hexdigest()
        if request.headers.get("pigeon-signature") != wanted:
            raise SignatureError("another signature")


def _is_the_secret(self: Any, call: Any, *, at: Any, secret: str) -> dict[str, str]:
    return {"pigeon-token": secret}


@breaks("compares-in-constant-time", PigeonSubject, sign=_is_the_secret)
class ComparesTheToken(Pigeon):
    """Compares the secret itself as any two texts."""

    async def verify(self, request: Request) -> None:
        if request.headers.get("pigeon-token") != self.config.secret.get_secret_value():
            raise SignatureError("another token")


@breaks("forged-refused", PigeonSubject)
class WritesItAnew(Pigeon):
    """Verifies what it has read, written anew, in place of the bytes that came."""

    async def verify(self, request: Request) -> None:
        try:
            body = json.dumps(json.loads(request.body)).encode()
        except (ValueError, RecursionError):
            raise SignatureError("no JSON") from None
        verify_hmac(body, request.headers.get("pigeon-signature"), [self.config.secret.get_secret_value().encode()])


@breaks("unsigned-refused", PigeonSubject)
class NothingToProve(Pigeon):
    """Lets a call through that has no body."""

    async def verify(self, request: Request) -> None:
        if request.body:
            await super().verify(request)


@breaks("verbs-callable", PigeonSubject)
class ReadsLater(Pigeon):
    """Has a `parse` that begins when somebody reads what it returned."""

    def parse(self, request: Request) -> Any:
        yield from super().parse(request)


# Showing


@breaks("no-secret-logged", PigeonSubject)
class PrintsTheToken(Pigeon):
    """Prints the token."""

    async def send(self, out: Outgoing) -> Receipt:
        print("sending with", self.config.token.get_secret_value())
        return await super().send(out)


@breaks("no-content-logged", PigeonSubject)
class PrintsTheText(Pigeon):
    """Prints what it sends."""

    async def send(self, out: Outgoing) -> Receipt:
        print("sending", out.text)
        return await super().send(out)


@breaks("no-secret-shown", TelegraphSubject)
class TokenInTheArchive(TelegraphAdapter):
    """Has the token in the URL of a file that came in, and so in the archive."""

    def read_telegram(self, document: Any) -> Any:
        url = f"https://far.example/{self.config.token.get_secret_value()}/file.png"
        return changed(super().read_telegram(document), attachments=(Attachment(url=url),))


# Polls, clocks and classes


@breaks("poll-tells-failure", TelegraphSubject)
class NothingNew(TelegraphAdapter):
    """Takes a poll that failed for one that found nothing."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        try:
            return await super().poll(feed, cursor)
        except DeliveryError:
            self.context.log.warning("nothing came, so nothing is new")
            return Polled((), cursor)


@breaks("poll-tells-failure", TelegraphSubject)
class PollsOnWithAWrongPassword(TelegraphAdapter):
    """Takes a refused account for a far side that is away."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        try:
            return await super().poll(feed, cursor)
        except AccountError as error:
            raise NotSentError(error.reason, channel=self.context.channel) from None


@breaks("goes-by-our-clock", TelegraphSubject)
class HasAWatch(TelegraphAdapter):
    """Goes by the machine's clock."""

    async def poll(self, feed: str, cursor: Any) -> Polled:
        self.polled_at = time.time()
        return await super().poll(feed, cursor)


@breaks("goes-by-our-clock", PigeonSubject)
class DatesByTheMachine(Pigeon):
    """Dates what it sends by the machine's clock."""

    async def send(self, out: Outgoing) -> Receipt:
        at = datetime.now(UTC).isoformat()
        return await super().send(replace(out, native={"at": at, **(out.native or {})}))


@breaks("channels-apart", PigeonSubject)
class SharesWhatItHasSeen(Pigeon):
    """Remembers in the class what it has seen: what two channels have the same id for comes once."""

    seen: set[tuple[int, str]] = set()  # noqa: RUF012

    def parse(self, request: Request) -> Any:
        seen = {(id(self.context.clock), event.key) for event in super().parse(request)}
        events = super().parse(request) if not seen <= self.seen else []
        self.seen.update(seen)
        return events


@breaks("usable-after-failure", ParcelSubject)
class StaysWithTheLost(ParcelAdapter):
    """Keeps a connection that is lost."""

    async def _linked(self) -> Any:
        return self._link or await super()._linked()
