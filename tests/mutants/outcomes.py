"""Mutants that tell an outcome wrongly, one for each thing that a far side may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
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


def turned(of: Any, caught: type[DeliveryError], told: Callable[[Any], Exception | Receipt]) -> Any:
    """The `send` of *of*, in which what is *caught* is told otherwise."""

    async def send(self: Any, out: Outgoing) -> Any:
        try:
            return await of.send(self, out)
        except caught as error:
            if isinstance(ending := told(error), Receipt):
                return ending
            if ending is error:
                raise
            raise ending from error

    return send


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

    send = turned(
        Lantern,
        NotSentError,
        lambda error: error if isinstance(error, ThrottledError) else UncertainError(error.reason),
    )


@breaks("unreachable-not-sent", PigeonSubject)
class GivesUpUnreachable(Pigeon):
    """Gives up a message because the far side was away."""

    send = turned(
        Pigeon,
        NotSentError,
        lambda error: error if isinstance(error, ThrottledError) else RejectedError(error.reason, code="0"),
    )


@breaks("refused-rejected", PigeonSubject)
class TriesTheRefused(Pigeon):
    """Calls not sent what was refused for good."""

    send = turned(Pigeon, RejectedError, lambda error: NotSentError(error.reason, code=error.code))


@breaks("refused-rejected", LanternSubject)
class KeepsTheCode(Lantern):
    """Does not say by which code it was refused."""

    send = turned(Lantern, RejectedError, lambda error: RejectedError(error.reason))


@breaks("account-refused", PigeonSubject)
class BlamesTheMessage(Pigeon):
    """Takes a refused account for a refused message."""

    send = turned(Pigeon, AccountError, lambda error: RejectedError(error.reason, code=error.code))


@breaks("throttled-says-when", PigeonSubject)
class ComesBackAtOnce(Pigeon):
    """Does not wait as long as it was asked to."""

    send = turned(Pigeon, ThrottledError, lambda error: ThrottledError(error.reason, retry_after=1, code=error.code))


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

    send = turned(Lantern, ThrottledError, lambda error: NotSentError(error.reason))


@breaks("throttled-says-when", PigeonSubject)
class ExpectsToBeTold(Pigeon):
    """Takes too many requests for any other failure where no wait is said."""

    send = turned(Pigeon, ThrottledError, lambda error: error if error.retry_after == 7 else NotSentError(error.reason))


@breaks("malformed-answer-uncertain", TelegraphSubject)
class TakesAnything(Telegraph):
    """Is content with an answer that has no id in it."""

    send = turned(
        Telegraph, UncertainError, lambda error: Receipt(Status.ACCEPTED) if "sense" in error.reason else error
    )


@breaks("malformed-answer-uncertain", LanternSubject)
class TakesItForRefused(Lantern):
    """Takes an answer that it cannot read for a refusal."""

    send = turned(
        Lantern,
        UncertainError,
        lambda error: RejectedError(error.reason, code="?") if "sense" in error.reason else error,
    )


@breaks("lost-answer-uncertain", PigeonSubject)
class CallsLostNotSent(Pigeon):
    """Calls not sent what may have been taken."""

    send = turned(Pigeon, UncertainError, lambda error: NotSentError(error.reason) if error.code is None else error)


@breaks("one-attempt", PigeonSubject)
class TriesAgain(Pigeon):
    """Sends again after an uncertain outcome."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except UncertainError:
            return await super().send(out)


@breaks("one-attempt", TelegraphSubject)
class AsksAgain(Telegraph):
    """Sends again when it has not understood the answer."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except UncertainError:
            receipt = await super().send(out)
        return receipt


@breaks("server-error-uncertain", PigeonSubject)
class TrustsTheServer(Pigeon):
    """Takes every 5xx for a promise that nothing was done."""

    send = turned(
        Pigeon,
        UncertainError,
        lambda error: error if error.code is None else NotSentError(error.reason, code=error.code),
    )


@breaks("only-our-errors", PigeonSubject)
class LetsStrangersOut(Pigeon):
    """Lets out what its client library raises."""

    send = turned(Pigeon, UncertainError, lambda error: ConnectionError(error.reason))


@breaks("only-our-errors", PigeonSubject)
class LetsAllOut(Pigeon):
    """Lets out an error of its own for whatever goes wrong."""

    send = turned(Pigeon, DeliveryError, lambda error: LookupError(error.reason))


@breaks("only-our-errors", TelegraphSubject)
class TripsOverNonsense(Telegraph):
    """Trips over an answer that makes no sense."""

    send = turned(Telegraph, UncertainError, lambda error: KeyError("id") if "sense" in error.reason else error)


@breaks("only-our-errors", PigeonSubject)
class LetsTheTimeOut(Pigeon):
    """Lets out what a wait of its own raises."""

    async def send(self, out: Outgoing) -> Receipt:
        with anyio.fail_after(10):
            receipt: Receipt = await super().send(out)
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
