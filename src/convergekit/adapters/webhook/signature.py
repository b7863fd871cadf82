"""How a channel signs what it sends, and knows what comes in to be genuine: the schemes that its settings name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidatorFunctionWrapHandler, WrapValidator

from convergekit.errors import ConfigurationError
from convergekit.http.signatures import SignatureScheme, scheme_named

if TYPE_CHECKING:
    from .config import WebhookConfig

__all__ = ["OWN", "Scheme", "SchemeSetting", "flaw", "is_shared", "made", "schemes"]

_JSON: Final = {"content-type": "application/json"}
#: Schemes of which a call that somebody has seen can be made again with other headers.
_OF_BODIES: Final = frozenset({"hmac", "github", "meta", "stripe", "slack", "shopify", "x", "sendgrid"})
#: The name of a scheme that the host hands over as a part.
OWN: Final = "own"
_WITH_IDS: Final = frozenset({"standard", "github", "shopify", "twilio", "mailgun", "rfc9421", OWN})


class Scheme(BaseModel):
    """A scheme by its name, with its options; what an option is where it is not given, the scheme says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(description="Of the scheme, such as hmac; `own` for one that the host hands over.")
    tolerance: float | None = Field(default=None, description="Seconds that a timestamp may differ from our clock.")
    header: str | None = Field(default=None, description="hmac, header: which header has the signature, or the token.")
    prefix: str | None = Field(
        default=None, description="hmac, header: what stands before it; standard: how the names of headers begin."
    )
    signed: str | None = Field(
        default=None, description="hmac: what is signed, of {timestamp}, {id}, {url} and {body}."
    )
    digest: str | None = Field(default=None, description="hmac: sha1, sha256, sha384 or sha512.")
    encoding: str | None = Field(default=None, description="hmac: hex or base64.")
    timestamp_header: str | None = Field(default=None, description="hmac: which header has the {timestamp}.")
    id_header: str | None = Field(default=None, description="Which header has the id of a call.")
    username: str | None = Field(default=None, description="basic: what goes with the password.")
    verify_token: SecretStr | None = Field(default=None, description="meta: what the challenge has to know.")
    cover: tuple[str, ...] | None = Field(default=None, description="rfc9421: what our signatures cover.")
    require: tuple[str, ...] | None = Field(default=None, description="rfc9421: what theirs have to cover.")
    tag: str | None = Field(default=None, description="rfc9421: the application that a signature is for.")
    nonce: bool | None = Field(default=None, description="rfc9421: whether a signature has a random number.")

    @classmethod
    def of(cls, said: str | Scheme) -> Scheme:
        """What a setting says: a name stands for a table with nothing else in it."""
        return cls(name=said) if isinstance(said, str) else said

    @property
    def has_ids(self) -> bool:
        """Whether it knows a call from its repeat; of the host's own, that is for the host to know."""
        return self.name in _WITH_IDS or self.id_header is not None

    @property
    def signs_body_only(self) -> bool:
        """Whether what it signs is the body, and no header of an event."""
        return self.name in _OF_BODIES

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """What was said."""
        return [(name, value) for name, value in self if name in self.model_fields_set]


def _read(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """A name, or a table of which what is wrong is told by its place; a union would tell it once for each."""
    return Scheme.model_validate(value) if isinstance(value, dict) else handler(value)


#: What a setting takes.
SchemeSetting: TypeAlias = Annotated[str | Scheme, WrapValidator(_read)]


def made(scheme: str | Scheme, secrets: tuple[SecretStr, ...], **defaults: Any) -> SignatureScheme | None:
    """What *scheme* and *secrets* make; None where it is the host's own.

    Args:
        scheme: As the settings say it.
        secrets: The current one first.
        defaults: Options that *scheme* itself does not say.

    Raises:
        ConfigurationError: They do not fit together; the text shows no secret.
    """
    said = Scheme.of(scheme)
    if said.name == OWN:
        return None
    options = {name: value for name, value in said if name != "name" and value is not None}
    return scheme_named(said.name, secrets, **{**defaults, **options})


def is_shared(secret: SecretStr) -> bool:
    """Whether the other side has *secret* as well; not so a private key.

    What is signed with that comes from us: were it believed when it comes in, then everybody whom we send something
    could send it back as a message of theirs.
    """
    text = secret.get_secret_value().strip()
    return not text.startswith("whsk_") and "PRIVATE KEY-" not in text


def schemes(config: WebhookConfig, parts: Mapping[str, Any]) -> tuple[SignatureScheme, SignatureScheme]:
    """What signs, and what verifies.

    Args:
        config: The channel's.
        parts: What the host has handed over: `scheme` and `inbound_scheme`, of which the first stands for both.

    Raises:
        ConfigurationError: The settings ask for the host's own, and there is none; or the other way round.
    """
    own = {name: _part(name, parts) for name in ("scheme", "inbound_scheme")}
    outbound = config.outbound_signature() or own["scheme"]
    inbound = config.inbound_signature() or own["inbound_scheme"] or own["scheme"]
    if outbound is None or inbound is None:
        raise ConfigurationError(f'the settings say "{OWN}": hand the scheme to add_channel, as scheme=')
    for name, part in own.items():
        if part is not None and part is not outbound and part is not inbound:
            raise ConfigurationError(f'{name}= was handed over, and the settings say another: {name} = "{OWN}"')
    return outbound, inbound


def flaw(scheme: SignatureScheme) -> str | None:
    """Why *scheme* can sign nothing that is sent here; None where it can."""
    try:
        scheme.sign("probe", datetime.fromtimestamp(0, UTC), b"{}", url="https://example.org/", headers=_JSON)
    except ConfigurationError as exc:
        return str(exc)
    return None


def _part(name: str, parts: Mapping[str, Any]) -> SignatureScheme | None:
    part = parts.get(name)
    if isinstance(part, type):  # which has the methods, too
        raise ConfigurationError(f"{name}= is a scheme with secrets in it, and not its class: {part.__name__}(...)")
    if part is not None and not isinstance(part, SignatureScheme):
        raise ConfigurationError(f"{name}= has the methods sign, verify and challenge; {type(part).__name__} has not")
    return part
