"""Settings of an IRC channel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from convergekit.errors import ConfigurationError

from .wire import is_nick, is_room

__all__ = ["IrcConfig"]

_LOOKS_LIKE: Final = "an IRC DSN looks like ircs://NICK:PASSWORD@host:6697/%23room,%23other?realname=Our+bot"
_SCHEMES: Final = {"irc": False, "ircs": True}


# [config]
class IrcConfig(BaseModel):
    """One account on one network."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(pattern=r"^[A-Za-z0-9._:-]+$", description="Host name or IP address of the server.")
    nick: str = Field(max_length=30, description="Our nickname. While it is taken, underscores stand behind it.")
    password: SecretStr | None = Field(default=None, description="Of the server, or with `account` of the account.")
    account: str | None = Field(default=None, description="Account to log in to with SASL PLAIN; without, none.")
    rooms: tuple[str, ...] = Field(default=(), description="Rooms to be in, each with its #.")
    tls: bool = Field(default=True, description="Whether to connect over TLS; the certificate is always verified.")
    port: int | None = Field(default=None, ge=1, le=65535, description="None is 6697 with TLS and 6667 without.")
    ca_file: Path | None = Field(default=None, description="PEM file of the authority to trust; None for the system's.")
    username: str = Field(default="bot", pattern=r"^[A-Za-z0-9._-]{1,10}$", description="The `user` of user@host.")
    realname: str = Field(default="convergekit", max_length=50, description="What WHOIS shows.")
    timeout: float = Field(default=20.0, gt=0, le=50, description="Seconds to wait for an answer, or to log in.")
    ping_interval: float = Field(default=60.0, gt=0, description="Seconds between looks at whether the server lives.")
    # [config end]

    @field_validator("rooms", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("rooms")
    @classmethod
    def _are_rooms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for room in value:
            if not is_room(room):
                raise ValueError(f"{room[:50]!a} is no room: it starts with #, without spaces and commas")
        return value

    @field_validator("nick")
    @classmethod
    def _is_nick(cls, value: str) -> str:
        if not is_nick(value):
            raise ValueError("is no nickname: letters, digits and -_[]\\`^{}|, with no digit and no - in front")
        return value

    @field_validator("password", "account", "realname")
    @classmethod
    def _is_one_line(cls, value: SecretStr | str | None) -> SecretStr | str | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and (not text or re.search(r"[\0\r\n]", text)):
            raise ValueError("is empty, or not on one line")
        return value

    @model_validator(mode="after")
    def _has_password(self) -> Self:
        if self.account is not None and self.password is None:
            raise ValueError("account is there and password is not: SASL needs both")
        if self.password is not None and len(f"{self.account}{self.password.get_secret_value()}".encode()) > 280:
            raise ValueError("account and password are longer than the 280 bytes that fit into a line")
        return self

    @property
    def where(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (6697 if self.tls else 6667)

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read `ircs://NICK:PASSWORD@host:port/%23room,%23other?setting=value`; `irc://` is without TLS.

        Raises:
            ConfigurationError: It has another form; the text does not show it.
        """
        try:
            url = urlsplit(dsn)
            tls, port = _SCHEMES[url.scheme], url.port
            more = {name: value for name, (value,) in parse_qs(url.query, strict_parsing=bool(url.query)).items()}
        except (ValueError, KeyError):
            raise ConfigurationError(_LOOKS_LIKE) from None
        if not url.username or not url.hostname or url.fragment:
            raise ConfigurationError(_LOOKS_LIKE)
        rooms = [unquote(room) for room in url.path.removeprefix("/").split(",") if room]
        said: dict[str, Any] = {"host": url.hostname, "nick": unquote(url.username), "tls": tls, "rooms": rooms}
        if url.password is not None:
            said["password"] = unquote(url.password)
        if port is not None:
            said["port"] = port
        if twice := sorted(said.keys() & more.keys()):
            raise ConfigurationError(f"{', '.join(twice)} stands in its own place of the DSN, not behind the ?")
        return cls.model_validate({**said, **more})

    def to_dsn(self) -> str:
        """The DSN, with `***` in place of the password."""
        host, port = self.where
        address = f"[{host}]" if ":" in host else host
        password = "" if self.password is None else ":***"
        rooms = ",".join(quote(room, safe="") for room in self.rooms)
        own = self.model_dump(include={"account", "ca_file", "username", "realname", "timeout", "ping_interval"})
        more = urlencode({name: value for name, value in own.items() if value != type(self).model_fields[name].default})
        scheme = "ircs" if self.tls else "irc"
        query = f"?{more}" if more else ""
        return f"{scheme}://{quote(self.nick, safe='')}{password}@{address}:{port}/{rooms}{query}"
