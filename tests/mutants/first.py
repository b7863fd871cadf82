"""Some mutants of each kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from convergekit.abc import Outgoing, Request
from convergekit.adapters.loopback import LoopbackAdapter, translator
from convergekit.errors import DeliveryError, NotSentError, UncertainError
from convergekit.model import MessageReceived, Receipt, Status
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, pigeons

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter


@breaks("unsigned-refused", PigeonSubject)
class VerifiesNothing(Pigeon):
    """Does not verify a webhook."""

    async def verify(self, request: Request) -> None:
        pass


@breaks("ack-after-admit", LoopbackSubject)
class AcknowledgesFirst(LoopbackAdapter):
    """Acknowledges before admission."""

    async def listen(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            said = await self.medium.next_pushed()
            self.medium.acknowledge()
            await self.context.admit(translator.to_event_or_invalid(said))


@breaks("cancellation-passes", PigeonSubject)
class SwallowsCancellation(Pigeon):
    """Swallows the cancellation of a send."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except anyio.get_cancelled_exc_class():
            return Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("one-attempt", PigeonSubject)
class TriesAgain(Pigeon):
    """Sends again after an uncertain outcome."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except UncertainError:
            return await super().send(out)


@breaks("lost-answer-uncertain", PigeonSubject)
class CallsLostNotSent(Pigeon):
    """Calls not sent what may have been taken."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except UncertainError as error:
            if error.code is None:
                raise NotSentError(error.reason) from error
            raise


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


@breaks("no-secret-logged", PigeonSubject)
class LogsToken(Pigeon):
    """Logs the token when something goes wrong."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except DeliveryError:
            self.context.log.debug("failed with %s", self.config.token.get_secret_value())
            raise


@breaks("keys-stable", PigeonSubject)
class CountsMessages(Pigeon):
    """Gives each message a number of its own for a key."""

    number = 0

    def parse(self, request: Request) -> Any:
        events: list[MessageReceived] = super().parse(request)
        self.number += 1
        return [event.model_copy(update={"key": f"{event.key}-{self.number}"}) for event in events]


@breaks("refused-login-stops", LoopbackSubject)
class KnocksAgain(LoopbackAdapter):
    """Takes a refused login for a network that is away."""

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
        if self.medium.refuses_login is not None:
            raise NotSentError("cannot connect")
        yield self
