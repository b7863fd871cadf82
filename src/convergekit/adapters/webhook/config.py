"""Settings of a webhook channel."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from convergekit.errors import ConfigurationError
from convergekit.http import AddressGuard, is_header, is_this_machine
from convergekit.http.signatures import SignatureScheme
from convergekit.model import Address

from .mapping import Ids, Rule, Templates, load, names, scheme_of, without_id
from .signature import Scheme, SchemeSetting, is_shared, made

__all__ = ["WebhookConfig", "is_allowed"]

_SCHEMES: Final = {"webhook": "https", "webhook+http": "http"}
#: What the adapter, or the protocol below it, says itself.
_TAKEN: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade"}
)
#: Those of a signature; a sender of CloudEvents says with `webhook-request-origin` who it is.
_OURS: Final = re.compile(r"webhook-(?!request-origin$).*")
#: A name as DNS has it, all below one, or everybody.
_ORIGIN: Final = re.compile(r"\*|(\*\.)?[A-Za-z0-9._-]{1,253}")


class WebhookConfig(BaseModel):
    """One webhook partner: where to send to, and the secrets shared with it.

    `secrets` sign what goes out, and prove what comes in unless `inbound_secrets` are given; a private key among them
    proves nothing, for nobody but us has it. To replace a secret without a gap, put the new one first, wait until the
    other side has it, and remove the old one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = Field(
        default=None,
        repr=False,  # its path may be a secret
        description="Where replies go, and who a webhook is from that does not say so: an https URL, or none.",
    )
    scheme: SchemeSetting = Field(
        default="standard",
        description="How calls are signed, both ways: standard, github, stripe, slack ..., or a table with the name "
        "and the options of one.",
    )
    inbound_scheme: SchemeSetting | None = Field(
        default=None, description="The same for what comes in, where the other side signs in another way."
    )
    secrets: tuple[SecretStr, ...] = Field(
        default=(),
        description="What is signed with, the current one first; all of them sign where the scheme can tell it. For "
        "standard it is `whsec_` and base64 of 24 to 64 bytes.",
    )
    inbound_secrets: tuple[SecretStr, ...] = Field(
        default=(), description="The same for what comes in, where the other side has secrets of its own."
    )
    own_secrets: bool = Field(
        default=False,
        description="Whether single endpoints have secrets of their own, by a function that the host hands over; those "
        "of `secrets` then sign for the others.",
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        le=86400,
        description="Seconds that an inbound timestamp may differ from our clock; unless it is given, what the scheme "
        "has, which is 300 for most.",
    )
    sender: str | None = Field(
        default=None, description="Address (a URI) that the other side is told as ours, such as where we are called."
    )
    event_type: str = Field(
        default="message.created",
        pattern=r"^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$",
        description="The `type` of a message, both ways.",
    )
    headers: dict[str, SecretStr] = Field(
        default={}, description="Further request headers, such as Authorization; printable ASCII."
    )
    allow_http: bool = Field(
        default=False, description="Whether to send over plain http to hosts other than this machine."
    )
    allow_networks: tuple[str, ...] = Field(
        default=(),
        description="Private networks that may be sent to, such as 10.20.0.0/16; `url` is allowed where it is an IP "
        "address. A cloud's metadata service has to be named by itself.",
    )
    format: Literal["standard", "cloudevents", "cloudevents-structured"] = Field(
        default="standard",
        description="What a document looks like: that of Standard Webhooks, or a CloudEvent, whose attributes go in "
        "headers, or with the data in one JSON object; both of them are read.",
    )
    source: str | None = Field(
        default=None,
        pattern=r"^[!-~]{1,500}$",
        description="Where our CloudEvents come from: a URI, or a path; `sender` unless it is given.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Systems that are told, when they ask in the way of CloudEvents, that they may call: names as DNS "
        "has them, `*.example.org` for all below one, `*` for everybody. What they send is signed none the less.",
    )
    payload: Literal["full", "thin"] = Field(
        default="full",
        description="Whether a document holds the message, or only the ids under which the other side may ask for it.",
    )
    preset: str | None = Field(
        default=None,
        description="The system that calls, where its calls are known: github, stripe, grafana, flat ...",
        json_schema_extra=lambda schema: schema.update(examples=[*names()]),  # what editors offer
    )
    messages: tuple[Rule, ...] = Field(
        default=(), description="What becomes of the calls of any other system; the first rule that fits, these first."
    )
    call_id: Ids = Field(
        default=(),
        description="What tells a call from all others where its rule does not say: templates, digest or none.",
    )
    call_name: Templates = Field(default=(), description="What an event is called where its rule does not say.")
    breaker: int = Field(
        default=5, ge=0, description="Failures in a row after which an endpoint is left alone for a while; 0 for never."
    )
    timeout: float = Field(default=20.0, gt=0, le=60, description="Seconds for one attempt, the connection included.")
    inline_limit: int = Field(
        default=262_144, ge=0, description="Bytes of attachments in one message that are sent inside of it, in base64."
    )
    max_body: int = Field(default=1_048_576, ge=1024, description="Bytes of one document, in either direction.")

    @field_validator("secrets", "inbound_secrets", "allow_networks", "allowed_origins", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | SecretStr) else value

    @field_validator("url", "sender")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else Address.parse(value).uri  # refuses user name and password, among others

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _ORIGIN.fullmatch(name):
                raise ValueError(f"{name[:80]!a} is no name of a system, such as events.example.org")
        return value

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            AddressGuard(value)
        except ConfigurationError as exc:
            raise ValueError(str(exc).removeprefix("allow_networks: ")) from None
        return value

    @model_validator(mode="before")
    @classmethod
    def _signed_as_the_preset_is(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.keys().isdisjoint({"scheme", "inbound_scheme"}):
            scheme = scheme_of(value.get("preset"))
            return value if scheme is None else {**value, "scheme": scheme}
        return value

    @field_validator("preset")
    @classmethod
    def _is_preset(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                load(value)
        except ConfigurationError as exc:
            raise ValueError(str(exc)) from None
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if not is_header(name, "") or name.lower() in _TAKEN or _OURS.fullmatch(name.lower()):
                raise ValueError(f"{name[:80]!a} is not a header that can be set here")
            if not is_header(name, secret.get_secret_value()):
                raise ValueError(f"the value of {name} is not printable ASCII on one line")
        return value

    @model_validator(mode="after")
    def _can_do_something(self) -> Self:
        setting = "scheme"
        try:
            self.outbound_signature()
            setting = "inbound_scheme"
            is_own = self.inbound_signature() is None
        except ConfigurationError as exc:
            raise ValueError(f"{setting}: {exc}") from None
        if not self.secrets and not self.inbound_secrets and not self.own_secrets and not is_own:
            raise ValueError("secrets is empty: nothing could be signed, and nothing that comes in be believed")
        if self.format != "standard" and self.secrets and not (self.source or self.sender):
            raise ValueError("source is empty: a CloudEvent says where it comes from")
        if self.url is not None and not is_allowed(self.url, allow_http=self.allow_http):
            raise ValueError("url must be https; allow_http = true permits http to other hosts than this one")
        return self

    @model_validator(mode="after")
    def _can_tell_calls_apart(self) -> Self:
        said = Scheme.of(self.inbound_scheme or self.scheme)
        if not said.has_ids and (missing := without_id(self)) is not None:
            raise ValueError(
                f"{missing}, and the scheme {said.name} knows none: set call_id to a path, such as header.x-id, to "
                "digest (of the body), or to none, for which every call is new"
            )
        return self

    @model_validator(mode="after")
    def _signs_with_one_or_the_other(self) -> Self:
        if self.own_secrets and self.outbound_signature() is None:
            raise ValueError("own_secrets: a scheme of the host's own knows by itself what it signs with")
        return self

    def outbound_signature(self) -> SignatureScheme | None:
        """What signs; None where it is the host's own. Raises `ConfigurationError` where the settings do not fit."""
        return self.signature_with(self.secrets)

    def signature_with(self, secrets: tuple[SecretStr, ...]) -> SignatureScheme | None:
        """The same with *secrets*."""
        return made(self.scheme, secrets)

    def inbound_signature(self) -> SignatureScheme | None:
        """What verifies; None where it is the host's own. Raises `ConfigurationError` where the settings do not fit."""
        options = {} if self.tolerance is None else {"tolerance": self.tolerance}
        secrets = self.inbound_secrets or tuple(filter(is_shared, self.secrets))
        return made(self.inbound_scheme or self.scheme, secrets, **options)

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read `webhook://SECRET@host/path?query`: the URL with the secret before it, percent-encoded.

        Several secrets are parted by commas. `webhook+http://` sends over plain http. The query belongs to the URL;
        other settings stand beside the DSN.

        Raises:
            ConfigurationError: It has another form; the text does not show it.
        """
        try:
            parts = urlsplit(dsn)
            scheme = _SCHEMES[parts.scheme]
        except (ValueError, KeyError):
            raise ConfigurationError("a webhook DSN looks like webhook://SECRET@host/path") from None
        userinfo, at, host = parts.netloc.rpartition("@")
        if not at or not host or ":" in userinfo:
            raise ConfigurationError("a webhook DSN looks like webhook://SECRET@host/path, with one secret or more")
        settings: dict[str, Any] = {
            "url": parts._replace(scheme=scheme, netloc=host).geturl(),
            "secrets": tuple(SecretStr(unquote(secret)) for secret in userinfo.split(",")),
        }
        if scheme == "http":
            settings["allow_http"] = True
        return cls(**settings)

    def to_dsn(self) -> str:
        """The DSN with `***` in place of secrets, path and query: for people to recognise."""
        if self.url is None:
            return "webhook://***"
        parts = urlsplit(self.url)
        scheme = "webhook" if parts.scheme == "https" else "webhook+http"
        return f"{scheme}://***@{quote(parts.netloc, safe='[]:')}/***"


def is_allowed(url: str, *, allow_http: bool) -> bool:
    """Whether *url* may be sent to: https, or http to this machine, or to any if *allow_http*."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and (allow_http or is_this_machine(parts.hostname or ""))
