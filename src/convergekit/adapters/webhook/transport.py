"""The one place that meets the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from convergekit.abc import Health, Outgoing
from convergekit.errors import DeliveryError
from convergekit.http import OUTCOMES, AddressGuard, Http, HttpAnswer, Outcome, Outcomes

from .config import WebhookConfig

__all__ = ["GONE", "WEBHOOK_OUTCOMES", "Transport"]

#: The endpoint says that it is no more.
GONE: Final = "410"

#: An endpoint is nobody's account: whoever refuses our signature refuses this message, and other endpoints go on.
WEBHOOK_OUTCOMES: Final[Outcomes] = OUTCOMES | {
    401: Outcome.REJECTED,
    402: Outcome.REJECTED,
    403: Outcome.REJECTED,
    407: Outcome.NOT_SENT,  # a proxy's on the way: the endpoint has not seen it
    409: Outcome.REJECTED,
}


class Transport:
    """Posts the documents of one channel, to whichever endpoint.

    Args:
        config: The channel's.
        http: The seam.
    """

    def __init__(self, config: WebhookConfig, http: Http) -> None:
        self._http, self._timeout = http, config.timeout
        chosen = () if config.url is None else (config.url,)
        http.guard(AddressGuard(config.allow_networks, allow_urls=chosen))
        self._headers = {name.lower(): secret.get_secret_value() for name, secret in config.headers.items()}

    async def post(self, out: Outgoing, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Send *body* to `out.to`, with *headers* beside those of the settings.

        Raises:
            DeliveryError: One of the four outcomes, unless it was taken.
        """
        return await self._http.request(
            "POST",
            out.to.uri,
            out=out,
            headers={**self._headers, **headers},
            content=body,
            outcomes=WEBHOOK_OUTCOMES,
            timeout=self._timeout,
            limit=4096,  # nothing in it concerns us, but a connection is kept only when the answer was read
        )

    async def probe(self, url: str) -> Health:
        """Whether anybody answers at *url*; by HEAD, which asks for nothing to be done."""
        try:
            answer = await self._http.request("HEAD", url, expect="anything", timeout=self._timeout)
        except DeliveryError as exc:
            return Health(ok=False, detail=exc.reason)
        return Health(ok=True, detail=f"the endpoint is there: HEAD was answered with {answer.status}")
