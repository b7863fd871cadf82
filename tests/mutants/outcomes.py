"""Mutants that tell an outcome wrongly, one for each thing that a far side may do."""

from __future__ import annotations

from typing import Any

import httpx

from convergekit.abc import Health, Outgoing
from convergekit.errors import (
    AccountError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.model import Receipt, Status
from tests.testing.adapter.subjects import (
    BottleSubject,
    LanternSubject,
    PigeonSubject,
    TelegraphSubject,
    example,
    pigeons,
)

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter
Bottle: Any = BottleSubject.adapter
Lantern: Any = example("lantern").LanternAdapter
Telegraph: Any = TelegraphSubject.adapter


@breaks("taken-is-receipt", PigeonSubject)
class ReturnsNothing(Pigeon):
    """Returns nothing when all went well."""

    async def send(self, out: Outgoing) -> Any:
        await super().send(out)


@breaks("taken-is-receipt", LanternSubject)
class PromisesTooMuch(Lantern):
    """Says that a message was read when it was taken."""

    async def send(self, out: Outgoing) -> Receipt:
        receipt: Receipt = await super().send(out)
        return receipt.model_copy(update={"status": Status.READ})


@breaks("unreachable-not-sent", LanternSubject)
class CallsUnreachableUncertain(Lantern):
    """Calls uncertain what has certainly not left us."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except NotSentError as error:
            if isinstance(error, ThrottledError):
                raise
            raise UncertainError(error.reason) from error
        return receipt


@breaks("unreachable-not-sent", PigeonSubject)
class GivesUpUnreachable(Pigeon):
    """Gives up a message because the far side was away."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except NotSentError as error:
            if isinstance(error, ThrottledError):
                raise
            raise RejectedError(error.reason, code="0") from error
        return receipt


@breaks("refused-rejected", PigeonSubject)
class TriesTheRefused(Pigeon):
    """Calls not sent what was refused for good."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except RejectedError as error:
            raise NotSentError(error.reason, code=error.code) from error
        return receipt


@breaks("refused-rejected", LanternSubject)
class KeepsTheCode(Lantern):
    """Does not say by which code it was refused."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except RejectedError as error:
            raise RejectedError(error.reason) from None
        return receipt


@breaks("account-refused", PigeonSubject)
class BlamesTheMessage(Pigeon):
    """Takes a refused account for a refused message."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except AccountError as error:
            raise RejectedError(error.reason, code=error.code) from error
        return receipt


@breaks("throttled-says-when", PigeonSubject)
class ComesBackAtOnce(Pigeon):
    """Does not wait as long as it was asked to."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except ThrottledError as error:
            raise ThrottledError(error.reason, retry_after=1, code=error.code) from error
        return receipt


@breaks("throttled-says-when", BottleSubject)
class ReadsNoDates(Bottle):
    """Understands a wait in seconds, and none until a date."""

    async def send(self, out: Outgoing) -> Receipt:
        self._client.event_hooks = {"response": [_without_dates]}
        receipt: Receipt = await super().send(out)
        return receipt


async def _without_dates(response: httpx.Response) -> None:
    if not response.headers.get("retry-after", "").isdigit():
        response.headers.pop("retry-after", None)


@breaks("throttled-says-when", LanternSubject)
class CountsIt(Lantern):
    """Takes too many requests for any other failure."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except ThrottledError as error:
            raise NotSentError(error.reason) from error
        return receipt


@breaks("malformed-answer-uncertain", TelegraphSubject)
class TakesAnything(Telegraph):
    """Is content with an answer that has no id in it."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except UncertainError as error:
            if error.code is None and "sense" in error.reason:
                return Receipt(Status.ACCEPTED)
            raise
        return receipt


@breaks("malformed-answer-uncertain", LanternSubject)
class TakesItForRefused(Lantern):
    """Takes an answer that it cannot read for a refusal."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except UncertainError as error:
            if "sense" in error.reason:
                raise RejectedError(error.reason, code="?") from error
            raise
        return receipt


@breaks("server-error-uncertain", PigeonSubject)
class TrustsTheServer(Pigeon):
    """Takes every 5xx for a promise that nothing was done."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except UncertainError as error:
            if error.code is not None:
                raise NotSentError(error.reason, code=error.code) from error
            raise
        return receipt


@breaks("only-our-errors", PigeonSubject)
class LetsStrangersOut(Pigeon):
    """Lets out what its client library raises."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except UncertainError as error:
            raise ConnectionError(error.reason) from error
        return receipt


@breaks("check-in-words", PigeonSubject)
class ChecksWithoutWords(Pigeon):
    """Says whether all is well, and not in words."""

    async def check(self) -> Health:
        return Health(ok=True)


@breaks("check-in-words", LanternSubject)
class TriesItOut(Lantern):
    """Sends somebody a message to see whether that works."""

    async def check(self) -> Health:
        from convergekit.testing import outgoing

        try:
            await self.send(outgoing("lantern:ann", "Is this on?", key="check"))
        except DeliveryError as error:
            return Health(ok=False, detail=error.reason)
        return Health(ok=True, detail="it works")


@breaks("check-in-words", LanternSubject)
class RaisesWhatIsWrong(Lantern):
    """Raises in `check` what it should say."""

    async def check(self) -> Health:
        async with self._connected():
            return Health(ok=True, detail="it lets us in")
