"""Broken in what goes out."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import httpx

from convergekit.abc import Outgoing, Reconciliation
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import DeliveryError, NotSentError, RejectedError, UncertainError, UnsupportedContentError
from convergekit.http import error_for, outcome_for, parse_retry_after
from convergekit.model import Address, Attachment, Capabilities, ConversationRef, Event, Receipt, Status
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, WebhookSubject, pigeons

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter


def saying(out: Outgoing, text: str) -> Outgoing:
    """*out* with another text."""
    return replace(out, part=out.part.model_copy(update={"text": text}))


def with_files(out: Outgoing, files: Sequence[Attachment]) -> Outgoing:
    """*out* with other attachments."""
    return replace(out, part=out.part.model_copy(update={"attachments": tuple(files)}))


def written(out: Outgoing, **fields: Any) -> Outgoing:
    """*out* as if its message had been written in another way."""
    return replace(out, message=out.message.model_copy(update=fields))


# Text


@breaks("text-whole", PigeonSubject)
class Truncates(Pigeon):
    """Truncates a text."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.text[:200]))


@breaks("text-whole", PigeonSubject)
class FirstLine(Pigeon):
    """Sends the first line of a text."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.text.split("\n")[0]))


@breaks("text-whole", PigeonSubject)
class Strips(Pigeon):
    """Removes what looks like markup."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.text.replace("<", "").replace(">", "")))


@breaks("unsupported-refused", PigeonSubject)
class AsksForAscii(Pigeon):
    """Puts question marks in place of letters that it does not know."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.text.encode("ascii", "replace").decode()))


@breaks("unsupported-refused", PigeonSubject)
class ForgetsNative(Pigeon):
    """Drops what was written for it alone."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, native=None))


@breaks("unsupported-refused", PigeonSubject)
class RefusesTooLate(Pigeon):
    """Says that it cannot carry what it has just sent."""

    async def send(self, out: Outgoing) -> Receipt:
        receipt: Receipt = await super().send(out)
        if out.native is not None:
            raise UnsupportedContentError("a note has no native fields")
        return receipt


@breaks("parts-in-order", PigeonSubject)
class WholeMessageEachTime(Pigeon):
    """Sends the message where it was handed a part of it."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, out.message.text or out.text))


@breaks("parts-in-order", PigeonSubject)
class FirstPartOnly(Pigeon):
    """Takes every part but the first, and sends none of them."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(out) if out.index == 0 else Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("hostile-text-harmless", PigeonSubject)
class TextInHeader(Pigeon):
    """Writes the text into a header as it is, with a client of its own."""

    def header(self, out: Outgoing) -> str:
        return out.text

    async def send(self, out: Outgoing) -> Receipt:
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}", "pigeon-note": self.header(out)}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        note = {"id": out.key, "to": out.to.value, "text": out.text, **(out.native or {})}
        out.started()
        try:
            request = httpx.Request("POST", self.config.url, headers=pairs, json=note)
            response = await self.context.parts["transport"].handle_async_request(request)
        except httpx.ConnectError as exc:
            raise NotSentError("no connection") from exc
        except httpx.TransportError as exc:
            raise UncertainError("the answer is lost") from exc
        wait = parse_retry_after(response.headers.get("retry-after"), self.context.clock.now())
        outcome = outcome_for(response.status_code, retry_after=wait)
        error = error_for(outcome, "refused", code=str(response.status_code), retry_after=wait)
        if error is not None:
            raise error
        return Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("hostile-text-harmless", PigeonSubject)
class AddressInHeader(TextInHeader):
    """Writes the address into a header, with what is escaped in it."""

    def header(self, out: Outgoing) -> str:
        return unquote(out.to.value)


@breaks("hostile-text-harmless", PigeonSubject)
class EndsAtControls(Pigeon):
    """Takes a control character for the end of the text, as C does."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(saying(out, re.split(r"[\x00-\x08\x7f]", out.text)[0]))


class RawSubject(PigeonSubject):
    """A loft that takes notes in any form, several in one call, with a blank line between two."""

    def accept(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(202)

    def received(self) -> Sequence[bytes]:
        return [note for call in super().received() for note in call.split(b"\r\n\r\n")[1:]]


class Raw(Pigeon):
    """Writes the text as it is into a form that has marks."""

    form: str

    async def send(self, out: Outgoing) -> Receipt:
        content = (self.form % out.text).encode()
        headers = {"authorization": f"Bearer {self.config.token.get_secret_value()}"}
        await self.context.http.request("POST", self.config.url, out=out, content=content, headers=headers)
        return Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("hostile-text-harmless", RawSubject)
class TextInBatch(Raw):
    """Puts notes behind each other, whatever is in them."""

    form = "%s"


@breaks("hostile-text-harmless", RawSubject)
class TextInXml(Raw):
    """Makes XML without an XML library."""

    form = "<note><body>%s</body></note>"


@breaks("input-untouched", PigeonSubject)
class MarksItsInput(Pigeon):
    """Writes into the headers of the message that it was given."""

    async def send(self, out: Outgoing) -> Receipt:
        out.message.headers["X-Sent-By"] = "pigeon"
        return await super().send(out)


@breaks("input-untouched", WebhookSubject)
class EatsNative(WebhookAdapter):
    """Takes out of `native` what it has used."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        finally:
            if out.native is not None:
                out.native.clear()


# Files, and what is declared


@breaks("attachments-whole", WebhookSubject)
class LosesFiles(WebhookAdapter):
    """Loses every attachment but the first."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(with_files(out, out.part.attachments[:1]))


@breaks("attachments-whole", WebhookSubject)
class CutsFiles(WebhookAdapter):
    """Cuts an attachment."""

    async def send(self, out: Outgoing) -> Receipt:
        files = [Attachment(data=(await self.context.read(each))[:1000]) for each in out.part.attachments]
        return await super().send(with_files(out, files))


@breaks("attachments-whole", WebhookSubject)
class OnlySmallFiles(WebhookAdapter):
    """Loses attachments that the store keeps, since they are large."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(with_files(out, [each for each in out.part.attachments if each.claim is None]))


@breaks("unsupported-refused", WebhookSubject)
class DropsLinks(WebhookAdapter):
    """Drops an attachment that is only a URL."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(with_files(out, [each for each in out.part.attachments if each.url is None]))


@breaks("limits-hold", WebhookSubject)
class ClaimsManyFiles(WebhookAdapter):
    """Claims to take more attachments than it does."""

    async def send(self, out: Outgoing) -> Receipt:
        if len(out.part.attachments) > 10:
            raise RejectedError("too many attachments", code="413")
        return await super().send(out)


@breaks("limits-hold", WebhookSubject)
class ClaimsLargeFiles(WebhookAdapter):
    """Claims to take larger attachments than it does."""

    async def send(self, out: Outgoing) -> Receipt:
        if any(len(await self.context.read(each)) > 200_000 for each in out.part.attachments if each.url is None):
            raise RejectedError("too large", code="413")
        return await super().send(out)


@breaks("declared-is-carried", PigeonSubject)
class ClaimsSubject(Pigeon):
    """Declares a subject line, and drops it."""

    capabilities: Capabilities = Pigeon.capabilities.model_copy(update={"subject": True})


@breaks("declared-is-carried", WebhookSubject)
class DropsCopies(WebhookAdapter):
    """Does not show to whom else it goes."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(written(out, cc=()))


@breaks("declared-is-carried", WebhookSubject)
class LosesThread(WebhookAdapter):
    """Knows the thread of a message, and not that of the conversation."""

    async def send(self, out: Outgoing) -> Receipt:
        conversation = out.conversation.model_copy(update={"thread": None})
        return await super().send(replace(out, conversation=conversation))


@breaks("declared-is-carried", WebhookSubject)
class NeedsAConversation(WebhookAdapter):
    """Knows the thread of a conversation, and not that of the message."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(written(out, thread=None))


@breaks("declared-is-carried", WebhookSubject)
class SendsPlainText(WebhookAdapter):
    """Sends the text alone, where the same is there in HTML."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, part=out.part.model_copy(update={"html": None})))


@breaks("declared-is-carried", WebhookSubject)
class AnswersNobody(WebhookAdapter):
    """Does not say which message it answers."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(written(out, reply_to=None))


# Keys, receipts, and the first byte


@breaks("same-key-once", WebhookSubject)
class NewKeyEachTime(WebhookAdapter):
    """Declares that a repeat is recognised, and gives each attempt a key of its own."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, key=f"{out.key}-{out.attempt}"))


@breaks("same-key-once", WebhookSubject)
class KeyOfContent(WebhookAdapter):
    """Makes one message of two that say the same."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, key=sha256(out.text.encode()).hexdigest()))


@breaks("receipt-has-ids", LoopbackSubject)
class NoIds(LoopbackAdapter):
    """Forgets the ids that later reports name."""

    async def send(self, out: Outgoing) -> Receipt:
        return (await super().send(out)).model_copy(update={"ids": ()})


@breaks("started-before-first-byte", PigeonSubject)
class NeverStarts(Pigeon):
    """Does not say when the first byte leaves."""

    async def send(self, out: Outgoing) -> Receipt:
        return await super().send(replace(out, started=lambda: None))


@breaks("started-before-first-byte", LoopbackSubject)
class StartsLate(LoopbackAdapter):
    """Says that the first byte leaves when the answer is there."""

    async def send(self, out: Outgoing) -> Receipt:
        receipt = await self.medium.take(replace(out, started=lambda: None), await self._files(out))
        out.started()
        return receipt

    async def _files(self, out: Outgoing) -> list[bytes]:
        return [b"" if each.url is not None else await self.context.read(each) for each in out.part.attachments]

    edit = retract = react = mark_read = send


# Further verbs


@breaks("verbs-work", LoopbackSubject)
class EditsBySending(LoopbackAdapter):
    """Sends a new message where one is to be changed."""

    async def edit(self, out: Outgoing) -> Receipt:
        return await self.send(replace(out, target=()))


@breaks("verbs-work", LoopbackSubject)
class KeepsRetracted(LoopbackAdapter):
    """Says that a message was taken back, and does nothing."""

    async def retract(self, out: Outgoing) -> Receipt:
        out.started()
        return Receipt(Status.ACCEPTED)


@breaks("verbs-work", LoopbackSubject)
class ReactsAnyhow(LoopbackAdapter):
    """Calls a reaction accepted, whatever became of it."""

    async def react(self, out: Outgoing) -> Receipt:
        try:
            return await self.send(out)
        except DeliveryError:
            return Receipt(Status.ACCEPTED)


@breaks("verbs-work", LoopbackSubject)
class StopsTypingOnce(LoopbackAdapter):
    """Fails when it is told twice to stop typing."""

    async def typing(self, conversation: ConversationRef, typing: bool) -> None:
        place = (self.context.channel, conversation.key)
        (self.medium.typing.add if typing else self.medium.typing.remove)(place)


@breaks("verbs-work", LoopbackSubject)
class KnowsOneMood(LoopbackAdapter):
    """Knows one presence only."""

    async def set_presence(self, presence: str, text: str | None = None) -> None:
        self.medium.presence[self.context.channel] = {"available": "chat"}[presence]


@breaks("verbs-work", LoopbackSubject)
class RefusesOnce(LoopbackAdapter):
    """Fails when it refuses somebody who is not there to be refused."""

    async def refuse_subscription(self, who: Address) -> None:
        del self.medium.subscriptions[who.uri, self.context.channel]


@breaks("verbs-work", LoopbackSubject)
class JoinsTwice(LoopbackAdapter):
    """Is in a room twice when it joins twice."""

    async def join(self, room: Address, *, nickname: str | None = None) -> ConversationRef:
        self.medium.rooms.setdefault(room, []).append(self._own)
        return self._room(room)


@breaks("verbs-work", LoopbackSubject)
class LeavesOnce(LoopbackAdapter):
    """Fails when it leaves a room in which it is no more."""

    async def leave(self, room: Address) -> None:
        self.medium.rooms[room].remove(self._own)


@breaks("verbs-work", LoopbackSubject)
class UploadsHead(LoopbackAdapter):
    """Uploads the beginning of a file."""

    async def upload(self, attachment: Attachment, conversation: ConversationRef) -> str:
        content = (await self.context.read(attachment))[:1000]
        return await super().upload(Attachment(data=content), conversation)


@breaks("verbs-work", LoopbackSubject)
class FetchesNothing(LoopbackAdapter):
    """Takes what is not served for an empty file."""

    @asynccontextmanager
    async def fetch(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
        try:
            async with super().fetch(attachment) as chunks:
                yield chunks
        except RejectedError:
            yield _nothing()


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield b""


@breaks("verbs-work", LoopbackSubject)
class HistoryBackwards(LoopbackAdapter):
    """Tells a history with the newest first."""

    async def history(
        self, conversation: ConversationRef, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        events, cursor = await super().history(conversation, cursor, limit)
        return list(reversed(events)), cursor


@breaks("verbs-work", LoopbackSubject)
class HistoryWithoutEnd(LoopbackAdapter):
    """Tells a history again when it is over."""

    async def history(
        self, conversation: ConversationRef, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        events, cursor = await super().history(conversation, cursor, limit)
        return events, cursor or self.medium.size


@breaks("verbs-work", LoopbackSubject)
class SaysNotTaken(LoopbackAdapter):
    """Calls not taken what it knows nothing of."""

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        return Reconciliation.NOT_TAKEN


@breaks("verbs-work", LoopbackSubject)
class ReconcilesBySending(LoopbackAdapter):
    """Sends again to find out whether it was sent."""

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        return await self.send(out)


@breaks("verbs-work", LoopbackSubject)
class StopsAtFirstError(LoopbackAdapter):
    """Gives up a batch at the first part that fails."""

    async def send_batch(self, outs: Sequence[Outgoing]) -> Sequence[Receipt | DeliveryError]:
        return [await self.send(out) for out in outs]


@breaks("verbs-work", LoopbackSubject)
class AnswersInAnyOrder(LoopbackAdapter):
    """Answers a batch in another order."""

    async def send_batch(self, outs: Sequence[Outgoing]) -> Sequence[Receipt | DeliveryError]:
        return list(reversed(await super().send_batch(outs)))


@breaks("verbs-work", LoopbackSubject)
class AnswersForAll(LoopbackAdapter):
    """Sends the first part of a batch, and answers for all of them."""

    async def send_batch(self, outs: Sequence[Outgoing]) -> Sequence[Receipt | DeliveryError]:
        return [*await super().send_batch(outs[:1])] * len(outs)
