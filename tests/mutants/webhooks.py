"""The medium calls: who says it, and what a call says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from convergekit.abc import Admission, Request, Response
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import InvalidInputError, SignatureError
from convergekit.http import hmac_signature, verify_hmac
from convergekit.testing.adapter import Call
from tests.testing.adapter.subjects import PigeonSubject, TelegraphSubject, WebhookSubject, pigeons
from tests.testing.adapter.telegraph import TelegraphAdapter

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter


# Signatures


@breaks("unsigned-refused", PigeonSubject)
class VerifiesNothing(Pigeon):
    """Does not verify a webhook."""

    async def verify(self, request: Request) -> None:
        pass


@breaks("forged-refused", PigeonSubject)
class TakesAnySignature(Pigeon):
    """Takes any signature that has the form of one."""

    async def verify(self, request: Request) -> None:
        if len(request.headers.get("pigeon-signature", "")) != 64:
            raise SignatureError("this is no signature")


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


@breaks("no-ack-without-admit", PigeonSubject)
class AnswersAtTheDoor(Pigeon):
    """Answers a call before anybody has looked at it, so that the loft does not wait."""

    def challenge(self, request: Request) -> Response | None:
        return Response(204)


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


@breaks("oversized-refused", PigeonSubject)
class ChokesOnSize(Pigeon):
    """Fails on a call that is larger than it has expected."""

    async def verify(self, request: Request) -> None:
        if len(request.body) > 100_000:
            raise ValueError("too large")
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
