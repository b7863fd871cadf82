"""Settings of an email channel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from convergekit.errors import ConfigurationError
from convergekit.model import Address

__all__ = ["DkimConfig", "EmailConfig", "ImapConfig", "LmtpConfig", "OAuthConfig", "SmtpConfig", "addr_spec"]

_Security = Literal["starttls", "tls", "none"]
_PORTS: Final = {"smtp": {"starttls": 587, "tls": 465, "none": 25}, "imap": {"starttls": 143, "tls": 993, "none": 143}}
_SCHEMES: Final[dict[str, _Security]] = {"smtp": "starttls", "smtps": "tls", "smtp+none": "none", "email": "starttls"}
_DSN: Final = "a DSN of email is made like smtp://USER:PASSWORD@HOST:587"  # shares no stretch with most real ones
_MORE: Final = "what else is set needs tables: [channels.NAME.smtp]"
_NOT_READ: Final = f"{_DSN}; in a user name and a password / ? # @ : and % are percent-encoded, and a port is a number"
_KEYWORD: Final = re.compile(r"[^\x00-\x1f\x7f(){%*\"\\\] ]{1,64}")  # RFC 9051 §9 flag-keyword: an atom

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_MODEL: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def addr_spec(value: str) -> str:
    """The bare address of *value*, with or without `mailto:`, its domain in ASCII; raises `InvalidInputError`."""
    uri = value if value.lower().startswith("mailto:") else None
    return (Address.parse(uri) if uri else Address.build("mailto", value)).value


def _bare(value: str) -> str:
    """The address that somebody has typed as a setting, where it is one and nothing beside it."""
    if re.search(r"[\s<>]", value):
        raise ValueError("must be a bare address, such as support@example.org; the name beside it is `display_name`")
    return addr_spec(value)


def _line(value: str | None) -> str | None:
    if value is not None and _CONTROL.search(value):
        raise ValueError("must not have control characters")
    return value


class OAuthConfig(BaseModel):
    """Access tokens by OAuth 2.0, for XOAUTH2: by a refresh token (RFC 6749 §6), or by the client itself (§4.4).

    A host that has tokens already gives the channel a provider instead: `add_channel(..., token=provider)`.
    """

    model_config = _MODEL

    token_url: str = Field(pattern=r"^https://|^http://(localhost|127\.0\.0\.1)[:/]", description="Where tokens are.")
    client_id: str = Field(description="As the provider registered it.")
    client_secret: SecretStr | None = Field(default=None, description="Where the provider gave one.")
    refresh_token: SecretStr | None = Field(
        default=None, description="The first one; each that the provider gives in its place is kept in the ledger."
    )
    scope: str | None = Field(default=None, description="What is asked for, separated by spaces.")


class _Server(BaseModel):
    model_config = _MODEL

    host: str = Field(min_length=1, max_length=253, description="Name of the server; its certificate must be for it.")
    port: int | None = Field(default=None, ge=1, le=65535, description="None for the usual one of `security`.")
    security: _Security = Field(
        default="starttls",
        description='"starttls" and "tls" are required and verified; "none" is in the clear, for this machine only.',
    )
    ca: Path | None = Field(default=None, description="File of certificates to trust in place of the system's.")
    username: str | None = Field(default=None, description="Without one, nobody logs in.")
    password: SecretStr | None = Field(default=None, description="An app's password, where the provider wants that.")
    oauth: OAuthConfig | None = Field(default=None, description="Tokens in place of a password.")
    timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds for each answer of the server.")

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        if re.search(r"[\x00-\x20\x7f/@\\]", value):
            raise ValueError("must be a host name or an IP address, without a port")
        return value

    @field_validator("username")
    @classmethod
    def _is_line(cls, value: str | None) -> str | None:
        return _line(value)


class SmtpConfig(_Server):
    """The submission server (RFC 6409) that mail is handed to."""

    auth: Literal["auto", "plain", "login", "xoauth2"] = Field(
        default="auto", description='How to log in; "auto" is XOAUTH2 where there is a token, else PLAIN before LOGIN.'
    )
    local_hostname: str | None = Field(
        default=None,
        pattern=r"^[!-~]{1,255}$",
        description="What EHLO says; None for this machine's name, or address.",
    )
    pool_size: int = Field(default=4, ge=1, le=100, description="Connections at a time, at most.")
    max_messages: int = Field(default=100, ge=1, description="Messages over one connection, at most.")
    max_age: float = Field(default=300.0, gt=0, description="Seconds that a connection is used, at most.")
    idle_timeout: float = Field(default=20.0, gt=0, description="Seconds after which an idle connection is closed.")
    pipelining: bool = Field(default=True, description="Whether to use PIPELINING where it is offered (RFC 2920).")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or _PORTS["smtp"][self.security]


class ImapConfig(_Server):
    """The mailbox that is read (RFC 9051, RFC 3501)."""

    security: _Security = Field(default="tls", description="As of `smtp`; 993 is spoken with TLS from the start.")
    folders: tuple[str, ...] = Field(default=("INBOX",), min_length=1, description="What is read, each with a cursor.")
    after: Literal["nothing", "seen", "flag", "move", "delete"] = Field(
        default="seen", description="What is done to a mail once it is safe in the ledger."
    )
    keyword: str = Field(default="$Convergekit", description='The keyword that `after = "flag"` sets.')
    move_to: str | None = Field(default=None, description='The folder for `after = "move"`.')
    first: Literal["unseen", "all", "new"] = Field(
        default="unseen",
        description='What is read of a folder at first: "all", what is "unseen", or only what is "new" from then on.',
    )
    idle: bool = Field(default=True, description="Whether to wait by IDLE (RFC 2177) where it is offered.")
    idle_renewal: float = Field(default=540.0, gt=0, le=1740, description="Seconds after which IDLE is said again.")
    poll_interval: float = Field(default=60.0, gt=0, description="Seconds between looks, where IDLE is not offered.")

    @field_validator("keyword")
    @classmethod
    def _is_keyword(cls, value: str) -> str:
        if not _KEYWORD.fullmatch(value):
            raise ValueError('must be a flag keyword: one word without ( ) { % * " \\ ]')
        return value

    @field_validator("folders")
    @classmethod
    def _are_folders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(_CONTROL.search(each) or not each for each in value) or len(set(value)) != len(value):
            raise ValueError("names each folder once, without control characters")
        return value

    @model_validator(mode="after")
    def _has_folder(self) -> Self:
        if (self.after == "move") != (self.move_to is not None):
            raise ValueError('move_to goes with after = "move"')
        if self.move_to in self.folders:
            raise ValueError("move_to is one of `folders`: what was moved there would be read again")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or _PORTS["imap"][self.security]


class LmtpConfig(BaseModel):
    """A listener of our own, to which a mail server hands mail (RFC 2033). It knows no login: bind it to where only
    your own mail server reaches it.
    """

    model_config = _MODEL

    host: str = Field(default="127.0.0.1", description="Where it listens.")
    port: int = Field(default=24, ge=0, le=65535, description="0 for any free one.")
    path: Path | None = Field(default=None, description="A Unix socket, in place of host and port.")
    recipients: tuple[str, ...] = Field(
        default=(), description="Addresses, or @domains, that are taken; empty for all that the server hands over."
    )
    max_connections: int = Field(default=100, ge=1, description="More are told to come back later.")
    timeout: float = Field(
        default=300.0, gt=0, description="Seconds in which each command must come (RFC 5321 §4.5.3.2)."
    )
    max_recipients: int = Field(default=1000, ge=100, description="Of one mail (RFC 5321 §4.5.3.1.8).")

    @property
    def place(self) -> str:
        """Where it listens, in words."""
        return f"{self.host}:{self.port}" if self.path is None else str(self.path)


class DkimConfig(BaseModel):
    """Signs what goes out (RFC 6376); needs the extra `email-dkim`."""

    model_config = _MODEL

    selector: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Names the key in the DNS.")
    domain: str | None = Field(default=None, description="Whose key it is; None for the domain of `address`.")
    private_key: SecretStr | None = Field(default=None, description="In PEM: RSA or Ed25519.")
    private_key_file: Path | None = Field(default=None, description="A file that has it.")

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.private_key is None) == (self.private_key_file is None):
            raise ValueError("say one of private_key and private_key_file")
        return self


class EmailConfig(BaseModel):
    """One mailbox: how mail leaves it (`smtp`), and how it comes in (`imap`, `lmtp`)."""

    model_config = _MODEL

    address: str = Field(description="A bare address: support@example.org.")
    display_name: str | None = Field(default=None, max_length=200, description="Shown with `address`.")
    aliases: tuple[str, ...] = Field(
        default=(), description="Further addresses that are ours; mail of theirs is our own."
    )
    smtp: SmtpConfig | None = Field(default=None, description="Without it, nothing is sent.")
    imap: ImapConfig | None = Field(
        default=None, description="Its username and password are those of `smtp` unless it says so."
    )
    lmtp: LmtpConfig | None = Field(default=None, description="A listener to which a mail server of yours hands mail.")
    reply_to: str | None = Field(default=None, description="Where answers go, if not to `address`.")
    reverse_path: str | None = Field(
        default=None, description="Where reports go (RFC 5321 MAIL FROM), if not to `address`."
    )
    verp: bool = Field(
        default=False,
        description="Whether the reverse path carries the delivery, as `address+token@`, which needs plus addressing.",
    )
    message_id_domain: str | None = Field(default=None, description="Of our Message-IDs; None for that of `address`.")
    identifier_key: SecretStr | None = Field(
        default=None, min_length=16, description="Signs our ids; None for one that is made once and kept in the ledger."
    )
    notify: frozenset[Literal["success", "delay", "failure"]] = Field(
        default=frozenset({"delay", "failure"}),
        description="Which reports are asked for, where the server can (RFC 3461); empty for what it does by itself.",
    )
    notify_return: Literal["headers", "full"] = Field(
        default="headers", description="How much of the mail they bring back."
    )
    read_receipts: bool = Field(default=False, description="Whether to ask for read receipts (RFC 8098).")
    unsubscribe_url: str | None = Field(
        default=None,
        pattern=r"^https://[!-;=?-~]+$",
        description="Where one POST unsubscribes (RFC 8058), in bulk mail; with {address} and {delivery} filled in.",
    )
    unsubscribe_address: str | None = Field(default=None, description="Where a mail unsubscribes, in bulk mail.")
    dkim: DkimConfig | None = Field(default=None, description="Signs what goes out.")
    authserv_id: str | None = Field(
        default=None, description="The server of ours whose Authentication-Results are believed (RFC 8601 §2.5)."
    )
    thread_by_subject: bool = Field(
        default=False, description="Whether a mail that names no other belongs to the thread with its subject."
    )
    max_size: int = Field(default=50_000_000, ge=65_536, description="Octets of one mail that comes in.")

    @field_validator("address", "reply_to", "reverse_path", "unsubscribe_address")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else _bare(value)

    @field_validator("aliases")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_bare, value))

    @field_validator("message_id_domain")
    @classmethod
    def _is_domain(cls, value: str | None) -> str | None:
        return None if value is None else addr_spec(f"us@{value}").rpartition("@")[2]

    @field_validator("display_name", "authserv_id")
    @classmethod
    def _is_line(cls, value: str | None) -> str | None:
        return _line(value)

    @model_validator(mode="after")
    def _can_do_something(self) -> Self:
        if self.smtp is None and self.imap is None and self.lmtp is None:
            raise ValueError("say at least one of smtp, imap and lmtp")
        return self

    @property
    def domain(self) -> str:
        """Of our ids."""
        return self.message_id_domain or self.address.rpartition("@")[2]

    @property
    def imap_account(self) -> ImapConfig | None:
        """`imap` with the login of `smtp` where it names none."""
        if self.imap is None or self.imap.username is not None or self.smtp is None:
            return self.imap
        login = {name: getattr(self.smtp, name) for name in ("username", "password", "oauth")}
        return self.imap.model_copy(update=login)

    @property
    def own(self) -> frozenset[str]:
        """Our addresses, in lower case."""
        return frozenset(
            each.lower() for each in (self.address, *self.aliases, self.reply_to, self.reverse_path) if each
        )

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read `smtp://user:password@host:587/?address=support@example.org`, percent-encoded.

        Other settings stand beside it.
        `smtps://` is TLS from the start, `smtp+none://` is in the clear. `imap=host` in the query adds a mailbox with
        the same login.

        Raises:
            ConfigurationError: It has another form; the text does not show it.
        """
        try:
            parts = urlsplit(dsn)
            port = parts.port
            query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True))
        except ValueError:
            raise ConfigurationError(_NOT_READ) from None
        if parts.scheme not in _SCHEMES:
            raise ConfigurationError(f"{_DSN}; its scheme is one of {', '.join(_SCHEMES)}")
        if not parts.hostname or parts.path not in ("", "/") or parts.fragment:
            raise ConfigurationError(_NOT_READ)
        if not query.keys() <= {"address", "imap"}:
            raise ConfigurationError(f"{_DSN}; behind a ? it takes `address`, and `imap` with a host; {_MORE}")
        login: dict[str, Any] = {}
        if parts.username is not None:
            login["username"] = unquote(parts.username)
        if parts.password is not None:
            login["password"] = SecretStr(unquote(parts.password))
        address = query.get("address") or login.get("username")
        if not address or "@" not in address:
            raise ConfigurationError(f"{_DSN}; say `address` behind a ?, where the user name is none")
        server = {"security": _SCHEMES[parts.scheme], "host": parts.hostname, "port": port}
        settings: dict[str, Any] = {"address": address, "smtp": {**server, **login}}
        if "imap" in query:
            settings["imap"] = {"host": query["imap"]}
        return cls(**settings)
