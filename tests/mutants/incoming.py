"""What comes in: events, a connection, feeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio

from convergekit.abc import Outgoing, Polled, Request
from convergekit.adapters.loopback import LoopbackAdapter, translator
from convergekit.errors import InvalidInputError, StoreError
from convergekit.model import Address, MessageReceived, Receipt
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, TelegraphSubject, pigeons
from tests.testing.adapter.telegraph import TelegraphAdapter

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter


def _changed(events: Sequence[Any], **changes: Any) -> list[Any]:
    return [event.model_copy(update=changes) for event in events]


# Events


@breaks("keys-distinct", PigeonSubject)
class KeyOfText(Pigeon):
    """Takes the text of a message for its key."""

    def parse(self, request: Request) -> Any:
        return [event.model_copy(update={"key": event.text}) for event in super().parse(request)]


@breaks("lanes-right", PigeonSubject)
class OneLane(Pigeon):
    """Puts everybody into one lane."""

    def parse(self, request: Request) -> Any:
        return [event.model_copy(update={"lane": "all"}) for event in super().parse(request)]


@breaks("keys-stable", PigeonSubject)
class CountsMessages(Pigeon):
    """Gives each message a number of its own for a key."""

    number = 0

    def parse(self, request: Request) -> Any:
        events: list[MessageReceived] = super().parse(request)
        self.number += 1
        return [event.model_copy(update={"key": f"{event.key}-{self.number}"}) for event in events]


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

    @property
    def words(self) -> set[str]:
        """Somewhere where they outlive the instance."""
        kept: set[str] = vars(self.context.parts["wire"]).setdefault("words", set())
        return kept

    async def send(self, out: Outgoing) -> Receipt:
        receipt = await super().send(out)
        self.words.add(out.text)
        return receipt

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return [] if document["text"] in self.words else super().read_telegram(document)


# What is read in one place is broken by every way in


@breaks("says-what-came", TelegraphSubject)
class FromTheOffice(TelegraphAdapter):
    """Says that a telegram is from the office, and not from who wrote it."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return _changed(super().read_telegram(document), sender=Address("telegraph:office"))


@breaks("original-kept", TelegraphSubject)
class KeepsTheWords(TelegraphAdapter):
    """Keeps the text of the original."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return _changed(super().read_telegram(document), native={"text": document["text"]})


@breaks("keys-stable", TelegraphSubject)
class CountsTelegrams(TelegraphAdapter):
    """Gives each telegram a number of its own for a key."""

    number = 0

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        self.number += 1
        return _changed(super().read_telegram(document), key=f"telegram-{self.number}")


@breaks("keys-distinct", TelegraphSubject)
class KeyOfWords(TelegraphAdapter):
    """Takes the words of a telegram for its key."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return _changed(super().read_telegram(document), key=document["text"])


@breaks("lanes-right", TelegraphSubject)
class OneOffice(TelegraphAdapter):
    """Puts all that comes from one office into one lane."""

    def read_telegram(self, document: Mapping[str, Any]) -> Any:
        return _changed(super().read_telegram(document), lane="office")


@breaks("nonsense-noted", TelegraphSubject)
class DropsTheRest(TelegraphAdapter):
    """Drops in silence what it cannot read."""

    def read_or_keep(self, document: Any, *, key: str) -> Any:
        with suppress(InvalidInputError):
            return self.read(document)
        return []


# A connection


@breaks("ack-after-admit", LoopbackSubject)
class AcknowledgesFirst(LoopbackAdapter):
    """Acknowledges before admission."""

    async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            self.medium.acknowledge()
            await self.context.admit(translator.to_event_or_invalid(said))


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


@breaks("lanes-right", LoopbackSubject)
class NewestOfAll(LoopbackAdapter):
    """Takes what is new before what has waited."""

    async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        self._log_in()
        task_status.started()
        while True:
            waiting = [await self.medium.next_pushed()]
            self.medium.acknowledge()
            with anyio.move_on_after(1):  # on a machine that is busy, the second comes late
                waiting.append(await self.medium.next_pushed())
                self.medium.acknowledge()
            for said in reversed(waiting):
                await self.context.admit(translator.to_event_or_invalid(said))


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
