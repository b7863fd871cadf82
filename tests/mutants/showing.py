"""Mutants that show what nobody may read."""

from __future__ import annotations

import base64
from typing import Any

from convergekit.abc import Health, Outgoing, Request
from convergekit.adapters.loopback import LoopbackAdapter
from convergekit.errors import DeliveryError, InvalidInputError, SignatureError
from convergekit.http import hmac_signature
from convergekit.model import Receipt
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, pigeons

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter


@breaks("no-secret-logged", PigeonSubject)
class LogsTheHeader(Pigeon):
    """Logs the Authorization header, in which the token stands in base64."""

    async def send(self, out: Outgoing) -> Receipt:
        header = base64.b64encode(f"loft:{self.config.token.get_secret_value()}".encode()).decode()
        self.context.log.debug("sending", extra={"headers": {"authorization": f"Basic {header}"}})
        receipt: Receipt = await super().send(out)
        return receipt


@breaks("no-secret-shown", PigeonSubject)
class ShowsTheUrl(Pigeon):
    """Shows, in an error, the URL that has the token in it."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except DeliveryError as error:
            error.args = (f"{self.config.url}?token={self.config.token.get_secret_value()} says {error.reason}",)
            raise
        return receipt


@breaks("no-secret-shown", PigeonSubject)
class ShowsTheCause(Pigeon):
    """Keeps the text of a library's exception as the cause, with the token in it."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except DeliveryError as error:
            raise error from ConnectionError(f"GET /?token={self.config.token.get_secret_value()}")
        return receipt


@breaks("no-secret-shown", LoopbackSubject)
class ShowsItself(LoopbackAdapter):
    """Has a repr that is of great help."""

    def __repr__(self) -> str:
        return f"<loopback by {self.config.secret and self.config.secret.get_secret_value()}>"


@breaks("no-secret-shown", LoopbackSubject)
class ChecksAloud(LoopbackAdapter):
    """Says in `check` what it has tried to log in with."""

    async def check(self) -> Health:
        return Health(True, f"logged in with {self.config.secret and self.config.secret.get_secret_value()}")


@breaks("no-secret-shown", PigeonSubject)
class ShowsTheKey(Pigeon):
    """Says what was signed with when a signature does not match."""

    async def verify(self, request: Request) -> None:
        secret = self.config.secret.get_secret_value()
        if request.headers.get("pigeon-signature") != hmac_signature(secret.encode(), request.body).decode():
            raise SignatureError(f"this is not signed with {secret}")


@breaks("no-content-logged", PigeonSubject)
class LogsTheNote(Pigeon):
    """Logs what it sends."""

    async def send(self, out: Outgoing) -> Receipt:
        self.context.log.debug("sending %r", out.text)
        receipt: Receipt = await super().send(out)
        return receipt


@breaks("no-content-logged", PigeonSubject)
class LogsTheRequest(Pigeon):
    """Logs what comes in."""

    def parse(self, request: Request) -> Any:
        self.context.log.debug("received", extra={"body": request.body})
        return super().parse(request)


@breaks("no-content-logged", PigeonSubject)
class QuotesTheNote(Pigeon):
    """Quotes the message in its error."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            receipt: Receipt = await super().send(out)
        except DeliveryError as error:
            error.args = (f"{error.reason}: {out.text}",)
            raise
        return receipt


@breaks("no-content-logged", PigeonSubject)
class QuotesTheRequest(Pigeon):
    """Quotes a call that makes no sense as the cause of its error."""

    def parse(self, request: Request) -> Any:
        try:
            return super().parse(request)
        except InvalidInputError as error:
            raise error from ValueError(request.body.decode("utf-8", "replace"))


@breaks("no-secret-logged", PigeonSubject)
class LogsToken(Pigeon):
    """Logs the token when something goes wrong."""

    async def send(self, out: Outgoing) -> Receipt:
        try:
            return await super().send(out)
        except DeliveryError:
            self.context.log.debug("failed with %s", self.config.token.get_secret_value())
            raise
