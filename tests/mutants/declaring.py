"""Broken in what the class says, in its settings, and before it is opened."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convergekit.abc import Adapter, Outgoing, Request
from convergekit.adapters.loopback import LoopbackAdapter, LoopbackConfig
from convergekit.errors import ConfigurationError
from convergekit.model import ConversationRef, Receipt, Status
from tests.testing.adapter.subjects import LoopbackSubject, PigeonSubject, pigeons

from .registry import breaks

Pigeon: Any = pigeons.PigeonAdapter
PigeonConfig: Any = pigeons.PigeonConfig


@breaks("class-complete", PigeonSubject)
class Nameless(Adapter[PigeonConfig]):
    """Has no name."""

    schemes, Config, send = Pigeon.schemes, PigeonConfig, Pigeon.send


@breaks("class-complete", PigeonSubject)
class SchemeWithColon(Pigeon):
    """Declares nonsense: a scheme with its colon."""

    schemes = frozenset({"pigeon:"})


@breaks("class-complete", PigeonSubject)
class OwnLoop(Pigeon):
    """Declares nonsense: an event loop that is none."""

    backends = frozenset({"twisted"})


@breaks("class-complete", PigeonSubject)
class LimitsInWords(Pigeon):
    """Declares nonsense: limits that are no Capabilities."""

    capabilities = {"text": 500}  # noqa: RUF012


class ThawedConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    url: str = Field(description="Where.")
    token: SecretStr = Field(description="Who.")
    secret: SecretStr = Field(description="What it is signed with.")


@breaks("config-frozen", PigeonSubject)
class Thawed(Pigeon):
    """Has settings that are not frozen."""

    Config = ThawedConfig


class HeedlessConfig(PigeonConfig):
    model_config = ConfigDict(extra="ignore")


@breaks("config-frozen", PigeonSubject)
class Heedless(Pigeon):
    """Ignores a setting that is misspelt."""

    Config = HeedlessConfig


class BareConfig(PigeonConfig):
    colour: str = "grey"


@breaks("config-schema", PigeonSubject)
class Bare(Pigeon):
    """Does not say what a setting is."""

    Config = BareConfig


class Anything:
    pass


class OpaqueConfig(PigeonConfig):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    thing: Anything | None = Field(default=None, description="Of a type that no schema knows.")


@breaks("config-schema", PigeonSubject)
class Opaque(Pigeon):
    """Has a setting that no file could hold."""

    Config = OpaqueConfig


class PlainConfig(PigeonConfig):
    token: str = Field(description="Who.")


@breaks("secrets-masked", PigeonSubject)
class PlainToken(Pigeon):
    """Keeps a token as plain text."""

    Config = PlainConfig

    async def send(self, out: Outgoing) -> Receipt:
        note = {"id": out.key, "to": out.to.value, "text": out.text, **(out.native or {})}
        headers = {"authorization": f"Bearer {self.config.token}"}
        await self.context.http.request("POST", self.config.url, out=out, json=note, headers=headers)
        return Receipt(Status.ACCEPTED, ids=(out.key,))


class OpenHeartedConfig(PigeonConfig):
    def __repr__(self) -> str:
        return f"PigeonConfig(url={self.url!r}, token={self.token.get_secret_value()!r})"


@breaks("secrets-masked", PigeonSubject)
class OpenHearted(Pigeon):
    """Has settings with a repr that is of great help."""

    Config = OpenHeartedConfig


class QuotingConfig(PigeonConfig):
    model_config = ConfigDict(hide_input_in_errors=False)


@breaks("secrets-masked", PigeonSubject)
class Quoting(Pigeon):
    """Quotes settings that are wrong, secrets included."""

    Config = QuotingConfig


class RawConfig(LoopbackConfig):
    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        url = urlsplit(dsn)
        return cls.model_validate({"secret": url.username, **dict(parse_qsl(url.query))})


@breaks("dsn-round-trip", LoopbackSubject)
class ReadsRaw(LoopbackAdapter):
    """Does not decode the secret of a DSN."""

    Config = RawConfig


class EagerConfig(LoopbackConfig):
    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        config = super().from_dsn(dsn)
        return cls(secret=config.secret.get_secret_value().replace("+", " "), poll_interval=config.poll_interval)


@breaks("dsn-round-trip", LoopbackSubject)
class TakesPlusForSpace(LoopbackAdapter):
    """Reads a plus sign in the secret of a DSN as a space."""

    Config = EagerConfig


class OpenConfig(LoopbackConfig):
    def to_dsn(self) -> str:
        return super().to_dsn().replace("***", self.secret.get_secret_value())


@breaks("dsn-round-trip", LoopbackSubject)
class WritesSecret(LoopbackAdapter):
    """Writes the secret into the DSN that it shows."""

    Config = OpenConfig


class HelpfulConfig(LoopbackConfig):
    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        try:
            return super().from_dsn(dsn)
        except ValueError as error:
            raise ConfigurationError(f"{dsn} is no DSN: {error}") from None


@breaks("dsn-round-trip", LoopbackSubject)
class QuotesTheDsn(LoopbackAdapter):
    """Quotes a DSN that is wrong, its secret included."""

    Config = HelpfulConfig


@breaks("verbs-callable", LoopbackSubject)
class TypesAlways(LoopbackAdapter):
    """Cannot be told to stop typing."""

    async def typing(self, conversation: ConversationRef) -> None:  # type: ignore[override]
        pass


@breaks("verbs-callable", LoopbackSubject)
class ShowsAtOnce(LoopbackAdapter):
    """Cannot be awaited where it is."""

    def set_presence(self, presence: str, text: str | None = None) -> None:
        pass


@breaks("verbs-callable", PigeonSubject)
class HalfADoor(Adapter[PigeonConfig]):
    """Says what comes in, and not how a probe is answered: so nothing comes in."""

    name, schemes, Config = Pigeon.name, Pigeon.schemes, PigeonConfig
    capabilities, send = Pigeon.capabilities, Pigeon.send
    verify, parse, reply = Pigeon.verify, Pigeon.parse, Pigeon.reply


@breaks("verbs-callable", PigeonSubject)
class PollsNothing(Pigeon):
    """Can be polled, and does not say what."""

    poll_interval = 1.0

    async def poll(self, feed: str, cursor: Any) -> Any:
        raise AssertionError


@breaks("init-does-nothing", PigeonSubject)
class ConnectsEarly(Pigeon):
    """Looks up its server while it is made."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        socket.getaddrinfo("localhost", 443)


@breaks("init-does-nothing", PigeonSubject)
class StartsThread(Pigeon):
    """Starts a thread while it is made."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self._over = threading.Event()
        threading.Thread(target=self._over.wait, args=(1.0,), daemon=True).start()


@breaks("init-does-nothing", PigeonSubject)
class LimitsLate(Pigeon):
    """Knows its limits only once it is open."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self.capabilities = None

    async def __aenter__(self) -> Any:
        self.capabilities = Pigeon.capabilities
        return await super().__aenter__()


@breaks("channels-apart", PigeonSubject)
class OneToken(Pigeon):
    """Keeps the settings in the class, where the last channel's are everybody's."""

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        type(self)._token = config.token.get_secret_value()

    async def send(self, out: Outgoing) -> Receipt:
        note = {"id": out.key, "to": out.to.value, "text": out.text, **(out.native or {})}
        headers = {"authorization": f"Bearer {self._token}"}
        await self.context.http.request("POST", self.config.url, out=out, json=note, headers=headers)
        return Receipt(Status.ACCEPTED, ids=(out.key,))


@breaks("channels-apart", PigeonSubject)
class OneSecret(Pigeon):
    """Verifies what comes to one channel by the secret of another."""

    _config: Any = None

    async def verify(self, request: Request) -> None:
        own, type(self)._config = self.config, type(self)._config or self.config
        self.config = self._config
        try:
            await super().verify(request)
        finally:
            self.config = own

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        type(self)._config = config


@breaks("channels-apart", LoopbackSubject)
class OneContext(LoopbackAdapter):
    """Keeps the context in the class: what one channel hears is admitted to another."""

    _context: Any = None

    @property
    def context(self) -> Any:
        return type(self)._context

    @context.setter
    def context(self, context: Any) -> None:
        type(self)._context = context


@breaks("receipts-reachable", PigeonSubject)
class ClaimsRead(Pigeon):
    """Declares read receipts, which never come."""

    capabilities = Pigeon.capabilities.model_copy(update={"receipts": frozenset({Status.ACCEPTED, Status.READ})})


@breaks("receipts-reachable", LoopbackSubject)
class HidesRead(LoopbackAdapter):
    """Reports that something was read, and does not declare it."""

    capabilities = LoopbackAdapter.capabilities.model_copy(
        update={"receipts": LoopbackAdapter.capabilities.receipts - {Status.READ}}
    )


@breaks("limits-hold", PigeonSubject)
class ClaimsMore(Pigeon):
    """Claims a limit that its medium does not have."""

    capabilities = Pigeon.capabilities.model_copy(
        update={"text": Pigeon.capabilities.text.model_copy(update={"max": 1000})}
    )


class ByteSubject(PigeonSubject):
    """A loft that counts bytes."""

    def accept(self, request: Any) -> Any:
        answer = super().accept(request)
        answer.status_code = 202 if len(json.loads(request.content)["text"].encode()) <= 500 else 422
        return answer


@breaks("limits-hold", ByteSubject)
class CountsCharacters(Pigeon):
    """Declares characters where the medium counts bytes."""
