"""Settings of an X channel."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from convergekit.errors import ConfigurationError
from convergekit.http import is_this_machine, origin_at

__all__ = ["BudgetConfig", "OAuth1Config", "OAuth2Config", "XConfig"]

_DSN: Final = (
    "a DSN of x is made like x://CLIENT_ID:CLIENT_SECRET@default?refresh_token=TOKEN, or "
    "x://CONSUMER_KEY:CONSUMER_SECRET@default?access_token=TOKEN&access_token_secret=SECRET"
)
#: A webhook's URL has no port, and at most so many characters.
_WEBHOOK_URL: Final = 200


def _values(value: Any) -> Any:
    """One value stands for a list of it."""
    return (value,) if isinstance(value, str | SecretStr) else value


_Secrets: TypeAlias = Annotated[tuple[SecretStr, ...], BeforeValidator(_values)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class OAuth2Config(_Settings):
    """A user's tokens by OAuth 2.0 (RFC 6749): what an app gets with the scopes tweet.read, tweet.write, users.read,
    dm.read, dm.write, media.write and offline.access.
    """

    client_id: str = Field(description="Of the app.")
    client_secret: SecretStr | None = Field(
        default=None, description="Of a confidential client; a public one has none."
    )
    refresh_token: SecretStr = Field(
        description="The one to begin with. X gives another with each access token, which is kept in the ledger."
    )


class OAuth1Config(_Settings):
    """A user's tokens by OAuth 1.0a (RFC 5849). They do not expire."""

    consumer_key: str = Field(description="Of the app.")
    consumer_secret: SecretStr = Field(description="Of the app; what X signs webhooks with.")
    access_token: SecretStr = Field(description="Of the account.")
    access_token_secret: SecretStr = Field(description="Of the account.")


class BudgetConfig(_Settings):
    """What may be spent, in US dollars. What is over it waits; it is neither lost nor sent all the same."""

    day: Decimal | None = Field(default=None, gt=0, description="US dollars per day (UTC); nothing said is no limit.")
    month: Decimal | None = Field(default=None, gt=0, description="US dollars per calendar month (UTC).")
    polling: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of it that polling may use up, so that answers can still be paid for.",
    )
    prices: dict[str, Decimal] = Field(
        default={},
        description="US dollars for one of each, where X' prices have changed: the names are told on the "
        "adapter's page.",
    )

    @field_validator("prices")
    @classmethod
    def _are_known(cls, prices: dict[str, Decimal]) -> dict[str, Decimal]:
        if prices:
            from .budgets.prices import price_list  # loads what reads texts, which few settings ask for

            price_list(prices)
        return prices


class XConfig(_Settings):
    """One account at X, by an app of its developer's."""

    oauth2: OAuth2Config | None = Field(default=None, description="The account's tokens by OAuth 2.0.")
    oauth1: OAuth1Config | None = Field(default=None, description="Or by OAuth 1.0a; of both, OAuth 2.0 is used.")
    bearer_token: SecretStr | None = Field(
        default=None, description="The app's own token, which manages webhooks and subscriptions, and reads the stream."
    )
    user_id: str | None = Field(
        default=None, pattern=r"^[0-9]{1,20}$", description="Id of the account; X is asked for it where it is not said."
    )
    mentions: bool = Field(default=True, description="Whether public posts that mention the account come in.")
    direct_messages: bool = Field(default=True, description="Whether direct messages come in.")
    activity: Literal["none", "webhook", "stream"] = Field(
        default="none",
        description="How X tells at once what happens: by calling `webhook_url`, by a stream that we read, or "
        "not at all. "
        "Polling goes on beside it, less often.",
    )
    webhook_url: str | None = Field(
        default=None,
        repr=False,
        description="Where X reaches this channel: the public https URL of the webhook app, with the channel's "
        "name behind.",
    )
    consumer_secrets: _Secrets = Field(
        default=(),
        description="What X signs webhooks with: the app's consumer secret, where `oauth1` does not say it; the "
        "new one first while it is replaced.",
    )
    manage_webhook: bool = Field(
        default=True, description="Whether the channel registers its webhook and subscriptions, and repairs them."
    )
    poll_interval: float = Field(
        default=60.0,
        ge=1,
        le=86_400,
        description="Seconds between polls, where nothing else tells us; limits may ask for more.",
    )
    start: Literal["now", "recent"] = Field(
        default="now",
        description="With what a new channel begins: what comes from now on, or also what X still shows of before.",
    )
    replies: Literal["summoned", "any"] = Field(
        default="summoned",
        description="Whom the account may answer in public: only who mentions or quotes it, as self-serve accounts, "
        "or anybody.",
    )
    long_text: Literal["thread", "refuse", "long"] = Field(
        default="thread",
        description="What becomes of a post above 280: several that follow each other, a refusal, or one long post "
        "(Premium).",
    )
    direct_message_link: str = Field(
        default="https://x.com/messages/compose?recipient_id={id}",
        pattern=r"^https://",
        max_length=2048,
        description="Where a public invitation leads that hands over to a direct message; {id} is the account's.",
    )
    names: Literal["tweet", "post"] = Field(
        default="tweet", description="Which names of fields X is asked with: those before API 2.167, or those since."
    )
    reserve: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Share of each rate limit that is kept for answers: all else waits before it.",
    )
    budget: BudgetConfig = Field(default=BudgetConfig(), description="What may be spent.")
    api: str = Field(default="https://api.x.com", description="Where the API is.")
    timeout: float = Field(default=20.0, gt=0, le=60, description="Seconds for one request, the connection included.")

    @field_validator("api")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.hostname or ""))
        if not is_safe or not parts.hostname or parts.path not in ("", "/") or parts.query or "@" in parts.netloc:
            raise ValueError("must be https:// and a host")
        return value.rstrip("/")

    @field_validator("webhook_url")
    @classmethod
    def _is_public(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme != "https" or not parts.hostname or parts.port is not None or parts.query or parts.fragment:
            raise ValueError("must be an https URL without a port and a query: X calls no other")
        if len(value) > _WEBHOOK_URL:
            raise ValueError(f"must not be longer than {_WEBHOOK_URL} characters")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.oauth2 is None and self.oauth1 is None:
            raise ValueError("oauth2, oauth1: one of them has to say the account's tokens")
        if self.activity == "webhook" and not self.secrets:
            raise ValueError("consumer_secrets: without one nobody knows which calls are X' own")
        if self.activity == "webhook" and self.manage_webhook and self.webhook_url is None:
            raise ValueError("webhook_url: X has to be told where to call; or manage_webhook = false")
        if self.activity == "stream" and self.bearer_token is None:
            raise ValueError("bearer_token: the stream is read with the app's own token")
        if self.activity == "webhook" and self.manage_webhook and self.bearer_token is None:
            raise ValueError("bearer_token: webhooks are managed with the app's own token; or manage_webhook = false")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """What X signs webhooks with, the newest first."""
        given = self.consumer_secrets or ((self.oauth1.consumer_secret,) if self.oauth1 is not None else ())
        return tuple(each.get_secret_value() for each in given)

    @classmethod
    def from_dsn(cls, dsn: str) -> Self:
        """Read `x://CLIENT_ID:CLIENT_SECRET@default?refresh_token=...`, or the keys of OAuth 1.0a; percent-encoded.

        Behind the "?" may also stand `bearer_token` and `user_id`. Other settings stand beside the DSN.

        Raises:
            ConfigurationError: It has another form; the text does not show it.
        """
        try:
            parts = urlsplit(dsn)
            query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True))
            port = parts.port
        except ValueError:
            raise ConfigurationError(f"{_DSN}; in it / ? # @ : and % are percent-encoded") from None
        key, secret = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme != "x" or not parts.hostname or not key or parts.path not in ("", "/") or parts.fragment:
            raise ConfigurationError(_DSN)
        settings: dict[str, Any] = {} if parts.hostname == "default" else {"api": origin_at(parts.hostname, port)}
        if "refresh_token" in query:
            secrets = {"client_secret": secret} if secret else {}
            settings["oauth2"] = {"client_id": key, **secrets, "refresh_token": query.pop("refresh_token")}
        elif {"access_token", "access_token_secret"} <= query.keys():
            tokens = {name: query.pop(name) for name in ("access_token", "access_token_secret")}
            settings["oauth1"] = {"consumer_key": key, "consumer_secret": secret, **tokens}
        else:
            raise ConfigurationError(_DSN)
        if unknown := sorted(query.keys() - {"bearer_token", "user_id"}):
            raise ConfigurationError(f"{_DSN}; behind the ? it takes no {', '.join(map(ascii, unknown))}")
        return cls.model_validate({**settings, **query})

    def to_dsn(self) -> str:
        """The DSN with `***` in place of what is secret: for people to recognise."""
        host = "default" if self.api == "https://api.x.com" else urlsplit(self.api).netloc
        shown = {"refresh_token": "***"} if self.oauth2 else {"access_token": "***", "access_token_secret": "***"}
        if self.bearer_token is not None:
            shown["bearer_token"] = "***"
        if self.user_id is not None:
            shown["user_id"] = self.user_id
        return f"x://***:***@{host}?{urlencode(shown, safe='*')}"
