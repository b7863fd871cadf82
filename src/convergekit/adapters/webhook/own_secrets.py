"""Secrets of single endpoints, as the host says them: each of many has its own, and another one needs no restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import anyio
from pydantic import SecretStr

from convergekit.errors import ConfigurationError, DeliveryError, NotSentError, place_of
from convergekit.http.signatures import SignatureScheme
from convergekit.model import Address

from .signature import flaw

if TYPE_CHECKING:
    from .config import WebhookConfig

__all__ = ["Lookup", "OwnSecrets", "own_secrets"]

#: What a host hands over as `secrets=`: the secrets of the endpoint at an address, the current one first; None for one
#: that has none of its own, which gets those of the settings.
Lookup: TypeAlias = Callable[[Address], Awaitable[Sequence[str | SecretStr] | None]]

#: Schemes that are kept, since to make one costs more than to sign.
_KEPT: Final = 1024


class OwnSecrets:
    """Finds what signs for an endpoint.

    Args:
        lookup: The host's; asked for each attempt, so what it says counts from then on.
        make: Makes the channel's scheme with other secrets; None where the scheme is the host's own.
        otherwise: Signs for whoever has no secrets of their own; None where nobody's are set.
        timeout: Seconds that *lookup* may take.
    """

    def __init__(
        self,
        lookup: Lookup,
        make: Callable[[tuple[SecretStr, ...]], SignatureScheme | None],
        otherwise: SignatureScheme | None,
        *,
        timeout: float,
    ) -> None:
        self._lookup, self._otherwise, self._timeout = lookup, otherwise, timeout

        def made(secrets: tuple[str, ...]) -> SignatureScheme | None:
            return make(tuple(map(SecretStr, secrets)))

        self._made = lru_cache(_KEPT)(made)

    async def scheme_for(self, address: Address) -> SignatureScheme:
        """What signs for the endpoint at *address*.

        Raises:
            NotSentError: Its secrets cannot be had, or are none. That is one endpoint's trouble, and may be mended
                before the last attempt.
            DeliveryError: As the host has raised it.
        """
        try:
            with anyio.fail_after(self._timeout):  # one that hangs would keep others of the channel from being sent
                found = await self._lookup(address)
            own = None if found is None else tuple(_plain(secret) for secret in _several(found))
            scheme = self._otherwise if own is None else self._made(own) if own else None
        except DeliveryError:
            raise
        except ConfigurationError as exc:
            raise NotSentError(f"the secrets of the endpoint do not fit: {exc}") from None
        except Exception as exc:  # its text may show a secret
            raise NotSentError(
                f"the secrets of the endpoint could not be had: {type(exc).__name__} at {place_of(exc)}"
            ) from None
        if scheme is None:
            raise NotSentError("the endpoint has no secrets: neither `secrets` of the host nor of the settings has one")
        return scheme


def own_secrets(config: WebhookConfig, parts: Mapping[str, Any], signs: SignatureScheme) -> OwnSecrets | None:
    """What finds the secrets of single endpoints; None where they have none.

    Args:
        config: The channel's.
        parts: What the host has handed over: `secrets`, a `Lookup`.
        signs: What signs by the settings.

    Raises:
        ConfigurationError: The settings ask for the host's function, and there is none; or the other way round.
    """
    lookup = parts.get("secrets")
    if lookup is None and not config.own_secrets:
        return None
    if not callable(lookup):
        raise ConfigurationError("the settings say own_secrets: hand the function to add_channel, as secrets=")
    if not config.own_secrets:
        raise ConfigurationError("secrets= was handed over, and the settings do not say own_secrets = true")
    otherwise = None if flaw(signs) else signs
    return OwnSecrets(cast(Lookup, lookup), config.signature_with, otherwise, timeout=config.timeout)


def _several(found: Sequence[str | SecretStr]) -> Sequence[str | SecretStr]:
    return (found,) if isinstance(found, str | SecretStr) else found


def _plain(secret: str | SecretStr) -> str:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret
