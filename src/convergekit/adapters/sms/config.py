"""Settings of an SMS channel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr, field_validator

from convergekit.errors import ConfigurationError
from convergekit.http import origin_at
from convergekit.model import Address

from . import profiles
from .profile import Medium, Profile

__all__ = ["SmsConfig"]

_DSN: Final = "a DSN of sms is made like GATEWAY://USERNAME:PASSWORD@HOST?from=NUMBER, with `default` for no HOST"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_~.-]{16,200}")
_SENDER: Final = re.compile(r"[\x20-\x7e]{1,100}")
_URL: Final = re.compile(r"(?i)https?://")
_WORD: Final = re.compile(r"\w{1,40}")
#: Settings that a DSN may say behind its "?".
_IN_QUERY: Final = frozenset({"from", "whatsapp", "rcs", "callback_url", "callback_token", "region"})


def _values(value: Any) -> Any:
    """One value stands for a list of it."""
    return (value,) if isinstance(value, str | SecretStr) else value


_Secrets: TypeAlias = Annotated[tuple[SecretStr, ...], BeforeValidator(_values)]


class SmsConfig(BaseModel):
    """One account at one SMS gateway.

    To replace a secret without a gap, give both as a list, the new one first: it is sent with, and either of them is
    believed in what comes in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    gateway: str = Field(
        default="generic", description="Name of its profile: `twilio`, `kannel`, or that of a package which brings one."
    )
    profile: dict[str, Any] | Path | None = Field(
        default=None, description="A profile of your own in place of `gateway`: a table, or the path of a TOML file."
    )
    account: dict[str, _Secrets] = Field(
        default={}, description="What the profile asks for: user names, keys, tokens; each one value, or several."
    )
    sender: str | None = Field(
        default=None, alias="from", description="Who an SMS or MMS is from: a number, a short code or a name."
    )
    whatsapp: str | None = Field(default=None, description="Our number on WhatsApp, where the gateway carries it.")
    rcs: str | None = Field(default=None, description="Our agent on RCS, where the gateway carries it.")
    callback_url: str | None = Field(
        default=None,
        repr=False,
        description="Where the gateway reaches this channel: the public https URL of the webhook app, with the "
        "channel's name behind it. Signatures cover it, and reports go there.",
    )
    callback_token: _Secrets = Field(
        default=(),
        description="An unguessable piece of path behind `callback_url`, for gateways that sign nothing: 16 letters "
        "and digits or more.",
    )
    transliteration: Literal["never", "punctuation", "full"] = Field(
        default="punctuation",
        description="What may be written otherwise to spare a text from UCS-2, which halves what a segment holds: "
        "nothing, punctuation, or letters too.",
    )
    region: str | None = Field(
        default=None,
        json_schema_extra={"pattern": r"^[A-Z]{2}$"},
        description="ISO 3166 code of the country whose numbers may come without their country code.",
    )
    stop_words: tuple[str, ...] = Field(
        default=("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"),
        description="Words that, alone in a message, take back consent.",
    )
    start_words: tuple[str, ...] = Field(
        default=("START", "YES", "UNSTOP"), description="Words that, alone in a message, give it again."
    )
    help_words: tuple[str, ...] = Field(
        default=("HELP", "INFO"), description="Words that, alone in a message, ask for help."
    )
    assembly_deadline: float = Field(
        default=1800.0,
        gt=0,
        le=7 * 86400,
        description="Seconds to wait for the missing parts of a longer message; then it is given with gaps.",
    )
    timeout: float = Field(default=20.0, gt=0, le=60, description="Seconds for one request, the connection included.")

    _profile: Profile = PrivateAttr()

    @field_validator("callback_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not _URL.match(value) or "?" in value or "#" in value:
            raise ValueError("must be an http or https URL without a query, such as https://example.org/hooks/alerts")
        Address.parse(value)
        return value.rstrip("/")

    @field_validator("callback_token")
    @classmethod
    def _are_tokens(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_TOKEN.fullmatch(each.get_secret_value()) for each in value):
            raise ValueError("must be 16 to 200 letters, digits and _ ~ . -, for nobody must guess it")
        return value

    @field_validator("sender", "whatsapp", "rcs")
    @classmethod
    def _is_sender(cls, value: str | None) -> str | None:
        if value is not None and (not _SENDER.fullmatch(value) or value != value.strip()):
            raise ValueError("must be a number, a short code or a name: printable ASCII")
        return value

    @field_validator("region")
    @classmethod
    def _is_region(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Z]{2}", value):
            raise ValueError("must be the two capital letters of a country (ISO 3166), such as DE")
        return value

    @field_validator("stop_words", "start_words", "help_words")
    @classmethod
    def _are_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_WORD.fullmatch(each) for each in value):
            raise ValueError("must be single words, without blanks")
        return value

    def model_post_init(self, context: Any, /) -> None:
        """Read the profile, and see whether the account says all that it asks for."""
        if self.profile is None and self.gateway == "generic":
            known = ", ".join(profiles.names())
            raise ValueError(f"gateway or profile is missing: one of {known}; or a profile of your own")
        try:
            self._profile = profiles.load(self.gateway) if self.profile is None else profiles.read(self.profile)
        except ConfigurationError as exc:
            raise ValueError(str(exc)) from None
        if flaws := [*self._flaws(self._profile)]:
            raise ValueError("; ".join(flaws))

    def _flaws(self, profile: Profile) -> list[str]:
        if self.profile is not None and self.gateway not in ("generic", profile.name):
            return [f"gateway: the profile calls itself {profile.name!r}; leave `gateway` out, or say the same"]
        known = ", ".join(profile.settings) or "nothing"
        flaws = [f"account.{name}: {profile.name} takes {known}" for name in self.account.keys() - profile.settings]
        flaws += [
            f"account.{name} is missing: {setting.description}"
            for name, setting in profile.settings.items()
            if setting.required and setting.default is None and not self.value(name)
        ]
        flaws += [
            f"{medium}: {profile.name} does not carry it"
            for medium, sender in (("whatsapp", self.whatsapp), ("rcs", self.rcs))
            if sender is not None and medium not in profile.media
        ]
        return flaws

    @property
    def loaded(self) -> Profile:
        """The profile."""
        return self._profile

    def value(self, name: str) -> str:
        """The setting *name* of the account, or what stands for it, or ""; of several values the first."""
        values = self.values(name)
        return values[0] if values else ""

    def values(self, name: str) -> tuple[str, ...]:
        """All values of the setting *name* of the account."""
        if given := self.account.get(name):
            return tuple(each.get_secret_value() for each in given)
        setting = self._profile.settings.get(name)
        return (setting.default,) if setting is not None and setting.default is not None else ()

    def tokens(self) -> tuple[str, ...]:
        """All values of `callback_token`."""
        return tuple(each.get_secret_value() for each in self.callback_token)

    def sender_of(self, medium: Medium) -> str | None:
        """Who we are by *medium*."""
        return {"whatsapp": self.whatsapp, "rcs": self.rcs}.get(medium, self.sender)

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read `twilio://SID:TOKEN@default?from=%2B15005550006`: the gateway and its account, percent-encoded.

        Which settings user name, password and host are, the profile says. Behind the "?" may stand `from`, `whatsapp`,
        `rcs`, `region`, `callback_url`, `callback_token`, and any other setting of the account. Others stand beside
        the DSN.

        Raises:
            ConfigurationError: It has another form; the text does not show it.
        """
        try:
            parts = urlsplit(dsn)
            query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True))
            port = parts.port
        except ValueError:
            raise ConfigurationError(f"{_DSN}; in it / ? # @ : and % are percent-encoded") from None
        if not parts.hostname or parts.path not in ("", "/") or parts.fragment:
            raise ConfigurationError(_DSN)
        if any(value.startswith(" ") for value in query.values()):
            raise ConfigurationError(f"{_DSN}; a + stands for a blank there, so that of a number is %2B")
        profile = profiles.load(parts.scheme)
        account = {name: query.pop(name) for name in list(query) if name in profile.settings}
        host = None if parts.hostname == "default" else origin_at(parts.hostname, port)
        given = {"username": parts.username, "password": parts.password, "host": host}
        for place, text in given.items():
            setting: str | None = getattr(profile.dsn, place)
            if text is not None and setting is None:
                raise ConfigurationError(f"{_DSN}; {profile.name} takes no {place.upper()} there")
            if text is not None and setting is not None:
                account[setting] = text if place == "host" else unquote(text)
        if unknown := sorted(query.keys() - _IN_QUERY):
            raise ConfigurationError(f"{_DSN}; behind the ? {profile.name} takes no {', '.join(map(ascii, unknown))}")
        return cls.model_validate({"gateway": profile.name, "account": account, **query})

    def to_dsn(self) -> str:
        """The DSN with `***` in place of the account: for people to recognise."""
        shown = {"from": self.sender, "whatsapp": self.whatsapp, "rcs": self.rcs, "region": self.region}
        shown |= {"callback_url": self.callback_url, "callback_token": "***" if self.callback_token else None}
        query = urlencode({name: value for name, value in shown.items() if value}, safe="*")
        return f"{self._profile.name}://***@default" + (f"?{query}" if query else "")
