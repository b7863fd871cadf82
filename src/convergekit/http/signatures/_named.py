"""Schemes by name, for settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import ConfigDict, ValidationError, validate_call

from convergekit.errors import ConfigurationError

from ._challenging import Meta, Slack, X
from ._generic import BasicAuth, HeaderToken, Hmac, SecretPath
from ._keyed import Secrets, secrets_of
from ._providers import GitHub, Mailgun, Shopify, Stripe
from ._rfc9421 import MessageSignatures
from ._scheme import SignatureScheme
from ._sendgrid import SendGrid
from ._standard import StandardWebhooks
from ._twilio import Twilio

__all__ = ["SCHEMES", "scheme_named"]

#: By name; what each takes beside its secrets are its options.
SCHEMES: Final[Mapping[str, type[SignatureScheme]]] = MappingProxyType(
    {
        "standard": StandardWebhooks,
        "github": GitHub,
        "meta": Meta,
        "stripe": Stripe,
        "slack": Slack,
        "shopify": Shopify,
        "twilio": Twilio,
        "mailgun": Mailgun,
        "sendgrid": SendGrid,
        "x": X,
        "hmac": Hmac,
        "basic": BasicAuth,
        "header": HeaderToken,
        "secret-path": SecretPath,
        "rfc9421": MessageSignatures,
    }
)
_HIDDEN: Final = ConfigDict(hide_input_in_errors=True)


def scheme_named(name: str, secrets: Secrets, /, **options: Any) -> SignatureScheme:
    """The scheme called *name* in `SCHEMES`.

    Args:
        name: Of it.
        secrets: The current one first.
        options: As in a table of settings; text is read as a number where one is meant.

    Raises:
        ConfigurationError: There is no such scheme, an option is missing or wrong, or a secret is none. The text shows
            neither secrets nor options.
    """
    if name not in SCHEMES:
        raise ConfigurationError(f"{name[:80]!a} is no scheme; there are {', '.join(SCHEMES)}")
    scheme: Any = SCHEMES[name]
    made: SignatureScheme = object.__new__(scheme)
    try:
        # The types of the arguments are checked, which the class itself takes for granted.
        validate_call(config=_HIDDEN)(scheme.__init__)(made, secrets_of(secrets), **options)
    except ValidationError as exc:
        raise ConfigurationError(f"scheme {name}: {'; '.join(map(_told, exc.errors(include_url=False)))}") from None
    return made


def _told(error: Any) -> str:
    """One flaw; *error* without its input, which may be a secret."""
    where = ".".join(map(str, error["loc"])) or "it"
    says = {"unexpected_keyword_argument": "is no option", "missing_keyword_only_argument": "is missing"}
    return f"{where} {says.get(error['type'], error['msg'])}"
