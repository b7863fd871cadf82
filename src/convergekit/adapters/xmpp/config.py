"""Settings of an XMPP channel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from convergekit.errors import ConfigurationError, InvalidInputError
from convergekit.model import Address

__all__ = ["RoomConfig", "XmppConfig"]

_Mechanism = Literal[
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "PLAIN",
]

_MODEL: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_PORTS: Final = {"starttls": 5222, "tls": 5223, "none": 5222}
_COMPONENT_PORT: Final = 5347
_SIMPLE: Final = frozenset({"host", "security", "ca", "nickname", "presence"})
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DSN: Final = "a DSN of xmpp is made like xmpp://USER:PASSWORD@DOMAIN/RESOURCE"
_NOT_READ: Final = f"{_DSN}; in a user name and a password / ? # @ : and % are percent-encoded, and a port is a number"


def _jid(value: str) -> str:
    """The bare or full JID of *value*, with or without `xmpp:`, in its normalised form."""
    try:
        return (Address.parse(value) if value.lower().startswith("xmpp:") else Address.build("xmpp", value)).value
    except InvalidInputError as exc:
        raise ValueError(str(exc)) from None


class RoomConfig(BaseModel):
    """A room that the channel is in (XEP-0045), from when it opens."""

    model_config = _MODEL

    room: str = Field(description="Its JID: support@conference.example.org.")
    nickname: str | None = Field(default=None, description="Ours in it; None for the channel's `nickname`.")
    password: SecretStr | None = Field(default=None, description="Where the room asks for one.")

    @field_validator("room")
    @classmethod
    def _is_room(cls, value: str) -> str:
        jid = _jid(value)
        if "@" not in jid or "/" in jid:
            raise ValueError("must be a room's bare JID, such as support@conference.example.org")
        return jid


class XmppConfig(BaseModel):
    """An account on an XMPP server (RFC 6120), or an external component of one (XEP-0114)."""

    model_config = _MODEL

    jid: str = Field(description="Ours: bot@example.org; of a component its domain, gateway.example.org.")
    password: SecretStr = Field(description="Of the account; of a component the secret that it shares with the server.")
    account: Literal["client", "component"] = Field(default="client", description="What `jid` is.")
    resource: str | None = Field(
        default=None,
        max_length=1023,
        description="Names this connection among others of the account; None for one that the channel makes and keeps.",
    )
    host: str | None = Field(
        default=None, max_length=253, description="None for what DNS says of the JID's domain (RFC 6120 §3.2)."
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="None for the usual one of `security`.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description='"starttls" and "tls" (XEP-0368) are required and verified; "none" is for this machine only. '
        'A component knows only "none".',
    )
    ca: Path | None = Field(default=None, description="File of certificates to trust in place of the system's.")
    mechanisms: tuple[_Mechanism, ...] = Field(
        default=(
            "SCRAM-SHA-512-PLUS",
            "SCRAM-SHA-512",
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-1",
        ),
        min_length=1,
        description="SASL mechanisms that may be used; PLAIN has to be named, and is used over TLS only.",
    )
    nickname: str | None = Field(default=None, max_length=256, description="Ours in rooms; None for the user name.")
    rooms: tuple[RoomConfig, ...] = Field(default=(), description="Rooms to be in.")
    presence: Literal["available", "away", "busy", "invisible"] = Field(
        default="available", description='What is shown once connected; "invisible" shows nothing, and hears of nobody.'
    )
    priority: int = Field(default=0, ge=-128, le=127, description="Of this resource (RFC 6121 §4.7.2.3).")
    receipts: bool = Field(default=True, description="Whether a stored message is confirmed to who asks (XEP-0184).")
    max_stanza: int = Field(
        default=262_144, ge=10_000, le=16_777_216, description="Octets of the largest stanza that the server takes."
    )
    max_file: int = Field(default=100_000_000, ge=1, description="Octets of the largest file that is uploaded.")
    ping_interval: float = Field(
        default=60.0, gt=0, description="Seconds without a sign of life before we ask for one."
    )
    ping_timeout: float = Field(default=20.0, gt=0, description="Seconds for its answer, then the connection is dead.")
    room_ping_interval: float = Field(
        default=300.0, gt=0, description="Seconds between looks at whether we are in a room."
    )
    timeout: float = Field(default=20.0, gt=0, le=600, description="Seconds for each answer of the server.")
    window: int = Field(default=200, ge=1, le=10_000, description="Stanzas under way without acknowledgement, at most.")
    queue: int = Field(default=1000, ge=10, le=100_000, description="Stanzas read and not yet stored, at most.")
    page: int = Field(default=50, ge=1, le=250, description="Messages of the archive that are asked for at once.")

    @field_validator("jid")
    @classmethod
    def _is_jid(cls, value: str) -> str:
        return _jid(value)

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str | None) -> str | None:
        if value is not None and (not value or re.search(r"[\x00-\x20\x7f/@\\]", value)):
            raise ValueError("must be a host name or an IP address, without a port")
        return value

    @model_validator(mode="before")
    @classmethod
    def _resource_of_jid(cls, data: Any) -> Any:
        """A full JID says the resource, too."""
        if isinstance(data, dict) and isinstance(jid := data.get("jid"), str) and "resource" not in data:
            bare, slash, resource = jid.partition("/")
            if slash and resource:
                return {**data, "jid": bare, "resource": resource}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "/" in self.jid:
            raise ValueError("jid: the resource stands in `resource`")
        if self.account == "component":
            return self._component()
        if "@" not in self.jid:
            raise ValueError('jid: an account is user@domain; a component says account = "component"')
        if self.security == "none" and self.host not in _LOCAL:
            raise ValueError('security: "none" sends all in the clear, and is for a host on this machine only')
        return self

    def _component(self) -> Self:
        if "@" in self.jid:
            raise ValueError("jid: of a component it is a domain, such as gateway.example.org")
        if self.host is None:
            raise ValueError("host: of a component's server has to be said: DNS does not know it")
        if self.resource is not None:
            raise ValueError("resource: a component has none")
        if self.security != "none" and "security" in self.model_fields_set:
            raise ValueError(
                'security: XEP-0114 knows no TLS; say "none", and connect over this machine or a private net'
            )
        return self

    @property
    def domain(self) -> str:
        """Of the server."""
        return self.jid.rpartition("@")[2]

    @property
    def is_component(self) -> bool:
        """Whether it is an external component."""
        return self.account == "component"

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, or None where DNS says them."""
        if self.host is None and self.port is None:
            return None
        return self.host or self.domain, self.port or (_COMPONENT_PORT if self.is_component else _PORTS[self.security])

    @property
    def our_nickname(self) -> str:
        """In rooms that name none."""
        return self.nickname or self.jid.partition("@")[0]

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read `xmpp://USER:PASSWORD@DOMAIN/RESOURCE`, percent-encoded; `?host=...` and the like behind it.

        Other settings stand beside it.

        Raises:
            ConfigurationError: It has another form; the text does not show it.
        """
        try:
            url = urlsplit(dsn)
            port, domain = url.port, url.hostname
            settings: dict[str, Any] = dict(
                parse_qsl(url.query, strict_parsing=bool(url.query), keep_blank_values=True)
            )
        except ValueError:
            raise ConfigurationError(_NOT_READ) from None
        if url.scheme != "xmpp" or not url.username or url.password is None or not domain or url.fragment:
            raise ConfigurationError(_NOT_READ)
        if not settings.keys() <= _SIMPLE:
            raise ConfigurationError(
                f"{_DSN}; behind a ? it takes {', '.join(sorted(_SIMPLE))}; all else needs a table"
            )
        settings |= {"jid": f"{unquote(url.username)}@{domain}", "password": unquote(url.password)}
        if resource := unquote(url.path.removeprefix("/")):
            settings["resource"] = resource
        return cls(**(settings if port is None else {**settings, "port": port}))
