"""Adapters as strangers write them, and entry points that announce them."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from convergekit.abc import Adapter, Outgoing
from convergekit.config.discovery import GROUP
from convergekit.model import Receipt, Status


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(Settings):
    host: str
    port: int = 25
    mode: Literal["starttls", "implicit"] = "starttls"
    password: SecretStr | None = None


class PostConfig(Settings):
    sender: str
    pin: SecretStr | None = None
    secrets: list[SecretStr] = []
    server: Server | None = None
    retries: int = 3

    @field_validator("pin")
    @classmethod
    def _pin(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().isdigit():
            raise ValueError(f"a pin is made of digits, and {value.get_secret_value()} is not")
        return value

    @classmethod
    def from_dsn(cls, dsn: str) -> "PostConfig":
        url = urlsplit(dsn)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.password == "refused-by-parser":
            raise ValueError(f"no such account: {url.password}")
        secrets = [unquote(url.password)] if url.password else []
        return cls.model_validate({"sender": url.hostname, **({"secrets": secrets} if secrets else {}), **query})


class PostAdapter(Adapter[PostConfig]):
    name, schemes, Config = "post", frozenset({"post"}), PostConfig

    async def send(self, out: Outgoing) -> Receipt:
        return Receipt(Status.ACCEPTED)


class Nothing(Settings):
    pass


class PlainAdapter(Adapter[Nothing]):
    name, schemes, Config = "plain", frozenset({"plain", "post"}), Nothing

    async def send(self, out: Outgoing) -> Receipt:
        return Receipt(Status.ACCEPTED)


class NoSend(Adapter[Nothing]):
    name, schemes, Config = "no-send", frozenset({"plain"}), Nothing


class NoConfig(PlainAdapter):
    name, Config = "no-config", dict  # type: ignore[assignment]


class NoSchemes(PlainAdapter):
    name, schemes = "no-schemes", frozenset()


class StringSchemes(PlainAdapter):
    name, schemes = "string-schemes", "plain"  # type: ignore[assignment]


class Nameless(Adapter[Nothing]):
    async def send(self, out: Outgoing) -> Receipt:
        return Receipt(Status.ACCEPTED)


class Hiding(Settings):
    rate: int = 1


class HidingAdapter(PlainAdapter):
    name, Config = "hiding", Hiding


class Distribution:
    """As much of an installed distribution as an entry point shows."""

    def __init__(self, name: str, version: str = "1.0") -> None:
        self.name, self.version = name, version


def point(name: str, attribute: str, distribution: str = "post-plugin") -> EntryPoint:
    target = attribute if ":" in attribute else f"{__name__}:{attribute}"
    found = EntryPoint(name, target, GROUP)
    vars(found)["dist"] = Distribution(distribution)
    return found


def plugins() -> Iterable[EntryPoint]:
    return [point("post", "PostAdapter"), point("plain", "PlainAdapter", "plain-plugin")]
